// scale_extents.c -- a file of a million extents, and a file rewritten ten million times.
#include "tests/bench/scale.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK          4096u
#define REWRITE_BLOCKS 64u
#define SLICES         100u // of the rewrites; the first ten and the last ten are compared
#define END_SLICES     10u
#define LOOK_EVERY     16u         // writes between two looks at the size of the log,
#define LOOK_RARELY    256u        // where the time of each write counts
#define LOG_FREE       (64u << 10) // what the log may take beside 64 bytes for each live extent
#define LOG_PER_EXTENT 64u

static uint8_t data[BLOCK];

static struct nova_handle make_file(struct bench_pool *pool)
{
	struct nova_attr attr;

	must(nova_create(&pool->call, pool->root, "file", 4, S_IFREG | 0644, 0, &attr), "create");
	return attr.handle;
}

static void write_block(struct bench_pool *pool, struct nova_handle file, uint64_t block)
{
	memcpy(data, &block, sizeof(block));
	must(nova_write(&pool->call, file, block * BLOCK, data, sizeof(data), 0, NULL), "write");
}

static void read_block(struct bench_pool *pool, struct nova_handle file, uint64_t block)
{
	static uint8_t back[BLOCK];
	uint64_t stamp;

	must(nova_read(&pool->call, file, block * BLOCK, back, sizeof(back)), "read");
	memcpy(&stamp, back, sizeof(stamp));
	must(stamp == block ? 0 : -1, "a block's contents differ");
}

/* ---- a million extents ---------------------------------------------------------------------------------------- */

enum { FILL, FIRST_READ, OVERWRITE, READ, FREE_BEFORE, EXTENTS_OVER_BOUND };

static const char *const extent_cases[] = {
    "write_extents_1m", "first_read_extents_1m",     "overwrite_extents_1m",
    "read_extents_1m",  "extents_1m_log_over_bound", NULL,
};

// What the file takes beside its `extents` blocks is its log; so much of its bound at most, in both lives.
static void look_at_extents(struct scale *scale, const struct bench_pool *pool, uint64_t extents)
{
	double bytes = scale->values[FREE_BEFORE][0] - (double)scale_free_bytes(pool) - (double)extents * BLOCK;
	double over = bytes / (LOG_FREE + (double)LOG_PER_EXTENT * (double)extents);

	if (over > scale->values[EXTENTS_OVER_BOUND][0])
		scale->values[EXTENTS_OVER_BOUND][0] = over;
}

// Every second block, so that no two extents can be one.
static void make_extents(struct scale *scale, unsigned round)
{
	struct bench_pool pool;
	struct nova_handle file;
	double start;

	must(bench_pool_make(&pool, scale->pool, (uint64_t)scale->million * (BLOCK + 512) + (UINT64_C(256) << 20)),
	     "make a pool");
	file = make_file(&pool);
	scale->values[FREE_BEFORE][0] = (double)scale_free_bytes(&pool);
	scale->values[EXTENTS_OVER_BOUND][0] = 0;
	start = scale_seconds();
	for (uint64_t i = 0; i < scale->million; i++) {
		write_block(&pool, file, 2 * i);
		if (i % LOOK_RARELY == 0)
			look_at_extents(scale, &pool, i + 1);
	}
	scale->values[FILL][round] = (scale_seconds() - start) * 1e6 / scale->million;
	bench_pool_close(&pool);
}

static void use_extents(struct scale *scale, unsigned round)
{
	struct bench_pool pool;
	struct nova_attr attr;
	uint64_t random = round;
	double start;

	must(bench_pool_map(&pool, scale->pool), "map the pool");
	must(bench_pool_mount(&pool), "mount");
	start = scale_seconds();
	must(nova_lookup(&pool.call, pool.root, "file", 4, &attr), "look-up");
	read_block(&pool, attr.handle, scale->million / 2 * 2);
	scale->values[FIRST_READ][round] = scale_seconds() - start;
	pool.call.opened = true;
	for (unsigned i = 0; i < scale->options.rounds; i++) {
		start = scale_seconds();
		for (uint32_t n = 0; n < scale->ops; n++)
			read_block(&pool, attr.handle, 2 * scale_random(&random, scale->million));
		scale->values[READ][i] = (scale_seconds() - start) * 1e6 / scale->ops;
		start = scale_seconds();
		for (uint32_t n = 0; n < scale->ops; n++) {
			write_block(&pool, attr.handle, 2 * scale_random(&random, scale->million));
			if (n % LOOK_RARELY == 0)
				look_at_extents(scale, &pool, scale->million);
		}
		scale->values[OVERWRITE][i] = (scale_seconds() - start) * 1e6 / scale->ops;
	}
	bench_pool_close(&pool);
}

static void run_extents(struct scale *scale)
{
	scale_life(scale, make_extents, 0);
	scale_life(scale, use_extents, 0);
	scale_result(scale, "write_extents_1m", "farnova", "us", FILL, 1);
	scale_result(scale, "first_read_extents_1m", "farnova", "s", FIRST_READ, 1);
	scale_result(scale, "overwrite_extents_1m", "farnova", "us", OVERWRITE, scale->options.rounds);
	scale_result(scale, "read_extents_1m", "farnova", "us", READ, scale->options.rounds);
	scale_result(scale, "extents_1m_log_over_bound", "farnova", "ratio", EXTENTS_OVER_BOUND, 1);
}

const struct scale_group scale_extents = {extent_cases, run_extents};

/* ---- rewritten for ever --------------------------------------------------------------------------------------- */

enum { TAIL_OVER_HEAD, LOG_OVER_BOUND, LOG_BYTES, REWRITE };

static const char *const rewrite_cases[] = {
    "rewrite_10m_tail_over_head", "rewrite_10m_log_over_bound", "rewrite_10m_log_bytes", "rewrite_10m", NULL,
};

// What the file takes beside its data is its log.
static void look_at_log(struct scale *scale, struct bench_pool *pool, uint64_t free_before)
{
	double bytes = (double)(free_before - scale_free_bytes(pool)) - (double)REWRITE_BLOCKS * BLOCK;

	if (bytes > scale->values[LOG_BYTES][0])
		scale->values[LOG_BYTES][0] = bytes;
}

static void rewrite(struct scale *scale, unsigned round)
{
	double slices[SLICES], head = 0, tail = 0;
	struct bench_pool pool;
	struct nova_handle file;
	uint64_t free_before;
	uint64_t random = round;

	must(bench_pool_make(&pool, scale->pool, UINT64_C(256) << 20), "make a pool");
	file = make_file(&pool);
	free_before = scale_free_bytes(&pool);
	scale->values[LOG_BYTES][0] = 0;
	for (uint64_t i = 0; i < REWRITE_BLOCKS; i++)
		write_block(&pool, file, i);
	for (unsigned slice = 0; slice < SLICES; slice++) {
		double start = scale_seconds();

		for (uint32_t i = 0; i < scale->rewrites / SLICES; i++) {
			write_block(&pool, file, scale_random(&random, REWRITE_BLOCKS));
			if (i % LOOK_EVERY == 0)
				look_at_log(scale, &pool, free_before);
		}
		slices[slice] = scale_seconds() - start;
	}
	scale->values[REWRITE][0] = 0;
	for (unsigned i = 0; i < SLICES; i++) {
		scale->values[REWRITE][0] += slices[i] * 1e6 / scale->rewrites;
		head += i < END_SLICES ? slices[i] : 0;
		tail += i >= SLICES - END_SLICES ? slices[i] : 0;
	}
	scale->values[TAIL_OVER_HEAD][0] = head / tail;
	scale->values[LOG_OVER_BOUND][0] =
	    scale->values[LOG_BYTES][0] / (LOG_FREE + (double)LOG_PER_EXTENT * REWRITE_BLOCKS);
	bench_pool_close(&pool);
}

static void run_rewrite(struct scale *scale)
{
	scale_life(scale, rewrite, 0);
	scale_result(scale, "rewrite_10m_tail_over_head", "farnova", "ratio", TAIL_OVER_HEAD, 1);
	scale_result(scale, "rewrite_10m_log_over_bound", "farnova", "ratio", LOG_OVER_BOUND, 1);
	scale_result(scale, "rewrite_10m_log_bytes", "farnova", "bytes", LOG_BYTES, 1);
	scale_result(scale, "rewrite_10m", "farnova", "us", REWRITE, 1);
}

const struct scale_group scale_rewrite = {rewrite_cases, run_rewrite};
