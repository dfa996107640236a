// pool.c -- make, open, mount and close a pool in process.
#include "tests/bench/pool.h"

#include <stdio.h>

#define WHY_SIZE 256

static int map_failed(const char *why, int rc)
{
	fprintf(stderr, "%s\n", why);
	return rc;
}

int bench_pool_mount(struct bench_pool *pool)
{
	struct nova_mount_options options = {0};
	char why[WHY_SIZE] = "";
	int rc = nova_mount(&pool->pm, &options, &pool->fs, why, sizeof(why));

	if (rc)
		return map_failed(why, rc);
	rc = nova_worker_open(pool->fs, &pool->worker);
	if (rc) {
		nova_unmount(pool->fs);
		return rc;
	}
	pool->call = (struct nova_call){.worker = pool->worker};
	pool->root = nova_root(pool->fs);
	return 0;
}

int bench_pool_map(struct bench_pool *pool, const char *path)
{
	char why[WHY_SIZE] = "";
	int rc = pm_open(path, false, &pool->pm, why, sizeof(why));

	if (rc)
		return map_failed(why, rc);
	pm_populate(&pool->pm, 0, pool->pm.size);
	return 0;
}

int bench_pool_make(struct bench_pool *pool, const char *path, uint64_t size)
{
	char why[WHY_SIZE] = "";
	int rc = pm_create(path, size, true, &pool->pm, why, sizeof(why));

	if (rc)
		return map_failed(why, rc);
	pm_populate(&pool->pm, 0, pool->pm.size);
	rc = nova_format(&pool->pm, &(struct nova_format_options){.label = "bench"});
	if (!rc)
		rc = bench_pool_mount(pool);
	if (rc)
		pm_close(&pool->pm);
	return rc;
}

void bench_pool_close(struct bench_pool *pool)
{
	nova_worker_close(pool->worker);
	nova_unmount(pool->fs);
	pm_close(&pool->pm);
}
