/*
 * client_coherence.c -- what a write returned for is what every later read sees, through any connection, and no read
 * ever sees another file's bytes, although readers READ memory that writers replace and others use again.
 *
 *   client_coherence URL SECONDS [CHANNELS]
 *
 * Writers on one connection overwrite blocks; readers on the same and on another connection check that each block is
 * the file's own, whole, and not older than what was acknowledged before the read began. A third connection makes, cuts
 * and removes files all the time, so that freed blocks are soon somebody else's.
 */
#include "client/include/farnova.h"
#include "tests/integration/blocks.h"
#include "tests/integration/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILES   3u
#define BLOCKS  256u
#define READERS 2u  /* on each connection */
#define MOST    20u /* blocks of a write or read */

static const char *url;
static size_t channels; /* of each connection */
static atomic_bool stop;
static _Atomic uint64_t acknowledged[FILES][BLOCKS]; /* newest version a write of which has returned */
static _Atomic uint64_t begun[FILES][BLOCKS];        /* newest version of which a write has begun */
static atomic_ulong reads, writes, churns;

static struct farnova *connect_or_fail(void)
{
	const struct farnova_options options = {.size = sizeof(options), .channels = channels};
	struct farnova *fs = farnova_connect(url, &options);
	CHECK(fs);
	return fs;
}

static struct farnova_file *open_numbered(struct farnova *fs, unsigned number, int flags)
{
	char name[32];
	snprintf(name, sizeof(name), "coherent-%u", number);
	struct farnova_file *file = farnova_open(fs, name, flags, 0644);
	CHECK(file);
	return file;
}

struct task {
	struct farnova *fs;
	unsigned seed, file;
};

static void *write_blocks(void *argument)
{
	struct task *task = argument;
	struct farnova_file *file = open_numbered(task->fs, task->file, O_WRONLY);
	static _Thread_local struct block buffer[MOST];

	for (uint64_t version = 2; !atomic_load(&stop); version++) {
		unsigned count = rand_r(&task->seed) % 4 ? 1 : 1 + rand_r(&task->seed) % MOST;
		unsigned first = rand_r(&task->seed) % (BLOCKS - count);
		for (unsigned i = 0; i < count; i++) {
			block_fill(&buffer[i], task->file, first + i, version);
			atomic_store(&begun[task->file][first + i], version);
		}
		CHECK(farnova_pwrite(file, buffer, count * BLOCK_SIZE, (off_t)first * BLOCK_SIZE) ==
		      (ssize_t)(count * BLOCK_SIZE));
		for (unsigned i = 0; i < count; i++)
			atomic_store(&acknowledged[task->file][first + i], version);
		atomic_fetch_add(&writes, 1);
		/* Now in bursts, now with pauses long enough for layouts to be granted again. */
		if (rand_r(&task->seed) % 256 == 0)
			usleep(rand_r(&task->seed) % 300000);
	}
	CHECK(farnova_close(file) == 0);
	return NULL;
}

static void *read_blocks(void *argument)
{
	struct task *task = argument;
	struct farnova_file *files[FILES];
	static _Thread_local struct block buffer[MOST];
	uint64_t least[MOST];

	for (unsigned i = 0; i < FILES; i++)
		files[i] = open_numbered(task->fs, i, O_RDONLY);
	while (!atomic_load(&stop)) {
		unsigned number = rand_r(&task->seed) % FILES;
		unsigned count = rand_r(&task->seed) % 8 ? 1 : 1 + rand_r(&task->seed) % MOST;
		unsigned first = rand_r(&task->seed) % (BLOCKS - count);
		for (unsigned i = 0; i < count; i++)
			least[i] = atomic_load(&acknowledged[number][first + i]);
		CHECK(farnova_pread(files[number], buffer, count * BLOCK_SIZE, (off_t)first * BLOCK_SIZE) ==
		      (ssize_t)(count * BLOCK_SIZE));
		for (unsigned i = 0; i < count; i++) {
			uint64_t version = block_version(&buffer[i], number, first + i);
			uint64_t most = atomic_load(&begun[number][first + i]);
			if (version < least[i] || version > most) {
				fprintf(stderr, "block %u of file %u: version %llu, but %llu was acknowledged before\n",
				        first + i, number, (unsigned long long)version, (unsigned long long)least[i]);
				exit(1);
			}
		}
		atomic_fetch_add(&reads, 1);
	}
	for (unsigned i = 0; i < FILES; i++)
		CHECK(farnova_close(files[i]) == 0);
	return NULL;
}

/* churn -- others' files come and go in the space that overwritten blocks leave. */
static void *churn(void *argument)
{
	struct task *task = argument;
	static _Thread_local struct block buffer[64];

	for (unsigned round = 0; !atomic_load(&stop); round++) {
		char name[32];
		snprintf(name, sizeof(name), "churn-%u-%u", task->file, round % 7);
		struct farnova_file *file = farnova_open(task->fs, name, O_RDWR | O_CREAT | O_TRUNC, 0600);
		CHECK(file);
		for (unsigned i = 0; i < 64; i++)
			block_fill(&buffer[i], 1000 + task->file, i, round);
		CHECK(farnova_pwrite(file, buffer, sizeof(buffer), 0) == sizeof(buffer));
		CHECK(farnova_pread(file, buffer, sizeof(buffer), 0) == sizeof(buffer));
		for (unsigned i = 0; i < 64; i++)
			CHECK(block_version(&buffer[i], 1000 + task->file, i) == round);
		CHECK(farnova_ftruncate(file, (off_t)(round % 64) * BLOCK_SIZE) == 0);
		CHECK(farnova_pread(file, buffer, sizeof(buffer), 0) == (ssize_t)(round % 64 * BLOCK_SIZE));
		CHECK(farnova_close(file) == 0);
		if (round % 3 == 0)
			CHECK(farnova_unlink(task->fs, name) == 0);
		atomic_fetch_add(&churns, 1);
	}
	return NULL;
}

static void fill_files(struct farnova *fs)
{
	static struct block buffer[BLOCKS];

	for (unsigned number = 0; number < FILES; number++) {
		struct farnova_file *file = open_numbered(fs, number, O_RDWR | O_CREAT | O_TRUNC);
		for (unsigned i = 0; i < BLOCKS; i++) {
			block_fill(&buffer[i], number, i, 1);
			acknowledged[number][i] = begun[number][i] = 1;
		}
		CHECK(farnova_pwrite(file, buffer, sizeof(buffer), 0) == sizeof(buffer));
		CHECK(farnova_close(file) == 0);
	}
}

int main(int argc, char **argv)
{
	if (argc != 3 && argc != 4) {
		fprintf(stderr, "usage: client_coherence URL SECONDS [CHANNELS]\n");
		return 2;
	}
	url = argv[1];
	channels = argc == 4 ? (size_t)atoi(argv[3]) : 0;
	struct farnova *writer = connect_or_fail(), *reader = connect_or_fail(), *other = connect_or_fail();
	pthread_t threads[64];
	struct task tasks[64];
	unsigned count = 0;

	fill_files(writer);
#define START(function, connection, number)                                                                            \
	do {                                                                                                           \
		tasks[count] = (struct task){.fs = (connection), .seed = count + 1, .file = (number)};                 \
		CHECK(pthread_create(&threads[count], NULL, function, &tasks[count]) == 0);                            \
		count++;                                                                                               \
	} while (0)
	for (unsigned i = 0; i < FILES; i++)
		START(write_blocks, writer, i);
	for (unsigned i = 0; i < READERS; i++) {
		START(read_blocks, writer, i);
		START(read_blocks, reader, i);
	}
	START(churn, other, 0);
	START(churn, reader, 1);
	struct timespec time = {.tv_sec = atoi(argv[2])};
	nanosleep(&time, NULL);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < count; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	struct farnova_stats stats = {.size = sizeof(stats)};
	CHECK(farnova_get_stats(reader, &stats) == 0 && stats.channels == channels);
	CHECK((stats.channel_reads > 0) == (channels > 0));
	CHECK(atomic_load(&reads) > 0 && atomic_load(&writes) > 0 && atomic_load(&churns) > 0);
	printf("%lu reads, %lu writes, %lu other files: no stale, torn or foreign block\n", atomic_load(&reads),
	       atomic_load(&writes), atomic_load(&churns));
	farnova_disconnect(other);
	farnova_disconnect(reader);
	farnova_disconnect(writer);
	return 0;
}
