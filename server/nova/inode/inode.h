/*
 * inode.h -- finds inodes by number, loads them on first use and locks them.
 */
#ifndef FARNOVA_NOVA_INODE_H
#define FARNOVA_NOVA_INODE_H

#include "server/nova/inode/incore.h"
#include "server/nova/log/inode_log.h"

static inline bool inode_alive(const struct nova_inode *inode)
{
	return life_has_log((enum nova_life)inode->life);
}

/* inode_nameless -- whether the inode has no name: the last close frees it. */
static inline bool inode_nameless(const struct nova_inode *inode)
{
	return inode->life == NOVA_LIFE_NAMELESS || inode->life == NOVA_LIFE_ORPHAN;
}

static inline bool inode_is(const struct nova_inode *inode, mode_t type)
{
	return inode->type == type >> 12;
}

/*
 * inode_read, inode_write -- find, lock (shared, exclusive) and load an inode, and check that the handle's generation
 * is alive: -ESTALE, -ENOMEM, -EIO (damaged, logged). With `index` the index is loaded too. Unlock with inode_unlock.
 */
int inode_read(struct nova_worker *worker, struct nova_handle handle, bool index, struct nova_inode **out);
int inode_write(struct nova_worker *worker, struct nova_handle handle, bool index, struct nova_inode **out);
void inode_unlock(struct nova_inode *inode);

/* inode_look -- the attributes, as from inode_read and inode_attr; a cold inode may stay cold. */
int inode_look(struct nova_worker *worker, struct nova_handle handle, struct nova_attr *attr);

/* inode_write_two -- inode_write for two inodes, or once if both are the same. The caller holds no other inode. */
int inode_write_two(struct nova_worker *worker, struct nova_handle a, struct nova_handle b, struct nova_inode **out_a,
                    struct nova_inode **out_b);

/*
 * inode_try_named -- lock exclusively, without waiting, the live inode that a name in a locked directory refers to.
 * -EAGAIN: the inode is locked; unlock everything, call inode_wait and start over. -EIO if the inode is not alive.
 */
int inode_try_named(struct nova_worker *worker, uint64_t ino, struct nova_inode **out);

/* inode_wait -- wait until the inode was unlocked for a moment. The caller holds no lock. */
void inode_wait(struct nova_worker *worker, uint64_t ino);

/* inode_lock_free -- lock the in-core inode of a slot that slots_take has just returned. */
int inode_lock_free(struct nova_worker *worker, uint64_t ino, struct nova_inode **out);

/* inode_lock -- lock exclusively whatever is in this slot, loaded or not. Errors as incore_find's; -EBUSY by
 * nova_may_defer. */
int inode_lock(struct nova_worker *worker, uint64_t ino, struct nova_inode **out);

/* inode_load -- under the exclusive lock: read the log if the index is not there. -EIO (logged), -ENOMEM; -EBUSY by
 * nova_may_defer. */
int inode_load(struct nova_worker *worker, struct nova_inode *inode);

/* inode_check -- under the exclusive lock: load the inode if it is not loaded, and return 0 if the handle is of it, else
 * -ESTALE. Other errors as inode_load's. */
int inode_check(struct nova_worker *worker, struct nova_inode *inode, struct nova_handle handle);

/* inode_costs_much -- whether an operation takes so long that a worker that serves others leaves it to another.
 * inode_defer_long -- -EBUSY if so, and the worker may defer it: see long.h. */
bool inode_costs_much(uint64_t cost_ns);
int inode_defer_long(struct nova_worker *worker, const struct nova_inode *inode, uint64_t cost_ns);

/* inode_attr -- the attributes of a locked inode. */
void inode_attr(const struct nova_inode *inode, struct nova_attr *attr);

#define CLEANUP_UNLOCK __attribute__((cleanup(inode_unlock_cleanup)))
static inline void inode_unlock_cleanup(struct nova_inode **inode)
{
	if (*inode)
		inode_unlock(*inode);
}

/* inode_write_locked -- for assertions: whether some thread holds the exclusive lock. True if the C library cannot say.
 */
static inline bool inode_write_locked(const struct nova_inode *inode)
{
#ifdef __GLIBC__
	return __atomic_load_n(&inode->lock.__data.__cur_writer, __ATOMIC_RELAXED) != 0;
#else
	return true;
#endif
}

/* inode_append_start -- begin to append to the log of an inode that is locked for writing. */
void inode_append_start(struct log_append *append, struct nova_inode *inode, enum alloc_use use);

/* inode_find_name -- the entry in a locked directory, or NULL. */
struct dir_entry *inode_find_name(const struct nova *fs, const struct nova_inode *dir, const char *name, size_t length);

#endif
