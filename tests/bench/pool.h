// pool.h -- a pool of the NOVA core for programs that measure it in process: made or opened, mounted, with one worker.
#ifndef TESTS_BENCH_POOL_H
#define TESTS_BENCH_POOL_H

#include "server/nova/nova.h"

struct bench_pool {
	struct pm pm;
	struct nova *fs;
	struct nova_worker *worker;
	struct nova_call call; // the superuser's
	struct nova_handle root;
};

// bench_pool_make -- a fresh file system of `size` bytes in the file `path`. 0 or -errno, with the reason on standard
// error.
int bench_pool_make(struct bench_pool *pool, const char *path, uint64_t size);

// bench_pool_map, bench_pool_mount -- open the pool that is in the file, then mount what it holds; in two steps so that
// each can be timed. Page-table entries are made by the first, as farnovad does and as devdax has them.
int bench_pool_map(struct bench_pool *pool, const char *path);
int bench_pool_mount(struct bench_pool *pool);

// bench_pool_close -- unmount cleanly and unmap.
void bench_pool_close(struct bench_pool *pool);

#endif
