// scale_names.c -- a directory of a million names beside one of a thousand.
#include "tests/bench/scale.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define SMALL 1000u

enum { OVER, LARGE_US, SMALL_US, CREATE, UNLINK, FIRST, LIST };

static const char *const cases[] = {
    "lookup_1m_over_1k", "lookup_in_1m",       "lookup_in_1k",  "create_in_1m",
    "unlink_in_1m",      "first_lookup_in_1m", "readdir_of_1m", NULL,
};

static struct nova_handle make_dir(struct bench_pool *pool, const char *name)
{
	struct nova_attr attr;

	must(nova_create(&pool->call, pool->root, name, strlen(name), S_IFDIR | 0755, 0, &attr), "mkdir");
	return attr.handle;
}

static void file_name(char *name, uint32_t i)
{
	snprintf(name, 16, "f%07" PRIu32, i);
}

static void create(struct bench_pool *pool, struct nova_handle dir, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		struct nova_attr attr;
		char name[16];

		file_name(name, i);
		must(nova_create(&pool->call, dir, name, strlen(name), S_IFREG | 0644, 0, &attr), "create");
	}
}

// Microseconds a look-up of a random name.
static double look_up(struct scale *scale, struct bench_pool *pool, struct nova_handle dir, uint32_t names,
                      uint64_t *random)
{
	double start = scale_seconds();

	for (uint32_t i = 0; i < scale->ops; i++) {
		struct nova_attr attr;
		char name[16];

		file_name(name, (uint32_t)scale_random(random, names));
		must(nova_lookup(&pool->call, dir, name, strlen(name), &attr), "look-up");
	}
	return (scale_seconds() - start) * 1e6 / scale->ops;
}

static void make(struct scale *scale, unsigned round)
{
	uint32_t sample = scale->ops < scale->million ? scale->ops : scale->million;
	struct nova_handle large, small;
	struct bench_pool pool;
	uint64_t random = round;
	double start;

	must(bench_pool_make(&pool, scale->pool, (uint64_t)scale->million * 1024 + (UINT64_C(256) << 20)),
	     "make a pool");
	small = make_dir(&pool, "small");
	create(&pool, small, 0, SMALL);
	large = make_dir(&pool, "large");
	create(&pool, large, 0, scale->million - sample);
	start = scale_seconds();
	create(&pool, large, scale->million - sample, scale->million);
	scale->values[CREATE][0] = (scale_seconds() - start) * 1e6 / sample;
	look_up(scale, &pool, large, scale->million, &random);
	for (unsigned i = 0; i < scale->options.rounds; i++) {
		scale->values[LARGE_US][i] = look_up(scale, &pool, large, scale->million, &random);
		scale->values[SMALL_US][i] = look_up(scale, &pool, small, SMALL, &random);
		scale->values[OVER][i] = scale->values[LARGE_US][i] / scale->values[SMALL_US][i];
	}
	bench_pool_close(&pool);
}

static bool count_name(void *context, const struct nova_dirent *entry)
{
	(*(uint32_t *)context)++;
	return true;
}

static void after_mount(struct scale *scale, unsigned round)
{
	struct nova_attr dir, attr;
	struct bench_pool pool;
	uint32_t names = 0;
	uint32_t gone = scale->ops < scale->million ? scale->ops : scale->million;
	double start;

	must(bench_pool_map(&pool, scale->pool), "map the pool");
	must(bench_pool_mount(&pool), "mount");
	start = scale_seconds();
	must(nova_lookup(&pool.call, pool.root, "large", 5, &dir), "look-up");
	must(nova_lookup(&pool.call, dir.handle, "f0000000", 8, &attr), "look-up");
	scale->values[FIRST][round] = scale_seconds() - start;
	start = scale_seconds();
	must(nova_readdir(&pool.call, dir.handle, 0, NULL, count_name, &names), "readdir");
	scale->values[LIST][round] = scale_seconds() - start;
	must(names == scale->million ? 0 : -1, "the directory has lost names");
	start = scale_seconds();
	for (uint32_t i = 0; i < gone; i++) {
		char name[16];

		file_name(name, i);
		must(nova_unlink(&pool.call, dir.handle, name, strlen(name), NULL), "unlink");
	}
	scale->values[UNLINK][round] = (scale_seconds() - start) * 1e6 / gone;
	bench_pool_close(&pool);
}

static void run(struct scale *scale)
{
	scale_life(scale, make, 0);
	scale_life(scale, after_mount, 0);
	scale_result(scale, "lookup_1m_over_1k", "farnova", "ratio", OVER, scale->options.rounds);
	scale_result(scale, "lookup_in_1m", "farnova", "us", LARGE_US, scale->options.rounds);
	scale_result(scale, "lookup_in_1k", "farnova", "us", SMALL_US, scale->options.rounds);
	scale_result(scale, "create_in_1m", "farnova", "us", CREATE, 1);
	scale_result(scale, "unlink_in_1m", "farnova", "us", UNLINK, 1);
	scale_result(scale, "first_lookup_in_1m", "farnova", "s", FIRST, 1);
	scale_result(scale, "readdir_of_1m", "farnova", "s", LIST, 1);
}

const struct scale_group scale_names = {cases, run};
