/*
 * grow_case.c -- a pool grows, and crashes at every fence of it.
 *
 * The part it grows by is full of what a larger pool once had there, so that nothing of the old may be taken for new.
 */
#include "tests/crash/grow_case.h"

#include "server/nova/media/format.h"
#include "server/pool/check/check.h"
#include "tests/crash/images.h"
#include "tests/crash/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
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
	const struct growth *growth;
	const struct crash_settings *settings;
	struct crash_counts *counts;
	struct images images;
	struct listing tree;
	uint64_t small_blocks, large_blocks;
	bool returned;
	unsigned failures;
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

static const char *judge(uint8_t *image, struct attempt *a)
{
	struct image_watch watch = images_watch(&a->images);
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
	if (!large && (a->returned || statfs.blocks != a->small_blocks))
		wrong = a->returned ? "it had returned but the size is the old one" : "it has some other size";
	else
		wrong = use(fs, a, large);
	nova_unmount(fs);
	if (!wrong && nova_check(image, a->growth->large, &report))
		wrong = "not consistent after use";
	return wrong;
}

static bool try_image(void *context, uint8_t *image, const char *family)
{
	struct attempt *a = context;
	const char *wrong = judge(image, a);

	a->counts->unique++;
	a->counts->tried++;
	if (!wrong)
		return true;
	a->failures++;
	if (!a->settings->quiet)
		printf("FAIL grow of %s%s, image '%s': %s\n", a->growth->name, a->returned ? " after its return" : "",
		       family, wrong);
	return !a->settings->quiet && a->failures < a->settings->failures_max;
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

static void crash_everywhere(struct attempt *a, const struct trace *trace)
{
	bool go_on = true;

	a->counts->cases++;
	for (size_t i = 0; go_on && i < trace->count; i++) {
		if (trace->events[i].type == PM_EV_FENCE) {
			a->counts->fences++;
			go_on = images_each(&a->images, &a->settings->limits, try_image, a, &a->counts->made);
		}
		images_step(&a->images, trace, &trace->events[i]);
	}
	if (!go_on)
		return;
	a->counts->fences++;
	a->returned = true;
	images_forget(&a->images);
	images_each(&a->images, &a->settings->limits, try_image, a, &a->counts->made);
}

static unsigned grow_one(const struct crash_settings *settings, struct crash_counts *counts,
                         const struct growth *growth)
{
	struct attempt a = {.growth = growth, .settings = settings, .counts = counts};
	uint64_t old_bytes, new_bytes;
	struct trace trace;
	struct pm pm;

	trace_init(&trace, &memory);
	if (!begin(&a, &trace)) {
		printf("FAIL grow of %s: cannot prepare it\n", growth->name);
		trace_free(&trace);
		return 1;
	}
	trace_clear(&trace);
	images_init(&a.images, &memory);
	pm_wrap(&pm, memory.base, growth->large);
	pm.observer = &trace.observer;
	if (nova_grow(&pm, &old_bytes, &new_bytes, NULL, 0)) {
		printf("FAIL grow of %s fails\n", growth->name);
		a.failures++;
	} else {
		crash_everywhere(&a, &trace);
	}
	trace_free(&trace);
	images_free(&a.images);
	listing_free(&a.tree);
	return a.failures;
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
