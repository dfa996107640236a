/*
 * project.c -- usage and limits of projects.
 *
 * The hash table of projects is read without a lock while others add to it, so it is none of the common hash tables.
 */
#include "server/nova/space/project.h"

#include <errno.h>
#include <stdlib.h>

#define SHARDS    16u
#define BATCH     256             /* a shard takes up to so much beyond its need, and keeps up to twice as much */
#define UNLIMITED NOVA_QUOTA_NONE /* small enough that sums do not overflow */

struct shard {
	int64_t has[PROJECT_KINDS]; /* may be taken by any thread; atomic */
} __attribute__((aligned(NOVA_CACHE_LINE)));

struct project {
	struct project *next; /* in its bucket; set before the project is published */
	uint32_t id;
	uint64_t line;
	int64_t limit[PROJECT_KINDS]; /* atomic */
	int64_t left[PROJECT_KINDS];  /* negative if the usage exceeds the limit; atomic */
	struct shard shards[SHARDS];
};

/* ---- the table ------------------------------------------------------------------------------------------------ */

static struct project **bucket_of(struct nova *fs, uint32_t id)
{
	return &fs->projects[id % NOVA_PROJECT_BUCKETS];
}

static struct project *find(struct nova *fs, uint32_t id)
{
	struct project *project = __atomic_load_n(bucket_of(fs, id), __ATOMIC_ACQUIRE);

	while (project && project->id != id)
		project = project->next;
	return project;
}

struct project *project_find(struct nova *fs, uint32_t id)
{
	struct project *project = find(fs, id);

	if (project)
		return project;
	pthread_mutex_lock(&fs->projects_lock);
	project = find(fs, id);
	if (!project) {
		project = aligned_alloc(NOVA_CACHE_LINE, sizeof *project);
		if (project) {
			*project = (struct project){.next = *bucket_of(fs, id), .id = id};
			for (unsigned kind = 0; kind < PROJECT_KINDS; kind++)
				project->limit[kind] = project->left[kind] = UNLIMITED;
			__atomic_store_n(bucket_of(fs, id), project, __ATOMIC_RELEASE);
		}
	}
	pthread_mutex_unlock(&fs->projects_lock);
	return project;
}

struct project *project_next(struct nova *fs, uint32_t id)
{
	struct project *found = NULL;

	for (unsigned i = 0; i < NOVA_PROJECT_BUCKETS; i++)
		for (struct project *project = __atomic_load_n(&fs->projects[i], __ATOMIC_ACQUIRE); project;
		     project = project->next)
			if (project->id >= id && (!found || project->id < found->id))
				found = project;
	return found;
}

uint32_t project_id(const struct project *project)
{
	return project->id;
}

uint64_t *project_line(struct project *project)
{
	return &project->line;
}

void project_fini(struct nova *fs)
{
	for (unsigned i = 0; i < NOVA_PROJECT_BUCKETS; i++)
		while (fs->projects[i]) {
			struct project *project = fs->projects[i];

			fs->projects[i] = project->next;
			free(project);
		}
}

/* ---- charging ------------------------------------------------------------------------------------------------- */

/* Threads are numbered at their first charge, so that few of them share a shard. */
static struct shard *own_shard(struct project *project)
{
	static unsigned threads;
	static __thread unsigned number;

	if (!number)
		number = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
	return &project->shards[number % SHARDS];
}

/* Take `count` from *from, unless it would become negative. */
static bool take(int64_t *from, int64_t count)
{
	int64_t has = __atomic_load_n(from, __ATOMIC_RELAXED);

	while (has >= count)
		if (__atomic_compare_exchange_n(from, &has, has - count, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	return false;
}

static void give(int64_t *to, int64_t count)
{
	__atomic_fetch_add(to, count, __ATOMIC_RELAXED);
}

/* Return the contents of all shards to `left`. */
static void gather(struct project *project, enum project_kind kind)
{
	for (unsigned i = 0; i < SHARDS; i++)
		give(&project->left[kind], __atomic_exchange_n(&project->shards[i].has[kind], 0, __ATOMIC_RELAXED));
}

/* Take from `left`, and some more for the shard. Near the limit take no more than `count`, so that other threads can
 * take the rest. */
static bool take_left(struct project *project, enum project_kind kind, struct shard *shard, int64_t count)
{
	int64_t spare = (__atomic_load_n(&project->left[kind], __ATOMIC_RELAXED) - count) / (2 * (int64_t)SHARDS);

	if (spare > BATCH)
		spare = BATCH;
	if (spare > 0 && take(&project->left[kind], count + spare)) {
		give(&shard->has[kind], spare);
		return true;
	}
	return take(&project->left[kind], count);
}

int project_charge(struct project *project, enum project_kind kind, uint64_t count, bool force)
{
	struct shard *shard = own_shard(project);
	int64_t n = (int64_t)count;

	if (!n || take(&shard->has[kind], n) || take_left(project, kind, shard, n))
		return 0;
	gather(project, kind);
	if (take(&project->left[kind], n))
		return 0;
	if (!force)
		return -EDQUOT;
	give(&project->left[kind], -n);
	return 0;
}

void project_refund(struct project *project, enum project_kind kind, uint64_t count)
{
	struct shard *shard = own_shard(project);

	/* Usage exceeds the limit: return it to `left`, where no charge can take it while `left` is negative. */
	if (__atomic_load_n(&project->left[kind], __ATOMIC_RELAXED) < 0) {
		give(&project->left[kind], (int64_t)count);
		return;
	}
	give(&shard->has[kind], (int64_t)count);
	if (__atomic_load_n(&shard->has[kind], __ATOMIC_RELAXED) > 2 * BATCH && take(&shard->has[kind], BATCH))
		give(&project->left[kind], BATCH);
}

uint64_t project_used(const struct project *project, enum project_kind kind)
{
	int64_t used = __atomic_load_n(&project->limit[kind], __ATOMIC_RELAXED) -
	               __atomic_load_n(&project->left[kind], __ATOMIC_RELAXED);

	for (unsigned i = 0; i < SHARDS; i++)
		used -= __atomic_load_n(&project->shards[i].has[kind], __ATOMIC_RELAXED);
	return used > 0 ? (uint64_t)used : 0;
}

uint64_t project_limit(const struct project *project, enum project_kind kind)
{
	int64_t limit = __atomic_load_n(&project->limit[kind], __ATOMIC_RELAXED);

	return limit == UNLIMITED ? 0 : (uint64_t)limit;
}

void project_set_limits(struct project *project, const uint64_t limits[PROJECT_KINDS])
{
	for (unsigned kind = 0; kind < PROJECT_KINDS; kind++) {
		int64_t limit = limits[kind] && limits[kind] < UNLIMITED ? (int64_t)limits[kind] : UNLIMITED;
		int64_t old = __atomic_exchange_n(&project->limit[kind], limit, __ATOMIC_RELAXED);

		give(&project->left[kind], limit - old);
		gather(project, (enum project_kind)kind);
	}
}

/* ---- the usage of an inode -------------------------------------------------------------------------------------- */

int project_grow(struct space_use *use, uint64_t more)
{
	int rc = use->quota ? project_charge(use->quota, PROJECT_BLOCKS, more, false) : 0;

	if (!rc)
		use->charged += more;
	return rc;
}

void project_recharge(struct space_use *use)
{
	if (!use->quota || use->charged == use->blocks)
		return;
	if (use->charged > use->blocks)
		project_refund(use->quota, PROJECT_BLOCKS, use->charged - use->blocks);
	else
		project_charge(use->quota, PROJECT_BLOCKS, use->blocks - use->charged, true);
	use->charged = use->blocks;
}

void project_move(struct space_use *use, struct project *to)
{
	struct project *from = use->quota;

	if (from == to)
		return;
	if (from) {
		project_refund(from, PROJECT_BLOCKS, use->charged);
		project_refund(from, PROJECT_INODES, 1);
	}
	use->charged = use->blocks;
	if (to) {
		project_charge(to, PROJECT_BLOCKS, use->charged, true);
		project_charge(to, PROJECT_INODES, 1, true);
	}
	use->quota = to;
}

int project_begin(struct nova *fs, struct space_use *use, uint32_t id)
{
	struct project *project = id ? project_find(fs, id) : NULL;
	int rc;

	if (id && !project)
		return -ENOMEM;
	rc = project ? project_charge(project, PROJECT_INODES, 1, false) : 0;
	if (!rc)
		use->quota = project;
	return rc;
}

void project_end(struct space_use *use)
{
	project_move(use, NULL);
}
