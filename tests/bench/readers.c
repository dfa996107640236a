// readers.c -- two readers of a file at once: threads of one connection with two channels, or two processes with a
// connection each.
#include "tests/bench/readers.h"

#include "client/include/farnova.h"
#include "tests/bench/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Shared by the readers, in memory that processes share too.
struct race {
	pthread_barrier_t barrier;
	uint64_t file_size;
	uint32_t ops, round;
	struct {
		uint64_t start, end;
		int status;
	} reader[READERS];
};

struct reader {
	struct race *race;
	struct farnova *fs;
	const char *path;
	unsigned number;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int failed(const char *what)
{
	int rc = errno ? -errno : -EIO;

	fprintf(stderr, "readers: %s: %s\n", what, farnova_last_error());
	return rc;
}

static struct farnova *connect_to(const char *url, unsigned channels)
{
	struct farnova_options options = {.size = sizeof(options),
	                                  .transport = getenv("FARNOVA_BENCH_TRANSPORT"),
	                                  .timeout_ms = 20000,
	                                  .channels = channels};

	return farnova_connect(url, &options);
}

// Each block begins with its number, counted from 1.
static int read_block(struct farnova_file *file, uint64_t number)
{
	static _Thread_local uint64_t block[BENCH_BLOCK / sizeof(uint64_t)];

	if (farnova_pread(file, block, BENCH_BLOCK, (off_t)(number * BENCH_BLOCK)) != BENCH_BLOCK)
		return failed("read");
	return block[0] == number + 1 ? 0 : -EILSEQ;
}

static int read_blocks(const struct race *race, struct farnova_file *file, uint64_t random, uint32_t count)
{
	int rc = 0;

	for (uint32_t i = 0; i < count && rc == 0; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		rc = read_block(file, (random >> 33) % (race->file_size / BENCH_BLOCK));
	}
	return rc;
}

// All layouts are known after this, and the reader has its channel.
static int warm_up(const struct race *race, struct farnova_file *file)
{
	int rc = 0;

	for (uint64_t at = 0; at < race->file_size && rc == 0; at += BENCH_BIG)
		rc = read_block(file, at / BENCH_BLOCK);
	return rc;
}

static void run_reader(const struct reader *reader)
{
	struct race *race = reader->race;
	struct farnova_file *file = reader->fs ? farnova_open(reader->fs, reader->path, O_RDONLY, 0) : NULL;
	int rc = file ? warm_up(race, file) : failed("open");

	pthread_barrier_wait(&race->barrier);
	race->reader[reader->number].start = now_ns();
	if (rc == 0)
		rc = read_blocks(race, file, race->round * READERS + reader->number, race->ops);
	race->reader[reader->number].end = now_ns();
	race->reader[reader->number].status = rc;
	if (file)
		farnova_close(file);
}

static void *run_thread(void *argument)
{
	run_reader(argument);
	return NULL;
}

static int run_threads(struct race *race, const char *url, const char *path)
{
	struct farnova *fs = connect_to(url, READERS);
	struct farnova_stats stats = {.size = sizeof(stats)};
	struct reader readers[READERS];
	pthread_t threads[READERS];

	if (!fs)
		return failed("connect");
	for (unsigned i = 0; i < READERS; i++) {
		readers[i] = (struct reader){race, fs, path, i};
		if (pthread_create(&threads[i], NULL, run_thread, &readers[i]))
			abort();
	}
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	int rc = farnova_get_stats(fs, &stats) ? failed("statistics") : 0;
	farnova_disconnect(fs);
	// What went otherwise is not what is to be measured.
	if (rc == 0 && stats.channel_reads < (uint64_t)READERS * race->ops)
		rc = -ENOTCONN;
	return rc;
}

static int run_processes(struct race *race, const char *url, const char *path)
{
	pid_t children[READERS];
	int status, rc = 0;

	for (unsigned i = 0; i < READERS; i++) {
		children[i] = fork();
		if (children[i] < 0)
			abort();
		if (children[i] == 0) {
			struct farnova *fs = connect_to(url, 0);
			run_reader(&(struct reader){race, fs, path, i});
			if (fs)
				farnova_disconnect(fs);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < READERS; i++)
		if (waitpid(children[i], &status, 0) != children[i] || status != 0)
			rc = -ECHILD;
	return rc;
}

static int make_file(const char *url, const char *path, uint64_t size)
{
	struct farnova *fs = connect_to(url, 0);
	struct farnova_file *file = fs ? farnova_open(fs, path, O_RDWR | O_CREAT, 0644) : NULL;
	uint64_t *piece = malloc(BENCH_BIG);
	struct stat st;
	int rc = file && piece && farnova_fstat(file, &st) == 0 ? 0 : failed("make a file");

	for (uint64_t at = rc ? size : (uint64_t)st.st_size; at < size && rc == 0; at += BENCH_BIG) {
		for (size_t i = 0; i < BENCH_BIG / sizeof(*piece); i++)
			piece[i] = (at + i * sizeof(*piece)) / BENCH_BLOCK + 1;
		if (farnova_pwrite(file, piece, BENCH_BIG, (off_t)at) != BENCH_BIG)
			rc = failed("write");
	}
	free(piece);
	if (file)
		farnova_close(file);
	if (fs)
		farnova_disconnect(fs);
	return rc;
}

int readers_run(const char *url, bool processes, uint64_t file_size, uint32_t ops, uint32_t round, uint64_t *ns)
{
	const char *path = processes ? "/readers-processes" : "/readers-threads";
	pthread_barrierattr_t shared;
	struct race *race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (race == MAP_FAILED)
		return -ENOMEM;
	race->file_size = file_size;
	race->ops = ops;
	race->round = round;
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&race->barrier, &shared, READERS);
	int rc = make_file(url, path, file_size);
	if (rc == 0)
		rc = processes ? run_processes(race, url, path) : run_threads(race, url, path);
	uint64_t start = UINT64_MAX, end = 0;
	for (unsigned i = 0; i < READERS && rc == 0; i++) {
		rc = race->reader[i].status;
		start = race->reader[i].start < start ? race->reader[i].start : start;
		end = race->reader[i].end > end ? race->reader[i].end : end;
	}
	*ns = end - start;
	munmap(race, sizeof(*race));
	return rc;
}
