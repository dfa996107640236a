/*
 * client_special.c -- files without a name, projects, birth and access times, through the library.
 *
 *   client_special calls URL           -- all that needs no restart
 *   client_special wait URL READY GO   -- open a file without a name, say READY, wait for the file GO, and name it then
 */
#include "client/include/farnova.h"
#include "tests/integration/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FAILS(call, error) CHECK((call) == -1 && errno == (error))

static struct farnova_file *nameless(struct farnova *fs, int flags)
{
	struct farnova_file *file = farnova_open(fs, "d", O_TMPFILE | O_RDWR | flags, 0640);

	CHECK(file);
	CHECK(farnova_write(file, "nameless", 8) == 8);
	return file;
}

static void files_without_a_name(struct farnova *fs)
{
	struct farnova_file *file = nameless(fs, 0);
	struct stat st;
	char back[8];

	CHECK(farnova_fstat(file, &st) == 0 && st.st_nlink == 0 && st.st_mode == (S_IFREG | 0640));
	CHECK(farnova_flink(file, "d/named") == 0);
	FAILS(farnova_flink(file, "d/named"), EEXIST);
	CHECK(farnova_flink(file, "d/second") == 0);
	CHECK(farnova_close(file) == 0);
	CHECK(farnova_stat(fs, "d/named", &st) == 0 && st.st_nlink == 2 && st.st_size == 8);
	file = farnova_open(fs, "d/second", O_RDONLY, 0);
	CHECK(file && farnova_read(file, back, 8) == 8 && memcmp(back, "nameless", 8) == 0);
	CHECK(farnova_close(file) == 0);

	file = nameless(fs, O_EXCL);
	FAILS(farnova_flink(file, "d/never"), ENOENT);
	CHECK(farnova_close(file) == 0);
	CHECK(!farnova_open(fs, "d", O_TMPFILE | O_RDONLY, 0600) && errno == EINVAL);
	CHECK(!farnova_open(fs, "d/named", O_TMPFILE | O_RDWR, 0600) && errno == ENOTDIR);
	CHECK(!farnova_open(fs, "none", O_TMPFILE | O_RDWR, 0600) && errno == ENOENT);
}

static void times(struct farnova *fs)
{
	static const struct timespec far[][2] = {
	    {{.tv_sec = -1, .tv_nsec = 1}, {.tv_sec = -5000000000, .tv_nsec = 999999999}},
	    {{.tv_sec = 9000000000, .tv_nsec = 7}, {.tv_sec = 0, .tv_nsec = 0}},
	};
	/* What nanoseconds of 64 bits cannot tell becomes the first or last whole second that they can. */
	static const struct {
		struct timespec set[2];
		time_t told[2];
	} beyond[] = {
	    {{{.tv_sec = -9223372036}, {.tv_sec = 9223372036}}, {-9223372036, 9223372036}},
	    {{{.tv_sec = -9223372037, .tv_nsec = 999999999}, {.tv_sec = 9223372037}}, {-9223372036, 9223372036}},
	    {{{.tv_sec = INT64_MIN}, {.tv_sec = INT64_MAX, .tv_nsec = 999999999}}, {-9223372036, 9223372036}},
	    {{{.tv_sec = 9223372036, .tv_nsec = 999999999}, {.tv_sec = -62135596800}}, {9223372036, -9223372036}},
	};
	struct farnova_statx all = {.size = sizeof(all)};
	struct farnova_handle born;
	struct timespec before, after;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &before);
	CHECK(farnova_mknod(fs, "d/born", 0600, 0) == 0);
	clock_gettime(CLOCK_REALTIME, &after);
	CHECK(farnova_lookup_at(fs, farnova_root(fs), "d", &born, NULL) == 0);
	CHECK(farnova_lookup_at(fs, born, "born", &born, NULL) == 0);
	for (size_t i = 0; i < 2; i++) {
		CHECK(farnova_utimens(fs, "d/born", far[i], 0) == 0);
		CHECK(farnova_stat(fs, "d/born", &st) == 0);
		CHECK(memcmp(&st.st_atim, &far[i][0], sizeof(far[i][0])) == 0);
		CHECK(memcmp(&st.st_mtim, &far[i][1], sizeof(far[i][1])) == 0);
	}
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		CHECK(farnova_utimens(fs, "d/born", beyond[i].set, 0) == 0);
		CHECK(farnova_stat(fs, "d/born", &st) == 0);
		CHECK(st.st_atim.tv_sec == beyond[i].told[0] && st.st_mtim.tv_sec == beyond[i].told[1]);
		st.st_atim = beyond[i].set[0];
		CHECK(farnova_setattr_at(fs, born, NULL, FARNOVA_SET_ATIME, &st) == 0);
		CHECK(st.st_atim.tv_sec == beyond[i].told[0] && st.st_atim.tv_nsec == 0);
	}
	CHECK(farnova_utimens(fs, "d/born", far[1], 0) == 0);
	CHECK(farnova_statx(fs, "d/born", 0, &all) == 0);
	CHECK(all.birth.tv_sec >= before.tv_sec && all.birth.tv_sec <= after.tv_sec);
	CHECK(all.stat.st_mtim.tv_sec == 0 && all.project == 0);
	FAILS(farnova_statx(fs, "d/none", 0, &all), ENOENT);
	all.size = 0;
	FAILS(farnova_statx(fs, "d/born", 0, &all), EINVAL);
}

static struct timespec atime(struct farnova *fs, const char *path)
{
	struct stat st;

	CHECK(farnova_stat(fs, path, &st) == 0);
	return st.st_atim;
}

static bool same(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void read_all(struct farnova *fs, const char *path, int flags)
{
	struct farnova_file *file = farnova_open(fs, path, O_RDONLY | flags, 0);
	char bytes[16];

	CHECK(file && farnova_read(file, bytes, sizeof(bytes)) >= 0);
	CHECK(farnova_close(file) == 0);
}

/* The first read after a change sets it, later ones do not. */
static void access_times(struct farnova *fs)
{
	struct timespec first, second;

	CHECK(farnova_chmod(fs, "d/named", 0644) == 0);
	first = atime(fs, "d/named");
	read_all(fs, "d/named", O_NOATIME);
	CHECK(same(atime(fs, "d/named"), first));
	read_all(fs, "d/named", 0);
	second = atime(fs, "d/named");
	CHECK(!same(first, second));
	for (unsigned i = 0; i < 10; i++)
		read_all(fs, "d/named", 0);
	CHECK(same(atime(fs, "d/named"), second));
	CHECK(farnova_chmod(fs, "d/named", 0600) == 0);
	read_all(fs, "d/named", 0);
	CHECK(!same(atime(fs, "d/named"), second));
}

static void projects(struct farnova *fs)
{
	static char data[10 * 4096];
	struct farnova_statx all = {.size = sizeof(all)};
	struct farnova_quota quota;
	struct farnova_file *file;
	struct statvfs vfs;

	CHECK(farnova_mkdir(fs, "p", 0755) == 0);
	CHECK(farnova_setproject(fs, "p", 42) == 0);
	CHECK(farnova_quota_set(fs, 42, 8 * 4096 - 1, 4) == 0);
	file = farnova_open(fs, "p/file", O_CREAT | O_RDWR, 0600);
	CHECK(file && farnova_fstatx(file, &all) == 0 && all.project == 42);
	CHECK(farnova_pwrite(file, data, 8 * 4096, 0) == 8 * 4096);
	FAILS(farnova_pwrite(file, data, 1, 8 * 4096), EDQUOT);
	CHECK(strstr(farnova_last_error(), "project"));
	FAILS(farnova_pwrite(file, data, sizeof(data), 0), EDQUOT);
	CHECK(farnova_fstatx(file, &all) == 0 && all.stat.st_size == 8 * 4096);
	CHECK(farnova_close(file) == 0);
	CHECK(farnova_mkdir(fs, "p/sub", 0755) == 0);
	CHECK(farnova_statx(fs, "p/sub", 0, &all) == 0 && all.flags == FARNOVA_FILE_PROJECT_INHERIT);
	CHECK(farnova_mknod(fs, "p/sub/fifo", S_IFIFO | 0600, 0) == 0);
	FAILS(farnova_mkdir(fs, "p/more", 0755), EDQUOT);
	FAILS(farnova_rename(fs, "d/born", "p/born", 0), EXDEV);
	FAILS(farnova_link(fs, "d/born", "p/born"), EXDEV);
	CHECK(farnova_quota_get(fs, 42, &quota) == 0);
	CHECK(quota.bytes == 8 * 4096 && quota.byte_limit == 8 * 4096 && quota.files == 4 && quota.file_limit == 4);
	CHECK(farnova_quota_next(fs, 1, &quota) == 0 && quota.project == 42);
	FAILS(farnova_quota_next(fs, 43, &quota), ENOENT);
	FAILS(farnova_quota_set(fs, 0, 1, 1), EINVAL);
	CHECK(farnova_statvfs(fs, &vfs) == 0 && vfs.f_blocks > 8);
}

static void wait_for(const char *path)
{
	while (access(path, F_OK))
		usleep(10000);
}

int main(int argc, char **argv)
{
	struct farnova *fs;

	CHECK(argc >= 3);
	fs = farnova_connect(argv[2], NULL);
	CHECK(fs);
	if (strcmp(argv[1], "calls") == 0) {
		CHECK(farnova_mkdir(fs, "d", 0755) == 0);
		files_without_a_name(fs);
		times(fs);
		access_times(fs);
		projects(fs);
	} else {
		CHECK(argc == 5);
		struct farnova_file *file = nameless(fs, 0);
		CHECK(close(open(argv[3], O_CREAT | O_WRONLY, 0600)) == 0);
		wait_for(argv[4]);
		CHECK(farnova_pwrite(file, "N", 1, 0) == 1);
		CHECK(farnova_flink(file, "d/late") == 0);
		CHECK(farnova_close(file) == 0);
	}
	farnova_disconnect(fs);
	return 0;
}
