/*
 * parallel.c -- processes that take cases from one counter.
 */
#include "tests/crash/parallel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEEN_MASK   ((1ULL << 23) - 1)
#define COUNT_WORDS (sizeof(struct crash_counts) / sizeof(uint64_t))

/* In memory that all processes share; all atomic. */
struct shared {
	uint64_t next; /* in the part, as is the next one */
	uint64_t count;
	uint64_t failed;
	uint64_t told; /* seconds since the start */
	uint64_t counts[COUNT_WORDS];
};

static uint64_t *seen;       /* shared too: keys, open addressing */
static uint64_t *seen_count; /* shared */

static void *share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		perror("crash: shared memory");
		abort();
	}
	return memory;
}

void parallel_share(void)
{
	seen = share((SEEN_MASK + 1) * sizeof(*seen));
	seen_count = share(sizeof(*seen_count));
}

bool parallel_is_new(uint64_t key)
{
	/* When the table is full every key counts as new: that costs time and nothing else. */
	if (!seen || __atomic_load_n(seen_count, __ATOMIC_RELAXED) > SEEN_MASK / 4 * 3)
		return true;
	key = key ? key : 1;
	for (uint64_t i = key;; i++) {
		uint64_t old = 0;

		if (__atomic_compare_exchange_n(&seen[i & SEEN_MASK], &old, key, false, __ATOMIC_RELAXED,
		                                __ATOMIC_RELAXED)) {
			__atomic_fetch_add(seen_count, 1, __ATOMIC_RELAXED);
			return true;
		}
		if (old == key)
			return false;
	}
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void tell_progress(struct shared *shared, const struct parallel *parallel, double start)
{
	uint64_t done = __atomic_load_n(&shared->next, __ATOMIC_RELAXED);
	uint64_t told = __atomic_load_n(&shared->told, __ATOMIC_RELAXED);
	double gone = now() - start, left;

	if (!parallel->progress || done == 0 || gone < (double)(told + parallel->progress) ||
	    !__atomic_compare_exchange_n(&shared->told, &told, (uint64_t)gone, false, __ATOMIC_RELAXED,
	                                 __ATOMIC_RELAXED))
		return;
	if (done > shared->count)
		done = shared->count;
	left = gone / (double)done * (double)(shared->count - done);
	if (parallel->seconds && left > parallel->seconds - gone)
		left = parallel->seconds - gone;
	printf("crash: %s: %llu of %llu in %.0f min, about %.0f min left\n", parallel->what, (unsigned long long)done,
	       (unsigned long long)shared->count, gone / 60, left / 60);
}

static void work(struct shared *shared, const struct parallel *parallel, double start,
                 unsigned (*try)(void *context, uint64_t i, struct crash_counts *counts), void *context)
{
	uint64_t first = parallel->parts ? parallel->part - 1 : 0, step = parallel->parts ? parallel->parts : 1;
	struct crash_counts counts = {0};
	uint64_t words[COUNT_WORDS];

	while (parallel->seconds == 0 || now() < start + parallel->seconds) {
		uint64_t i = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);

		if (i >= shared->count)
			break;
		if (try(context, first + i * step, &counts))
			__atomic_fetch_add(&shared->failed, 1, __ATOMIC_RELAXED);
		tell_progress(shared, parallel, start);
	}
	memcpy(words, &counts, sizeof(words));
	for (size_t i = 0; i < COUNT_WORDS; i++)
		__atomic_fetch_add(&shared->counts[i], words[i], __ATOMIC_RELAXED);
}

unsigned parallel_each(const struct parallel *parallel, uint64_t count,
                       unsigned (*try)(void *context, uint64_t i, struct crash_counts *counts), void *context,
                       struct crash_counts *counts, uint64_t *begun)
{
	struct shared *shared = share(sizeof(*shared));
	double start = now();
	uint64_t words[COUNT_WORDS];
	unsigned started = 0, failed;

	shared->count = parallel->parts ? (count + parallel->parts - parallel->part) / parallel->parts : count;
	fflush(stdout);
	if (parallel->jobs <= 1)
		work(shared, parallel, start, try, context);
	for (; parallel->jobs > 1 && started < parallel->jobs; started++) {
		pid_t child = fork();

		if (child == 0) {
			work(shared, parallel, start, try, context);
			fflush(stdout);
			_exit(0);
		}
		if (child < 0) {
			perror("crash: fork");
			shared->failed++;
			break;
		}
	}
	while (started--) {
		int status;

		if (wait(&status) > 0 && status == 0)
			continue;
		printf("FAIL a process of the crash test died (status %x)\n", (unsigned)status);
		__atomic_fetch_add(&shared->failed, 1, __ATOMIC_RELAXED);
	}
	memcpy(words, counts, sizeof(words));
	for (size_t i = 0; i < COUNT_WORDS; i++)
		words[i] += shared->counts[i];
	memcpy(counts, words, sizeof(words));
	*begun = shared->next < shared->count ? shared->next : shared->count;
	failed = (unsigned)shared->failed;
	munmap(shared, sizeof(*shared));
	return failed;
}
