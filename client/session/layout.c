/*
 * layout.c -- which files this client may READ, where their bytes lie, and which READs are under way.
 */
#include "client/session/layout.h"

#include "client/link/connection.h"
#include "common/clock.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_BUCKETS 64u
#define MAX_EXTENTS   (256u * 1024) /* of all files of a connection: about 20 MiB */
#define ASK_AGAIN_NS  100000000     /* the server refuses layouts of a file under write sharing for as long */

int layout_init(struct layouts *layouts)
{
	*layouts = (struct layouts){.bucket_count = FIRST_BUCKETS};
	extent_pool_init(&layouts->pool, MAX_EXTENTS);
	layouts->buckets = calloc(FIRST_BUCKETS, sizeof(*layouts->buckets));
	return layouts->buckets ? 0 : -ENOMEM;
}

void layout_destroy(struct layouts *layouts)
{
	for (size_t i = 0; layouts->buckets && i < layouts->bucket_count; i++) {
		while (layouts->buckets[i]) {
			struct inode *inode = layouts->buckets[i];
			layouts->buckets[i] = inode->next;
			extents_clear(&layouts->pool, &inode->extents);
			free(inode);
		}
	}
	free(layouts->buckets);
	layouts->buckets = NULL;
	extent_pool_destroy(&layouts->pool);
}

/* ---- inodes ----------------------------------------------------------------------------------------------------- */

static bool same(struct proto_handle a, struct proto_handle b)
{
	return a.ino == b.ino && a.generation == b.generation;
}

static struct inode **bucket(const struct layouts *layouts, struct proto_handle handle)
{
	/* Inode numbers are dense: multiplication spreads them; the count is a power of two. */
	return &layouts->buckets[((handle.ino * 0x9e3779b97f4a7c15u) >> 32) & (layouts->bucket_count - 1)];
}

static struct inode *find(const struct layouts *layouts, struct proto_handle handle)
{
	struct inode *inode = *bucket(layouts, handle);
	while (inode && !same(inode->handle, handle))
		inode = inode->next;
	return inode;
}

static void grow(struct layouts *layouts)
{
	struct layouts larger = {.bucket_count = layouts->bucket_count * 2};
	larger.buckets = calloc(larger.bucket_count, sizeof(*larger.buckets));
	if (!larger.buckets)
		return; /* longer chains are slow, not wrong */
	for (size_t i = 0; i < layouts->bucket_count; i++) {
		while (layouts->buckets[i]) {
			struct inode *inode = layouts->buckets[i];
			layouts->buckets[i] = inode->next;
			struct inode **home = bucket(&larger, inode->handle);
			inode->next = *home;
			*home = inode;
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
		struct inode **home = bucket(layouts, handle);
		inode->next = *home;
		*home = inode;
	}
	inode->opens++;
	return inode;
}

void layout_close(struct layouts *layouts, struct inode *inode)
{
	if (--inode->opens > 0)
		return;
	struct inode **link = bucket(layouts, inode->handle);
	while (*link != inode)
		link = &(*link)->next;
	*link = inode->next;
	layouts->inode_count--;
	extents_clear(&layouts->pool, &inode->extents);
	free(inode);
}

/* ---- what the server says --------------------------------------------------------------------------------------- */

void layout_granted(struct layouts *layouts, struct inode *inode, uint64_t size, const struct proto_extent *extents,
                    uint32_t count)
{
	inode->layout = true;
	inode->size = size;
	for (uint32_t i = 0; i < count; i++)
		extents_add(&layouts->pool, &inode->extents, &extents[i]);
}

void layout_refused(struct inode *inode)
{
	inode->ask_ns = clock_now_ns() + ASK_AGAIN_NS;
}

void layout_replaced(struct layouts *layouts, struct inode *inode, uint64_t size, uint64_t offset, uint64_t length)
{
	if (!inode->layout)
		return;
	inode->size = size;
	if (length > 0)
		extents_forget(&layouts->pool, &inode->extents, offset, length);
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
	for (uint32_t i = 0; i < reply->write.extent_count; i++)
		extents_add(&layouts->pool, &inode->extents, &reply->write.extents[i]);
}

void layout_drop(struct layouts *layouts, struct inode *inode)
{
	inode->layout = false;
	extents_clear(&layouts->pool, &inode->extents);
}

void layout_drop_handle(struct layouts *layouts, struct proto_handle handle)
{
	struct inode *inode = find(layouts, handle);
	if (inode)
		layout_drop(layouts, inode);
}

void layout_drop_all(struct farnova *fs)
{
	struct layouts *layouts = &fs->layouts;

	for (size_t i = 0; i < layouts->bucket_count; i++) {
		for (struct inode *inode = layouts->buckets[i]; inode; inode = inode->next) {
			layout_drop(layouts, inode);
			inode->ask_ns = 0;
		}
	}
	for (struct reads *reads = layouts->oldest; reads; reads = reads->next) {
		reads->lost = true;
		reads->outstanding = 0;
		poller_wake(fs, reads->waiter);
	}
	layouts->return_due = 0;
	layouts->quiesced_sent = 0;
}

void layout_recall(struct layouts *layouts, const struct proto_recall *recall)
{
	struct inode *inode = recall->handle.ino ? find(layouts, recall->handle) : NULL;
	if (inode) {
		layout_drop(layouts, inode);
		layout_refused(inode);
	}
	if (recall->invalidation > layouts->seen)
		layouts->seen = recall->invalidation;
	if (recall->invalidation > layouts->return_due)
		layouts->return_due = recall->invalidation;
}

bool layout_usable(const struct layouts *layouts, const struct inode *inode)
{
	return inode->layout && inode->changing == 0 && layouts->blind_changes == 0;
}

/* ---- reads under way -------------------------------------------------------------------------------------------- */

void layout_reads_begin(struct layouts *layouts, struct reads *reads)
{
	reads->seen = layouts->seen;
	reads->next = NULL;
	reads->previous = layouts->newest;
	if (layouts->newest)
		layouts->newest->next = reads;
	else
		layouts->oldest = reads;
	layouts->newest = reads;
}

void layout_reads_end(struct farnova *fs, struct reads *reads)
{
	struct layouts *layouts = &fs->layouts;

	if (reads->previous)
		reads->previous->next = reads->next;
	else
		layouts->oldest = reads->next;
	if (reads->next)
		reads->next->previous = reads->previous;
	else
		layouts->newest = reads->previous;
	if (layouts->return_due > layouts->quiesced_sent)
		layout_return(fs, false);
}

uint64_t layout_quiesced(const struct layouts *layouts)
{
	/* The list is in order of `seen`, which never goes back: the oldest has the least. */
	return layouts->oldest ? layouts->oldest->seen : layouts->seen;
}

void layout_return(struct farnova *fs, bool idle)
{
	struct layouts *layouts = &fs->layouts;
	uint64_t quiesced = layout_quiesced(layouts);
	bool due = layouts->return_due > layouts->quiesced_sent && quiesced >= layouts->return_due;
	if (fs->state != CONNECTION_UP || (!due && !(idle && quiesced > layouts->quiesced_sent)))
		return;
	struct proto_request request;
	request.op = PROTO_LAYOUT_RETURN;
	request.slot = PROTO_SLOT_NONE;
	request.sequence = 0;
	request.cred = 0;
	request.close_first = 0;
	/* -EAGAIN: no credit now; any later message carries it, and the background thread tries again. */
	connection_send(fs, &request, 0);
}
