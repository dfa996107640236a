/*
 * random_run.c -- runs random operations against a pool in memory and against the model.
 */
#include "tests/model/random_run.h"

#include "server/pool/check.h"
#include "tests/crash/fixed.h"
#include "tests/crash/verify.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BEGIN_NS    1700000000000000000
#define THREADS_MAX 16u

/* Which image survives a crash: among so many. */
#define SURVIVORS 24u

struct run {
	const struct random_settings *settings;
	struct random_counts *counts;
	struct sparse pool;
	struct pm pm;
	struct nova *fs;
	struct nova_worker *worker;
	struct nova_call call;
	struct random_lane lane;
	/* Of runs with crashes only. */
	struct trace trace;
	struct images images;
	struct sparse survivor;
};

__attribute__((format(printf, 2, 3))) static bool failed(const struct random_settings *settings, const char *format,
                                                         ...)
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

/* ---- the pool --------------------------------------------------------------------------------------------------- */

static bool mount_pool(struct run *run)
{
	/* A trace tells few threads apart, and every mount would bring new ones. */
	const struct nova_mount_options options = {.recovery_threads = run->pm.observer ? 1 : 2};
	char why[256];
	int rc = nova_mount(&run->pm, &options, &run->fs, why, sizeof(why));

	if (rc)
		return failed(run->settings, "mount fails: %s (%s)", strerror(-rc), why);
	rc = nova_worker_open(run->fs, &run->worker);
	if (rc)
		return failed(run->settings, "no worker: %s", strerror(-rc));
	run->call = (struct nova_call){.worker = run->worker, .request = {7, 1, 1}};
	return true;
}

static void unmount_pool(struct run *run)
{
	nova_worker_close(run->worker);
	nova_unmount(run->fs);
	run->fs = NULL;
}

static bool make_pool(struct run *run, const struct random_settings *settings, struct random_counts *counts)
{
	int rc;

	*run = (struct run){.settings = settings, .counts = counts};
	/* All of it counts as stored to: not everything here is observed. */
	sparse_init(&run->pool, settings->pool_size);
	sparse_note(&run->pool, 0, settings->pool_size);
	fixed_time_set(BEGIN_NS);
	pm_wrap(&run->pm, run->pool.base, settings->pool_size);
	rc = nova_format(&run->pm, &(struct nova_format_options){0});
	if (rc)
		return failed(settings, "format fails: %s", strerror(-rc));
	return mount_pool(run);
}

/* ---- comparing -------------------------------------------------------------------------------------------------- */

static void tell_first(struct check_report *report, const struct check_finding *finding)
{
	const struct random_settings *settings = report->context;

	if (report->errors == 1)
		failed(settings, "fsck: %s inode %llu: %s", finding->part, (unsigned long long)finding->ino,
		       finding->text);
}

static bool same_tree(const struct run *run, const struct random_lane *lane)
{
	struct listing core = {0}, model = {0};
	int rc = snapshot_take(&core, &run->call, lane->slots[0].handle);
	bool same;

	posix_list(lane->model, &model);
	same = rc == 0 && listing_equal(&core, &model);
	if (!same && !run->settings->quiet) {
		printf("the tree is not the model's\n");
		listing_print_difference(stdout, "model", &model, "core", &core);
	}
	listing_free(&core);
	listing_free(&model);
	return same;
}

static bool sound(const struct run *run, uint64_t orphans)
{
	struct check_report report = {.finding = tell_first, .context = (void *)(uintptr_t)run->settings};
	struct nova_statfs statfs;

	run->counts->checks++;
	if (nova_check(run->pool.base, run->settings->pool_size, &report))
		return false;
	if (report.orphans != orphans)
		return failed(run->settings, "%llu inodes without a name, %llu in the model",
		              (unsigned long long)report.orphans, (unsigned long long)orphans);
	nova_statfs(run->fs, &statfs);
	if (statfs.free_blocks != report.free_blocks)
		return failed(run->settings, "the file system says %llu blocks are free, fsck %llu",
		              (unsigned long long)statfs.free_blocks, (unsigned long long)report.free_blocks);
	return true;
}

static bool right(const struct run *run)
{
	return same_tree(run, &run->lane) && sound(run, posix_orphans(run->lane.model));
}

/* ---- remounts and crashes --------------------------------------------------------------------------------------- */

static bool come_back(struct run *run)
{
	if (!mount_pool(run))
		return false;
	random_lane_restart(&run->lane, &run->call);
	if (nova_reclaim_orphans(&run->call) < 0)
		return failed(run->settings, "orphans cannot be reclaimed");
	return right(run);
}

/* Tell the images of what was stored since. */
static void follow(struct run *run)
{
	for (size_t i = 0; i < run->trace.count; i++)
		images_step(&run->images, &run->trace, &run->trace.events[i]);
	trace_clear(&run->trace);
}

struct crash {
	struct run *run;
	struct oracle oracle;
	unsigned number, chosen;
	struct verdict verdict;
};

static bool try_image(void *context, uint8_t *image, const char *family)
{
	struct crash *crash = context;
	struct run *run = crash->run;

	(void)family;
	if (crash->number++ <= crash->chosen)
		sparse_copy(&run->survivor, &run->images.work);
	run->counts->images++;
	return verify_image(&run->images, image, &crash->oracle, NULL, &crash->verdict, NULL);
}

/* Whether the survivor has the operation. Where both are alike it counts as not done unless it was acknowledged: a
 * handle that was never told to anybody may be given again. */
static bool was_done(struct run *run, const struct listing *before, bool acknowledged)
{
	struct listing now = {0};
	bool done;

	if (acknowledged || snapshot_take(&now, &run->call, nova_root(run->fs)))
		return true;
	done = !listing_equal(&now, before);
	listing_free(&now);
	return done;
}

/* Do the operation and crash at one of its stores. */
static bool crash_in(struct run *run, const struct random_op *op)
{
	static const struct image_limits limits = {.atoms = 6, .lines = 4, .atom_subsets = 3, .line_subsets = 3};
	struct crash crash = {.run = run, .chosen = op->fill >> 8 & (SURVIVORS - 1)};
	struct listing before = {0}, after = {0};
	struct random_lane lane_before = run->lane;
	uint64_t moment = op->fill, orphans;
	bool acknowledged, ok;
	size_t stop;

	run->counts->crashes++;
	lane_before.model = posix_copy(run->lane.model);
	posix_list(run->lane.model, &before);
	orphans = posix_orphans(run->lane.model);
	if (!random_op_run(&run->lane, op))
		return failed(run->settings, "%s", run->lane.wrong);
	posix_list(run->lane.model, &after);
	stop = (size_t)(random_next(&moment) % (run->trace.count + 1));
	acknowledged = stop == run->trace.count;
	crash.oracle = (struct oracle){
	    .right = {{&after, posix_orphans(run->lane.model)}, {&before, orphans}},
	    .count = acknowledged ? 1 : 2,
	    .full = true,
	};
	for (size_t i = 0; i < stop; i++)
		images_step(&run->images, &run->trace, &run->trace.events[i]);
	images_forget(&run->images);
	ok = images_each(&run->images, &limits, try_image, &crash, NULL);
	run->pm.observer = NULL;
	unmount_pool(run);
	if (!ok)
		return failed(run->settings, "after a crash before store %zu of %zu: %s", stop, run->trace.count,
		              crash.verdict.text);
	sparse_copy(&run->pool, &run->survivor);
	images_reset(&run->images, &run->pool);
	trace_clear(&run->trace);
	run->pm.observer = &run->trace.observer;
	if (!mount_pool(run))
		return false;
	if (was_done(run, &before, acknowledged)) {
		posix_free(lane_before.model);
	} else {
		lane_before.now = run->lane.now;
		lane_before.done = run->lane.done;
		posix_free(run->lane.model);
		run->lane = lane_before;
	}
	listing_free(&before);
	listing_free(&after);
	random_lane_restart(&run->lane, &run->call);
	if (nova_reclaim_orphans(&run->call) < 0)
		return failed(run->settings, "orphans cannot be reclaimed after a crash");
	return right(run);
}

static bool remount(struct run *run)
{
	run->counts->remounts++;
	unmount_pool(run);
	return come_back(run);
}

/* ---- one thread ------------------------------------------------------------------------------------------------- */

/* Whether an operation brings a crash or remount with it depends on it alone, so that others can be taken out. */
static bool is_due(uint32_t fill, uint32_t every)
{
	return every && (fill * 0x9e3779b1u >> 8) % every == 0;
}

static bool step(struct run *run, const struct random_op *op, size_t number)
{
	bool ok;

	if (is_due(op->fill, run->settings->crash_every)) {
		ok = crash_in(run, op);
	} else {
		ok = random_op_run(&run->lane, op);
		if (!ok)
			failed(run->settings, "%s", run->lane.wrong);
		if (ok && is_due(op->fill + 1, run->settings->remount_every))
			ok = remount(run);
	}
	if (ok && run->settings->check_every && number % run->settings->check_every == 0)
		ok = right(run);
	follow(run);
	return ok;
}

/* A file that leaves little space, until an operation removes or cuts it. */
static bool fill_up(struct run *run)
{
	struct random_op op = {
	    .kind = RANDOM_MAKE, .name = RANDOM_BALLAST, .to = RANDOM_SLOTS - 1, .flags = S_IFREG | 0600};
	bool ok = !run->settings->ballast || random_op_run(&run->lane, &op);

	op = (struct random_op){.kind = RANDOM_APPEND, .slot = RANDOM_SLOTS - 1, .length = 1u << 20, .fill = 7};
	for (uint32_t i = 0; i < run->settings->ballast && ok; i++)
		ok = random_op_run(&run->lane, &op);
	follow(run);
	return ok;
}

bool random_run(const struct random_settings *settings, const struct random_op *ops, size_t count,
                struct random_counts *counts)
{
	struct nova_attr root;
	struct run run;
	bool ok;

	if (!make_pool(&run, settings, counts))
		return false;
	sparse_init(&run.survivor, settings->pool_size);
	trace_init(&run.trace, &run.pool);
	images_init(&run.images, &run.pool);
	run.pm.observer = &run.trace.observer;
	ok = nova_getattr(&run.call, nova_root(run.fs), &root) == 0;
	random_lane_begin(&run.lane, &run.call, &root, BEGIN_NS);
	ok = ok && fill_up(&run);
	for (size_t i = 0; i < count && ok; i++) {
		ok = step(&run, &ops[i], i + 1);
		if (!ok)
			failed(settings, "operation %zu of %zu:", i + 1, count);
		if (!ok && !settings->quiet)
			random_op_print(stdout, &ops[i]);
	}
	ok = ok && right(&run);
	counts->operations += run.lane.done;
	counts->no_space += run.lane.no_space;
	if (!ok)
		return false;
	unmount_pool(&run);
	random_lane_end(&run.lane);
	images_free(&run.images);
	trace_free(&run.trace);
	sparse_free(&run.survivor);
	sparse_free(&run.pool);
	return true;
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

struct racer {
	struct random_lane lane;
	struct nova_worker *worker;
	uint64_t seed;
	size_t count;
	bool ok;
	struct random_op last;
};

static void *race(void *context)
{
	struct racer *racer = context;

	racer->ok = true;
	for (size_t i = 0; i < racer->count && racer->ok; i++) {
		racer->last = random_op_make(&racer->seed);
		racer->ok = random_op_run(&racer->lane, &racer->last);
	}
	return NULL;
}

static bool make_racer(struct run *run, struct racer *racer, unsigned number, uint64_t seed, size_t count)
{
	struct nova_attr attr;
	char name[16];
	int64_t now = BEGIN_NS + 1000 + number;
	int length = snprintf(name, sizeof(name), "thread-%u", number);

	fixed_time_set(now);
	if (nova_create(&run->call, nova_root(run->fs), name, (size_t)length, S_IFDIR | 0755, 0, &attr))
		return failed(run->settings, "no directory for a thread");
	*racer = (struct racer){.seed = seed + number, .count = count};
	random_lane_begin(&racer->lane, &run->call, &attr, now);
	return true;
}

/* One round of all threads at once; false if any found something wrong. */
static bool run_round(struct run *run, struct racer *racers, unsigned threads)
{
	pthread_t ids[THREADS_MAX];
	uint64_t orphans = 0;
	bool ok = true;

	for (unsigned i = 0; i < threads; i++) {
		if (nova_worker_open(run->fs, &racers[i].worker))
			return failed(run->settings, "no worker for a thread");
		racers[i].lane.call.worker = racers[i].worker;
	}
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, race, &racers[i]))
			abort();
	for (unsigned i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	for (unsigned i = 0; i < threads; i++) {
		nova_worker_close(racers[i].worker);
		if (!racers[i].ok && !run->settings->quiet) {
			printf("thread %u: %s: ", i, racers[i].lane.wrong);
			random_op_print(stdout, &racers[i].last);
		}
		ok = ok && racers[i].ok && same_tree(run, &racers[i].lane);
		orphans += posix_orphans(racers[i].lane.model);
	}
	return ok && sound(run, orphans);
}

/* Lose what the process knows, or unmount; then everything must be there again. */
static bool next_life(struct run *run, struct racer *racers, unsigned threads, bool killed)
{
	uint8_t *left = killed ? malloc(run->settings->pool_size) : NULL;
	bool ok = true;

	if (left)
		memcpy(left, run->pool.base, run->settings->pool_size);
	unmount_pool(run);
	if (left)
		memcpy(run->pool.base, left, run->settings->pool_size);
	free(left);
	if (killed)
		run->counts->crashes++;
	else
		run->counts->remounts++;
	if (!mount_pool(run))
		return false;
	for (unsigned i = 0; i < threads; i++)
		random_lane_restart(&racers[i].lane, &run->call);
	if (nova_reclaim_orphans(&run->call) < 0)
		return failed(run->settings, "orphans cannot be reclaimed");
	for (unsigned i = 0; i < threads; i++)
		ok = ok && same_tree(run, &racers[i].lane);
	return ok && sound(run, 0);
}

bool random_run_threads(const struct random_settings *settings, uint64_t seed, unsigned threads, unsigned rounds,
                        size_t count, struct random_counts *counts)
{
	static struct racer racers[THREADS_MAX];
	struct run run;
	bool ok = make_pool(&run, settings, counts);

	for (unsigned i = 0; i < threads && ok; i++)
		ok = make_racer(&run, &racers[i], i, seed * THREADS_MAX, count);
	for (unsigned i = 0; i < rounds && ok; i++)
		ok = run_round(&run, racers, threads) && next_life(&run, racers, threads, i % 2);
	for (unsigned i = 0; i < threads; i++) {
		counts->operations += racers[i].lane.done;
		counts->no_space += racers[i].lane.no_space;
	}
	if (!ok)
		return false;
	for (unsigned i = 0; i < threads; i++)
		random_lane_end(&racers[i].lane);
	unmount_pool(&run);
	sparse_free(&run.pool);
	return true;
}
