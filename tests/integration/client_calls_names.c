/*
 * client_calls_names.c -- names, directories and calls by handle.
 */
#include "tests/integration/client_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

void names(void)
{
	char long_name[300], long_path[5000], buffer[64];
	struct stat st, other;

	memset(long_name, 'n', sizeof(long_name));
	long_name[255] = '\0';
	CHECK(farnova_mkdir(fs, long_name, 0755) == 0);
	CHECK(farnova_rmdir(fs, long_name) == 0);
	long_name[255] = 'n';
	long_name[256] = '\0';
	FAILS(farnova_mkdir(fs, long_name, 0755), ENAMETOOLONG);
	memset(long_path, '/', sizeof(long_path));
	long_path[4095] = '\0';
	CHECK(farnova_stat(fs, long_path, &st) == 0);
	long_path[4095] = '/';
	long_path[4096] = '\0';
	FAILS(farnova_stat(fs, long_path, &st), ENAMETOOLONG);

	CHECK(farnova_mkdir(fs, "d", 0751) == 0);
	FAILS(farnova_mkdir(fs, "d", 0755), EEXIST);
	FAILS(farnova_mkdir(fs, "no/d", 0755), ENOENT);
	CHECK(farnova_stat(fs, "d", &st) == 0 && st.st_mode == (S_IFDIR | 0751) && st.st_nlink == 2);
	CHECK(farnova_mknod(fs, "d/fifo", S_IFIFO | 0600, 0) == 0);
	CHECK(farnova_mknod(fs, "d/null", S_IFCHR | 0666, makedev(1, 3)) == 0);
	CHECK(farnova_stat(fs, "d/null", &st) == 0 && st.st_mode == (S_IFCHR | 0666) && st.st_rdev == makedev(1, 3));
	CHECK(farnova_mknod(fs, "d/regular", 0640, 0) == 0);
	CHECK(farnova_stat(fs, "d/regular", &st) == 0 && st.st_mode == (S_IFREG | 0640));
	FAILS(farnova_rmdir(fs, "d"), ENOTEMPTY);
	FAILS(farnova_rmdir(fs, "d/regular"), ENOTDIR);
	FAILS(farnova_unlink(fs, "d"), EISDIR);
	FAILS(farnova_unlink(fs, "d/missing"), ENOENT);

	CHECK(farnova_link(fs, "d/regular", "d/second") == 0);
	CHECK(farnova_stat(fs, "d/second", &other) == 0 && other.st_ino == st.st_ino && other.st_nlink == 2);
	CHECK(other.st_dev == st.st_dev);
	FAILS(farnova_link(fs, "d/regular", "d/second"), EEXIST);
	FAILS(farnova_link(fs, "d", "d/dir"), EPERM);
	FAILS(farnova_link(fs, "d/missing", "d/third"), ENOENT);

	CHECK(farnova_symlink(fs, "regular", "d/soft") == 0);
	FAILS(farnova_symlink(fs, "regular", "d/soft"), EEXIST);
	FAILS(farnova_symlink(fs, "", "d/empty"), ENOENT);
	CHECK(farnova_readlink(fs, "d/soft", buffer, sizeof(buffer)) == 7 && memcmp(buffer, "regular", 7) == 0);
	CHECK(farnova_readlink(fs, "d/soft", buffer, 3) == 3);
	FAILS(farnova_readlink(fs, "d/soft", buffer, 0), EINVAL);
	FAILS(farnova_readlink(fs, "d/regular", buffer, sizeof(buffer)), EINVAL);
	CHECK(farnova_lstat(fs, "d/soft", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 7);
	CHECK(farnova_stat(fs, "d/soft", &st) == 0 && S_ISREG(st.st_mode));
	CHECK(farnova_symlink(fs, "loop", "d/loop") == 0);
	FAILS(farnova_stat(fs, "d/loop", &st), ELOOP);

	CHECK(farnova_rename(fs, "d/regular", "d/renamed", 0) == 0);
	FAILS(farnova_stat(fs, "d/regular", &st), ENOENT);
	FAILS(farnova_rename(fs, "d/renamed", "d/null", RENAME_NOREPLACE), EEXIST);
	CHECK(farnova_rename(fs, "d/renamed", "d/null", RENAME_EXCHANGE) == 0);
	CHECK(farnova_stat(fs, "d/null", &st) == 0 && S_ISREG(st.st_mode));
	FAILS(farnova_rename(fs, "d/null", "d/fifo", 77), EINVAL);
	FAILS(farnova_rename(fs, "d/missing", "d/fifo", 0), ENOENT);
	FAILS(farnova_rename(fs, "d", "d/inside", 0), EINVAL);
	CHECK(farnova_rename(fs, "d/null", "d/fifo", 0) == 0);

	static const char *const rest[] = {"d/fifo", "d/renamed", "d/second", "d/soft", "d/loop"};
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		CHECK(farnova_unlink(fs, rest[i]) == 0);
	CHECK(farnova_rmdir(fs, "d") == 0);
}

/* Entries are renamed and replaced, more than are told: those there throughout are told once, and the listing ends. */
static void listing_of_what_changes(int count)
{
	enum { MOVERS = 20 };
	struct farnova_dir *dir = farnova_opendir(fs, "dir");
	int told = 0, kept = 0, round = 0, number;
	char from[64], to[64];
	struct dirent *entry;

	CHECK(dir);
	for (int i = 0; i < MOVERS; i++) {
		snprintf(to, sizeof(to), "dir/mover-%d-0", i);
		CHECK(farnova_mknod(fs, to, S_IFREG | 0600, 0) == 0);
	}
	for (; (entry = farnova_readdir(dir)); told++) {
		CHECK(told < 2 * count);
		kept += sscanf(entry->d_name, "entry-with-a-name-%d", &number) == 1;
		if (told % 10)
			continue;
		for (int i = 0; i < MOVERS; i++) {
			snprintf(from, sizeof(from), "dir/mover-%d-%d", i, round);
			snprintf(to, sizeof(to), "dir/mover-%d-%d", i, round + 1);
			CHECK(farnova_rename(fs, from, to, 0) == 0);
			CHECK(farnova_mknod(fs, from, S_IFREG | 0600, 0) == 0);
			snprintf(to, sizeof(to), "dir/entry-with-a-name-%d", (told * 7 + i * 31) % count);
			CHECK(farnova_rename(fs, from, to, 0) == 0);
		}
		round++;
	}
	CHECK(kept == count);
	farnova_seekdir(dir, 0); /* begins anew, so what has come is told */
	for (told = 0; farnova_readdir(dir);)
		told++;
	CHECK(told == 2 + count + MOVERS);
	CHECK(farnova_closedir(dir) == 0);
	for (int i = 0; i < MOVERS; i++) {
		snprintf(to, sizeof(to), "dir/mover-%d-%d", i, round);
		CHECK(farnova_unlink(fs, to) == 0);
	}
}

void directories(void)
{
	enum { COUNT = 1500 };
	static off_t position[COUNT + 2];
	static int seen[COUNT];
	char name[64];
	struct dirent *entry;

	CHECK(farnova_mkdir(fs, "dir", 0755) == 0);
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "dir/entry-with-a-name-%d", i);
		CHECK(farnova_mknod(fs, name, S_IFREG | 0600, 0) == 0);
	}
	struct farnova_dir *dir = farnova_opendir(fs, "dir");
	CHECK(dir);
	for (int i = 0; i < COUNT + 2; i++) {
		int number;
		position[i] = farnova_telldir(dir);
		entry = farnova_readdir(dir);
		CHECK(entry && entry->d_off == farnova_telldir(dir));
		if (i < 2) {
			CHECK(strcmp(entry->d_name, i ? ".." : ".") == 0 && entry->d_type == DT_DIR && entry->d_ino);
			continue;
		}
		CHECK(sscanf(entry->d_name, "entry-with-a-name-%d", &number) == 1 && seen[number]++ == 0);
		CHECK(entry->d_type == DT_REG && entry->d_ino);
	}
	errno = 123;
	CHECK(farnova_readdir(dir) == NULL && errno == 123);
	for (int i = COUNT + 1; i >= 0; i -= 97) {
		char first[256];
		farnova_seekdir(dir, position[i]);
		CHECK((entry = farnova_readdir(dir)));
		strcpy(first, entry->d_name);
		farnova_seekdir(dir, position[i]);
		CHECK((entry = farnova_readdir(dir)) && strcmp(entry->d_name, first) == 0);
	}
	CHECK(farnova_closedir(dir) == 0);
	listing_of_what_changes(COUNT);
	FAILS_NULL(farnova_opendir(fs, "missing"), ENOENT);
	FAILS_NULL(farnova_opendir(fs, "dir/entry-with-a-name-0"), ENOTDIR);
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "dir/entry-with-a-name-%d", i);
		CHECK(farnova_unlink(fs, name) == 0);
	}
	CHECK(farnova_rmdir(fs, "dir") == 0);
}

void by_handle(void)
{
	struct farnova_handle root = farnova_root(fs), dir, made, found;
	struct stat st;
	char buffer[16];

	CHECK(farnova_mknod_at(fs, root, "h", S_IFDIR | 0755, 0, &dir, &st) == 0 && S_ISDIR(st.st_mode));
	FAILS(farnova_mknod_at(fs, root, "h/x", S_IFREG | 0644, 0, &made, &st), EINVAL);
	struct farnova_file *file = farnova_create_at(fs, dir, "f", O_RDWR, 0644, &made, &st);
	CHECK(file && S_ISREG(st.st_mode) && st.st_ino == made.ino);
	CHECK(farnova_pwrite(file, "data", 4, 0) == 4);
	FAILS_NULL(farnova_create_at(fs, dir, "f", O_RDWR | O_EXCL, 0644, NULL, NULL), EEXIST);
	CHECK(farnova_lookup_at(fs, dir, "f", &found, &st) == 0 && found.ino == made.ino);
	CHECK(found.generation == made.generation && st.st_size == 4);
	FAILS(farnova_lookup_at(fs, dir, "g", &found, &st), ENOENT);
	FAILS(farnova_lookup_at(fs, made, "g", &found, &st), ENOTDIR);
	CHECK(farnova_lookup_at(fs, dir, "..", &found, NULL) == 0 && found.ino == root.ino);
	struct farnova_statx all = {.size = sizeof(all)}, in = all, small = {.size = 8};
	FAILS(farnova_lookupx_at(fs, dir, "f", &found, &small, NULL), EINVAL);
	FAILS_NULL(farnova_openx_at(fs, made, O_RDONLY, &small), EINVAL);
	FAILS_NULL(farnova_createx_at(fs, dir, "x", O_RDWR, 0644, &found, &small), EINVAL);
	struct farnova_file *created = farnova_createx_at(fs, dir, "x", O_RDWR | O_EXCL, 0640, &found, &all);
	CHECK(created && all.stat.st_ino == found.ino && all.stat.st_mode == (S_IFREG | 0640) && !all.has_xattrs);
	CHECK(farnova_close(created) == 0 && farnova_unlink_at(fs, dir, "x") == 0);
	CHECK(farnova_lookupx_at(fs, dir, "f", &found, &all, &in) == 0 && found.ino == made.ino);
	CHECK(all.stat.st_size == 4 && !all.has_xattrs && in.stat.st_ino == dir.ino && S_ISDIR(in.stat.st_mode));
	CHECK(farnova_setxattr_at(fs, made, "user.a", "b", 1, 0) == 0);
	CHECK(farnova_lookupx_at(fs, dir, "f", &found, &all, NULL) == 0 && all.has_xattrs && all.flags == 0);
	struct farnova_file *opened = farnova_openx_at(fs, made, O_RDONLY, &all);
	CHECK(opened && all.has_xattrs && all.stat.st_size == 4 && farnova_close(opened) == 0);
	CHECK(farnova_removexattr_at(fs, made, "user.a") == 0);
	in.stat.st_ino = 0;
	FAILS(farnova_lookupx_at(fs, dir, "g", &found, &all, &in), ENOENT);
	CHECK(in.stat.st_ino == dir.ino);
	FAILS(farnova_lookupx_at(fs, made, "g", &found, &all, &in), ENOTDIR);
	CHECK(in.stat.st_ino == 0);
	CHECK(farnova_stat_at(fs, made, &st) == 0 && st.st_size == 4);
	CHECK(farnova_access_at(fs, made, W_OK) == 0);

	st = (struct stat){.st_mode = 0600, .st_uid = 3, .st_gid = 4, .st_size = 2};
	st.st_mtim.tv_sec = 77;
	CHECK(farnova_setattr_at(fs, made, file,
	                         FARNOVA_SET_MODE | FARNOVA_SET_UID | FARNOVA_SET_GID | FARNOVA_SET_SIZE |
	                             FARNOVA_SET_MTIME | FARNOVA_SET_ATIME_NOW,
	                         &st) == 0);
	CHECK(st.st_mode == (S_IFREG | 0600) && st.st_uid == 3 && st.st_gid == 4 && st.st_size == 2);
	CHECK(st.st_mtim.tv_sec == 77 && st.st_atim.tv_sec > 1700000000);
	FAILS(farnova_setattr_at(fs, made, NULL, 1u << 20, &st), EINVAL);
	FAILS(farnova_setattrx_at(fs, made, NULL, FARNOVA_SET_MODE, &small), EINVAL);
	all.stat.st_mode = 0640;
	CHECK(farnova_setattrx_at(fs, made, NULL, FARNOVA_SET_MODE, &all) == 0);
	CHECK(all.stat.st_mode == (S_IFREG | 0640) && all.stat.st_uid == 3 && !all.has_xattrs);
	all.stat.st_mode = 0600;
	CHECK(farnova_setattrx_at(fs, made, NULL, FARNOVA_SET_MODE, &all) == 0);
	CHECK(farnova_close(file) == 0);

	file = farnova_open_at(fs, made, O_RDONLY);
	CHECK(file && farnova_read(file, buffer, sizeof(buffer)) == 2 && memcmp(buffer, "da", 2) == 0);
	CHECK(farnova_close(file) == 0);
	CHECK(farnova_symlink_at(fs, "f", dir, "s", &found, &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(farnova_readlink_at(fs, found, buffer, sizeof(buffer)) == 1 && buffer[0] == 'f');
	CHECK(farnova_link_at(fs, made, dir, "f2", &st) == 0 && st.st_nlink == 2);
	CHECK(farnova_rename_at(fs, dir, "f2", root, "moved", 0) == 0);
	CHECK(farnova_unlink_at(fs, root, "moved") == 0);
	FAILS_NULL(farnova_opendirx_at(fs, dir, &small), EINVAL);
	uint64_t lookups = sent("LOOKUP"), listings = sent("READDIR");
	struct farnova_dir *listing = farnova_opendirx_at(fs, dir, &all);
	struct dirent *entry;
	CHECK(listing && all.stat.st_ino == dir.ino && S_ISDIR(all.stat.st_mode));
	CHECK((entry = farnova_readdir(listing)) && entry->d_ino == dir.ino && strcmp(entry->d_name, ".") == 0);
	CHECK((entry = farnova_readdir(listing)) && entry->d_ino == root.ino && strcmp(entry->d_name, "..") == 0);
	while (farnova_readdir(listing))
		;
	CHECK(sent("LOOKUP") == lookups && sent("READDIR") == listings + 1);
	CHECK(farnova_closedir(listing) == 0);
	listing = farnova_opendir_at(fs, dir);
	CHECK(listing && farnova_readdir(listing));
	CHECK(farnova_closedir(listing) == 0);
	FAILS(farnova_rmdir_at(fs, root, "h"), ENOTEMPTY);
	CHECK(farnova_unlink_at(fs, dir, "s") == 0);
	CHECK(farnova_unlink_at(fs, dir, "f") == 0);
	FAILS(farnova_stat_at(fs, made, &st), ESTALE);
	FAILS_NULL(farnova_open_at(fs, made, O_RDONLY), ESTALE);
	CHECK(farnova_rmdir_at(fs, root, "h") == 0);
	FAILS_NULL(farnova_opendir_at(fs, dir), ESTALE);
}
