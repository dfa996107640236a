/*
 * client_restart.c -- writers whose files stay open while the server is killed and started again.
 *
 *   client_restart write URL NOTES STOP -- write until the file STOP is there, then note what was acknowledged in NOTES;
 *                                          each eighth version of the first thread is told on stdout
 *   client_restart verify URL NOTES     -- check that all of it is there
 *
 * Each thread overwrites blocks of a file of its own that it opened once, makes and renames others, and reads back.
 */
#include "client/include/farnova.h"
#include "tests/integration/blocks.h"
#include "tests/integration/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define THREADS 4u
#define BLOCKS  128u
#define NAMES   8u

/* What a thread knows to be acknowledged. */
struct owner {
	struct farnova *fs;
	const char *stop;
	uint64_t number;
	uint64_t versions[BLOCKS];
	uint64_t names[NAMES]; /* version each name was renamed to last */
};

static struct farnova_file *open_own(struct farnova *fs, const char *kind, uint64_t number, uint64_t name, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "%s-%llu-%llu", kind, (unsigned long long)number, (unsigned long long)name);
	struct farnova_file *file = farnova_open(fs, path, flags, 0600);
	CHECK(file);
	return file;
}

static void replace_name(struct owner *owner, uint64_t version)
{
	struct block block;
	char from[64], to[64];
	uint64_t name = version % NAMES;

	struct farnova_file *file = open_own(owner->fs, "new", owner->number, name, O_WRONLY | O_CREAT | O_TRUNC);
	block_fill(&block, owner->number, BLOCKS + name, version);
	CHECK(farnova_write(file, &block, sizeof(block)) == sizeof(block));
	CHECK(farnova_close(file) == 0);
	snprintf(from, sizeof(from), "new-%llu-%llu", (unsigned long long)owner->number, (unsigned long long)name);
	snprintf(to, sizeof(to), "name-%llu-%llu", (unsigned long long)owner->number, (unsigned long long)name);
	CHECK(farnova_rename(owner->fs, from, to, 0) == 0);
	owner->names[name] = version;
}

static void *write_own(void *argument)
{
	struct owner *owner = argument;
	struct farnova_file *file = open_own(owner->fs, "own", owner->number, 0, O_RDWR | O_CREAT | O_TRUNC);
	unsigned seed = (unsigned)owner->number + 1;
	static _Thread_local struct block buffer[BLOCKS];

	for (unsigned i = 0; i < BLOCKS; i++) {
		block_fill(&buffer[i], owner->number, i, 1);
		owner->versions[i] = 1;
	}
	CHECK(farnova_pwrite(file, buffer, sizeof(buffer), 0) == sizeof(buffer));
	for (uint64_t version = 2; access(owner->stop, F_OK) != 0; version++) {
		unsigned first = rand_r(&seed) % BLOCKS, count = 1 + rand_r(&seed) % 16;
		if (first + count > BLOCKS)
			count = BLOCKS - first;
		for (unsigned i = 0; i < count; i++)
			block_fill(&buffer[i], owner->number, first + i, version);
		CHECK(farnova_pwrite(file, buffer, count * BLOCK_SIZE, (off_t)first * BLOCK_SIZE) ==
		      (ssize_t)(count * BLOCK_SIZE));
		for (unsigned i = 0; i < count; i++)
			owner->versions[first + i] = version;
		first = rand_r(&seed) % BLOCKS;
		CHECK(farnova_pread(file, buffer, BLOCK_SIZE, (off_t)first * BLOCK_SIZE) == BLOCK_SIZE);
		CHECK(block_version(buffer, owner->number, first) == owner->versions[first]);
		if (version % 8 == 0)
			replace_name(owner, version);
		if (version % 8 == 0 && owner->number == 0) {
			printf("%llu\n", (unsigned long long)version);
			fflush(stdout);
		}
	}
	CHECK(farnova_close(file) == 0);
	return NULL;
}

static void write_all(const char *url, const char *notes, const char *stop)
{
	static struct owner owners[THREADS];
	pthread_t threads[THREADS];
	struct farnova *fs = farnova_connect(url, NULL);

	CHECK(fs);
	for (unsigned i = 0; i < THREADS; i++) {
		owners[i] = (struct owner){.fs = fs, .number = i, .stop = stop};
		CHECK(pthread_create(&threads[i], NULL, write_own, &owners[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	FILE *out = fopen(notes, "wb");
	CHECK(out && fwrite(owners, sizeof(owners), 1, out) == 1 && fclose(out) == 0);
	farnova_disconnect(fs);
}

static void verify(const char *url, const char *notes)
{
	static struct owner owners[THREADS];
	static struct block block;
	FILE *in = fopen(notes, "rb");
	uint64_t newest = 0;

	CHECK(in && fread(owners, sizeof(owners), 1, in) == 1 && fclose(in) == 0);
	struct farnova *fs = farnova_connect(url, NULL);
	CHECK(fs);
	for (unsigned t = 0; t < THREADS; t++) {
		struct farnova_file *file = open_own(fs, "own", t, 0, O_RDONLY);
		for (unsigned i = 0; i < BLOCKS; i++) {
			CHECK(farnova_pread(file, &block, sizeof(block), (off_t)i * BLOCK_SIZE) == sizeof(block));
			CHECK(block_version(&block, t, i) == owners[t].versions[i]);
			newest = owners[t].versions[i] > newest ? owners[t].versions[i] : newest;
		}
		CHECK(farnova_close(file) == 0);
		for (unsigned name = 0; name < NAMES; name++) {
			if (owners[t].names[name] == 0)
				continue;
			file = open_own(fs, "name", t, name, O_RDONLY);
			CHECK(farnova_pread(file, &block, sizeof(block), 0) == sizeof(block));
			CHECK(block_version(&block, t, BLOCKS + name) == owners[t].names[name]);
			CHECK(farnova_close(file) == 0);
		}
	}
	farnova_disconnect(fs);
	printf("all that was acknowledged is there, up to version %llu\n", (unsigned long long)newest);
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "write") == 0)
		write_all(argv[2], argv[3], argv[4]);
	else if (argc == 4 && strcmp(argv[1], "verify") == 0)
		verify(argv[2], argv[3]);
	else
		return fprintf(stderr, "usage: client_restart write URL NOTES STOP | verify URL NOTES\n"), 2;
	return 0;
}
