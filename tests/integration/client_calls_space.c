/*
 * client_calls_space.c -- the space of files: reserving, punching, copying, and layouts of files that change.
 */
#include "tests/integration/client_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void reserving_and_punching(void)
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

void copying(void)
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
void changing_under_a_layout(void)
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
