/*
 * inode.h -- inodes in DRAM: found by number without a hash, loaded on first use, locked.
 */
#ifndef FARNOVA_NOVA_INODE_H
#define FARNOVA_NOVA_INODE_H

#include "server/nova/inode/incore.h"
#include "server/nova/log/inode_log.h"

static inline bool inode_alive(const struct nova_inode *inode)
{
	return life_has_log((enum nova_life)inode->life);
}

/* inode_nameless -- it lives only as long as somebody has it open. */
static inline bool inode_nameless(const struct nova_inode *inode)
{
	return inode->life == NOVA_LIFE_NAMELESS || inode->life == NOVA_LIFE_ORPHAN;
}

static inline bool inode_is(const struct nova_inode *inode, mode_t type)
{
	return inode->type == type >> 12;
}

/*
 * inode_read, inode_write -- find, lock (shared, exclusive), load, and check that the handle's generation lives:
 * -ESTALE, -ENOMEM, -EIO (damaged, logged). With `index` the index is there too. Unlock with inode_unlock.
 */
int inode_read(struct nova_worker *worker, struct nova_handle handle, bool index, struct nova_inode **out);
int inode_write(struct nova_worker *worker, struct nova_handle handle, bool index, struct nova_inode **out);
void inode_unlock(struct nova_inode *inode);

/* inode_look -- its attributes, as inode_read and inode_attr would give them; a cold inode may stay cold. */
int inode_look(struct nova_worker *worker, struct nova_handle handle, struct nova_attr *attr);

/* inode_write_two -- both; the same inode once. The caller holds no other. */
int inode_write_two(struct nova_worker *worker, struct nova_handle a, struct nova_handle b, struct nova_inode **out_a,
                    struct nova_inode **out_b);

/*
 * inode_try_named -- lock exclusively, without waiting, the live inode that a name in a locked directory leads to.
 * -EAGAIN: it is busy; unlock everything, call inode_wait and start over. -EIO if the name leads to no live inode.
 */
int inode_try_named(struct nova_worker *worker, uint64_t ino, struct nova_inode **out);

/* inode_wait -- until the inode was free for a moment. The caller holds no lock. */
void inode_wait(struct nova_worker *worker, uint64_t ino);

/* inode_lock_free -- lock the in-core inode of a slot just taken. */
int inode_lock_free(struct nova_worker *worker, uint64_t ino, struct nova_inode **out);

/* inode_attr -- under a lock. */
void inode_attr(const struct nova_inode *inode, struct nova_attr *attr);

#define CLEANUP_UNLOCK __attribute__((cleanup(inode_unlock_cleanup)))
static inline void inode_unlock_cleanup(struct nova_inode **inode)
{
	if (*inode)
		inode_unlock(*inode);
}

/* inode_write_locked -- for assertions: some thread has it exclusively. True where the C library does not tell. */
static inline bool inode_write_locked(const struct nova_inode *inode)
{
#ifdef __GLIBC__
	return __atomic_load_n(&inode->lock.__data.__cur_writer, __ATOMIC_RELAXED) != 0;
#else
	return true;
#endif
}

/* inode_append_start -- begin to append to the log of an inode that is locked for writing. */
void inode_append_start(struct log_append *append, struct nova_inode *inode, const struct nova_request *request,
                        bool privileged);

/* inode_find_name -- the entry in a locked directory, or NULL. */
struct dir_entry *inode_find_name(const struct nova *fs, const struct nova_inode *dir, const char *name, size_t length);

#endif
