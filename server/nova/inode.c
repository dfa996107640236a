/*
 * inode.c -- in-core inodes and their locks.
 */
#include "server/nova/inode.h"

#include "server/nova/replay.h"
#include "server/nova/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_CHUNKS 4u

/* ---- finding -------------------------------------------------------------------------------------------------- */

static struct inode_slab *new_slab(struct nova *fs)
{
	struct inode_slab *slab = calloc(1, sizeof *slab);
	pthread_rwlockattr_t attributes;

	if (!slab)
		return NULL;
	/* A stream of readers must not keep a writer out; nobody reads an inode twice at once, so this cannot deadlock.
	 */
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (uint32_t i = 0; i < NOVA_INODE_SLAB; i++)
		pthread_rwlock_init(&slab->inodes[i].lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	pthread_mutex_lock(&fs->slots_lock);
	slab->next = fs->slabs;
	fs->slabs = slab;
	pthread_mutex_unlock(&fs->slots_lock);
	return slab;
}

int inode_find(struct nova_worker *worker, uint64_t ino, struct inode **out)
{
	struct slot_chunk *chunk = slots_chunk(worker->fs, ino);
	struct inode **place;
	struct inode *inode;
	struct inode *expected = NULL;

	if (!chunk)
		return -ESTALE;
	place = &chunk->inodes[slot_index(chunk, ino)];
	*out = __atomic_load_n(place, __ATOMIC_ACQUIRE);
	if (*out)
		return 0;
	if (!worker->slab || worker->slab->used == NOVA_INODE_SLAB) {
		struct inode_slab *slab = new_slab(worker->fs);

		if (!slab)
			return -ENOMEM;
		worker->slab = slab;
	}
	inode = &worker->slab->inodes[worker->slab->used];
	inode->ino = ino;
	if (__atomic_compare_exchange_n(place, &expected, inode, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		worker->slab->used++;
		*out = inode;
	} else {
		*out = expected;
	}
	return 0;
}

void inode_fini(struct nova *fs)
{
	while (fs->slabs) {
		struct inode_slab *slab = fs->slabs;

		fs->slabs = slab->next;
		for (uint32_t i = 0; i < NOVA_INODE_SLAB; i++) {
			replay_reset(&slab->inodes[i]);
			pthread_rwlock_destroy(&slab->inodes[i].lock);
		}
		free(slab);
	}
}

/* ---- loading -------------------------------------------------------------------------------------------------- */

/* Under the exclusive lock. */
static int load(struct nova *fs, struct inode *inode)
{
	char why[200] = "";
	int err;

	if (!inode->loaded) {
		err = replay_life(fs, inode->ino, &inode->generation, &inode->life, why, sizeof why);
		if (err)
			goto failed;
	}
	if (inode_alive(inode)) {
		err = replay_inode(fs, inode, NULL, NULL, why, sizeof why);
		if (err)
			goto failed;
		inode_index_grew(fs, inode);
	} else {
		inode->indexed = true;
	}
	inode->loaded = true;
	return 0;
failed:
	if (err == -EIO)
		log_error(NOVA_LOG_NAME, "%s; run `farnova fsck` on the pool", why);
	return err;
}

static bool is_ready(const struct inode *inode, bool index)
{
	return inode->loaded && (inode->indexed || !index);
}

static int check(struct nova *fs, struct inode *inode, struct nova_handle handle, bool index)
{
	int err;

	if (inode->loaded && (inode->generation != handle.generation || !inode_alive(inode)))
		return -ESTALE;
	if (!is_ready(inode, index)) {
		err = load(fs, inode);
		if (err)
			return err;
	}
	if (inode->generation != handle.generation || !inode_alive(inode))
		return -ESTALE;
	return 0;
}

static void touch(struct inode *inode)
{
	if (!__atomic_load_n(&inode->used, __ATOMIC_RELAXED))
		__atomic_store_n(&inode->used, true, __ATOMIC_RELAXED);
}

int inode_read(struct nova_worker *worker, struct nova_handle handle, bool index, struct inode **out)
{
	struct inode *inode;
	int err;

	*out = NULL;
	err = inode_find(worker, handle.ino.n, &inode);
	if (err)
		return err;
	for (;;) {
		pthread_rwlock_rdlock(&inode->lock);
		if (is_ready(inode, index) || (inode->loaded && inode->generation != handle.generation))
			break;
		pthread_rwlock_unlock(&inode->lock);
		pthread_rwlock_wrlock(&inode->lock);
		err = check(worker->fs, inode, handle, index);
		pthread_rwlock_unlock(&inode->lock);
		if (err)
			return err;
	}
	if (inode->generation != handle.generation || !inode_alive(inode)) {
		pthread_rwlock_unlock(&inode->lock);
		return -ESTALE;
	}
	touch(inode);
	*out = inode;
	return 0;
}

int inode_write(struct nova_worker *worker, struct nova_handle handle, bool index, struct inode **out)
{
	struct inode *inode;
	int err;

	*out = NULL;
	if (worker->fs->read_only)
		return -EROFS;
	err = inode_find(worker, handle.ino.n, &inode);
	if (err)
		return err;
	pthread_rwlock_wrlock(&inode->lock);
	err = check(worker->fs, inode, handle, index);
	if (err) {
		pthread_rwlock_unlock(&inode->lock);
		return err;
	}
	touch(inode);
	*out = inode;
	return 0;
}

void inode_unlock(struct inode *inode)
{
	pthread_rwlock_unlock(&inode->lock);
}

int inode_write_two(struct nova_worker *worker, struct nova_handle a, struct nova_handle b, struct inode **out_a,
                    struct inode **out_b)
{
	bool swap = b.ino.n < a.ino.n;
	struct inode **first = swap ? out_b : out_a;
	struct inode **second = swap ? out_a : out_b;
	int err;

	*out_a = *out_b = NULL;
	err = inode_write(worker, swap ? b : a, true, first);
	if (err)
		return err;
	if (a.ino.n == b.ino.n) {
		*second = *first;
		return a.generation == b.generation ? 0 : (inode_unlock(*first), *out_a = *out_b = NULL, -ESTALE);
	}
	err = inode_write(worker, swap ? a : b, true, second);
	if (err) {
		inode_unlock(*first);
		*first = NULL;
	}
	return err;
}

int inode_try_named(struct nova_worker *worker, uint64_t ino, struct inode **out)
{
	struct inode *inode;
	int err;

	*out = NULL;
	err = inode_find(worker, ino, &inode);
	if (err)
		return err == -ESTALE ? -EIO : err;
	if (pthread_rwlock_trywrlock(&inode->lock))
		return -EAGAIN;
	if (!is_ready(inode, true))
		err = load(worker->fs, inode);
	if (!err && inode->life != NOVA_LIFE_ALLOCATED)
		err = -EIO;
	if (err) {
		pthread_rwlock_unlock(&inode->lock);
		return err;
	}
	touch(inode);
	*out = inode;
	return 0;
}

void inode_wait(struct nova_worker *worker, uint64_t ino)
{
	struct inode *inode;

	if (inode_find(worker, ino, &inode))
		return;
	pthread_rwlock_wrlock(&inode->lock);
	pthread_rwlock_unlock(&inode->lock);
}

int inode_lock_free(struct nova_worker *worker, uint64_t ino, struct inode **out)
{
	int err = inode_find(worker, ino, out);

	/*
	 * A free inode's lock has no place in the order of locks: whoever still has it only looks at what it says, or
	 * is about to let go of it, and takes no other meanwhile. Taking it by trial says so to ThreadSanitizer.
	 */
	if (!err && pthread_rwlock_trywrlock(&(*out)->lock))
		pthread_rwlock_wrlock(&(*out)->lock);
	return err;
}

/* ---- attributes ----------------------------------------------------------------------------------------------- */

void inode_attr(const struct inode *inode, struct nova_attr *attr)
{
	bool is_dir = inode_is(inode, S_IFDIR);

	*attr = (struct nova_attr){
	    .handle = {{inode->ino}, inode->generation},
	    .mode = (uint32_t)inode->type << 12 | inode->mode,
	    .nlink = inode->life != NOVA_LIFE_ALLOCATED ? 0
	             : is_dir                           ? 2 + inode->subdirs
	                                                : inode->nlink,
	    .uid = inode->uid,
	    .gid = inode->gid,
	    .rdev = inode->rdev,
	    .size = inode->size,
	    .blocks = inode->blocks,
	    .atime_ns = inode->atime_ns,
	    .mtime_ns = inode->mtime_ns,
	    .ctime_ns = inode->ctime_ns,
	    .btime_ns = inode->btime_ns,
	    .change = inode->tail,
	};
}

/* ---- cold indexes --------------------------------------------------------------------------------------------- */

/* A clock: an index that was not used since the hand passed is dropped; it is built again from the log when needed. */
static void sweep_chunk(struct nova *fs, struct slot_chunk *chunk)
{
	for (uint32_t i = 0; i < NOVA_SLOTS_PER_CHUNK; i++) {
		struct inode *inode = __atomic_load_n(&chunk->inodes[i], __ATOMIC_ACQUIRE);

		if (!inode || __atomic_exchange_n(&inode->used, false, __ATOMIC_RELAXED))
			continue;
		if (pthread_rwlock_trywrlock(&inode->lock))
			continue;
		if (inode->counted) {
			replay_reset(inode);
			inode->counted = false;
			__atomic_fetch_sub(&fs->indexes, 1, __ATOMIC_RELAXED);
		}
		pthread_rwlock_unlock(&inode->lock);
	}
}

void inode_index_grew(struct nova *fs, struct inode *inode)
{
	if (inode->counted || (!inode->file.root && !inode->dir.entries))
		return;
	inode->counted = true;
	if (__atomic_add_fetch(&fs->indexes, 1, __ATOMIC_RELAXED) <= fs->index_limit)
		return;
	for (unsigned swept = 0; swept < SWEEP_CHUNKS;) {
		uint64_t hand = __atomic_fetch_add(&fs->sweep_hand, 1, __ATOMIC_RELAXED);
		struct slot_chunk *chunk = __atomic_load_n(&fs->chunks[hand % fs->chunk_count], __ATOMIC_ACQUIRE);

		/* Most chunks of a large pool are general: a full turn ends the search. */
		if (chunk)
			sweep_chunk(fs, chunk);
		swept += chunk || hand % fs->chunk_count == 0;
	}
}
