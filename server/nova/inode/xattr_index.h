/*
 * xattr_index.h -- the extended attributes of an inode: an index in DRAM, entries and blobs on the medium.
 *
 * The index is an array of the places of the entries; only an inode with attributes has one. It is built and dropped
 * with the rest of the inode's index. Names here are without the prefix of their space. The inode is locked: readers
 * share, a writer is alone.
 */
#ifndef FARNOVA_NOVA_XATTR_INDEX_H
#define FARNOVA_NOVA_XATTR_INDEX_H

#include "server/nova/inode/nova_inode.h"
#include "server/nova/log/inode_log.h"

struct xattr_ref {
	uint64_t line; /* of the XATTR entry: offset in the pool / 64 */
	uint32_t hash; /* of space and name */
};

struct xattr_index {
	uint32_t count;
	uint32_t capacity;
	uint32_t list_length; /* of all names, each with its prefix and a NUL */
	uint64_t lines;       /* the most lines of log that the entries take */
	uint64_t blocks;      /* of all blobs */
	struct xattr_ref refs[];
};

struct xattr_name {
	enum nova_xattr_space space;
	const char *name;
	size_t length;
};

/* xattr_prefix -- the prefix of all names of the space; NULL if there is no such space. */
const char *xattr_prefix(unsigned space);

/* ---- look-up ---------------------------------------------------------------------------------------------------- */

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

/* xattr_find -- the attribute's entry, or NULL. */
const struct nova_entry *xattr_find(const struct nova *fs, const struct nova_inode *inode,
                                    const struct xattr_name *name);

/* xattr_entry_name -- the name in an entry. */
struct xattr_name xattr_entry_name(const struct nova_entry *entry);

/* xattr_read -- copy the whole value; `value` has room for its length. -EIO if the blob is damaged (logged). */
int xattr_read(const struct nova *fs, const struct nova_inode *inode, const struct nova_entry *entry, uint8_t *value);

/* xattr_each_run -- call `run` for each run of blocks of an entry's blob; a nonzero return ends it and is returned. */
int xattr_each_run(const struct nova_entry *entry, int (*run)(void *context, uint64_t first, uint64_t count),
                   void *context);

/* xattr_place -- the index in refs[] of the entry, if it is the valid one of its name; else the count. */
uint32_t xattr_place(const struct nova *fs, const struct nova_inode *inode, const struct nova_entry *entry,
                     uint64_t line);

/* xattr_index_bytes -- the memory of the index. */
uint64_t xattr_index_bytes(const struct nova_inode *inode);

/* ---- changes ---------------------------------------------------------------------------------------------------- */

/* The blocks of a value that is too long for its entry. */
struct xattr_blob {
	uint64_t first[NOVA_XATTR_RUNS_MAX];
	uint64_t count[NOVA_XATTR_RUNS_MAX];
};

/* The change of one attribute in a transaction. */
struct xattr_change {
	struct xattr_name name;
	const void *value; /* NULL: remove the attribute */
	size_t length;
	struct xattr_blob
	    *blob;     /* xattr_append fills it in; may be NULL if the value fits into the entry, as ACLs do */
	unsigned runs; /* of the blob; private, as is the next */
	uint64_t line;
};

/*
 * xattr_append -- store the blob and append the entry, with the time `now`. -ENOSPC, -EDQUOT, -ENOMEM. If the change is
 * dropped, call xattr_drop after txn_drop and a fence. After the commit call xattr_show, then incore_index_changed.
 */
int xattr_append(struct nova_worker *worker, struct nova_inode *inode, struct log_append *log,
                 struct xattr_change *change, int64_t now);
void xattr_drop(struct nova_worker *worker, struct xattr_change *change);
void xattr_show(struct nova_worker *worker, struct nova_inode *inode, const struct xattr_change *change);

/* xattr_release -- release the blobs of a dead inode. */
struct release;
void xattr_release(struct release *release, struct nova_inode *inode);

/* xattr_forget -- free the index. */
void xattr_forget(struct nova_inode *inode);

/* xattr_replay -- apply the next XATTR entry of the log. Returns NULL, or the reason why the entry is invalid; *rc is 0
 * or -ENOMEM. */
const char *xattr_replay(struct nova *fs, struct nova_inode *inode, const struct nova_entry *entry, uint64_t line,
                         int *rc);

/* xattr_check_places -- after the replay of the whole log: NULL, or the reason why the place of a blob is invalid. */
const char *xattr_check_places(struct nova *fs, const struct nova_inode *inode);

/* xattr_moved -- GC has copied the entry of refs[i] to another line. */
void xattr_moved(const struct nova *fs, struct nova_inode *inode, uint32_t i, uint64_t line);

#endif
