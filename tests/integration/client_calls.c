/*
 * client_calls.c -- every call of farnova.h with what it does and the errors it gives, over a real server.
 *
 *   client_calls URL -- as root, on an empty file system
 */
#include "client/include/farnova.h"
#include "tests/integration/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* FAILS -- the call returns -1 with the errno, and the last error names it in words. */
#define FAILS(call, expected)                                                                                          \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		CHECK((call) == -1);                                                                                   \
		CHECK(errno == (expected));                                                                            \
		CHECK(strstr(farnova_last_error(), strerror(expected)));                                               \
	} while (0)
#define FAILS_NULL(call, expected)                                                                                     \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		CHECK((call) == NULL);                                                                                 \
		CHECK(errno == (expected));                                                                            \
		CHECK(strstr(farnova_last_error(), strerror(expected)));                                               \
	} while (0)

static const char *url;
static struct farnova *fs;

static struct farnova_file *make_file(const char *path, const void *data, size_t length)
{
	struct farnova_file *file = farnova_open(fs, path, O_RDWR | O_CREAT | O_EXCL, 0644);
	CHECK(file);
	CHECK(farnova_pwrite(file, data, length, 0) == (ssize_t)length);
	return file;
}

static void connecting(void)
{
	struct farnova_options options = {.size = sizeof(options), .timeout_ms = 2000};
	char text[512];

	FAILS_NULL(farnova_connect("nonsense", NULL), EINVAL);
	FAILS_NULL(farnova_connect("farnova://", NULL), EINVAL);
	FAILS_NULL(farnova_connect("farnova://127.0.0.1:1/", &options), ECONNREFUSED);
	options.transport = "pigeon";
	FAILS_NULL(farnova_connect(url, &options), EINVAL);
	options = (struct farnova_options){.size = 3};
	FAILS_NULL(farnova_connect(url, &options), EINVAL);
	options = (struct farnova_options){.size = sizeof(options), .timeout_ms = -2};
	FAILS_NULL(farnova_connect(url, &options), EINVAL);
	snprintf(text, sizeof(text), "%s/nowhere", url);
	FAILS_NULL(farnova_connect(text, NULL), ENOENT);
	CHECK(farnova_close(make_file("plain", "x", 1)) == 0);
	snprintf(text, sizeof(text), "%s/plain", url);
	FAILS_NULL(farnova_connect(text, NULL), ENOTDIR);
	CHECK(farnova_unlink(fs, "plain") == 0);

	/* paths are taken from the URL's, absolute ones too */
	CHECK(farnova_mkdir(fs, "below", 0755) == 0);
	snprintf(text, sizeof(text), "%s/below", url);
	struct farnova *below = farnova_connect(text, NULL);
	CHECK(below);
	CHECK(farnova_mkdir(below, "/in", 0755) == 0);
	CHECK(farnova_access(fs, "below/in", F_OK) == 0);
	CHECK(farnova_root(below).ino != farnova_root(fs).ino);
	farnova_disconnect(below);
	CHECK(farnova_rmdir(fs, "below/in") == 0);
	CHECK(farnova_rmdir(fs, "below") == 0);
	CHECK(strlen(farnova_version()) > 0);
	CHECK(strcmp(farnova_transport(fs), "tcp") == 0 || strcmp(farnova_transport(fs), "verbs") == 0);
}

/* How many messages of this operation went to the server. */
static uint64_t sent(const char *operation)
{
	uint64_t count, found = 0;
	unsigned number = 0;
	const char *name;

	while ((name = farnova_get_operation_stats(fs, &number, &count)))
		if (strcmp(name, operation) == 0)
			found = count;
	return found;
}

static void counting(void)
{
	struct farnova_stats before = {.size = sizeof(before)}, after = before, old = {.size = 8};
	struct stat st;

	FAILS(farnova_get_stats(fs, &old), EINVAL);
	uint64_t lookups = sent("LOOKUP"), gone = sent("RENAME");
	CHECK(farnova_get_stats(fs, &before) == 0);
	CHECK(farnova_stat(fs, "/", &st) == 0);
	CHECK(farnova_get_stats(fs, &after) == 0);
	CHECK(sent("LOOKUP") == lookups + 1 && sent("RENAME") == gone);
	/* Closes and keep-alives of before may come in between. */
	CHECK(after.requests > before.requests && after.received > before.received);
	CHECK(before.connections >= 1);
}

static void opening(void)
{
	struct farnova_file *file = make_file("open", "content", 7);
	struct stat st;
	char buffer[16];

	FAILS_NULL(farnova_open(fs, "open", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	FAILS_NULL(farnova_open(fs, "missing", O_RDONLY, 0), ENOENT);
	FAILS_NULL(farnova_open(fs, "", O_RDONLY, 0), ENOENT);
	FAILS_NULL(farnova_open(fs, "open/below", O_RDONLY, 0), ENOTDIR);
	FAILS_NULL(farnova_open(fs, "open", O_RDONLY | O_DIRECTORY, 0), ENOTDIR);
	FAILS_NULL(farnova_open(fs, "/", O_WRONLY, 0), EISDIR);
	FAILS_NULL(farnova_open(fs, "open", O_ACCMODE, 0), EINVAL);
	FAILS_NULL(farnova_open(fs, "open", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
	CHECK(farnova_symlink(fs, "open", "open-link") == 0);
	FAILS_NULL(farnova_open(fs, "open-link", O_RDONLY | O_NOFOLLOW, 0), ELOOP);
	FAILS(farnova_pread(file, buffer, 1, -1), EINVAL);
	CHECK(farnova_close(file) == 0);

	file = farnova_open(fs, "open-link", O_RDONLY | O_CLOEXEC | O_SYNC, 0);
	CHECK(file);
	CHECK(farnova_pread(file, buffer, sizeof(buffer), 0) == 7 && memcmp(buffer, "content", 7) == 0);
	FAILS(farnova_write(file, "x", 1), EBADF);
	FAILS(farnova_ftruncate(file, 0), EINVAL);
	CHECK(farnova_close(file) == 0);
	file = farnova_open(fs, "open", O_WRONLY | O_TRUNC, 0);
	CHECK(file);
	FAILS(farnova_read(file, buffer, 1), EBADF);
	CHECK(farnova_fstat(file, &st) == 0 && st.st_size == 0);
	CHECK(farnova_close(file) == 0);
	CHECK(farnova_unlink(fs, "open-link") == 0);
	CHECK(farnova_unlink(fs, "open") == 0);

	/* as a descriptor does, a file outlives its name */
	file = make_file("nameless", "still", 5);
	CHECK(farnova_unlink(fs, "nameless") == 0);
	CHECK(farnova_pread(file, buffer, 5, 0) == 5 && memcmp(buffer, "still", 5) == 0);
	CHECK(farnova_fstat(file, &st) == 0 && st.st_nlink == 0);
	CHECK(farnova_close(file) == 0);
}

static void reading_and_writing(void)
{
	static char data[5 << 20], back[5 << 20];
	struct stat st;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 2654435761u >> 13);
	struct farnova_file *file = farnova_open(fs, "rw", O_RDWR | O_CREAT, 0600);
	CHECK(file);
	/* sizes around each way the data can take: in the message, through the ring, in several pieces */
	static const size_t sizes[] = {1,    2047,  2048,  2049,    4095,          4096,
	                               4097, 65536, 65537, 1 << 20, (1 << 20) + 1, 5 << 20};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (off_t offset = 0; offset < 3000; offset += 1234) {
			CHECK(farnova_ftruncate(file, 0) == 0);
			CHECK(farnova_pwrite(file, data, sizes[i], offset) == (ssize_t)sizes[i]);
			memset(back, 0xee, sizeof(back));
			size_t rest = sizes[i] > 100 ? sizes[i] - 100 : sizes[i];
			CHECK(farnova_pread(file, back, sizes[i], offset) == (ssize_t)sizes[i]);
			CHECK(memcmp(back, data, sizes[i]) == 0);
			CHECK(farnova_pread(file, back, sizeof(back), offset + (off_t)(sizes[i] - rest)) ==
			      (ssize_t)rest);
			CHECK(memcmp(back, data + sizes[i] - rest, rest) == 0);
			CHECK(farnova_fstat(file, &st) == 0 && st.st_size == offset + (off_t)sizes[i]);
		}
	}
	CHECK(farnova_pread(file, back, 10, 100 << 20) == 0);
	CHECK(farnova_pread(file, back, 0, 0) == 0);
	CHECK(farnova_pwrite(file, data, 0, 0) == 0);
	FAILS(farnova_pwrite(file, data, 1, -1), EINVAL);
	FAILS(farnova_pwrite(file, data, 1, INT64_MAX), EFBIG);

	/* holes read as zeros */
	CHECK(farnova_ftruncate(file, 0) == 0);
	CHECK(farnova_pwrite(file, "end", 3, 1 << 20) == 3);
	CHECK(farnova_pread(file, back, 1 << 20, 0) == 1 << 20);
	for (size_t i = 0; i < 1 << 20; i++)
		CHECK(back[i] == 0);

	/* what is cut off is gone for good */
	CHECK(farnova_ftruncate(file, 0) == 0);
	CHECK(farnova_pwrite(file, data, 10000, 0) == 10000);
	CHECK(farnova_pread(file, back, 10000, 0) == 10000);
	CHECK(farnova_ftruncate(file, 5000) == 0);
	CHECK(farnova_pread(file, back, 10000, 0) == 5000);
	CHECK(farnova_truncate(fs, "rw", 9000) == 0);
	CHECK(farnova_pread(file, back, 10000, 0) == 9000);
	CHECK(memcmp(back, data, 5000) == 0);
	for (size_t i = 5000; i < 9000; i++)
		CHECK(back[i] == 0);
	FAILS(farnova_ftruncate(file, -1), EINVAL);
	FAILS(farnova_truncate(fs, "rw", -1), EINVAL);

	/* at the end, wherever that is and whatever the position */
	CHECK(farnova_ftruncate(file, 9) == 0);
	CHECK(farnova_append(file, "end", 3) == 3 && farnova_lseek(file, 0, SEEK_CUR) == 0);
	CHECK(farnova_append(file, data, 3 << 20) == 3 << 20);
	CHECK(farnova_pread(file, back, 6, 9) == 6 && memcmp(back, "end", 3) == 0 && memcmp(back + 3, data, 3) == 0);
	CHECK(farnova_fstat(file, &st) == 0 && st.st_size == 12 + (3 << 20));

	/* one position for all */
	CHECK(farnova_ftruncate(file, 0) == 0);
	CHECK(farnova_write(file, "hello ", 6) == 6);
	CHECK(farnova_write(file, "world", 5) == 5);
	CHECK(farnova_lseek(file, 0, SEEK_CUR) == 11);
	CHECK(farnova_lseek(file, -5, SEEK_END) == 6);
	CHECK(farnova_read(file, back, 100) == 5 && memcmp(back, "world", 5) == 0);
	CHECK(farnova_read(file, back, 100) == 0);
	CHECK(farnova_lseek(file, 2, SEEK_SET) == 2);
	CHECK(farnova_read(file, back, 3) == 3 && memcmp(back, "llo", 3) == 0);
	FAILS(farnova_lseek(file, -1, SEEK_SET), EINVAL);
	FAILS(farnova_lseek(file, 0, 99), EINVAL);
	FAILS(farnova_lseek(file, INT64_MAX, SEEK_CUR), EOVERFLOW);
	CHECK(farnova_fsync(file) == 0);

	struct farnova_file *log = farnova_open(fs, "rw", O_WRONLY | O_APPEND, 0);
	CHECK(log);
	CHECK(farnova_write(log, "!", 1) == 1);
	CHECK(farnova_lseek(log, 0, SEEK_CUR) == 12);
	CHECK(farnova_pwrite(file, "?", 1, 12) == 1);
	CHECK(farnova_write(log, "more", 4) == 4);
	CHECK(farnova_lseek(log, 0, SEEK_CUR) == 17);
	CHECK(farnova_write(log, data, 3 << 20) == 3 << 20);
	CHECK(farnova_fstat(log, &st) == 0 && st.st_size == 17 + (3 << 20));
	CHECK(farnova_pread(file, back, 3 << 20, 17) == 3 << 20 && memcmp(back, data, 3 << 20) == 0);
	CHECK(farnova_close(log) == 0);
	CHECK(farnova_close(file) == 0);
	CHECK(farnova_unlink(fs, "rw") == 0);
}

#define APPENDERS 4
#define RECORDS   150
#define RECORD    3001 /* neither fits a block nor divides one */

static void *append_records(void *argument)
{
	unsigned number = *(unsigned *)argument;
	struct farnova *own = farnova_connect(url, NULL);
	char record[RECORD];

	CHECK(own);
	struct farnova_file *log = farnova_open(own, "log", O_WRONLY | O_APPEND, 0);
	CHECK(log);
	for (unsigned i = 0; i < RECORDS; i++) {
		memset(record, (int)('a' + number), sizeof(record));
		record[0] = (char)('A' + number);
		record[1] = (char)i;
		CHECK(farnova_write(log, record, sizeof(record)) == RECORD);
	}
	CHECK(farnova_close(log) == 0);
	farnova_disconnect(own);
	return NULL;
}

/* Appends of several connections lie one after the other, each whole and each connection's in its order. */
static void appending(void)
{
	static char data[APPENDERS * RECORDS * RECORD];
	unsigned numbers[APPENDERS], seen[APPENDERS] = {0};
	pthread_t threads[APPENDERS];

	struct farnova_file *log = make_file("log", "", 0);
	for (unsigned i = 0; i < APPENDERS; i++) {
		numbers[i] = i;
		CHECK(pthread_create(&threads[i], NULL, append_records, &numbers[i]) == 0);
	}
	for (unsigned i = 0; i < APPENDERS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(farnova_lseek(log, 0, SEEK_END) == sizeof(data));
	CHECK(farnova_pread(log, data, sizeof(data), 0) == sizeof(data));
	for (const char *record = data; record < data + sizeof(data); record += RECORD) {
		unsigned number = (unsigned)(record[0] - 'A');
		CHECK(number < APPENDERS && (unsigned char)record[1] == seen[number]++);
		for (size_t i = 2; i < RECORD; i++)
			CHECK(record[i] == (char)('a' + number));
	}
	CHECK(farnova_close(log) == 0);
	CHECK(farnova_unlink(fs, "log") == 0);
}

#define BLOCK 4096

/* lettered -- a file of blocks, each full of its letter. */
static struct farnova_file *lettered(const char *path, const char *letters)
{
	char block[BLOCK];
	struct farnova_file *file = make_file(path, "", 0);

	for (off_t i = 0; letters[i]; i++) {
		memset(block, letters[i], sizeof(block));
		CHECK(farnova_pwrite(file, block, BLOCK, i * BLOCK) == BLOCK);
	}
	return file;
}

/* has_blocks -- the file has these letters, '.' for a block of zeros, and nothing behind them. */
static bool has_blocks(struct farnova_file *file, const char *letters)
{
	char block[BLOCK];
	off_t i;

	for (i = 0; letters[i]; i++) {
		char letter = letters[i] == '.' ? 0 : letters[i];
		if (farnova_pread(file, block, BLOCK, i * BLOCK) != BLOCK)
			return false;
		for (size_t k = 0; k < BLOCK; k++)
			if (block[k] != letter)
				return false;
	}
	return farnova_pread(file, block, 1, i * BLOCK) == 0;
}

static void reserving_and_punching(void)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	struct stat st;

	struct farnova_file *file = lettered("space", "abcdef");
	struct farnova *other = farnova_connect(url, NULL);
	CHECK(other);
	struct farnova_file *reader = farnova_open(other, "space", O_RDONLY, 0);
	CHECK(reader && has_blocks(reader, "abcdef"));

	/* whoever reads through whichever connection sees each change at once */
	CHECK(farnova_fallocate(file, punch, BLOCK, 2 * BLOCK) == 0);
	CHECK(has_blocks(reader, "a..def") && has_blocks(file, "a..def"));
	CHECK(farnova_fallocate(file, FALLOC_FL_ZERO_RANGE, 5 * BLOCK, 2 * BLOCK) == 0);
	CHECK(has_blocks(reader, "a..de..") && has_blocks(file, "a..de.."));
	CHECK(farnova_fallocate(file, FALLOC_FL_COLLAPSE_RANGE, 0, 2 * BLOCK) == 0);
	CHECK(has_blocks(reader, ".de..") && has_blocks(file, ".de.."));
	CHECK(farnova_fallocate(file, FALLOC_FL_INSERT_RANGE, 2 * BLOCK, BLOCK) == 0);
	CHECK(has_blocks(reader, ".d.e..") && has_blocks(file, ".d.e.."));
	CHECK(farnova_fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 100 * BLOCK) == 0);
	CHECK(farnova_fstat(file, &st) == 0 && st.st_size == 6 * BLOCK && st.st_blocks == 100 * 8);
	CHECK(farnova_fallocate(file, 0, 0, 7 * BLOCK) == 0);
	CHECK(has_blocks(reader, ".d.e..."));

	/* what is reserved is a hole until it is written */
	CHECK(farnova_lseek(reader, 0, SEEK_DATA) == BLOCK);
	CHECK(farnova_lseek(reader, 0, SEEK_CUR) == BLOCK);
	CHECK(farnova_lseek(reader, BLOCK + 5, SEEK_DATA) == BLOCK + 5);
	CHECK(farnova_lseek(reader, BLOCK + 5, SEEK_HOLE) == 2 * BLOCK);
	CHECK(farnova_lseek(reader, 4 * BLOCK - 1, SEEK_HOLE) == 4 * BLOCK);
	FAILS(farnova_lseek(reader, 5 * BLOCK, SEEK_DATA), ENXIO);
	FAILS(farnova_lseek(reader, 7 * BLOCK, SEEK_HOLE), ENXIO);
	FAILS(farnova_lseek(reader, -1, SEEK_DATA), ENXIO);
	CHECK(farnova_pwrite(file, "x", 1, 6 * BLOCK + 7) == 1);
	CHECK(farnova_lseek(reader, 5 * BLOCK, SEEK_DATA) == 6 * BLOCK);
	CHECK(farnova_fstat(file, &st) == 0 && st.st_size == 7 * BLOCK && st.st_blocks == 100 * 8);

	FAILS(farnova_fallocate(reader, 0, 0, 1), EBADF);
	FAILS(farnova_fallocate(file, 0, 0, 0), EINVAL);
	FAILS(farnova_fallocate(file, 0, -1, 5), EINVAL);
	FAILS(farnova_fallocate(file, 0, INT64_MAX, 5), EFBIG);
	FAILS(farnova_fallocate(file, 0, 0, 1LL << 50), ENOSPC);
	FAILS(farnova_fallocate(file, FALLOC_FL_PUNCH_HOLE, 0, 5), EOPNOTSUPP);
	FAILS(farnova_fallocate(file, FALLOC_FL_UNSHARE_RANGE, 0, 5), EOPNOTSUPP);
	FAILS(farnova_fallocate(file, FALLOC_FL_COLLAPSE_RANGE, 0, 5), EINVAL);
	farnova_disconnect(other);
	CHECK(farnova_close(file) == 0);
	CHECK(farnova_unlink(fs, "space") == 0);
}

static void copying(void)
{
	struct farnova_file *from = lettered("from", "abcxxdef"), *to = lettered("to", "zzzz");
	struct farnova *other = farnova_connect(url, NULL);
	off_t in = BLOCK, out = 2 * BLOCK;
	struct stat st;

	CHECK(other);
	struct farnova_file *reader = farnova_open(other, "to", O_RDONLY, 0), *log;
	CHECK(reader && has_blocks(reader, "zzzz"));
	CHECK(farnova_fallocate(from, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * BLOCK, 2 * BLOCK) == 0);
	CHECK(farnova_copy_file_range(from, &in, to, &out, 4 * BLOCK, 0) == 4 * BLOCK);
	CHECK(in == 5 * BLOCK && out == 6 * BLOCK);
	CHECK(has_blocks(reader, "zzbc..") && has_blocks(to, "zzbc.."));
	CHECK(farnova_fstat(to, &st) == 0 && st.st_blocks == 4 * 8);
	/* by the files' positions, up to the end of the source */
	CHECK(farnova_lseek(from, 7 * BLOCK, SEEK_SET) == 7 * BLOCK && farnova_lseek(to, 0, SEEK_SET) == 0);
	CHECK(farnova_copy_file_range(from, NULL, to, NULL, 1 << 30, 0) == BLOCK);
	CHECK(farnova_lseek(from, 0, SEEK_CUR) == 8 * BLOCK && farnova_lseek(to, 0, SEEK_CUR) == BLOCK);
	CHECK(farnova_copy_file_range(from, NULL, to, NULL, 1 << 30, 0) == 0);
	CHECK(has_blocks(reader, "fzbc.."));
	/* within one file; overlapping is refused */
	in = 0, out = 8 * BLOCK;
	CHECK(farnova_copy_file_range(from, &in, from, &out, 8 * BLOCK, 0) == 8 * BLOCK);
	CHECK(has_blocks(from, "abc..defabc..def"));
	in = 0, out = BLOCK;
	FAILS(farnova_copy_file_range(from, &in, from, &out, 2 * BLOCK, 0), EINVAL);
	FAILS(farnova_copy_file_range(from, &in, to, &out, 1, 1), EINVAL);
	FAILS(farnova_copy_file_range(from, &in, reader, &out, 1, 0), EXDEV);
	CHECK((log = farnova_open(fs, "to", O_WRONLY | O_APPEND, 0)));
	FAILS(farnova_copy_file_range(from, &in, log, &out, 1, 0), EBADF);
	FAILS(farnova_copy_file_range(log, &in, from, &out, 1, 0), EBADF);
	in = -1;
	FAILS(farnova_copy_file_range(from, &in, to, &out, 1, 0), EINVAL);
	CHECK(farnova_close(log) == 0);
	farnova_disconnect(other);
	CHECK(farnova_close(from) == 0 && farnova_close(to) == 0);
	CHECK(farnova_unlink(fs, "from") == 0 && farnova_unlink(fs, "to") == 0);
}

/* A file of this connection is changed in all ways and read through its own layout, beside a copy of it in memory. */
static void changing_under_a_layout(void)
{
	enum { SIZE = 256 * BLOCK, MOST = 64 * BLOCK };
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	static char model[SIZE + MOST], back[SIZE + MOST + 1], data[MOST];
	struct farnova_file *file = farnova_open(fs, "under", O_RDWR | O_CREAT, 0600);
	unsigned seed = 1;
	size_t size = 0;

	CHECK(file);
	for (unsigned round = 0; round < 3000; round++) {
		off_t at = rand_r(&seed) % SIZE, from = rand_r(&seed) % SIZE;
		size_t length = 1 + (size_t)rand_r(&seed) % (rand_r(&seed) % 2 ? MOST : 3 * BLOCK);
		size_t end = (size_t)at + length;
		unsigned way = rand_r(&seed) % 6;

		if (way == 0 || size == 0) {
			memset(data, 'a' + (int)round % 26, length);
			CHECK(farnova_pwrite(file, data, length, at) == (ssize_t)length);
			memcpy(model + at, data, length);
		} else if (way == 1) {
			CHECK(farnova_fallocate(file, punch, at, (off_t)length) == 0);
			memset(model + at, 0, at < (off_t)size ? (end < size ? end : size) - (size_t)at : 0);
			end = 0;
		} else if (way == 2) {
			CHECK(farnova_fallocate(file, FALLOC_FL_ZERO_RANGE, at, (off_t)length) == 0);
			memset(model + at, 0, length);
		} else if (way == 3) {
			CHECK(farnova_fallocate(file, 0, at, (off_t)length) == 0);
		} else if (way == 4) {
			length = from >= (off_t)size ? 0 : length < size - (size_t)from ? length : size - (size_t)from;
			if (from < at + (off_t)length && at < from + (off_t)length)
				continue;
			off_t in = from, out = at;
			CHECK(farnova_copy_file_range(file, &in, file, &out, length ? length : 1, 0) ==
			      (ssize_t)length);
			memcpy(model + at, model + from, length);
			end = length ? (size_t)at + length : 0;
		} else if (way == 5 && round % 16 == 0) {
			CHECK(farnova_fallocate(file, FALLOC_FL_COLLAPSE_RANGE, 0, BLOCK) == (size > BLOCK ? 0 : -1));
			if (size > BLOCK) {
				memmove(model, model + BLOCK, size - BLOCK);
				memset(model + size - BLOCK, 0, BLOCK);
				size -= BLOCK;
			}
			end = 0;
		} else {
			end = 0;
		}
		size = end > size ? end : size;
		/* Some of it most times, so that much of the layout is older than the last change; all of it now and
		 * then. */
		off_t look = round % 32 ? rand_r(&seed) % SIZE : 0;
		size_t want = round % 32 ? 3 * BLOCK : sizeof(back);
		size_t there = look < (off_t)size ? size - (size_t)look : 0;
		CHECK(farnova_pread(file, back, want, look) == (ssize_t)(want < there ? want : there));
		CHECK(memcmp(back, model + look, want < there ? want : there) == 0);
	}
	CHECK(farnova_fallocate(file, punch, 0, 1LL << 52) == 0);
	CHECK(farnova_pread(file, back, sizeof(back), 0) == (ssize_t)size && back[0] == 0);
	CHECK(farnova_close(file) == 0 && farnova_unlink(fs, "under") == 0);
}

static void names(void)
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

static void attributes(void)
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

static void directories(void)
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

static void by_handle(void)
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

static void on_behalf_of_others(void)
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

static void extended_attributes(void)
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

static void acls_and_the_umask(void)
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

static void file_flags(void)
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

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: client_calls URL\n");
		return 2;
	}
	url = argv[1];
	CHECK(strcmp(farnova_last_error(), "") == 0);
	CHECK((fs = farnova_connect(url, NULL)));
	connecting();
	counting();
	opening();
	reading_and_writing();
	appending();
	reserving_and_punching();
	copying();
	changing_under_a_layout();
	names();
	attributes();
	directories();
	by_handle();
	on_behalf_of_others();
	extended_attributes();
	acls_and_the_umask();
	file_flags();

	/* what is open is closed by the end of the connection */
	CHECK(farnova_open(fs, "left-open", O_RDWR | O_CREAT, 0600));
	CHECK(farnova_opendir(fs, "/"));
	CHECK(farnova_unlink(fs, "left-open") == 0);
	farnova_disconnect(fs);
	printf("all calls do what they say\n");
	return 0;
}
