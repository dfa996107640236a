/*
 * client_calls_attributes.c -- attributes, credentials, extended attributes, ACLs and flags.
 */
#include "tests/integration/client_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

void attributes(void)
{
	struct farnova_file *file = make_file("a", "0123456789", 10);
	struct timespec times[2] = {{.tv_sec = 1000000000, .tv_nsec = 123456789}, {.tv_sec = -5, .tv_nsec = 7}};
	struct stat st;
	struct statvfs vfs;

	CHECK(farnova_chmod(fs, "a", 04711) == 0);
	CHECK(farnova_stat(fs, "a", &st) == 0 && st.st_mode == (S_IFREG | 04711));
	CHECK(farnova_fchmod(file, 0604) == 0);
	CHECK(farnova_chown(fs, "a", 12, (gid_t)-1) == 0);
	CHECK(farnova_fchown(file, (uid_t)-1, 34) == 0);
	CHECK(farnova_fstat(file, &st) == 0 && st.st_mode == (S_IFREG | 0604) && st.st_uid == 12 && st.st_gid == 34);
	CHECK(farnova_utimens(fs, "a", times, 0) == 0);
	CHECK(farnova_fstat(file, &st) == 0);
	CHECK(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 123456789);
	CHECK(st.st_mtim.tv_sec == -5 && st.st_mtim.tv_nsec == 7);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	CHECK(farnova_futimens(file, times) == 0);
	CHECK(farnova_fstat(file, &st) == 0);
	CHECK(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec > 1700000000);
	times[0].tv_nsec = 1000000000;
	FAILS(farnova_futimens(file, times), EINVAL);
	FAILS(farnova_utimens(fs, "a", NULL, 12345), EINVAL);
	CHECK(farnova_symlink(fs, "missing", "l") == 0);
	CHECK(farnova_lchown(fs, "l", 5, 6) == 0);
	CHECK(farnova_utimens(fs, "l", NULL, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(farnova_lstat(fs, "l", &st) == 0 && st.st_uid == 5 && st.st_gid == 6);
	FAILS(farnova_chown(fs, "l", 5, 6), ENOENT);
	FAILS(farnova_chmod(fs, "l", 0600), ENOENT);
	CHECK(farnova_access(fs, "a", R_OK | W_OK) == 0);
	FAILS(farnova_access(fs, "a", 64), EINVAL);
	CHECK(farnova_stat(fs, "a", &st) == 0 && st.st_size == 10 && st.st_blocks == 8 && st.st_nlink == 1);
	CHECK(farnova_statvfs(fs, &vfs) == 0);
	CHECK(vfs.f_blocks > vfs.f_bfree && vfs.f_bfree > 0 && vfs.f_namemax == 255 && vfs.f_bsize == 4096);
	CHECK(farnova_close(file) == 0);
	CHECK(farnova_unlink(fs, "a") == 0);
	CHECK(farnova_unlink(fs, "l") == 0);
}

void on_behalf_of_others(void)
{
	const gid_t groups[] = {100, 200};
	struct farnova_cred user = {.uid = 1000, .gid = 1000}, member = {1001, 1001, 2, groups};
	struct farnova_file *file = make_file("private", "secret", 6);
	struct stat st;

	CHECK(farnova_chmod(fs, "private", 0640) == 0 && farnova_chown(fs, "private", 0, 200) == 0);
	CHECK(farnova_mkdir(fs, "open-to-all", 01777) == 0 && farnova_chmod(fs, "open-to-all", 01777) == 0);
	for (int round = 0; round < 3; round++) {
		CHECK(farnova_set_cred(fs, &user) == 0);
		FAILS_NULL(farnova_open(fs, "private", O_RDONLY, 0), EACCES);
		FAILS(farnova_chmod(fs, "private", 0666), EPERM);
		FAILS(farnova_mkdir(fs, "mine", 0755), EACCES);
		/* what was opened before stays open */
		CHECK(farnova_pread(file, &st, 6, 0) == 6);
		CHECK(farnova_mkdir(fs, "open-to-all/mine", 0755) == 0);
		CHECK(farnova_stat(fs, "open-to-all/mine", &st) == 0 && st.st_uid == 1000 && st.st_gid == 1000);
		CHECK(farnova_set_cred(fs, &member) == 0);
		FAILS(farnova_rmdir(fs, "open-to-all/mine"), EPERM);
		struct farnova_file *readable = farnova_open(fs, "private", O_RDONLY, 0);
		CHECK(readable && farnova_close(readable) == 0);
		FAILS_NULL(farnova_open(fs, "private", O_RDWR, 0), EACCES);
		CHECK(farnova_set_cred(fs, &user) == 0);
		CHECK(farnova_rmdir(fs, "open-to-all/mine") == 0);
		CHECK(farnova_set_cred(fs, NULL) == 0);
		CHECK(farnova_chmod(fs, "private", 0640) == 0);
	}
	member.group_count = 5000;
	FAILS(farnova_set_cred(fs, &member), EINVAL);
	CHECK(farnova_close(file) == 0);
	CHECK(farnova_unlink(fs, "private") == 0 && farnova_rmdir(fs, "open-to-all") == 0);
}

void extended_attributes(void)
{
	static uint8_t value[65536], back[65536];
	static const char names[] = "user.small\0user.large\0trusted.t";
	struct farnova_file *file = make_file("attributed", "x", 1);
	struct farnova_handle handle;
	char list[100];

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)(i * 7 + (i >> 8));
	CHECK(farnova_symlink(fs, "attributed", "alias") == 0);
	CHECK(farnova_lookup_at(fs, farnova_root(fs), "attributed", &handle, NULL) == 0);
	CHECK(farnova_setxattr(fs, "alias", "user.small", "1", 1, XATTR_CREATE) == 0);
	FAILS(farnova_fsetxattr(file, "user.small", "2", 1, XATTR_CREATE), EEXIST);
	FAILS(farnova_setxattr_at(fs, handle, "user.none", "2", 1, XATTR_REPLACE), ENODATA);
	FAILS(farnova_setxattr(fs, "attributed", "user.a", "2", 1, 8), EINVAL);
	CHECK(farnova_fsetxattr(file, "user.large", value, sizeof(value), 0) == 0);
	FAILS(farnova_setxattr(fs, "attributed", "user.large", value, sizeof(value) + 1, 0), E2BIG);
	CHECK(farnova_setxattr_at(fs, handle, "trusted.t", NULL, 0, 0) == 0);
	CHECK(farnova_lsetxattr(fs, "alias", "trusted.link", "of the link", 11, 0) == 0);
	FAILS(farnova_lsetxattr(fs, "alias", "user.link", "x", 1, 0), EPERM);
	FAILS(farnova_setxattr(fs, "attributed", "", "x", 1, 0), ERANGE);
	FAILS(farnova_setxattr(fs, "attributed", "other.x", "x", 1, 0), EOPNOTSUPP);

	/* A large value comes back in pieces, whatever the room beyond it. */
	CHECK(farnova_getxattr(fs, "alias", "user.large", NULL, 0) == sizeof(value));
	CHECK(farnova_fgetxattr(file, "user.large", back, sizeof(back)) == sizeof(value));
	CHECK(memcmp(back, value, sizeof(value)) == 0);
	FAILS(farnova_getxattr_at(fs, handle, "user.large", back, sizeof(back) - 1), ERANGE);
	FAILS(farnova_getxattr(fs, "attributed", "trusted.link", back, sizeof(back)), ENODATA);
	CHECK(farnova_lgetxattr(fs, "alias", "trusted.link", back, sizeof(back)) == 11);
	CHECK(farnova_getxattr_at(fs, handle, "trusted.t", back, sizeof(back)) == 0);
	FAILS(farnova_getxattr(fs, "nothing there", "user.small", back, sizeof(back)), ENOENT);

	CHECK(farnova_listxattr(fs, "alias", NULL, 0) == sizeof(names));
	CHECK(farnova_flistxattr(file, list, sizeof(list)) == sizeof(names) && memcmp(list, names, sizeof(names)) == 0);
	FAILS(farnova_listxattr_at(fs, handle, list, sizeof(names) - 1), ERANGE);
	CHECK(farnova_llistxattr(fs, "alias", list, sizeof(list)) == 13);

	CHECK(farnova_removexattr(fs, "alias", "user.large") == 0);
	FAILS(farnova_fremovexattr(file, "user.large"), ENODATA);
	CHECK(farnova_removexattr_at(fs, handle, "trusted.t") == 0);
	CHECK(farnova_lremovexattr(fs, "alias", "trusted.link") == 0);
	CHECK(farnova_flistxattr(file, NULL, 0) == 11);
	CHECK(farnova_unlink(fs, "alias") == 0 && farnova_unlink(fs, "attributed") == 0);
	FAILS(farnova_fsetxattr(file, "user.small", NULL, 0, 8), EINVAL);
	CHECK(farnova_fsetxattr(file, "user.small", "still there while open", 22, 0) == 0);
	CHECK(farnova_close(file) == 0);
	FAILS(farnova_getxattr_at(fs, handle, "user.small", back, sizeof(back)), ESTALE);
}

void acls_and_the_umask(void)
{
	/* u::rwx u:1000:rwx g::r-x m::rwx o::--- */
	static const uint8_t acl[] = {
	    2, 0,    0,    0,    0x01, 0,    7,    0, 0xff, 0xff, 0xff, 0xff, 0x02, 0,    7,
	    0, 0xe8, 3,    0,    0,    0x04, 0,    5, 0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,
	    7, 0,    0xff, 0xff, 0xff, 0xff, 0x20, 0, 0,    0,    0xff, 0xff, 0xff, 0xff,
	};
	struct farnova_cred user = {.uid = 1000, .gid = 1000};
	struct stat st;

	CHECK(farnova_set_umask(fs, 027) == 0);
	FAILS(farnova_set_umask(fs, 01000), EINVAL);
	CHECK(farnova_mkdir(fs, "plain", 0777) == 0 && farnova_stat(fs, "plain", &st) == 0);
	CHECK((st.st_mode & 07777) == 0750);
	CHECK(farnova_setxattr(fs, "plain", "system.posix_acl_default", acl, sizeof(acl), 0) == 0);
	CHECK(farnova_setxattr(fs, "plain", "system.posix_acl_access", acl, sizeof(acl), 0) == 0);
	CHECK(farnova_stat(fs, "plain", &st) == 0 && (st.st_mode & 07777) == 0770);
	FAILS(farnova_setxattr(fs, "plain", "system.posix_acl_access", acl, sizeof(acl) - 1, 0), EINVAL);
	struct farnova_file *file = farnova_open(fs, "plain/file", O_RDWR | O_CREAT | O_EXCL, 0666);
	CHECK(file && farnova_fstat(file, &st) == 0 && (st.st_mode & 07777) == 0660);
	CHECK(farnova_close(file) == 0);
	CHECK(farnova_set_cred(fs, &user) == 0);
	CHECK(farnova_access(fs, "plain/file", R_OK | W_OK) == 0);
	FAILS(farnova_access(fs, "plain/file", X_OK), EACCES);
	CHECK(farnova_set_cred(fs, NULL) == 0);
	CHECK(farnova_set_umask(fs, 0) == 0);
	CHECK(farnova_unlink(fs, "plain/file") == 0 && farnova_rmdir(fs, "plain") == 0);
}

void file_flags(void)
{
	struct farnova_cred user = {.uid = 1000, .gid = 1000};
	struct farnova_file *file = make_file("flagged", "x", 1);
	struct farnova_handle handle;
	unsigned flags = 77;

	CHECK(farnova_lookup_at(fs, farnova_root(fs), "flagged", &handle, NULL) == 0);
	CHECK(farnova_getflags(fs, "flagged", &flags) == 0 && flags == 0);
	CHECK(farnova_setflags(fs, "flagged", FARNOVA_FILE_APPEND) == 0);
	FAILS(farnova_pwrite(file, "y", 1, 0), EPERM);
	FAILS(farnova_ftruncate(file, 0), EPERM);
	FAILS_NULL(farnova_open(fs, "flagged", O_WRONLY, 0), EPERM);
	struct farnova_file *end = farnova_open(fs, "flagged", O_WRONLY | O_APPEND, 0);
	CHECK(end && farnova_write(end, "y", 1) == 1 && farnova_close(end) == 0);
	CHECK(farnova_setflags_at(fs, handle, FARNOVA_FILE_IMMUTABLE) == 0);
	CHECK(farnova_getflags_at(fs, handle, &flags) == 0 && flags == FARNOVA_FILE_IMMUTABLE);
	FAILS_NULL(farnova_open(fs, "flagged", O_WRONLY | O_APPEND, 0), EPERM);
	FAILS_NULL(farnova_open_at(fs, handle, O_RDWR), EPERM);
	FAILS(farnova_unlink(fs, "flagged"), EPERM);
	CHECK(farnova_set_cred(fs, &user) == 0);
	FAILS(farnova_setflags(fs, "flagged", 0), EPERM);
	CHECK(farnova_set_cred(fs, NULL) == 0);
	FAILS(farnova_setflags(fs, "flagged", 1u << 30), EOPNOTSUPP);
	CHECK(farnova_setflags(fs, "flagged", 0) == 0);
	CHECK(farnova_close(file) == 0 && farnova_unlink(fs, "flagged") == 0);
}
