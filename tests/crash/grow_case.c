/*
 * grow_case.c -- a pool grows, and crashes at every fence of it.
 *
 * The part it grows by is full of what a larger pool once had there, so that nothing of the old may be taken for new.
 */
#include "tests/crash/grow_case.h"

#include "server/pool/check.h"
#include "tests/crash/images.h"
#include "tests/crash/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SMALL (11u << 20)
#define LARGE (13u << 20)

static _Alignas(4096) uint8_t memory[LARGE];

struct attempt {
	const struct crash_settings *settings;
	struct crash_counts *counts;
	struct images images;
	struct listing tree;
	uint64_t small_blocks, large_blocks;
	const char *name;
	bool returned;
	unsigned failures;
};

static const char *use(struct nova *fs, const struct attempt *a, bool full_size)
{
	static char data[64 << 10];
	struct nova_call call = {0};
	struct listing now = {0};
	struct nova_attr attr;
	const char *wrong = NULL;
	int64_t rc = 0;

	if (nova_worker_open(fs, &call.worker))
		return "no worker";
	if (snapshot_take(&now, &call, nova_root(fs)) || !listing_equal(&now, &a->tree))
		wrong = "the tree is not as it was";
	listing_free(&now);
	if (!wrong && nova_create(&call, nova_root(fs), "filler", 6, S_IFREG | 0600, 0, &attr))
		wrong = "create fails";
	/* What it says it has it can give. */
	for (uint64_t at = 0; !wrong && rc >= 0; at += sizeof(data)) {
		rc = nova_write(&call, attr.handle, at, data, sizeof(data), 0, NULL);
		if (rc < 0 && full_size && at < a->small_blocks * 4096)
			wrong = "the space it has grown by cannot be used";
	}
	if (!wrong && nova_unlink(&call, nova_root(fs), "filler", 6, NULL))
		wrong = "unlink fails";
	nova_worker_close(call.worker);
	return wrong;
}

static const char *judge(uint8_t *image, const struct attempt *a)
{
	const struct nova_mount_options options = {.recovery_threads = 1};
	struct check_report report = {0};
	static char why[256];
	struct nova_statfs statfs;
	const char *wrong;
	struct nova *fs;
	struct pm pm;
	bool large;

	if (nova_check(image, LARGE, &report))
		return "not consistent";
	pm_wrap(&pm, image, LARGE);
	if (nova_mount(&pm, &options, &fs, why, sizeof(why)))
		return why;
	nova_statfs(fs, &statfs);
	large = statfs.blocks == a->large_blocks;
	if (!large && (a->returned || statfs.blocks != a->small_blocks))
		wrong = a->returned ? "it had returned but the size is the old one" : "it has some other size";
	else
		wrong = use(fs, a, large);
	nova_unmount(fs);
	if (!wrong && nova_check(image, LARGE, &report))
		wrong = "not consistent after use";
	return wrong;
}

static bool try_image(void *context, uint8_t *image, const char *family)
{
	struct attempt *a = context;
	const char *wrong = judge(image, a);

	images_touched(&a->images, 0, LARGE);
	a->counts->unique++;
	a->counts->tried++;
	if (!wrong)
		return true;
	a->failures++;
	if (!a->settings->quiet)
		printf("FAIL grow of %s%s, image '%s': %s\n", a->name, a->returned ? " after its return" : "", family,
		       wrong);
	return !a->settings->quiet && a->failures < a->settings->failures_max;
}

static bool make_file(struct nova *fs, struct nova_call *call, const char *name)
{
	struct nova_attr attr;

	return nova_create(call, nova_root(fs), name, strlen(name), S_IFREG | 0600, 0, &attr) == 0 &&
	       nova_write(call, attr.handle, 0, name, strlen(name), 0, NULL) > 0;
}

/* A small file system over a larger one, with its tree noted; `clean` or as a killed process leaves it. */
static bool begin(struct attempt *a, bool clean)
{
	struct nova_call call = {0};
	struct nova_statfs statfs;
	struct nova *fs;
	struct pm pm;
	bool ok = true;

	pm_wrap(&pm, memory, LARGE);
	if (nova_format(&pm, NULL) || nova_mount(&pm, NULL, &fs, NULL, 0))
		return false;
	nova_statfs(fs, &statfs);
	a->large_blocks = statfs.blocks;
	nova_unmount(fs);
	pm_wrap(&pm, memory, SMALL);
	if (nova_format(&pm, NULL) || nova_mount(&pm, NULL, &fs, NULL, 0))
		return false;
	nova_statfs(fs, &statfs);
	a->small_blocks = statfs.blocks;
	ok = nova_worker_open(fs, &call.worker) == 0 && make_file(fs, &call, "one") && make_file(fs, &call, "two") &&
	     snapshot_take(&a->tree, &call, nova_root(fs)) == 0;
	if (!clean) {
		uint8_t *killed = malloc(SMALL);

		ok = ok && killed;
		if (ok)
			memcpy(killed, memory, SMALL);
		nova_worker_close(call.worker);
		nova_unmount(fs);
		if (ok)
			memcpy(memory, killed, SMALL);
		free(killed);
		return ok;
	}
	nova_worker_close(call.worker);
	nova_unmount(fs);
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

static unsigned grow_one(const struct crash_settings *settings, struct crash_counts *counts, bool clean)
{
	struct attempt a = {.settings = settings, .counts = counts, .name = clean ? "a clean pool" : "a crashed pool"};
	uint64_t old_bytes, new_bytes;
	struct trace trace;
	struct pm pm;

	if (!begin(&a, clean)) {
		printf("FAIL grow of %s: cannot prepare it\n", a.name);
		return 1;
	}
	images_init(&a.images, memory, LARGE);
	trace_init(&trace);
	pm_wrap(&pm, memory, LARGE);
	pm.observer = &trace.observer;
	if (nova_grow(&pm, &old_bytes, &new_bytes, NULL, 0)) {
		printf("FAIL grow of %s fails\n", a.name);
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
	return grow_one(settings, counts, true) + grow_one(settings, counts, false);
}
