/*
 * retries.c -- holds inodes open while the kernel repeats a path walk after ESTALE.
 */
#include "client/fuse/retries.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct retry {
	pid_t tid; /* 0: unused */
	int64_t until_ns;
	struct farnova_file *file; /* NULL: no lookup yet */
};

struct retries {
	atomic_uint count; /* number in use: usually 0 */
	pthread_mutex_t lock;
	struct retry list[RETRIES_MAX];
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct retries *retries_new(void)
{
	struct retries *retries = calloc(1, sizeof(*retries));

	if (retries)
		pthread_mutex_init(&retries->lock, NULL);
	return retries;
}

void retries_free(struct retries *retries)
{
	if (!retries)
		return;
	for (unsigned i = 0; i < RETRIES_MAX; i++) {
		if (retries->list[i].file)
			farnova_close(retries->list[i].file);
	}
	pthread_mutex_destroy(&retries->lock);
	free(retries);
}

static struct retry *find(struct retries *retries, pid_t tid)
{
	for (unsigned i = 0; i < RETRIES_MAX; i++) {
		if (retries->list[i].tid == tid)
			return &retries->list[i];
	}
	return NULL;
}

static struct retry *oldest(struct retries *retries)
{
	struct retry *first = &retries->list[0];

	for (unsigned i = 1; i < RETRIES_MAX; i++) {
		if (retries->list[i].until_ns < first->until_ns)
			first = &retries->list[i];
	}
	return first;
}

/* drop -- free the entry; lock held. The caller closes the returned file without the lock. */
static struct farnova_file *drop(struct retries *retries, struct retry *retry)
{
	struct farnova_file *file = retry->file;

	*retry = (struct retry){0};
	atomic_fetch_sub(&retries->count, 1);
	return file;
}

static void close_held(struct farnova_file *file)
{
	if (file)
		farnova_close(file);
}

void retries_stale(struct retries *retries, pid_t tid)
{
	struct farnova_file *file = NULL;

	if (tid == 0) /* all threads of other PID namespaces have this id */
		return;
	pthread_mutex_lock(&retries->lock);
	struct retry *retry = find(retries, tid);
	if (!retry)
		retry = find(retries, 0);
	if (!retry)
		retry = oldest(retries);
	if (retry->tid != 0)
		file = drop(retries, retry);
	*retry = (struct retry){.tid = tid, .until_ns = now_ns() + RETRIES_NS};
	atomic_fetch_add(&retries->count, 1);
	pthread_mutex_unlock(&retries->lock);
	close_held(file);
}

/* drop_expired -- drop one expired entry and close its file; false if there is none. */
static bool drop_expired(struct retries *retries, int64_t at_ns)
{
	struct farnova_file *file = NULL;
	bool any = false;

	pthread_mutex_lock(&retries->lock);
	for (unsigned i = 0; i < RETRIES_MAX && !any; i++) {
		struct retry *retry = &retries->list[i];
		any = retry->tid != 0 && retry->until_ns <= at_ns;
		if (any)
			file = drop(retries, retry);
	}
	pthread_mutex_unlock(&retries->lock);
	close_held(file);
	return any;
}

bool retries_wanted(struct retries *retries, pid_t tid)
{
	if (tid == 0 || atomic_load_explicit(&retries->count, memory_order_relaxed) == 0)
		return false;
	int64_t at_ns = now_ns();
	while (drop_expired(retries, at_ns))
		;
	pthread_mutex_lock(&retries->lock);
	bool wanted = find(retries, tid) != NULL;
	pthread_mutex_unlock(&retries->lock);
	return wanted;
}

void retries_hold(struct retries *retries, pid_t tid, struct farnova_file *file)
{
	struct farnova_file *before = file;

	pthread_mutex_lock(&retries->lock);
	struct retry *retry = find(retries, tid);
	if (retry) {
		before = retry->file;
		retry->file = file;
		retry->until_ns = now_ns() + RETRIES_NS;
	}
	pthread_mutex_unlock(&retries->lock);
	close_held(before);
}

void retries_done(struct retries *retries, pid_t tid)
{
	struct farnova_file *file = NULL;

	if (tid == 0 || atomic_load_explicit(&retries->count, memory_order_relaxed) == 0)
		return;
	pthread_mutex_lock(&retries->lock);
	struct retry *retry = find(retries, tid);
	if (retry)
		file = drop(retries, retry);
	pthread_mutex_unlock(&retries->lock);
	close_held(file);
}
