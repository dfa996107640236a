/*
 * dir_index.h -- the names of a directory in DRAM.
 *
 * A few entries are in an array in the order of their cookies. More entries are in an open-addressing table, each at or
 * near the place that its hash gives, so that a look-up in a large directory reads one cache line of the table; a
 * second array has their places in the order of cookies. A removed entry leaves a tombstone until the table is packed.
 * A hash is only a hint: the name's bytes on the medium decide. Not thread safe: readers share, a writer is alone (the
 * inode's lock).
 */
#ifndef FARNOVA_NOVA_DIR_INDEX_H
#define FARNOVA_NOVA_DIR_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dir_entry {
	uint64_t cookie;
	uint64_t line; /* of the NAME entry: offset in the pool / 64; 0 = removed */
	uint64_t ino : 48;
	uint64_t type : 8;   /* S_IFMT bits >> 12 */
	uint64_t length : 8; /* 0 = this place of the table was never used */
	uint32_t hash;
	uint32_t number; /* while loading: how many entries were added before */
};

struct dir_index {
	struct dir_entry *table;
	uint32_t
	    *order; /* the entries' places in the table by cookie; NULL while few or loading: the table is in order */
	uint32_t places; /* in the table */
	uint32_t count;  /* entries used, with tombstones */
	uint32_t live;
	bool loading;   /* dir_index_load */
	uint64_t lines; /* of the log, taken by the live entries */
};

/* dir_index_entry -- the i-th of `count` entries in the order of cookies; a tombstone has line 0. */
static inline struct dir_entry *dir_index_entry(const struct dir_index *index, uint32_t i)
{
	return &index->table[index->order ? index->order[i] : i];
}

void dir_index_clear(struct dir_index *index);

/* dir_index_bytes -- the memory of the index. */
uint64_t dir_index_bytes(const struct dir_index *index);

/* dir_index_hash -- the hash of a name, with a seed that attackers do not know. */
uint32_t dir_index_hash(uint64_t seed, const char *name, size_t length);

/* dir_index_find -- the entry of this name, or NULL. `base` is the pool's start. */
struct dir_entry *dir_index_find(const struct dir_index *index, const uint8_t *base, uint32_t hash, const char *name,
                                 size_t length);

/* dir_index_likely -- the first entry with this hash, or NULL. It is the entry of the name, if there is one, unless
 * hashes collide. */
const struct dir_entry *dir_index_likely(const struct dir_index *index, uint32_t hash);

/* dir_index_after -- the number of entries, with tombstones, before the first whose cookie is greater than `cookie`. */
uint32_t dir_index_after(const struct dir_index *index, uint64_t cookie);

/* dir_index_at -- the live entry with this cookie, or NULL. */
struct dir_entry *dir_index_at(const struct dir_index *index, uint64_t cookie);

/* dir_index_reserve -- allocate room for `more` entries, so that dir_index_add cannot fail. -ENOMEM; moves entries. */
int dir_index_reserve(struct dir_index *index, uint32_t more);

/* dir_index_add -- add an entry; room was reserved. The cookie is greater than all others, or the index is loading and
 * dir_index_sort is called before any look-up. */
void dir_index_add(struct dir_index *index, const struct dir_entry *entry);

/*
 * dir_index_load -- begin to replay a log into this empty index. Until dir_index_load_done entries are found by their
 * cookies alone, so that replay adds and removes names without a random memory access for each.
 */
void dir_index_load(struct dir_index *index);

/* dir_index_sort -- while loading: sort the entries by cookie; entries with the same cookie stay in the order in which
 * they were added. */
void dir_index_sort(struct dir_index *index);

/* dir_index_load_done -- end loading. -ENOMEM: the index is still loading. Moves entries. */
int dir_index_load_done(struct dir_index *index);

/* dir_index_replace -- let `entry`, which is in the index, refer to the inode of `by`, which has the same cookie and
 * name. */
void dir_index_replace(struct dir_entry *entry, const struct dir_entry *by);

/* dir_index_remove -- remove `entry`, which is in the index. Never moves entries. */
void dir_index_remove(struct dir_index *index, struct dir_entry *entry);

#endif
