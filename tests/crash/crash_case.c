/*
 * crash_case.c -- tries the crashes that recorded operations may meet.
 */
#include "tests/crash/crash_internal.h"

#include "tests/crash/parallel.h"
#include "tests/crash/snapshot.h"
#include "tests/crash/steps.h"

#include "server/nova/media/format.h"
#include "server/pool/check/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The sets of images: one of each for all cases. */
static struct sparse settled;
static struct images images, deep;
static uint64_t store_count; /* of operations, as far as kills were due */

/* ---- trying ------------------------------------------------------------------------------------- */

struct attempt {
	const struct crash_case *c;
	const struct crash_settings *settings;
	struct crash_counts *counts;
	struct oracle oracle;
	size_t event;     /* before which the crash comes */
	uint64_t demands; /* a number for the oracle */
	unsigned failures;
};

static void keep(const char *path, const struct sparse *image)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool ok = fd >= 0 && ftruncate(fd, (off_t)image->size) == 0;

	for (size_t i = 0; ok && i < image->noted_count; i++) {
		uint64_t at = (uint64_t)image->noted[i] << SPARSE_SHIFT;

		ok = pwrite(fd, image->base + at, SPARSE_PAGE, (off_t)at) == SPARSE_PAGE;
	}
	if (!ok)
		perror(path);
	if (fd >= 0)
		close(fd);
}

static size_t end_of(const struct crash_case *c)
{
	size_t end = 0;

	for (unsigned k = 0; k < c->count; k++)
		if (c->operations[k].end > end)
			end = c->operations[k].end;
	return end;
}

static void tell(struct attempt *a, const struct sparse *image, const char *family, const struct verdict *verdict)
{
	const struct trace *trace = &a->c->world.trace;
	const char *site = a->event < end_of(a->c) ? trace->events[a->event].site : "its return";

	printf("FAIL %s, crash before event %zu (%s), image '%s': %s\n", crash_case_name(a->c),
	       a->event - a->c->operations[0].begin, site, family, verdict->text);
	if (a->failures == 1) {
		verify_show(image, &a->oracle);
		if (a->settings->keep)
			keep(a->settings->keep, image);
	}
}

static bool try_image(void *context, uint8_t *image, const char *family)
{
	const struct crash_settings *settings;
	struct attempt *a = context;
	struct verdict verdict;
	bool go_deep;

	settings = a->settings;
	a->counts->unique++;
	if (!settings->quiet && !parallel_is_new(images.attempted ^ a->demands))
		return true;
	go_deep = settings->deep_every && a->counts->tried % settings->deep_every == 0;
	a->counts->tried++;
	if (verify_image(&images, image, &a->oracle, go_deep ? &deep : NULL, &verdict, &a->counts->deep))
		return true;
	a->failures++;
	if (settings->quiet)
		return false;
	/* What was mounted has changed the image: make it anew to show and keep it as the crash left it. */
	images_rebuild(&images, &settled);
	tell(a, &settled, family, &verdict);
	return a->failures < settings->failures_max;
}

static bool crash_here(struct attempt *a)
{
	a->counts->fences++;
	return images_each(&images, &a->settings->limits, try_image, a, &a->counts->made);
}

static void begin_images(const struct crash_settings *settings)
{
	if (!images.work.base) {
		images_init(&images, &crash_initial);
		images_init(&deep, &crash_initial);
		sparse_init(&settled, WORLD_ROOM);
	}
	images_reset(&images, &crash_initial);
	images.mutation = settings->mutation;
	images.mutated_site = settings->site;
}

/* What was recorded is all that was stored: else something went past pm.h, and no image would tell the truth. Of a
 * large pool only the pages are looked at that pm.h has stored to. */
static bool all_stores_were_seen(const struct crash_case *c)
{
	uint64_t where;

	for (size_t i = end_of(c); i < c->world.trace.count; i++)
		images_step(&images, &c->world.trace, &c->world.trace.events[i]);
	images_store_pending(&images, &settled);
	if (sparse_equal(&settled, &crash_memory, &where) &&
	    (crash_memory.size > WORLD_SIZE || sparse_whole(&crash_memory, &where)))
		return true;
	printf("FAIL %s: page %llu of the pool was stored to past pm.h\n", crash_case_name(c),
	       (unsigned long long)(where >> SPARSE_SHIFT));
	return false;
}

static uint64_t number_of(const struct listing *listing, uint64_t number)
{
	for (size_t i = 0; i < listing->length; i++)
		number = (number ^ (uint8_t)listing->text[i]) * 0x100000001b3ULL;
	return number;
}

/* Which of the operations are among the first `done` of the order, a bit for each. */
static unsigned those_done(const struct crash_order *order, unsigned done)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < done; i++)
		bits |= 1u << order->sequence[i];
	return bits;
}

static void add_right(struct oracle *oracle, const struct crash_order *order, unsigned done)
{
	unsigned bits = those_done(order, done);

	for (unsigned i = 0; i < oracle->count; i++)
		if (oracle->right[i].done == bits && oracle->right[i].orphans == order->orphans[done] &&
		    listing_equal(oracle->right[i].tree, &order->trees[done]))
			return;
	oracle->right[oracle->count++] = (struct oracle_tree){&order->trees[done], order->orphans[done], bits};
}

/* Of each order that the operations may have had: what was acknowledged is there, what runs may be, the rest is not. */
static void expect(struct attempt *a)
{
	const struct crash_case *c = a->c;
	uint64_t number = crash_memory.size * 2 + c->state->nearly_full;

	a->oracle = (struct oracle){.full = c->state->nearly_full, .generations = c->generations};
	for (unsigned k = 0; k < c->count; k++) {
		const struct world_request *request = &c->operations[k].request;

		a->oracle.requests[k] = request;
		number = (number * 31 + request->sequence) * 2 + request->stored;
	}
	for (unsigned o = 0; o < CRASH_ORDERS_MAX; o++)
		for (unsigned done = 0; c->orders[o].possible && done <= c->count; done++) {
			bool possible = true;

			for (unsigned k = 0; k < c->count; k++) {
				const struct crash_operation *operation = &c->operations[k];
				bool there = those_done(&c->orders[o], done) & 1u << k;
				bool acknowledged = a->event >= operation->end;

				possible &= there ? acknowledged || a->event > operation->begin : !acknowledged;
			}
			if (possible)
				add_right(&a->oracle, &c->orders[o], done);
		}
	for (unsigned i = 0; i < a->oracle.count; i++)
		number = number_of(a->oracle.right[i].tree,
		                   (number * 31 + a->oracle.right[i].orphans) * 8 + a->oracle.right[i].done);
	if (number != a->demands)
		images_forget(&images);
	a->demands = number;
}

/* A crash is tried before each fence while an operation runs, and where one was acknowledged. */
static bool is_moment(const struct crash_case *c, size_t event)
{
	bool running = false;

	for (unsigned k = 0; k < c->count; k++) {
		if (event == c->operations[k].end)
			return true;
		running |= event >= c->operations[k].begin && event < c->operations[k].end;
	}
	return running && event < c->world.trace.count && c->world.trace.events[event].type == PM_EV_FENCE;
}

unsigned crash_case_try(const struct crash_case *c, const struct crash_settings *settings, struct crash_counts *counts)
{
	const struct trace *trace = &c->world.trace;
	struct attempt a = {.c = c, .settings = settings, .counts = counts};
	bool go_on = true;

	begin_images(settings);
	counts->cases++;
	for (size_t i = 0; go_on && i <= end_of(c); i++) {
		a.event = i;
		if (is_moment(c, i)) {
			expect(&a);
			go_on = crash_here(&a);
		}
		if (i < end_of(c))
			images_step(&images, trace, &trace->events[i]);
	}
	if (settings->quiet)
		return a.failures;
	if (!images_intact(&images)) {
		printf("FAIL %s: recovery stored past pm.h\n", crash_case_name(c));
		a.failures++;
	}
	if (go_on && !all_stores_were_seen(c))
		a.failures++;
	return a.failures;
}

/* ---- killed, and later a power failure ---- */

#define SECOND_LIFE_FILES (NOVA_RING_RECORDS + 4)

/* The file system that the next process mounts from what the caches hold. */
struct second_life {
	struct world world;
	size_t mounted;           /* events of the mount */
	struct listing recovered; /* right after the mount, */
	int outcome;              /* and what a repeat of the operation is told then */
	bool known;               /* the client of that request was there */
	struct listing tree;
	uint64_t orphans;
};

static int outcome_of(struct world *world, const struct world_request *request, bool *known)
{
	struct nova_client *client;
	struct nova_outcome out;
	int rc;

	if (!request->sequence)
		return 0;
	rc = nova_client_find(world->fs, request->number, WORLD_CLIENT_KEY, &client);
	*known = rc == 0;
	if (rc)
		return rc == -ENOENT && request->number != WORLD_CLIENT ? 0 : rc;
	rc = nova_client_outcome(world->fs, client, request->slot, request->sequence, &out);
	nova_client_release(world->fs, client);
	return rc;
}

/* Whether the tree and the outcome are those without the operation (0) or with it (1). */
static bool is_after(const struct crash_case *c, const struct second_life *life, unsigned done)
{
	return listing_equal(&life->recovered, &c->orders[0].trees[done]) &&
	       life->outcome == (done && c->operations[0].request.stored);
}

/* Appends to logs that the operation may have been about: an intent that was not true would seem to be then. */
static void move_tails(struct world *world)
{
	static const char *const names[] = {"f", "g"};
	struct nova_attr dir, attr;

	for (unsigned i = 0; i < 8; i++) {
		if (nova_lookup(&world->call, world->root.handle, "d", 1, &dir))
			return;
		nova_setattr(&world->call, dir.handle, NOVA_SET_MTIME_NOW, &dir, NULL);
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			if (nova_lookup(&world->call, dir.handle, names[k], 1, &attr) == 0)
				nova_setattr(&world->call, attr.handle, NOVA_SET_MTIME_NOW, &attr, NULL);
	}
}

static void live_on(struct second_life *life, const struct world_request *request)
{
	const struct nova_mount_options options = {.recovery_threads = 1};
	struct check_report report = {0};
	struct world *world = &life->world;
	char why[256];

	pm_wrap(&world->pm, settled.base, settled.size);
	trace_init(&world->trace, &settled);
	world->pm.observer = &world->trace.observer;
	world_must(world, "mount", nova_mount(&world->pm, &options, &world->fs, why, sizeof(why)));
	life->mounted = world->trace.count;
	if (!world->failed)
		world_must(world, "worker", nova_worker_open(world->fs, &world->worker));
	if (world->failed)
		return;
	world->call = (struct nova_call){.worker = world->worker};
	world->root.handle = nova_root(world->fs);
	world_must(world, "read the tree", snapshot_take(&life->recovered, &world->call, world->root.handle));
	life->outcome = outcome_of(world, request, &life->known);
	move_tails(world);
	for (unsigned i = 0; i < SECOND_LIFE_FILES; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/second%u", i);
		world_must(world, path, world_create(world, path, S_IFREG | 0600));
	}
	world_must(world, "read the tree", snapshot_take(&life->tree, &world->call, world->root.handle));
	if (nova_check(settled.base, settled.size, &report))
		world_must(world, "fsck", -EIO);
	life->orphans = report.orphans;
}

static bool try_after_kill(void *context, uint8_t *image, const char *family)
{
	struct attempt *a = context;
	struct verdict verdict;

	a->counts->unique++;
	a->counts->tried++;
	if (verify_image(&deep, image, &a->oracle, NULL, &verdict, &a->counts->deep))
		return true;
	a->failures++;
	if (!a->settings->quiet)
		printf("FAIL %s, killed before event %zu (%s), power failure after a second life, image '%s': %s\n",
		       crash_case_name(a->c), a->event - a->c->operations[0].begin,
		       a->c->world.trace.events[a->event].site, family, verdict.text);
	return false;
}

/* What the killed process flushed but did not fence, nobody has waited for: it counts as not flushed. */
static void forget_flushes(struct images *killed)
{
	for (size_t i = 0; i < killed->pending_count; i++)
		killed->pending[i].flushed_by = 0;
}

static void kill_here(struct attempt *a)
{
	static const struct image_limits limits = {.atoms = 8, .lines = 4, .atom_subsets = 2, .line_subsets = 2};
	struct second_life life = {0};

	images_copy(&deep, &images);
	forget_flushes(&deep);
	images_store_pending(&images, &settled);
	a->counts->kills++;
	live_on(&life, &a->c->operations[0].request);
	if (!life.world.failed && !is_after(a->c, &life, 0) && !is_after(a->c, &life, 1))
		world_must(&life.world, "the tree is neither as before nor as after the operation", -EIO);
	if (life.world.failed) {
		a->failures++;
		if (!a->settings->quiet)
			printf("FAIL %s, killed before event %zu (%s): %s: %s\n", crash_case_name(a->c),
			       a->event - a->c->operations[0].begin, a->c->world.trace.events[a->event].site,
			       life.world.failed, strerror(-life.world.error));
	} else {
		for (size_t i = 0; a->settings->recovery && i < life.mounted; i++)
			a->settings->recovery(a->settings->context, &life.world.trace.events[i]);
		deep.mutation = a->settings->mutation;
		deep.mutated_site = a->settings->site;
		for (size_t i = 0; i < life.world.trace.count; i++)
			images_step(&deep, &life.world.trace, &life.world.trace.events[i]);
		deep.mutation = IMAGE_AS_IS;
		a->oracle = (struct oracle){.right = {{&life.tree, life.orphans, is_after(a->c, &life, 1)}},
		                            .requests = {&a->c->operations[0].request},
		                            .known = life.known,
		                            .count = 1};
		images_each(&deep, &limits, try_after_kill, a, &a->counts->made);
	}
	world_end(&life.world);
	listing_free(&life.recovered);
	listing_free(&life.tree);
}

unsigned crash_case_kill(const struct crash_case *c, const struct crash_settings *settings, struct crash_counts *counts)
{
	const struct trace *trace = &c->world.trace;
	struct attempt a = {.c = c, .settings = settings, .counts = counts};

	begin_images(settings);
	for (size_t i = 0; i < c->operations[0].end && a.failures < settings->failures_max; i++) {
		a.event = i;
		/* Flushes and fences change nothing of what a killed process leaves. The stores are counted over all
		 * cases, so that it is not the same ones in each. */
		if (i > c->operations[0].begin && trace->events[i - 1].type <= PM_EV_SET8 &&
		    store_count++ % settings->kill_every == 0)
			kill_here(&a);
		images_step(&images, trace, &trace->events[i]);
	}
	return a.failures;
}
