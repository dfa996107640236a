/*
 * random_pool.c -- a pool in memory for random runs.
 */
#include "tests/model/random_pool.h"

#include "server/pool/check/check.h"
#include "tests/crash/fixed.h"
#include "tests/crash/snapshot.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool random_failed(const struct random_settings *settings, const char *format, ...)
{
	va_list args;

	if (settings->quiet)
		return false;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	return false;
}

bool random_pool_mount(struct random_pool *pool)
{
	/* A trace tells few threads apart, and every mount would bring new ones. */
	const struct nova_mount_options options = {.recovery_threads = pool->pm.observer ? 1 : 2};
	char why[256];
	int rc = nova_mount(&pool->pm, &options, &pool->fs, why, sizeof(why));

	if (rc)
		return random_failed(pool->settings, "mount fails: %s (%s)", strerror(-rc), why);
	rc = nova_worker_open(pool->fs, &pool->worker);
	if (rc)
		return random_failed(pool->settings, "no worker: %s", strerror(-rc));
	pool->call = (struct nova_call){.worker = pool->worker};
	return true;
}

void random_pool_unmount(struct random_pool *pool)
{
	nova_worker_close(pool->worker);
	nova_unmount(pool->fs);
	pool->fs = NULL;
}

bool random_pool_make(struct random_pool *pool, const struct random_settings *settings, struct random_counts *counts)
{
	int rc;

	*pool = (struct random_pool){.settings = settings, .counts = counts};
	sparse_init(&pool->memory, settings->pool_size);
	sparse_note(&pool->memory, 0, settings->pool_size);
	fixed_time_set(RANDOM_BEGIN_NS);
	pm_wrap(&pool->pm, pool->memory.base, settings->pool_size);
	rc = nova_format(&pool->pm, &(struct nova_format_options){0});
	if (rc)
		return random_failed(settings, "format fails: %s", strerror(-rc));
	return random_pool_mount(pool);
}

void random_pool_free(struct random_pool *pool)
{
	sparse_free(&pool->memory);
}

bool random_pool_reclaim(struct random_pool *pool)
{
	return nova_reclaim_orphans(&pool->call) >= 0 || random_failed(pool->settings, "orphans cannot be reclaimed");
}

bool random_pool_next_life(struct random_pool *pool, bool killed)
{
	uint8_t *left = killed ? malloc(pool->settings->pool_size) : NULL;

	if (left)
		memcpy(left, pool->memory.base, pool->settings->pool_size);
	random_pool_unmount(pool);
	if (left)
		memcpy(pool->memory.base, left, pool->settings->pool_size);
	free(left);
	if (killed)
		pool->counts->crashes++;
	else
		pool->counts->remounts++;
	return random_pool_mount(pool);
}

/* ---- comparing -------------------------------------------------------------------------------------------------- */

static void tell_first(struct check_report *report, const struct check_finding *finding)
{
	const struct random_settings *settings = report->context;

	if (report->errors == 1)
		random_failed(settings, "fsck: %s inode %llu: %s", finding->part, (unsigned long long)finding->ino,
		              finding->text);
}

bool random_pool_list(const struct random_pool *pool, const struct random_lane *lane, struct listing *listing)
{
	const struct nova_handle root = lane->slots.slots[0].handle;
	uint32_t last = lane->slots.projects + RANDOM_PROJECTS;
	struct nova_quota quota;

	if (snapshot_take(listing, &pool->call, root))
		return false;
	/* With the root of all the projects were told; else the lane's own are told here. */
	for (uint32_t id = lane->slots.projects + 1; root.ino.n != nova_root(pool->fs).ino.n && id <= last; id++) {
		if (nova_quota_get(pool->fs, id, false, &quota))
			return false;
		listing_add_project(listing, &(struct listing_project){quota.project, quota.blocks, quota.block_limit,
		                                                       quota.inodes, quota.inode_limit});
	}
	return true;
}

bool random_pool_same(const struct random_pool *pool, const struct random_lane *lane)
{
	struct listing core = {0}, model = {0};
	bool same = random_pool_list(pool, lane, &core);

	posix_list(lane->model, &model);
	same = same && listing_equal(&core, &model);
	if (!same && !pool->settings->quiet) {
		printf("the tree is not the model's\n");
		listing_print_difference(stdout, "model", &model, "core", &core);
	}
	listing_free(&core);
	listing_free(&model);
	return same;
}

bool random_pool_sound(const struct random_pool *pool, uint64_t orphans)
{
	const struct random_settings *settings = pool->settings;
	struct check_report report = {.finding = tell_first, .context = (void *)(uintptr_t)settings};
	struct nova_statfs statfs;

	pool->counts->checks++;
	if (nova_check(pool->memory.base, settings->pool_size, &report))
		return false;
	if (report.orphans != orphans)
		return random_failed(settings, "%llu inodes without a name, %llu in the model",
		                     (unsigned long long)report.orphans, (unsigned long long)orphans);
	nova_statfs(pool->fs, &statfs);
	if (statfs.free_blocks != report.free_blocks)
		return random_failed(settings, "the file system says %llu blocks are free, fsck %llu",
		                     (unsigned long long)statfs.free_blocks, (unsigned long long)report.free_blocks);
	return true;
}
