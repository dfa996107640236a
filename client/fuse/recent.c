/*
 * recent.c -- answers the kernel's next question from a recent reply of the server.
 */
#include "client/fuse/recent.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define BUCKETS 128u /* a power of two */
#define ENTRIES 4u
#define KEEP_NS 1000000

struct entry {
	uint64_t node;
	pid_t tid;
	uint64_t moment;
	int64_t told_ns;
	unsigned attr_uses;    /* how often the attributes may still be used */
	bool no_xattrs, ended; /* known and not used yet */
	off_t end;
	struct stat st;
};

struct bucket {
	pthread_mutex_t lock;
	uint64_t changed; /* moment of the newest change of a node of this bucket */
	struct entry entries[ENTRIES];
};

struct recent {
	atomic_uint_fast64_t moment;
	atomic_uint_fast64_t files_changed, all_changed; /* moments */
	struct bucket buckets[BUCKETS];
};

struct recent *recent_new(void)
{
	struct recent *recent = calloc(1, sizeof(*recent));

	for (unsigned i = 0; recent && i < BUCKETS; i++)
		pthread_mutex_init(&recent->buckets[i].lock, NULL);
	return recent;
}

void recent_free(struct recent *recent)
{
	for (unsigned i = 0; recent && i < BUCKETS; i++)
		pthread_mutex_destroy(&recent->buckets[i].lock);
	free(recent);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t recent_moment(const struct recent *recent)
{
	return recent->moment;
}

static struct bucket *lock_bucket(struct recent *recent, uint64_t node)
{
	struct bucket *bucket = &recent->buckets[(node * 0x9e3779b97f4a7c15ULL) >> 32 & (BUCKETS - 1)];

	pthread_mutex_lock(&bucket->lock);
	return bucket;
}

/* The entry of this thread and node, else the oldest entry. */
static struct entry *entry_for(struct bucket *bucket, pid_t tid, uint64_t node)
{
	struct entry *oldest = &bucket->entries[0];

	for (unsigned i = 0; i < ENTRIES; i++) {
		struct entry *entry = &bucket->entries[i];
		if (entry->tid == tid && entry->node == node)
			return entry;
		if (entry->told_ns < oldest->told_ns)
			oldest = entry;
	}
	return oldest;
}

static struct entry told(pid_t tid, uint64_t node, uint64_t moment, const struct stat *st, bool no_xattrs)
{
	return (struct entry){.node = node,
	                      .tid = tid,
	                      .moment = moment,
	                      .told_ns = now_ns(),
	                      .attr_uses = S_ISDIR(st->st_mode) ? 2 : 1,
	                      .no_xattrs = no_xattrs,
	                      .st = *st};
}

void recent_told(struct recent *recent, pid_t tid, uint64_t node, uint64_t moment, const struct stat *st,
                 bool no_xattrs)
{
	if (tid == 0)
		return;
	struct bucket *bucket = lock_bucket(recent, node);
	*entry_for(bucket, tid, node) = told(tid, node, moment, st, no_xattrs);
	pthread_mutex_unlock(&bucket->lock);
}

void recent_set(struct recent *recent, pid_t tid, uint64_t node, uint64_t moment, const struct stat *st, bool no_xattrs)
{
	struct bucket *bucket = lock_bucket(recent, node);
	bool alone = bucket->changed <= moment && recent->all_changed <= moment && recent->files_changed <= moment;

	bucket->changed = ++recent->moment;
	if (tid && alone)
		*entry_for(bucket, tid, node) = told(tid, node, bucket->changed, st, no_xattrs);
	pthread_mutex_unlock(&bucket->lock);
}

void recent_ended(struct recent *recent, pid_t tid, uint64_t node, uint64_t moment, off_t end)
{
	if (tid == 0)
		return;
	struct bucket *bucket = lock_bucket(recent, node);
	*entry_for(bucket, tid, node) =
	    (struct entry){.node = node, .tid = tid, .moment = moment, .told_ns = now_ns(), .ended = true, .end = end};
	pthread_mutex_unlock(&bucket->lock);
}

/* The entry of this thread and node that is still valid for this mount; NULL if none. */
static struct entry *find(struct recent *recent, struct bucket *bucket, pid_t tid, uint64_t node)
{
	struct entry *entry = entry_for(bucket, tid, node);

	if (tid == 0 || entry->tid != tid || entry->node != node || now_ns() - entry->told_ns > KEEP_NS)
		return NULL;
	if (entry->moment < bucket->changed || entry->moment < recent->all_changed)
		return NULL;
	return S_ISDIR(entry->st.st_mode) || entry->moment >= recent->files_changed ? entry : NULL;
}

bool recent_attr(struct recent *recent, pid_t tid, uint64_t node, struct stat *st)
{
	struct bucket *bucket = lock_bucket(recent, node);
	struct entry *entry = find(recent, bucket, tid, node);
	bool known = entry && entry->attr_uses > 0;

	if (known) {
		*st = entry->st;
		entry->attr_uses--;
	}
	pthread_mutex_unlock(&bucket->lock);
	return known;
}

bool recent_no_xattrs(struct recent *recent, pid_t tid, uint64_t node, mode_t *mode)
{
	struct bucket *bucket = lock_bucket(recent, node);
	struct entry *entry = find(recent, bucket, tid, node);
	bool known = entry && entry->no_xattrs;

	if (known) {
		*mode = entry->st.st_mode;
		entry->no_xattrs = false;
	}
	pthread_mutex_unlock(&bucket->lock);
	return known;
}

bool recent_size(struct recent *recent, pid_t tid, uint64_t node, off_t *size)
{
	struct bucket *bucket = lock_bucket(recent, node);
	struct entry *entry = find(recent, bucket, tid, node);
	bool known = entry && S_ISREG(entry->st.st_mode);

	if (known)
		*size = entry->st.st_size;
	pthread_mutex_unlock(&bucket->lock);
	return known;
}

bool recent_beyond_end(struct recent *recent, pid_t tid, uint64_t node, off_t offset)
{
	struct bucket *bucket = lock_bucket(recent, node);
	struct entry *entry = find(recent, bucket, tid, node);
	bool known = entry && entry->ended && offset >= entry->end;

	if (known)
		entry->ended = false;
	pthread_mutex_unlock(&bucket->lock);
	return known;
}

void recent_accessed(struct recent *recent, uint64_t node)
{
	struct bucket *bucket = lock_bucket(recent, node);

	for (unsigned i = 0; i < ENTRIES; i++)
		if (bucket->entries[i].node == node)
			bucket->entries[i].attr_uses = 0;
	pthread_mutex_unlock(&bucket->lock);
}

void recent_changed(struct recent *recent, uint64_t node)
{
	struct bucket *bucket = lock_bucket(recent, node);

	bucket->changed = ++recent->moment;
	pthread_mutex_unlock(&bucket->lock);
}

/* Concurrent changes may store their moments in either order: keep the larger one. */
static void raise_moment(struct recent *recent, atomic_uint_fast64_t *changed)
{
	uint64_t moment = ++recent->moment;
	uint64_t before = *changed;

	while (before < moment && !atomic_compare_exchange_weak(changed, &before, moment))
		;
}

void recent_name_gone(struct recent *recent, uint64_t directory)
{
	recent_changed(recent, directory);
	raise_moment(recent, &recent->files_changed);
}

void recent_names_moved(struct recent *recent)
{
	raise_moment(recent, &recent->all_changed);
}
