/*
 * xattr_index.h -- the extended attributes of an inode: where each lies, in DRAM; their entries and blobs, on the
 * medium.
 *
 * The index is an array that exists only for an inode with attributes. It is built with the rest of the inode's index
 * and dropped with it. An attribute's name here is what follows the prefix of its space. The inode is locked: readers
 * share, a writer is alone.
 */
#ifndef FARNOVA_NOVA_XATTR_INDEX_H
#define FARNOVA_NOVA_XATTR_INDEX_H

#include "server/nova/inode/nova_inode.h"
#include "server/nova/log/inode_log.h"

struct xattr_ref {
	uint64_t line; /* where the XATTR entry lies: offset in the pool / 64 */
	uint32_t hash; /* of space and name */
};

struct xattr_index {
	uint32_t count;
	uint32_t capacity;
	uint32_t list_length; /* of all names, each with its prefix and a NUL */
	uint64_t lines;       /* of log that the entries take, at most */
	uint64_t blocks;      /* of all blobs */
	struct xattr_ref refs[];
};

struct xattr_name {
	enum nova_xattr_space space;
	const char *name;
	size_t length;
};

/* xattr_prefix -- what names of the space begin with; NULL if there is no such space. */
const char *xattr_prefix(unsigned space);

/* ---- what is there ---------------------------------------------------------------------------------------------- */

static inline uint32_t xattr_count(const struct nova_inode *inode)
{
	return inode->xattrs ? inode->xattrs->count : 0;
}

static inline uint64_t xattr_lines(const struct nova_inode *inode)
{
	return inode->xattrs ? inode->xattrs->lines : 0;
}

static inline uint64_t xattr_blocks(const struct nova_inode *inode)
{
	return inode->xattrs ? inode->xattrs->blocks : 0;
}

/* xattr_find -- its entry, or NULL. */
const struct nova_entry *xattr_find(const struct nova *fs, const struct nova_inode *inode,
                                    const struct xattr_name *name);

/* xattr_entry_name -- the name in an entry. */
struct xattr_name xattr_entry_name(const struct nova_entry *entry);

/* xattr_read -- copy the whole value; `value` has room for its length. -EIO if the blob is damaged (logged). */
int xattr_read(const struct nova *fs, const struct nova_inode *inode, const struct nova_entry *entry, uint8_t *value);

/* xattr_each_run -- the runs of blocks of an entry's blob; a nonzero return ends it. */
int xattr_each_run(const struct nova_entry *entry, int (*run)(void *context, uint64_t first, uint64_t count),
                   void *context);

/* xattr_place -- which of refs[] lies at this line; the count if none does. */
uint32_t xattr_place(const struct nova *fs, const struct nova_inode *inode, const struct nova_entry *entry,
                     uint64_t line);

/* xattr_index_bytes -- the memory that the index takes. */
uint64_t xattr_index_bytes(const struct nova_inode *inode);

/* ---- changes ---------------------------------------------------------------------------------------------------- */

/* The blocks of a value that is too long for its entry. */
struct xattr_blob {
	uint64_t first[NOVA_XATTR_RUNS_MAX];
	uint64_t count[NOVA_XATTR_RUNS_MAX];
};

/* One attribute's part in a transaction. */
struct xattr_change {
	struct xattr_name name;
	const void *value; /* NULL: it goes */
	size_t length;
	struct xattr_blob *blob; /* room for them, filled in; NULL for what is never so long, like an ACL */
	unsigned runs;           /* of the blob; private, as is the next */
	uint64_t line;
};

/*
 * xattr_append -- the change's blob and entry, made `now`, go beyond the tail. -ENOSPC, -ENOMEM; then call xattr_drop
 * once txn_drop is done and what was stored is fenced. After the commit call xattr_show, and then incore_index_changed.
 */
int xattr_append(struct nova_worker *worker, struct nova_inode *inode, struct log_append *log,
                 struct xattr_change *change, int64_t now);
void xattr_drop(struct nova_worker *worker, struct xattr_change *change);
void xattr_show(struct nova_worker *worker, struct nova_inode *inode, const struct xattr_change *change);

/* xattr_release -- the inode is dead: give back the blobs. */
struct release;
void xattr_release(struct release *release, struct nova_inode *inode);

/* xattr_forget -- drop the index. */
void xattr_forget(struct nova_inode *inode);

/* xattr_replay -- an entry of the inode's log, in order. NULL, or why it cannot be; *rc -ENOMEM. */
const char *xattr_replay(struct nova *fs, struct nova_inode *inode, const struct nova_entry *entry, uint64_t line,
                         int *rc);

/* xattr_check_places -- once the whole log was replayed: NULL, or why the blobs cannot lie where they do. */
const char *xattr_check_places(struct nova *fs, const struct nova_inode *inode);

/* xattr_moved -- GC has copied the entry of refs[i] to another line. */
void xattr_moved(const struct nova *fs, struct nova_inode *inode, uint32_t i, uint64_t line);

#endif
