/*
 * states.c -- the states in which operations are tried.
 */
#include "tests/crash/held_blocks.h"
#include "tests/crash/steps.h"

#include "server/nova/space/alloc.h"
#include "server/nova/space/worker.h"
#include "server/nova/space/zone.h"
#include "server/pool/image/image.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* The objects whose logs the operations append to. */
static const char *const aged[] = {"/d", "/e", "/d/f", "/d/g", "/d/empty", "/d/sub", "/d/two", "/d/full", "/e/y"};
#define AGED (sizeof(aged) / sizeof(aged[0]))

#define FIRST_ZONE_LEFT 2u /* blocks */
#define LAST_FREE       4u /* blocks that anybody may have, */
#define LAST_RESERVE    4u /* and more that only removals may have */

/* Read from the medium, since the core does not tell. */
static bool read_inode(struct world *world, const char *path, struct image *image, struct image_inode *inode)
{
	struct nova_handle handle = world_find(world, path).handle;
	const char *why;

	if (image_open(image, world->pm.base, world->pm.size, &why))
		return false;
	return image_replay(image) >= 0 && image_inode(image, handle.ino.n, inode) == 0;
}

uint64_t world_log_lines(struct world *world, const char *path)
{
	struct image_inode inode = {0};
	struct image image = {0};
	bool ok = read_inode(world, path, &image, &inode);

	image_close(&image);
	return ok ? inode.tail : 0;
}

uint64_t world_log_start(struct world *world, const char *path)
{
	struct image_inode inode = {0};
	struct image image = {0};
	struct image_log log = {0};
	uint64_t start = 0;

	if (read_inode(world, path, &image, &inode)) {
		image_log_begin(&log, &image, &inode);
		if (image_log_next(&log) == IMAGE_PAGE)
			start = log.position;
	}
	image_close(&image);
	return start;
}

void world_age(struct world *world, const char *path, unsigned pages, unsigned left)
{
	uint64_t target = NOVA_SLOT_LINES + pages * NOVA_PAGE_LINES - left;

	while (!world->failed && world_log_lines(world, path) < target)
		world_must(world, "age",
		           world_chmod(world, path, 0700 | (uint32_t)(world_log_lines(world, path) & 077)));
}

void world_use_up_slots(struct world *world)
{
	while (!world->failed && (!SLIST_EMPTY(&world->fs->free_chunks) || world->worker->slot_count)) {
		char path[32];

		snprintf(path, sizeof(path), "/e/slot%u", world->slots_used++);
		world_must(world, path, world_create(world, path, S_IFREG | 0600));
	}
}

/* ---- states ------------------------------------------------------------------------------------- */

static void prepare_fresh(struct world *world)
{
}

static void prepare_slot_full(struct world *world)
{
	for (size_t i = 0; i < AGED; i++)
		world_age(world, aged[i], 0, 0);
}

static void prepare_page_full(struct world *world)
{
	for (size_t i = 0; i < AGED; i++)
		world_age(world, aged[i], 1, 0);
}

static void prepare_line_left(struct world *world)
{
	for (size_t i = 0; i < AGED; i++)
		world_age(world, aged[i], i % 2, 1);
}

static uint64_t ring_position(const struct world *world)
{
	const struct nova_ring *ring = pm_at(&world->pm, (uint64_t)NOVA_JOURNAL_BLOCK * NOVA_BLOCK_SIZE);
	uint64_t value;

	return image_word_value(NOVA_WORD_COMMIT, 0, ring->commit[0], &value) ? value : 0;
}

/* The next record is the last of the ring, the one after it takes the place of the first. Each operation before had
 * other inodes, so that a slot word which was never made durable is missed as soon as its record is overwritten. */
static void prepare_ring_wraps(struct world *world)
{
	for (unsigned i = 0; !world->failed; i++) {
		char path[32];

		if (i > 40 && ring_position(world) % NOVA_RING_RECORDS == NOVA_RING_RECORDS - 1)
			return;
		snprintf(path, sizeof(path), "/e/ring%u", i);
		world_must(world, path, world_create(world, path, S_IFREG | 0600));
	}
}

static void prepare_other_thread(struct world *world)
{
	prepare_ring_wraps(world);
}

static void *create_elsewhere(void *context)
{
	struct world *world = context;

	world_must(world, "/e/elsewhere", world_create(world, "/e/elsewhere", S_IFREG | 0600));
	return NULL;
}

static void *wrap_ring_elsewhere(void *context)
{
	prepare_ring_wraps(context);
	return NULL;
}

static void in_thread(struct world *world, void *(*run)(void *context))
{
	pthread_t thread;

	world_must(world, "thread", -pthread_create(&thread, NULL, run, world));
	if (!world->failed)
		pthread_join(thread, NULL);
}

/* The first thread's last record is then out of its ring: what it moved must be durable by the second's doing. A thread
 * may get the stack, and with it all addresses, of one that has ended. */
static void prepare_handed_over(struct world *world)
{
	in_thread(world, create_elsewhere);
	in_thread(world, wrap_ring_elsewhere);
}

/* The first change after the mount is made by another thread than the mount. */
static void prepare_remounted(struct world *world)
{
	const struct nova_mount_options options = {.recovery_threads = 1};
	char why[256];

	nova_worker_close(world->worker);
	nova_unmount(world->fs);
	world->worker = NULL;
	world->fs = NULL;
	world_must(world, "mount", nova_mount(&world->pm, &options, &world->fs, why, sizeof(why)));
	if (!world->failed)
		world_must(world, "worker", nova_worker_open(world->fs, &world->worker));
	world->call.worker = world->worker;
	if (!world->failed)
		world_connect(world);
}

/* Free space comes only in single blocks, few of them. */
static void prepare_nearly_full(struct world *world)
{
	uint64_t blocks = 0;
	struct nova_statfs statfs;
	int rc = 0;

	world_must(world, "create", world_create(world, "/fill", S_IFREG | 0600));
	for (size_t length = 1 << 20; length >= 4096; length /= 2)
		while ((rc = world_write(world, "/fill", blocks * 4096, length, 0)) == 0)
			blocks += length / 4096;
	world_must(world, "fill", rc == -ENOSPC ? 0 : rc);
	nova_statfs(world->fs, &statfs);
	if (statfs.free_blocks > 200)
		world_must(world, "fill to the end", -EFBIG);
	world_must(world, "free a little", world_truncate(world, "/fill", (blocks - 4) * 4096));
}

/*
 * Nearly full, and the reserve is gone too: what one worker frees is most of what another can get, so blocks that are
 * given back too early are used again at once. The limits shrink with it, or else only removals would get a block.
 */
static void prepare_last_blocks(struct world *world)
{
	static struct held_blocks held;
	struct nova *fs = world->fs;

	prepare_nearly_full(world);
	held.count = 0;
	held_take_all(&held, world->worker, ALLOC_FREES);
	if (held.count < LAST_FREE + LAST_RESERVE) {
		world_must(world, "take the reserve", -ENOSPC);
		return;
	}
	fs->removal_reserve = LAST_RESERVE;
	fs->base_reserve = LAST_RESERVE;
	for (unsigned i = 0; i < LAST_FREE + LAST_RESERVE; i++)
		held_give_one(&held, world->worker);
	/* The worker would keep for itself what is beyond the reserve. */
	alloc_drain(world->worker);
	fs->quarantined_blocks += held.count;
}

static void prepare_fragmented(struct world *world)
{
	world_must(world, "create", world_create(world, "/odd", S_IFREG | 0600));
	world_must(world, "create", world_create(world, "/even", S_IFREG | 0600));
	for (unsigned i = 0; i < 60; i++)
		world_must(world, "write", world_write(world, i % 2 ? "/odd" : "/even", i / 2 * 4096, 4096, 0));
	prepare_nearly_full(world);
	world_must(world, "free every other block", world_unlink(world, "/odd"));
}

/* Blocks and slots that come next were log pages, names and attributes of inodes that are gone, and so were data that
 * look like them: nothing old may be taken for something new. */
static void prepare_recycled(struct world *world)
{
	char path[64];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 20; i++) {
			snprintf(path, sizeof(path), "/old%u", i);
			world_must(world, path, world_create(world, path, (i % 4 ? S_IFREG : S_IFDIR) | 0700));
			for (unsigned k = 0; k < 80; k++)
				world_must(world, "age", world_chmod(world, path, 0700 | k));
			if (i % 4)
				world_must(world, "write", world_write(world, path, 100, 9000, 0));
		}
		for (unsigned i = 0; i < 20; i++) {
			snprintf(path, sizeof(path), "/old%u", i);
			world_must(world, path, i % 4 ? world_unlink(world, path) : world_rmdir(world, path));
		}
	}
}

/* ---- two zones ---- */

static void make_far_file(struct world *world)
{
	world_must(world, "/e/far", world_create(world, "/e/far", S_IFREG | 0600));
	world_must(world, "/e/far", world_write(world, "/e/far", 0, 5000, 0));
	if (world_find(world, "/e/far").handle.ino.n * NOVA_SLOT_SIZE < world->fs->zones[1].first * NOVA_BLOCK_SIZE)
		world_must(world, "the slot is not in the second zone", -EXDEV);
}

/* All that the operation adds lies in the second zone, new inodes and the next page of each log too, all that it
 * frees in the first. */
static void prepare_second_zone(struct world *world)
{
	prepare_slot_full(world);
	world_use_up_slots(world);
	world_by_another(world, make_far_file);
}

/* Little is left of the first zone but what it keeps for slots: what an operation adds lies in both. The rest is taken
 * in DRAM only, as blocks are that are kept for readers: a file of that size would be read in each recovery. */
static void prepare_first_zone_full(struct world *world)
{
	struct zone *zone = &world->fs->zones[0];
	uint64_t first, got;

	alloc_drain(world->worker);
	for (uint64_t want = NOVA_ZONE_BLOCKS; want; want /= 2)
		for (got = 1; got && zone->free >= NOVA_GROUP_BLOCKS + FIRST_ZONE_LEFT + want;) {
			got = zone_take(world->fs, zone, want, 1, &first);
			world->fs->quarantined_blocks += got;
		}
	/* A worker takes single blocks from what was freed last, and runs from where there are some. */
	for (unsigned i = 0; i < FIRST_ZONE_LEFT; i++)
		if (zone_take(world->fs, zone, 1, 1, &first))
			alloc_free(world->worker, first, 1);
}

const struct world_state world_states[] = {
    {.name = "fresh", .meaning = "new objects, all free space never used", .prepare = prepare_fresh},
    {.name = "slot-full",
     .meaning = "the part of each log that lies in the slot is full",
     .prepare = prepare_slot_full},
    {.name = "page-full", .meaning = "each log ends with its page", .prepare = prepare_page_full, .long_past = true},
    {.name = "line-left",
     .meaning = "one line is left in each slot or page, so that longer entries need padding",
     .prepare = prepare_line_left,
     .long_past = true},
    {.name = "ring-wraps",
     .meaning = "the next journal record takes the place of an old one",
     .prepare = prepare_ring_wraps},
    {.name = "other-thread",
     .meaning = "what came before was done by another thread with another worker",
     .prepare = prepare_other_thread,
     .other_thread = true},
    {.name = "handed-over",
     .meaning = "two threads that have ended used the worker before",
     .prepare = prepare_handed_over},
    {.name = "remounted",
     .meaning = "the operation is the first after a mount, in another thread",
     .prepare = prepare_remounted,
     .other_thread = true},
    {.name = "nearly-full",
     .meaning = "four data blocks are free, and the reserve",
     .prepare = prepare_nearly_full,
     .nearly_full = true,
     .long_past = true},
    {.name = "last-blocks",
     .meaning = "four data blocks are free, and as many that only removals get; the rest of the reserve is gone",
     .prepare = prepare_last_blocks,
     .nearly_full = true,
     .long_past = true},
    {.name = "fragmented",
     .meaning = "free space is single blocks between others",
     .prepare = prepare_fragmented,
     .nearly_full = true,
     .long_past = true},
    {.name = "recycled",
     .meaning = "free slots and blocks hold valid metadata of what was there before",
     .prepare = prepare_recycled,
     .long_past = true},
    {.name = "second-zone",
     .meaning = "everything lies in the pool's first zone, and what is added in the second: log pages, data, slots",
     .prepare = prepare_second_zone,
     .other_thread = true,
     .long_past = true,
     .zones = true},
    {.name = "first-zone-full",
     .meaning = "few blocks are left in the first of two zones, so that what is added lies in both",
     .prepare = prepare_first_zone_full,
     .long_past = true,
     .zones = true},
};
const size_t world_state_count = sizeof(world_states) / sizeof(world_states[0]);
