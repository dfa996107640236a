/*
 * grow_case.c -- a pool grows, and crashes at every fence of it.
 *
 * The part it grows by is full of what a larger pool once had there, so that nothing of the old may be taken for new.
 */
#include "tests/crash/grow_case.h"

#include "common/container_of.h"
#include "server/nova/media/format.h"
#include "server/pool/check/check.h"
#include "tests/crash/fence_sweep.h"
#include "tests/crash/snapshot.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MIB  (1ULL << 20)
#define ZONE ((uint64_t)NOVA_ZONE_BLOCKS * NOVA_BLOCK_SIZE)

/* A pool that grows. */
struct growth {
	const char *name;
	uint64_t small, large; /* bytes */
	bool clean;            /* it was unmounted; else the process that had it was killed */
};

static const struct growth growths[] = {
    {"a clean pool", 11 * MIB, 13 * MIB, true},
    {"a crashed pool", 11 * MIB, 13 * MIB, false},
    {"a clean pool by a zone", 2 * MIB + ZONE - 4 * MIB, 2 * MIB + ZONE + 64 * MIB, true},
    {"a crashed pool by a zone", 2 * MIB + ZONE - 4 * MIB, 2 * MIB + ZONE + 64 * MIB, false},
};
#define ROOM (2 * MIB + ZONE + 64 * MIB)

static struct sparse memory;

struct attempt {
	struct fence_sweep sweep;
	const struct growth *growth;
	struct listing tree;
	uint64_t small_blocks, large_blocks;
};

static const char *use(struct nova *fs, const struct attempt *a, bool full_size)
{
	struct nova_call call = {0};
	struct listing now = {0};
	struct nova_attr attr;
	const char *wrong = NULL;
	uint64_t got = 0;

	if (nova_worker_open(fs, &call.worker))
		return "no worker";
	if (snapshot_take(&now, &call, nova_root(fs)) || !listing_equal(&now, &a->tree))
		wrong = "the tree is not as it was";
	listing_free(&now);
	if (!wrong && nova_create(&call, nova_root(fs), "filler", 6, S_IFREG | 0600, 0, &attr))
		wrong = "create fails";
	/* What it says it has it can give: all that it had before is less. */
	for (uint64_t length = 64 * MIB; !wrong && length >= NOVA_BLOCK_SIZE; length /= 2)
		while (nova_fallocate(&call, attr.handle, NOVA_FALLOCATE_KEEP_SIZE, got, length, NULL) == 0)
			got += length;
	if (!wrong && full_size && got < a->small_blocks * NOVA_BLOCK_SIZE)
		wrong = "the space it has grown by cannot be used";
	if (!wrong && nova_unlink(&call, nova_root(fs), "filler", 6, NULL))
		wrong = "unlink fails";
	nova_worker_close(call.worker);
	return wrong;
}

static const char *judge(struct fence_sweep *sweep, uint8_t *image)
{
	const struct attempt *a = container_of(sweep, struct attempt, sweep);
	struct image_watch watch = images_watch(&sweep->images);
	const struct nova_mount_options options = {.recovery_threads = 1};
	struct check_report report = {0};
	static char why[256];
	struct nova_statfs statfs;
	const char *wrong;
	struct nova *fs;
	struct pm pm;
	bool large;

	if (nova_check(image, a->growth->large, &report))
		return "not consistent";
	pm_wrap(&pm, image, a->growth->large);
	pm.observer = &watch.observer;
	if (nova_mount(&pm, &options, &fs, why, sizeof(why)))
		return why;
	nova_statfs(fs, &statfs);
	large = statfs.blocks == a->large_blocks;
	if (!large && (sweep->returned || statfs.blocks != a->small_blocks))
		wrong = sweep->returned ? "it had returned but the size is the old one" : "it has some other size";
	else
		wrong = use(fs, a, large);
	nova_unmount(fs);
	if (!wrong && nova_check(image, a->growth->large, &report))
		wrong = "not consistent after use";
	return wrong;
}

static bool make_file(struct nova *fs, struct nova_call *call, const char *name)
{
	struct nova_attr attr;

	return nova_create(call, nova_root(fs), name, strlen(name), S_IFREG | 0600, 0, &attr) == 0 &&
	       nova_write(call, attr.handle, 0, name, strlen(name), 0, NULL) > 0;
}

/* Files and a chunk of slots where a second worker looks first: in the second zone, if there is one. */
static bool use_the_end(struct nova *fs)
{
	struct nova_call call = {0};
	struct nova_worker *first;
	bool ok = true;

	if (nova_worker_open(fs, &first))
		return false;
	if (nova_worker_open(fs, &call.worker))
		ok = false;
	for (unsigned i = 0; ok && i < 2 * NOVA_SLOTS_PER_CHUNK; i++) {
		char name[16];

		snprintf(name, sizeof(name), "old%u", i);
		ok = make_file(fs, &call, name);
	}
	if (call.worker)
		nova_worker_close(call.worker);
	nova_worker_close(first);
	return ok;
}

/* A small file system over a larger one, with its tree noted. */
static bool begin(struct attempt *a, struct trace *trace)
{
	struct nova_call call = {0};
	struct sparse killed;
	struct nova_statfs statfs;
	struct nova *fs;
	struct pm pm;
	bool ok = true;

	sparse_clear(&memory, a->growth->large);
	pm_wrap(&pm, memory.base, a->growth->large);
	pm.observer = &trace->observer;
	if (nova_format(&pm, NULL) || nova_mount(&pm, NULL, &fs, NULL, 0))
		return false;
	nova_statfs(fs, &statfs);
	a->large_blocks = statfs.blocks;
	ok = use_the_end(fs);
	nova_unmount(fs);
	if (!ok)
		return false;
	pm_wrap(&pm, memory.base, a->growth->small);
	pm.observer = &trace->observer;
	if (nova_format(&pm, NULL) || nova_mount(&pm, NULL, &fs, NULL, 0))
		return false;
	nova_statfs(fs, &statfs);
	a->small_blocks = statfs.blocks;
	ok = nova_worker_open(fs, &call.worker) == 0 && make_file(fs, &call, "one") && make_file(fs, &call, "two") &&
	     snapshot_take(&a->tree, &call, nova_root(fs)) == 0;
	sparse_init(&killed, ROOM);
	sparse_copy(&killed, &memory);
	nova_worker_close(call.worker);
	nova_unmount(fs);
	if (!a->growth->clean)
		sparse_copy(&memory, &killed);
	sparse_free(&killed);
	return ok;
}

static unsigned grow_one(const struct crash_settings *settings, struct crash_counts *counts,
                         const struct growth *growth)
{
	char what[64];
	struct attempt a = {.sweep = {.settings = settings, .counts = counts, .what = what, .judge = judge},
	                    .growth = growth};
	uint64_t old_bytes, new_bytes;
	struct trace trace;
	struct pm pm;

	snprintf(what, sizeof(what), "grow of %s", growth->name);
	trace_init(&trace, &memory);
	if (!begin(&a, &trace)) {
		printf("FAIL %s: cannot prepare it\n", what);
		trace_free(&trace);
		return 1;
	}
	trace_clear(&trace);
	images_init(&a.sweep.images, &memory);
	pm_wrap(&pm, memory.base, growth->large);
	pm.observer = &trace.observer;
	if (nova_grow(&pm, &old_bytes, &new_bytes, NULL, 0)) {
		printf("FAIL %s fails\n", what);
		a.sweep.failures++;
	} else {
		fence_sweep_run(&a.sweep, &trace);
	}
	trace_free(&trace);
	images_free(&a.sweep.images);
	listing_free(&a.tree);
	return a.sweep.failures;
}

unsigned grow_case(const struct crash_settings *settings, struct crash_counts *counts)
{
	unsigned failures = 0;

	sparse_init(&memory, ROOM);
	for (size_t i = 0; i < sizeof(growths) / sizeof(growths[0]); i++)
		failures += grow_one(settings, counts, &growths[i]);
	sparse_free(&memory);
	return failures;
}
