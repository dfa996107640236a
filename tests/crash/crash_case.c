/*
 * crash_case.c -- records an operation and tries the crashes it may meet.
 */
#include "tests/crash/crash_case.h"

#include "tests/crash/parallel.h"
#include "tests/crash/steps.h"

#include "server/nova/format.h"
#include "server/pool/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The live pool, its first image, and the sets of images: one of each for all cases. */
static _Alignas(4096) uint8_t memory[WORLD_SIZE];
static _Alignas(4096) uint8_t initial[WORLD_SIZE];
static _Alignas(4096) uint8_t settled[WORLD_SIZE];
static struct images images, deep;
static uint64_t store_count; /* of operations, as far as kills were due */

/* ---- recording ---------------------------------------------------------------------------------- */

const char *crash_case_name(const struct crash_case *c)
{
	static const char *const actors[] = {"", " by another thread with the same worker", " by another worker"};
	static char name[256];

	if (c->count == 1)
		snprintf(name, sizeof(name), "%s in %s", c->operations[0].operation->name, c->state->name);
	else
		snprintf(name, sizeof(name), "%s then %s%s in %s", c->operations[0].operation->name,
		         c->operations[1].operation->name, actors[c->actor], c->state->name);
	return name;
}

static bool broken(const struct crash_case *c, const char *what, const char *why)
{
	printf("FAIL %s: %s: %s\n", crash_case_name(c), what, why);
	return false;
}

static void tell_first(struct check_report *report, const struct check_finding *finding)
{
	if (report->errors == 1)
		printf("  fsck: %s inode %llu: %s\n", finding->part, (unsigned long long)finding->ino, finding->text);
}

/* The live pool, between operations, is consistent as it lies there: nothing waits in caches of the file system. */
static bool live_pool(const struct crash_case *c, uint64_t *orphans)
{
	struct check_report report = {.finding = tell_first};

	if (nova_check(memory, WORLD_SIZE, &report))
		return broken(c, "the live pool", "not consistent");
	*orphans = report.orphans;
	return true;
}

/* What the pool must hold now, by the model; and that it does. */
static bool note_tree(struct crash_case *c, unsigned done)
{
	const struct operation *last = done ? c->operations[done - 1].operation : NULL;
	struct world *world = &c->world;
	struct listing live = {0};
	uint64_t orphans;
	int rc = 0;

	if (!live_pool(c, &orphans))
		return false;
	if (world->unmodelled) {
		c->orphans[done] = orphans;
		if (last && last->ends)
			listing_copy(&c->trees[done], &c->trees[done - 1]);
		else
			rc = snapshot_take(&c->trees[done], &world->call, world->root.handle);
		return rc ? broken(c, "reading the tree", strerror(-rc)) : true;
	}
	c->orphans[done] = posix_orphans(world->model);
	posix_list(world->model, &c->trees[done]);
	if (orphans != c->orphans[done])
		return broken(c, "inodes without a name", "the model has another number of them");
	if (last && last->ends)
		return true;
	rc = snapshot_take(&live, &world->call, world->root.handle);
	if (rc || !listing_equal(&live, &c->trees[done])) {
		broken(c, done ? "the live tree after it" : "the live tree before it", "is not the model's");
		listing_print_difference(stdout, "model", &c->trees[done], "core", &live);
		rc = -EPROTO;
	}
	listing_free(&live);
	return rc == 0;
}

struct run {
	struct crash_case *c;
	struct crash_operation *operation;
};

static void *run_here(void *context)
{
	struct run *run = context;

	run->operation->begin = run->c->world.trace.count;
	run->operation->result = run->operation->operation->run(&run->c->world);
	run->operation->end = run->c->world.trace.count;
	return NULL;
}

static bool run_in_thread(struct run *run)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_here, run))
		return false;
	pthread_join(thread, NULL);
	return true;
}

static bool run_with_worker(struct run *run)
{
	struct world *world = &run->c->world;
	struct nova_worker *first = world->worker;
	bool ok;

	if (nova_worker_open(world->fs, &world->worker))
		return false;
	world->call.worker = world->worker;
	ok = run_in_thread(run);
	nova_worker_close(world->worker);
	world->worker = first;
	world->call.worker = first;
	return ok;
}

static bool may_fail(const struct crash_case *c, const struct crash_operation *operation)
{
	if (operation->result == -ENOSPC)
		return c->state->nearly_full && !operation->operation->frees;
	/* What one of two prepares or does may leave the other nothing to do: then the model says so too. */
	return c->count > 1;
}

static bool run_recorded(struct crash_case *c, unsigned k)
{
	struct crash_operation *operation = &c->operations[k];
	struct run run = {c, operation};
	bool elsewhere = (c->state->other_thread || (k == 1 && c->actor == CRASH_OTHER)) && !operation->operation->ends;
	bool ok = true;

	if (operation->operation->unmodelled)
		c->world.unmodelled = true;
	if (elsewhere)
		ok = run_with_worker(&run);
	else if (k == 1 && c->actor == CRASH_HANDED)
		ok = run_in_thread(&run);
	else
		run_here(&run);
	if (!ok)
		return broken(c, "running it", "no second worker or thread");
	c->world.second = true;
	if (c->world.failed)
		return broken(c, c->world.failed, strerror(-c->world.error));
	if (operation->result && !may_fail(c, operation))
		return broken(c, "it fails", strerror(-operation->result));
	return true;
}

bool crash_case_record(struct crash_case *c, const struct world_state *state, const struct operation *first,
                       const struct operation *second, enum crash_actor actor)
{
	c->state = state;
	c->actor = actor;
	c->count = second ? 2 : 1;
	c->operations[0].operation = first;
	c->operations[1].operation = second;
	world_begin(&c->world, memory, initial, state);
	if (!c->world.failed && first->prepare)
		first->prepare(&c->world);
	if (!c->world.failed && second && second->prepare && second->prepare != first->prepare) {
		second->prepare(&c->world);
		c->inapplicable = c->world.failed && !c->world.disagreed;
		if (c->inapplicable)
			return false;
	}
	if (!c->world.failed)
		world_hold_tree(&c->world);
	if (c->world.failed)
		return broken(c, c->world.failed, strerror(-c->world.error));
	if (!note_tree(c, 0))
		return false;
	for (unsigned k = 0; k < c->count; k++)
		if (!run_recorded(c, k) || !note_tree(c, k + 1))
			return false;
	return true;
}

void crash_case_end(struct crash_case *c)
{
	world_end(&c->world);
	for (unsigned i = 0; i <= CRASH_OPERATIONS_MAX; i++)
		listing_free(&c->trees[i]);
}

/* ---- trying ------------------------------------------------------------------------------------- */

struct attempt {
	const struct crash_case *c;
	const struct crash_settings *settings;
	struct crash_counts *counts;
	struct oracle oracle;
	size_t event;     /* before which the crash comes */
	unsigned done;    /* operations acknowledged */
	uint64_t demands; /* a number for the oracle */
	unsigned failures;
};

static void keep(const char *path, const uint8_t *image)
{
	FILE *f = fopen(path, "wbe");

	if (!f || fwrite(image, 1, WORLD_SIZE, f) != WORLD_SIZE)
		perror(path);
	if (f)
		fclose(f);
}

static size_t end_of(const struct crash_case *c)
{
	return c->operations[c->count - 1].end;
}

static void tell(struct attempt *a, uint8_t *image, const char *family, const struct verdict *verdict)
{
	const struct trace *trace = &a->c->world.trace;
	const char *site = a->event < end_of(a->c) ? trace->events[a->event].site : "its return";

	printf("FAIL %s, %u acknowledged, crash before event %zu (%s), image '%s': %s\n", crash_case_name(a->c),
	       a->done, a->event - a->c->operations[0].begin, site, family, verdict->text);
	if (a->failures == 1) {
		verify_show(image, WORLD_SIZE, &a->oracle);
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
	images_rebuild(&images, settled);
	tell(a, settled, family, &verdict);
	return a->failures < settings->failures_max;
}

static bool crash_here(struct attempt *a)
{
	a->counts->fences++;
	return images_each(&images, &a->settings->limits, try_image, a, &a->counts->made);
}

static void begin_images(const struct crash_settings *settings)
{
	if (!images.work) {
		images_init(&images, initial, WORLD_SIZE);
		images_init(&deep, initial, WORLD_SIZE);
	}
	images_reset(&images, initial);
	images.mutation = settings->mutation;
	images.mutated_site = settings->site;
}

/* What was recorded is all that was stored: else something went past pm.h, and no image would tell the truth. */
static bool all_stores_were_seen(const struct crash_case *c)
{
	for (size_t i = end_of(c); i < c->world.trace.count; i++)
		images_step(&images, &c->world.trace, &c->world.trace.events[i]);
	images_settle(&images, settled);
	for (size_t i = 0; i < WORLD_SIZE; i++)
		if (settled[i] != memory[i]) {
			printf("FAIL %s: byte %zu of the pool was stored past pm.h\n", crash_case_name(c), i);
			return false;
		}
	return true;
}

static uint64_t number_of(const struct listing *listing, uint64_t number)
{
	for (size_t i = 0; i < listing->length; i++)
		number = (number ^ (uint8_t)listing->text[i]) * 0x100000001b3ULL;
	return number;
}

/* While the next operation runs it is there or not; when it was acknowledged it is there. */
static void expect(struct attempt *a, bool running)
{
	const struct crash_case *c = a->c;
	unsigned next = running ? a->done + 1 : a->done;

	a->oracle = (struct oracle){
	    .before = &c->trees[a->done],
	    .after = &c->trees[next],
	    .orphans_before = c->orphans[a->done],
	    .orphans_after = c->orphans[next],
	    .may_be_before = true,
	    .may_be_after = true,
	    .full = c->state->nearly_full,
	};
	a->demands =
	    number_of(a->oracle.after, number_of(a->oracle.before, 0xcbf29ce484222325ULL + c->state->nearly_full));
}

/* Crash right after the next operation was acknowledged. */
static bool acknowledge(struct attempt *a)
{
	bool go_on;

	a->done++;
	expect(a, false);
	images_forget(&images);
	go_on = crash_here(a);
	images_forget(&images);
	return go_on;
}

static bool is_moment(const struct attempt *a, const struct trace_event *event)
{
	const struct crash_case *c = a->c;

	return event->type == PM_EV_FENCE && a->done < c->count && a->event >= c->operations[a->done].begin;
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
		while (go_on && a.done < c->count && i == c->operations[a.done].end)
			go_on = acknowledge(&a);
		if (i == end_of(c) || !go_on)
			break;
		if (is_moment(&a, &trace->events[i])) {
			expect(&a, true);
			go_on = crash_here(&a);
		}
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
	struct listing recovered; /* right after the mount */
	struct listing tree;
	uint64_t orphans;
};

static void live_on(struct second_life *life)
{
	const struct nova_mount_options options = {.recovery_threads = 1};
	struct check_report report = {0};
	struct world *world = &life->world;
	char why[256];

	pm_wrap(&world->pm, settled, WORLD_SIZE);
	trace_init(&world->trace);
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
	for (unsigned i = 0; i < SECOND_LIFE_FILES; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/second%u", i);
		world_must(world, path, world_create(world, path, S_IFREG | 0600));
	}
	world_must(world, "read the tree", snapshot_take(&life->tree, &world->call, world->root.handle));
	if (nova_check(settled, WORLD_SIZE, &report))
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
	images_settle(&images, settled);
	a->counts->kills++;
	live_on(&life);
	if (!life.world.failed && !listing_equal(&life.recovered, &a->c->trees[0]) &&
	    !listing_equal(&life.recovered, &a->c->trees[1]))
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
		a->oracle = (struct oracle){
		    .before = &life.tree,
		    .after = &life.tree,
		    .orphans_before = life.orphans,
		    .orphans_after = life.orphans,
		    .may_be_after = true,
		};
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

/* ---- mkfs --------------------------------------------------------------------------------------- */

struct format_attempt {
	const struct crash_settings *settings;
	struct crash_counts *counts;
	unsigned failures;
	bool returned;
	uint8_t old_uuid[16];
};

/* Not a pool; or the old one, if nothing of it but a superblock is gone; or the new one, wholly. */
static const char *judge_format(uint8_t *image, const struct format_attempt *a)
{
	const struct nova_mount_options options = {.recovery_threads = 1};
	static char why[256];
	struct check_report report = {0};
	struct nova_statfs statfs;
	struct nova *fs;
	struct pm pm;

	pm_wrap(&pm, image, WORLD_SIZE);
	if (nova_mount(&pm, &options, &fs, why, sizeof(why)))
		return a->returned ? "mkfs had returned but the pool does not mount" : NULL;
	nova_statfs(fs, &statfs);
	nova_unmount(fs);
	if (nova_check(image, WORLD_SIZE, &report))
		return "the pool mounts but is not consistent";
	if (memcmp(statfs.uuid, a->old_uuid, sizeof(statfs.uuid)) == 0)
		return a->returned ? "mkfs had returned but the old pool is there" : NULL;
	return statfs.inodes == 1 ? NULL : "the new pool is not empty";
}

static bool try_format(void *context, uint8_t *image, const char *family)
{
	struct format_attempt *a = context;
	const char *wrong = judge_format(image, a);

	images_touched(&images, 0, WORLD_SIZE);
	a->counts->unique++;
	a->counts->tried++;
	if (!wrong)
		return true;
	a->failures++;
	if (!a->settings->quiet)
		printf("FAIL mkfs%s, image '%s': %s\n", a->returned ? " after its return" : "", family, wrong);
	return !a->settings->quiet && a->failures < a->settings->failures_max;
}

static bool old_pool(uint8_t uuid[16])
{
	struct nova_statfs statfs;
	struct world world;
	bool ok = world_begin(&world, memory, initial, &world_states[0]) == 0;

	if (ok) {
		nova_statfs(world.fs, &statfs);
		memcpy(uuid, statfs.uuid, sizeof(statfs.uuid));
	}
	world_end(&world);
	return ok;
}

unsigned crash_case_format(const struct crash_settings *settings, struct crash_counts *counts)
{
	struct format_attempt a = {.settings = settings, .counts = counts};
	struct trace trace;
	struct pm pm;
	bool go_on = true;

	/* Over an old pool, so that whatever of it is left could be taken for the new one. */
	if (!old_pool(a.old_uuid)) {
		printf("FAIL mkfs: no old pool to overwrite\n");
		return 1;
	}
	pm_wrap(&pm, memory, WORLD_SIZE);
	memcpy(initial, memory, WORLD_SIZE);
	trace_init(&trace);
	pm.observer = &trace.observer;
	if (nova_format(&pm, &(struct nova_format_options){0})) {
		printf("FAIL mkfs fails\n");
		trace_free(&trace);
		return 1;
	}
	begin_images(settings);
	counts->cases++;
	for (size_t i = 0; go_on && i < trace.count; i++) {
		if (trace.events[i].type == PM_EV_FENCE) {
			counts->fences++;
			go_on = images_each(&images, &settings->limits, try_format, &a, &counts->made);
		}
		images_step(&images, &trace, &trace.events[i]);
	}
	if (go_on) {
		counts->fences++;
		a.returned = true;
		images_forget(&images);
		images_each(&images, &settings->limits, try_format, &a, &counts->made);
	}
	trace_free(&trace);
	return a.failures;
}
