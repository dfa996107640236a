/*
 * layout.c -- the layouts of this client: which files it may READ, where their extents lie, and which READs are in
 * flight.
 */
#include "client/session/layout.h"

#include "client/link/connection.h"
#include "common/clock.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_BUCKETS 64u
#define MAX_EXTENTS   (256u * 1024) /* of all files of a connection together: about 20 MiB */
#define ASK_AGAIN_NS  100000000     /* for this time the server refuses layouts of a file under write sharing */

int layout_init(struct layouts *layouts)
{
	*layouts = (struct layouts){.bucket_count = FIRST_BUCKETS};
	layout_reads_init(&layouts->reads, NULL);
	TAILQ_INIT(&layouts->invalidations);
	extent_pool_init(&layouts->pool, MAX_EXTENTS);
	layouts->buckets = calloc(FIRST_BUCKETS, sizeof(*layouts->buckets));
	return layouts->buckets ? 0 : -ENOMEM;
}

void layout_destroy(struct layouts *layouts)
{
	for (size_t i = 0; layouts->buckets && i < layouts->bucket_count; i++) {
		struct inode *inode;
		while ((inode = LIST_FIRST(&layouts->buckets[i])) != NULL) {
			LIST_REMOVE(inode, entry);
			extents_clear(&layouts->pool, &inode->extents);
			free(inode->invalidation);
			free(inode);
		}
	}
	free(layouts->buckets);
	layouts->buckets = NULL;
	extent_pool_destroy(&layouts->pool);
}

/* ---- channels --------------------------------------------------------------------------------------------------- */

void layout_reads_init(struct reads_list *reads, struct connection *link)
{
	reads->link = link;
	TAILQ_INIT(&reads->list);
	atomic_init(&reads->oldest, UINT64_MAX);
}

void layout_add_channel(struct layouts *layouts, struct reads_list *reads)
{
	layouts->channels[layouts->channel_count++] = reads;
}

/* exclude -- nobody READs by a channel, or is about to, while what it looks at changes. admit -- the change is done. */
static void exclude(const struct layouts *layouts)
{
	for (unsigned i = 0; i < layouts->channel_count; i++)
		connection_lock(layouts->channels[i]->link);
}

static void admit(const struct layouts *layouts)
{
	for (unsigned i = layouts->channel_count; i-- > 0;)
		connection_unlock(layouts->channels[i]->link);
}

/* ---- inodes ----------------------------------------------------------------------------------------------------- */

static bool same(struct proto_handle a, struct proto_handle b)
{
	return a.ino == b.ino && a.generation == b.generation;
}

static struct inode_bucket *bucket(const struct layouts *layouts, struct proto_handle handle)
{
	/* Inode numbers are dense: multiplication spreads them; the count is a power of two. */
	return &layouts->buckets[((handle.ino * 0x9e3779b97f4a7c15u) >> 32) & (layouts->bucket_count - 1)];
}

static struct inode *find(const struct layouts *layouts, struct proto_handle handle)
{
	struct inode *inode;

	LIST_FOREACH(inode, bucket(layouts, handle), entry)
	{
		if (same(inode->handle, handle))
			return inode;
	}
	return NULL;
}

static void grow(struct layouts *layouts)
{
	struct layouts larger = {.bucket_count = layouts->bucket_count * 2};
	larger.buckets = calloc(larger.bucket_count, sizeof(*larger.buckets));
	if (!larger.buckets)
		return; /* longer chains are slower but correct */
	for (size_t i = 0; i < layouts->bucket_count; i++) {
		struct inode *inode;
		while ((inode = LIST_FIRST(&layouts->buckets[i])) != NULL) {
			LIST_REMOVE(inode, entry);
			LIST_INSERT_HEAD(bucket(&larger, inode->handle), inode, entry);
		}
	}
	free(layouts->buckets);
	layouts->buckets = larger.buckets;
	layouts->bucket_count = larger.bucket_count;
}

struct inode *layout_reserve(void)
{
	return calloc(1, sizeof(struct inode));
}

struct inode *layout_open(struct layouts *layouts, struct proto_handle handle, struct inode **reserved)
{
	struct inode *inode = find(layouts, handle);
	if (!inode) {
		inode = *reserved;
		*reserved = NULL;
		if (layouts->inode_count++ >= layouts->bucket_count)
			grow(layouts);
		inode->handle = handle;
		LIST_INSERT_HEAD(bucket(layouts, handle), inode, entry);
	}
	inode->opens++;
	return inode;
}

void layout_close(struct layouts *layouts, struct inode *inode)
{
	if (--inode->opens > 0)
		return;
	LIST_REMOVE(inode, entry);
	layouts->inode_count--;
	exclude(layouts);
	extents_clear(&layouts->pool, &inode->extents);
	free(inode->invalidation);
	free(inode);
	admit(layouts);
}

/* ---- what the server says --------------------------------------------------------------------------------------- */

void layout_granted(struct layouts *layouts, struct inode *inode, uint64_t size, const struct proto_extent *extents,
                    uint32_t count)
{
	exclude(layouts);
	inode->layout = true;
	inode->size = size;
	for (uint32_t i = 0; i < count; i++)
		extents_add(&layouts->pool, &inode->extents, &extents[i]);
	admit(layouts);
}

void layout_refused(struct inode *inode)
{
	inode->ask_ns = clock_now_ns() + ASK_AGAIN_NS;
}

void layout_replaced(struct layouts *layouts, struct inode *inode, uint64_t size, uint64_t offset, uint64_t length)
{
	if (!inode->layout)
		return;
	exclude(layouts);
	inode->size = size;
	if (length > 0)
		extents_forget(&layouts->pool, &inode->extents, offset, length);
	admit(layouts);
}

void layout_written(struct layouts *layouts, struct inode *inode, const struct proto_reply *reply)
{
	if (!inode->layout)
		return;
	if (reply->write.dropped) {
		layout_drop(layouts, inode);
		return;
	}
	layout_replaced(layouts, inode, reply->write.size, reply->write.replaced_offset, reply->write.replaced_length);
	if (reply->write.extent_count > 0)
		layout_granted(layouts, inode, reply->write.size, reply->write.extents, reply->write.extent_count);
}

/* tell_program -- have the program drop what it keeps of the file. Until it has, `quiesced` does not pass the newest
 * invalidation that was acted on before. */
static void tell_program(struct layouts *layouts, struct inode *inode)
{
	struct invalidation *invalidation = inode->invalidation;

	inode->invalidation = NULL;
	if (!layouts->invalidate) { /* it has ended what it kept */
		free(invalidation);
		return;
	}
	invalidation->seen = layouts->seen;
	invalidation->listed = true;
	TAILQ_INSERT_TAIL(&layouts->invalidations, invalidation, entry);
	layouts->invalidate(layouts->invalidate_context, &invalidation->program);
}

void layout_drop(struct layouts *layouts, struct inode *inode)
{
	if (inode->layout)
		inode->ended++;
	if (inode->invalidation)
		tell_program(layouts, inode);
	if (!inode->layout && !inode->extents.root)
		return;
	exclude(layouts);
	inode->layout = false;
	extents_clear(&layouts->pool, &inode->extents);
	admit(layouts);
}

void layout_drop_handle(struct layouts *layouts, struct proto_handle handle)
{
	struct inode *inode = find(layouts, handle);
	if (inode)
		layout_drop(layouts, inode);
}

void layout_lose_reads(struct reads_list *list)
{
	struct reads *reads, *next;

	for (reads = TAILQ_FIRST(&list->list); reads; reads = next) {
		next = TAILQ_NEXT(reads, entry);
		reads->lost = true;
		reads->operations.outstanding = 0;
		reads->operations.on_done(list->link, &reads->operations);
	}
}

void layout_drop_all(struct layouts *layouts)
{
	struct invalidation *invalidation;
	struct inode *inode;

	exclude(layouts);
	layouts->return_due = 0;
	admit(layouts);
	layouts->quiesced_sent = 0;
	for (size_t i = 0; i < layouts->bucket_count; i++) {
		LIST_FOREACH(inode, &layouts->buckets[i], entry)
		{
			layout_drop(layouts, inode);
			inode->ask_ns = 0;
		}
	}
	while ((invalidation = TAILQ_FIRST(&layouts->invalidations)) != NULL) {
		TAILQ_REMOVE(&layouts->invalidations, invalidation, entry);
		invalidation->listed = false;
	}
	layout_lose_reads(&layouts->reads);
}

/* ---- what the program keeps ------------------------------------------------------------------------------------- */

void layout_keep(struct inode *inode, struct invalidation **reserved)
{
	if (inode->invalidation)
		return;
	inode->invalidation = *reserved;
	*reserved = NULL;
	inode->invalidation->program.file = (struct farnova_handle){
	    .ino = inode->handle.ino, .generation = inode->handle.generation, .seal = inode->handle.seal};
}

bool layout_invalidated(struct layouts *layouts, struct invalidation *invalidation)
{
	bool listed = invalidation->listed;

	if (listed)
		TAILQ_REMOVE(&layouts->invalidations, invalidation, entry);
	free(invalidation);
	return listed && layouts->return_due > layouts->quiesced_sent;
}

void layout_recall(struct layouts *layouts, const struct proto_recall *recall)
{
	struct inode *inode = recall->handle.ino ? find(layouts, recall->handle) : NULL;
	if (inode) {
		layout_drop(layouts, inode);
		layout_refused(inode);
	}
	exclude(layouts);
	if (recall->invalidation > layouts->return_due)
		layouts->return_due = recall->invalidation;
	admit(layouts);
	layout_see(layouts, recall->invalidation);
}

void layout_see(struct layouts *layouts, uint64_t number)
{
	if (number <= layouts->seen)
		return;
	exclude(layouts);
	layouts->seen = number;
	admit(layouts);
}

bool layout_usable(const struct layouts *layouts, const struct inode *inode)
{
	return inode->layout && inode->changing == 0 && layouts->blind_changes == 0;
}

/* ---- reads under way -------------------------------------------------------------------------------------------- */

void layout_reads_begin(const struct layouts *layouts, struct reads_list *list, struct reads *reads)
{
	reads->seen = layouts->seen;
	if (TAILQ_EMPTY(&list->list))
		atomic_store_explicit(&list->oldest, reads->seen, memory_order_relaxed);
	TAILQ_INSERT_TAIL(&list->list, reads, entry);
}

void layout_reads_end(struct reads_list *list, struct reads *reads)
{
	TAILQ_REMOVE(&list->list, reads, entry);
	const struct reads *oldest = TAILQ_FIRST(&list->list);
	/* Who reads this number must see the READs ended. Who changes what they look at had the lock of the list before
	 * it counts on READs that began later. */
	atomic_store_explicit(&list->oldest, oldest ? oldest->seen : UINT64_MAX, memory_order_release);
}

bool layout_reads_recalled(const struct layouts *layouts, const struct reads *reads)
{
	return layouts->return_due > reads->seen;
}

/* channels_oldest -- `seen` of the oldest READ in flight by a channel, UINT64_MAX: none. */
static uint64_t channels_oldest(const struct layouts *layouts)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < layouts->channel_count; i++) {
		uint64_t oldest = atomic_load_explicit(&layouts->channels[i]->oldest, memory_order_acquire);
		least = oldest < least ? oldest : least;
	}
	return least;
}

bool layout_channels_behind(const struct layouts *layouts)
{
	return channels_oldest(layouts) < layouts->seen;
}

uint64_t layout_quiesced(const struct layouts *layouts)
{
	/* The lists are sorted by `seen`, which only grows: the oldest entry of each has its minimum. */
	const struct reads *reads = TAILQ_FIRST(&layouts->reads.list);
	const struct invalidation *invalidation = TAILQ_FIRST(&layouts->invalidations);
	uint64_t quiesced = reads ? reads->seen : layouts->seen;
	uint64_t oldest = channels_oldest(layouts);

	quiesced = oldest < quiesced ? oldest : quiesced;
	return invalidation && invalidation->seen < quiesced ? invalidation->seen : quiesced;
}
