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
	uint64_t next;
	uint64_t failed;
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

static void work(struct shared *shared, double end, uint64_t count,
                 unsigned (*try)(void *context, uint64_t i, struct crash_counts *counts), void *context)
{
	struct crash_counts counts = {0};
	uint64_t words[COUNT_WORDS];

	while (end == 0 || now() < end) {
		uint64_t i = __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);

		if (i >= count)
			break;
		if (try(context, i, &counts))
			__atomic_fetch_add(&shared->failed, 1, __ATOMIC_RELAXED);
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
	double end = parallel->seconds ? now() + parallel->seconds : 0;
	uint64_t words[COUNT_WORDS];
	unsigned started = 0, failed;

	fflush(stdout);
	if (parallel->jobs <= 1)
		work(shared, end, count, try, context);
	for (; parallel->jobs > 1 && started < parallel->jobs; started++) {
		pid_t child = fork();

		if (child == 0) {
			work(shared, end, count, try, context);
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
	*begun = shared->next < count ? shared->next : count;
	failed = (unsigned)shared->failed;
	munmap(shared, sizeof(*shared));
	return failed;
}
