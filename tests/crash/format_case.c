/*
 * format_case.c -- mkfs over an old pool, and crashes at every fence of it.
 */
#include "tests/crash/format_case.h"

#include "common/container_of.h"
#include "server/pool/check/check.h"
#include "tests/crash/crash_internal.h"
#include "tests/crash/fence_sweep.h"

#include <stdio.h>
#include <string.h>

struct attempt {
	struct fence_sweep sweep;
	uint8_t old_uuid[16];
};

/* Not a pool; or the old one, if nothing of it but a superblock is gone; or the new one, wholly. */
static const char *judge(struct fence_sweep *sweep, uint8_t *image)
{
	const struct attempt *a = container_of(sweep, struct attempt, sweep);
	const struct nova_mount_options options = {.recovery_threads = 1};
	static char why[256];
	struct check_report report = {0};
	struct image_watch watch = images_watch(&sweep->images);
	struct nova_statfs statfs;
	struct nova *fs;
	struct pm pm;

	pm_wrap(&pm, image, crash_memory.size);
	pm.observer = &watch.observer;
	if (nova_mount(&pm, &options, &fs, why, sizeof(why)))
		return sweep->returned ? "mkfs had returned but the pool does not mount" : NULL;
	nova_statfs(fs, &statfs);
	nova_unmount(fs);
	if (nova_check(image, crash_memory.size, &report))
		return "the pool mounts but is not consistent";
	if (memcmp(statfs.uuid, a->old_uuid, sizeof(statfs.uuid)) == 0)
		return sweep->returned ? "mkfs had returned but the old pool is there" : NULL;
	return statfs.inodes == 1 ? NULL : "the new pool is not empty";
}

static bool old_pool(uint8_t uuid[16])
{
	struct nova_statfs statfs;
	struct world world;
	bool ok;

	crash_make_room();
	ok = world_begin(&world, &crash_memory, &crash_initial, &world_states[0]) == 0;
	if (ok) {
		nova_statfs(world.fs, &statfs);
		memcpy(uuid, statfs.uuid, sizeof(statfs.uuid));
	}
	world_end(&world);
	return ok;
}

unsigned format_case(const struct crash_settings *settings, struct crash_counts *counts)
{
	struct attempt a = {.sweep = {.settings = settings, .counts = counts, .what = "mkfs", .judge = judge}};
	struct trace trace;
	struct pm pm;

	/* Over an old pool, so that whatever of it is left could be taken for the new one. */
	if (!old_pool(a.old_uuid)) {
		printf("FAIL mkfs: no old pool to overwrite\n");
		return 1;
	}
	images_init(&a.sweep.images, &crash_memory);
	trace_init(&trace, &crash_memory);
	pm_wrap(&pm, crash_memory.base, crash_memory.size);
	pm.observer = &trace.observer;
	if (nova_format(&pm, &(struct nova_format_options){0})) {
		printf("FAIL mkfs fails\n");
		a.sweep.failures++;
	} else {
		fence_sweep_run(&a.sweep, &trace);
	}
	trace_free(&trace);
	images_free(&a.sweep.images);
	return a.sweep.failures;
}
