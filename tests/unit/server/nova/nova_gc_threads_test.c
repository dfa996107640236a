/*
 * nova_gc_threads_test.c -- GC by a thread of its own beside writers, readers and truncaters of the same inodes; run it
 * under TSan.
 */
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define ROUNDS 6000u
#define BLOCKS 64u

struct shared {
	struct fixture f;
	struct nova_handle file; /* each block holds one value throughout, or nothing */
	struct nova_handle dir;
	bool done; /* atomic */
	unsigned slices;
};

struct actor {
	struct shared *shared;
	int (*act)(struct shared *shared, const struct nova_call *call, unsigned round, unsigned *seed);
	unsigned seed;
	int bad;
	pthread_t thread;
};

static int write_blocks(struct shared *shared, const struct nova_call *call, unsigned round, unsigned *seed)
{
	uint8_t data[4 * 4096];
	size_t length = (1 + (unsigned)rand_r(seed) % 4) * 4096;
	uint64_t at = (uint64_t)rand_r(seed) % BLOCKS * 4096;

	memset(data, (int)(round % 255 + 1), sizeof data);
	return nova_write(call, shared->file, at, data, length, 0, NULL) == (ssize_t)length ? 0 : -1;
}

static int append_and_cut(struct shared *shared, const struct nova_call *call, unsigned round, unsigned *seed)
{
	struct nova_attr attr = {.size = (uint64_t)(rand_r(seed) % BLOCKS) * 4096};
	uint8_t data[4096];

	if (round % 50 == 49)
		return nova_setattr(call, shared->file, NOVA_SET_SIZE, &attr, NULL);
	memset(data, (int)(round % 255 + 1), sizeof data);
	return nova_write(call, shared->file, 0, data, sizeof data, NOVA_WRITE_APPEND, NULL) == sizeof data ? 0 : -1;
}

static int read_blocks(struct shared *shared, const struct nova_call *call, unsigned round, unsigned *seed)
{
	uint8_t data[4096];
	ssize_t n = nova_read(call, shared->file, (uint64_t)rand_r(seed) % BLOCKS * 4096, data, sizeof data);

	(void)round;
	if (n < 0)
		return (int)n;
	return n == sizeof data && memcmp(data, data + 1, sizeof data - 1) != 0 ? -1 : 0;
}

static bool count_name(void *context, const struct nova_dirent *entry)
{
	uint64_t *last = context;
	bool in_order = entry->cookie > *last;

	*last = in_order ? entry->cookie : UINT64_MAX;
	return in_order;
}

/* Names come, move and go; those that are there are always told in the order of their cookies. */
static int change_names(struct shared *shared, const struct nova_call *call, unsigned round, unsigned *seed)
{
	struct nova_attr attr;
	uint64_t last = 0;
	char a[16];
	char b[16];
	int la = snprintf(a, sizeof a, "n%d", rand_r(seed) % 40);
	int lb = snprintf(b, sizeof b, "n%d", rand_r(seed) % 40);
	int err = nova_create(call, shared->dir, a, (size_t)la, S_IFREG | 0644, 0, &attr);

	if (err && err != -EEXIST)
		return err;
	err = round % 3 ? nova_rename(call, shared->dir, a, (size_t)la, shared->dir, b, (size_t)lb, 0, NULL)
	                : nova_unlink(call, shared->dir, a, (size_t)la, NULL);
	if (err && err != -ENOENT)
		return err;
	if (round % 100 == 0)
		err = nova_readdir(call, shared->dir, 0, NULL, count_name, &last);
	return last == UINT64_MAX ? -1 : err == -ENOENT ? 0 : err;
}

static bool waits_for_gc(const struct shared *shared, unsigned round)
{
	return round < 100 * ROUNDS && __atomic_load_n(&shared->slices, __ATOMIC_RELAXED) == 0;
}

static void *run(void *context)
{
	struct actor *actor = context;
	struct nova_call call = {0};

	actor->bad = nova_worker_open(actor->shared->f.fs, &call.worker);
	/* On a busy host the thread that shortens logs may come late: it must have met the others. */
	for (unsigned i = 0; (i < ROUNDS || waits_for_gc(actor->shared, i)) && !actor->bad; i++)
		actor->bad = actor->act(actor->shared, &call, i, &actor->seed);
	nova_worker_close(call.worker);
	return NULL;
}

static void *tidy(void *context)
{
	struct shared *shared = context;
	struct nova_worker *worker;

	if (nova_worker_open(shared->f.fs, &worker))
		return NULL;
	while (!__atomic_load_n(&shared->done, __ATOMIC_RELAXED))
		__atomic_fetch_add(&shared->slices, (unsigned)nova_gc_step(worker, 2, NOVA_GC_BUSY), __ATOMIC_RELAXED);
	nova_worker_close(worker);
	return NULL;
}

static void gc_goes_on_beside_everything_else(void **state)
{
	static struct shared shared;
	struct actor actors[] = {
	    {.act = write_blocks}, {.act = append_and_cut}, {.act = read_blocks},
	    {.act = change_names}, {.act = change_names},
	};
	const size_t count = sizeof actors / sizeof actors[0];
	pthread_t gc;

	(void)state;
	fixture_open(&shared.f, 128 * MIB);
	shared.file = fixture_create(&shared.f, shared.f.root, "file", S_IFREG | 0644).handle;
	shared.dir = fixture_create(&shared.f, shared.f.root, "dir", S_IFDIR | 0755).handle;
	assert_int_equal(pthread_create(&gc, NULL, tidy, &shared), 0);
	for (size_t i = 0; i < count; i++) {
		actors[i].shared = &shared;
		actors[i].seed = (unsigned)i + 1;
		assert_int_equal(pthread_create(&actors[i].thread, NULL, run, &actors[i]), 0);
	}
	for (size_t i = 0; i < count; i++)
		pthread_join(actors[i].thread, NULL);
	__atomic_store_n(&shared.done, true, __ATOMIC_RELAXED);
	pthread_join(gc, NULL);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(actors[i].bad, 0);
	assert_true(shared.slices > 0);
	fixture_assert_same_after_remount(&shared.f);
	fixture_close(&shared.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gc_goes_on_beside_everything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
