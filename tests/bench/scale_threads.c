// scale_threads.c -- two threads over one: creates in two directories, and writes to two files.
//
// The raw medium does the very stores of these operations and nothing else: each thread's stores, flushes and fences
// are recorded once through the observer of common/pm/pm.h and replayed at the same places of a file of the same size.
// What two threads reach there over one is what the medium leaves to reach.
#include "tests/bench/scale.h"

#include "tests/bench/results.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define THREADS    2u
#define BLOCK      4096u
#define FILE_BYTES (UINT64_C(256) << 20)
#define STORES_MAX 64u // of one operation, at most

enum { CREATE, CREATE_RAW, WRITE, WRITE_RAW, CREATE_US, CREATE_RAW_US, WRITE_US, WRITE_RAW_US };

static const char *const cases[] = {"threads2_create", "threads2_write", "threads1_create", "threads1_write", NULL};

// One store, flush or fence of a recording.
struct store {
	uint64_t offset;
	uint32_t length;
	uint32_t type; // enum pm_event_type
};

struct recording {
	struct pm_observer observer;
	struct store *stores;
	uint64_t count;
	uint64_t capacity;
};

struct lane {
	struct bench_pool *pool;
	struct pm *raw;
	struct nova_worker *worker;
	struct nova_call call;
	struct nova_handle dir;
	struct nova_handle file;
	struct recording create;
	struct recording write;
	uint64_t random;
	uint32_t ops;
	int cpu;
};

typedef void (*lane_part)(struct lane *lane);

// The same bytes for all: only their place counts.
static uint8_t source[1u << 20] __attribute__((aligned(4096)));

static void file_name(char *name, uint32_t i)
{
	snprintf(name, 16, "f%07" PRIu32, i);
}

static void create_names(struct lane *lane)
{
	for (uint32_t i = 0; i < lane->ops; i++) {
		struct nova_attr attr;
		char name[16];

		file_name(name, i);
		must(nova_create(&lane->call, lane->dir, name, strlen(name), S_IFREG | 0644, 0, &attr), "create");
	}
}

static void remove_names(struct lane *lane)
{
	for (uint32_t i = 0; i < lane->ops; i++) {
		char name[16];

		file_name(name, i);
		must(nova_unlink(&lane->call, lane->dir, name, strlen(name), NULL), "unlink");
	}
}

static void write_blocks(struct lane *lane)
{
	for (uint32_t i = 0; i < lane->ops; i++) {
		uint64_t block = scale_random(&lane->random, FILE_BYTES / BLOCK);

		must(nova_write(&lane->call, lane->file, block * BLOCK, source, BLOCK, 0, NULL), "write");
	}
}

static void replay(struct pm *raw, const struct recording *recording)
{
	for (uint64_t i = 0; i < recording->count; i++) {
		const struct store *store = &recording->stores[i];
		void *at = pm_at(raw, store->offset);

		switch ((enum pm_event_type)store->type) {
		case PM_EV_COPY:
			pm_copy(raw, at, source, store->length);
			break;
		case PM_EV_ZERO:
			pm_zero(raw, at, store->length);
			break;
		case PM_EV_SET8:
			pm_set8(raw, at, i);
			break;
		case PM_EV_FLUSH:
			pm_flush(raw, at, store->length);
			break;
		case PM_EV_FENCE:
			pm_fence(raw);
			break;
		}
	}
}

static void replay_creates(struct lane *lane)
{
	replay(lane->raw, &lane->create);
}

static void replay_writes(struct lane *lane)
{
	replay(lane->raw, &lane->write);
}

static void record_event(struct pm_observer *self, const struct pm_event *event)
{
	struct recording *recording = (struct recording *)self;

	must(recording->count < recording->capacity && event->length <= sizeof(source) ? 0 : -ENOBUFS, "record");
	recording->stores[recording->count++] = (struct store){event->offset, (uint32_t)event->length, event->type};
}

static void record(struct lane *lane, struct recording *recording, lane_part part)
{
	recording->observer.event = record_event;
	recording->capacity = (uint64_t)lane->ops * STORES_MAX;
	recording->count = 0;
	recording->stores = calloc(recording->capacity, sizeof(*recording->stores));
	must(recording->stores ? 0 : -ENOMEM, "memory of a recording");
	lane->pool->pm.observer = &recording->observer;
	part(lane);
	lane->pool->pm.observer = NULL;
}

/* ---- running in lanes ----------------------------------------------------------------------------------------- */

struct runner {
	pthread_t thread;
	pthread_barrier_t *barrier;
	struct lane *lane;
	lane_part part;
	double start;
	double end;
};

static void *run_lane(void *context)
{
	struct runner *runner = context;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(runner->lane->cpu, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	pthread_barrier_wait(runner->barrier);
	runner->start = scale_seconds();
	runner->part(runner->lane);
	runner->end = scale_seconds();
	return NULL;
}

// Seconds from the first thread's start to the last one's end.
static double run_lanes(struct lane *lanes, unsigned count, lane_part part)
{
	struct runner runners[THREADS] = {0};
	pthread_barrier_t barrier;
	double start, end;

	pthread_barrier_init(&barrier, NULL, count);
	for (unsigned i = 0; i < count; i++) {
		runners[i] = (struct runner){.barrier = &barrier, .lane = &lanes[i], .part = part};
		must(-pthread_create(&runners[i].thread, NULL, run_lane, &runners[i]), "thread");
	}
	for (unsigned i = 0; i < count; i++)
		pthread_join(runners[i].thread, NULL);
	pthread_barrier_destroy(&barrier);
	start = runners[0].start, end = runners[0].end;
	for (unsigned i = 1; i < count; i++) {
		start = runners[i].start < start ? runners[i].start : start;
		end = runners[i].end > end ? runners[i].end : end;
	}
	return end - start;
}

// How many times as much two threads get done; `undo`, unmeasured, follows each run.
static double speedup(struct lane *lanes, lane_part part, lane_part undo, double *alone_us)
{
	double one, two;

	one = run_lanes(lanes, 1, part);
	if (undo)
		run_lanes(lanes, 1, undo);
	two = run_lanes(lanes, THREADS, part);
	if (undo)
		run_lanes(lanes, THREADS, undo);
	*alone_us = one * 1e6 / lanes[0].ops;
	return THREADS * one / two;
}

/* ---- the group ------------------------------------------------------------------------------------------------ */

static void open_lane(struct scale *scale, struct lane *lane, struct bench_pool *pool, struct pm *raw, unsigned i)
{
	struct nova_attr attr;
	char name[16];

	*lane = (struct lane){.pool = pool, .raw = raw, .random = i, .ops = scale->ops};
	if (i == 0)
		lane->worker = pool->worker;
	else
		must(nova_worker_open(pool->fs, &lane->worker), "worker");
	lane->call = (struct nova_call){.worker = lane->worker, .opened = true};
	snprintf(name, sizeof(name), "d%u", i);
	must(nova_create(&lane->call, pool->root, name, strlen(name), S_IFDIR | 0755, 0, &attr), "mkdir");
	lane->dir = attr.handle;
	must(nova_create(&lane->call, lane->dir, "data", 4, S_IFREG | 0644, 0, &attr), "create");
	lane->file = attr.handle;
	for (uint64_t at = 0; at < FILE_BYTES; at += sizeof(source))
		must(nova_write(&lane->call, lane->file, at, source, sizeof(source), 0, NULL), "write");
}

// The first two CPUs this process may use; false if there is one only.
static bool choose_cpus(struct lane *lanes)
{
	unsigned found = 0;
	cpu_set_t cpus;

	must(sched_getaffinity(0, sizeof(cpus), &cpus) ? -errno : 0, "affinity");
	for (int cpu = 0; cpu < CPU_SETSIZE && found < THREADS; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			lanes[found++].cpu = cpu;
	return found == THREADS;
}

// Two zones, so that each thread has one; with --quick one, which little memory has room for twice.
static uint64_t pool_bytes(const struct scale *scale)
{
	return (uint64_t)(scale->million < 1000000 ? 768 : 1536) << 20;
}

static void measure(struct scale *scale, unsigned round)
{
	static struct lane lanes[THREADS];
	struct bench_pool pool;
	struct pm raw;
	char why[256] = "";

	must(bench_pool_make(&pool, scale->pool, pool_bytes(scale)), "make a pool");
	if (pm_create(scale->raw, pool_bytes(scale), true, &raw, why, sizeof(why)))
		must(-EIO, why);
	pm_populate(&raw, 0, raw.size);
	for (unsigned i = 0; i < THREADS; i++)
		open_lane(scale, &lanes[i], &pool, &raw, i);
	choose_cpus(lanes);
	for (unsigned i = 0; i < THREADS; i++) {
		create_names(&lanes[i]);
		remove_names(&lanes[i]);
		record(&lanes[i], &lanes[i].create, create_names);
		remove_names(&lanes[i]);
		record(&lanes[i], &lanes[i].write, write_blocks);
	}
	for (unsigned i = 0; i < scale->options.rounds; i++) {
		scale->values[CREATE][i] = speedup(lanes, create_names, remove_names, &scale->values[CREATE_US][i]);
		scale->values[CREATE_RAW][i] = speedup(lanes, replay_creates, NULL, &scale->values[CREATE_RAW_US][i]);
		scale->values[WRITE][i] = speedup(lanes, write_blocks, NULL, &scale->values[WRITE_US][i]);
		scale->values[WRITE_RAW][i] = speedup(lanes, replay_writes, NULL, &scale->values[WRITE_RAW_US][i]);
	}
	for (unsigned i = 1; i < THREADS; i++)
		nova_worker_close(lanes[i].worker);
	bench_pool_close(&pool);
	pm_close(&raw);
}

static void run(struct scale *scale)
{
	struct lane lanes[THREADS];

	if (!choose_cpus(lanes)) {
		fprintf(stderr, "bench: core-scale: two threads need two CPUs; threads2_* left out\n");
		return;
	}
	scale_life(scale, measure, 0);
	scale_result(scale, "threads2_create", "farnova", "ratio", CREATE, scale->options.rounds);
	scale_result(scale, "threads2_create", "raw", "ratio", CREATE_RAW, scale->options.rounds);
	scale_result(scale, "threads2_write", "farnova", "ratio", WRITE, scale->options.rounds);
	scale_result(scale, "threads2_write", "raw", "ratio", WRITE_RAW, scale->options.rounds);
	scale_result(scale, "threads1_create", "farnova", "us", CREATE_US, scale->options.rounds);
	scale_result(scale, "threads1_create", "raw", "us", CREATE_RAW_US, scale->options.rounds);
	scale_result(scale, "threads1_write", "farnova", "us", WRITE_US, scale->options.rounds);
	scale_result(scale, "threads1_write", "raw", "us", WRITE_RAW_US, scale->options.rounds);
}

const struct scale_group scale_threads = {cases, run};
