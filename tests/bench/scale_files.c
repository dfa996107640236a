// scale_files.c -- a million files of 4 KiB with names of 64 bytes, a thousand in a directory: what they take on the
// medium, how long a mount of them takes after a crash and after a clean unmount, and what they cost in memory.
#include "tests/bench/scale.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES   4096u
#define NAME_BYTES   64u
#define IN_ONE       1000u // files of a directory
#define MOUNTS       3u
#define POOL_SPARE   (UINT64_C(256) << 20)
#define BYTES_APIECE (FILE_BYTES + 1024u) // for the size of the pool

enum { PMEM, CRASH, CRASH_LOOKUP, CLEAN, CLEAN_LOOKUP, COLD, SEEN };

static const char *const cases[] = {
    "pmem_per_small_file",   "mount_crash_1m",      "mount_crash_1m_lookup", "mount_clean_1m",
    "mount_clean_1m_lookup", "dram_per_cold_inode", "dram_per_inode_seen",   NULL,
};

static void file_name(char *name, uint32_t i)
{
	snprintf(name, NAME_BYTES + 1, "f%063" PRIu32, i);
}

static struct nova_attr find(struct bench_pool *pool, struct nova_handle dir, const char *name)
{
	struct nova_attr attr;

	must(nova_lookup(&pool->call, dir, name, strlen(name), &attr), name);
	return attr;
}

static struct nova_handle directory(struct bench_pool *pool, uint32_t i)
{
	char name[16];

	snprintf(name, sizeof(name), "d%" PRIu32, i);
	return find(pool, pool->root, name).handle;
}

static void make_files(struct bench_pool *pool, struct nova_handle dir, uint32_t first)
{
	char name[NAME_BYTES + 1];
	static uint8_t data[FILE_BYTES];
	struct nova_attr attr;

	for (uint32_t i = first; i < first + IN_ONE; i++) {
		file_name(name, i);
		memcpy(data, &i, sizeof(i));
		must(nova_create(&pool->call, dir, name, NAME_BYTES, S_IFREG | 0644, 0, &attr), "create");
		must(nova_write(&pool->call, attr.handle, 0, data, sizeof(data), 0, NULL), "write");
	}
}

// Ends without an unmount.
static void make(struct scale *scale, unsigned round)
{
	struct bench_pool pool;
	uint64_t before;
	struct nova_attr attr;

	must(bench_pool_make(&pool, scale->pool, (uint64_t)scale->million * BYTES_APIECE + POOL_SPARE), "make a pool");
	before = scale_free_bytes(&pool);
	for (uint32_t i = 0; i < scale->million / IN_ONE; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d%" PRIu32, i);
		must(nova_create(&pool.call, pool.root, name, strlen(name), S_IFDIR | 0755, 0, &attr), "mkdir");
		make_files(&pool, attr.handle, i * IN_ONE);
	}
	scale->values[PMEM][round] = (double)(before - scale_free_bytes(&pool)) / scale->million - FILE_BYTES;
}

// Anonymous memory of this process that is in use, in bytes; the pool's mapping is not part of it.
static double resident(void)
{
	char line[128];
	double kib = -1;
	FILE *f = fopen("/proc/self/status", "re");

	malloc_trim(0);
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %lf kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	must(kib < 0 ? -1 : 0, "read the process's resident memory");
	return kib * 1024;
}

static void mount_timed(struct scale *scale, struct bench_pool *pool, unsigned mount_series, unsigned lookup_series,
                        unsigned round)
{
	char name[NAME_BYTES + 1];
	struct nova_handle dir;
	double start, mounted;

	must(bench_pool_map(pool, scale->pool), "map the pool");
	start = scale_seconds();
	must(bench_pool_mount(pool), "mount");
	mounted = scale_seconds();
	dir = directory(pool, scale->million / IN_ONE / 2);
	file_name(name, scale->million / 2 + 7);
	find(pool, dir, name);
	scale->values[lookup_series][round] = (scale_seconds() - mounted) * 1e6;
	scale->values[mount_series][round] = mounted - start;
}

static bool ignore_name(void *context, const struct nova_dirent *entry)
{
	(*(uint32_t *)context)++;
	return true;
}

// As `ls -lR` and a reader of every file do.
static void see_all(struct scale *scale, struct bench_pool *pool)
{
	static uint8_t data[FILE_BYTES];
	char name[NAME_BYTES + 1];

	for (uint32_t d = 0; d < scale->million / IN_ONE; d++) {
		struct nova_handle dir = directory(pool, d);
		uint32_t names = 0;

		must(nova_readdir(&pool->call, dir, 0, NULL, ignore_name, &names), "readdir");
		must(names == IN_ONE ? 0 : -1, "a directory has lost names");
		for (uint32_t i = d * IN_ONE; i < (d + 1) * IN_ONE; i++) {
			uint32_t stamp;
			struct nova_attr attr;

			file_name(name, i);
			attr = find(pool, dir, name);
			must(nova_read(&pool->call, attr.handle, 0, data, sizeof(data)), "read");
			memcpy(&stamp, data, sizeof(stamp));
			must(stamp == i && attr.size == FILE_BYTES ? 0 : -1, "a file's contents differ");
		}
	}
}

static void crash_mount(struct scale *scale, unsigned round)
{
	struct bench_pool pool;

	mount_timed(scale, &pool, CRASH, CRASH_LOOKUP, round);
}

static void memory(struct scale *scale, unsigned round)
{
	struct bench_pool pool;
	double before;

	must(bench_pool_map(&pool, scale->pool), "map the pool");
	before = resident();
	must(bench_pool_mount(&pool), "mount");
	scale->values[COLD][round] = (resident() - before) / scale->million;
	see_all(scale, &pool);
	scale->values[SEEN][round] = (resident() - before) / scale->million;
	bench_pool_close(&pool);
}

static void clean_mount(struct scale *scale, unsigned round)
{
	struct bench_pool pool;

	mount_timed(scale, &pool, CLEAN, CLEAN_LOOKUP, round);
	bench_pool_close(&pool);
}

static void run(struct scale *scale)
{
	unsigned mounts = scale->options.rounds < MOUNTS ? scale->options.rounds : MOUNTS;

	scale_life(scale, make, 0);
	for (unsigned i = 0; i < mounts; i++)
		scale_life(scale, crash_mount, i);
	scale_life(scale, memory, 0);
	for (unsigned i = 0; i < mounts; i++)
		scale_life(scale, clean_mount, i);
	scale_result(scale, "pmem_per_small_file", "farnova", "bytes", PMEM, 1);
	scale_result(scale, "mount_crash_1m", "farnova", "s", CRASH, mounts);
	scale_result(scale, "mount_crash_1m_lookup", "farnova", "us", CRASH_LOOKUP, mounts);
	scale_result(scale, "mount_clean_1m", "farnova", "s", CLEAN, mounts);
	scale_result(scale, "mount_clean_1m_lookup", "farnova", "us", CLEAN_LOOKUP, mounts);
	scale_result(scale, "dram_per_cold_inode", "farnova", "bytes", COLD, 1);
	scale_result(scale, "dram_per_inode_seen", "farnova", "bytes", SEEN, 1);
}

const struct scale_group scale_files = {cases, run};
