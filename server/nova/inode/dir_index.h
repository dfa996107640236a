/*
 * dir_index.h -- the names of a directory in DRAM.
 *
 * A few entries lie in an array in the order of their cookies. More lie in an open-addressing table by their hash, each
 * where the look-up of its name begins, so that of a large directory one line of memory leads to the name; an array
 * beside it has their places in the order of cookies. A removed entry leaves a tombstone until all are packed. A hash
 * is only a hint: the name's bytes on the medium decide. Not thread safe: readers share, a writer is alone (the
 * inode's lock).
 */
#ifndef FARNOVA_NOVA_DIR_INDEX_H
#define FARNOVA_NOVA_DIR_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dir_entry {
	uint64_t cookie;
	uint64_t line; /* where the NAME entry lies: offset in the pool / 64; 0 = removed */
	uint64_t ino : 48;
	uint64_t type : 8;   /* S_IFMT bits >> 12 */
	uint64_t length : 8; /* 0 = this place of the table was never used */
	uint32_t hash;
	uint32_t number; /* while loading: how many were added before it */
};

struct dir_index {
	struct dir_entry *table;
	uint32_t
	    *order; /* the entries' places in the table by cookie; NULL while few or loading: then they lie in order */
	uint32_t places; /* that the table has */
	uint32_t count;  /* entries used, with tombstones */
	uint32_t live;
	bool loading;   /* dir_index_load */
	uint64_t lines; /* of log that the live entries take */
};

/* dir_index_entry -- the i-th of `count` in the order of cookies; a tombstone has line 0. */
static inline struct dir_entry *dir_index_entry(const struct dir_index *index, uint32_t i)
{
	return &index->table[index->order ? index->order[i] : i];
}

void dir_index_clear(struct dir_index *index);

/* dir_index_bytes -- the memory it takes. */
uint64_t dir_index_bytes(const struct dir_index *index);

/* dir_index_hash -- of a name, under a seed that attackers do not know. */
uint32_t dir_index_hash(uint64_t seed, const char *name, size_t length);

/* dir_index_find -- the entry of this name, or NULL. `base` is the pool's start. */
struct dir_entry *dir_index_find(const struct dir_index *index, const uint8_t *base, uint32_t hash, const char *name,
                                 size_t length);

/* dir_index_likely -- the first entry with this hash, or NULL: the one with the name if it is there, but for chance. */
const struct dir_entry *dir_index_likely(const struct dir_index *index, uint32_t hash);

/* dir_index_after -- how many entries come before the first with a cookie greater than `cookie`, tombstones too. */
uint32_t dir_index_after(const struct dir_index *index, uint64_t cookie);

/* dir_index_at -- the live entry with this cookie, or NULL. */
struct dir_entry *dir_index_at(const struct dir_index *index, uint64_t cookie);

/* dir_index_reserve -- room for `more` entries, so that dir_index_add cannot fail. -ENOMEM; moves entries. */
int dir_index_reserve(struct dir_index *index, uint32_t more);

/* dir_index_add -- room was reserved. `entry` has a greater cookie than all, or the index is loading and
 * dir_index_sort is called before anything is asked. */
void dir_index_add(struct dir_index *index, const struct dir_entry *entry);

/*
 * dir_index_load -- a log is replayed into this empty index: until dir_index_load_done its entries are found by their
 * cookies alone. Names come and go in the order of a log then without a look at a random place for each.
 */
void dir_index_load(struct dir_index *index);

/* dir_index_sort -- while loading: put entries that were added out of order into the order of their cookies; those with
 * one cookie stay in the order in which they were added. */
void dir_index_sort(struct dir_index *index);

/* dir_index_load_done -- loading is over. -ENOMEM: it goes on. Moves entries. */
int dir_index_load_done(struct dir_index *index);

/* dir_index_replace -- `entry`, which is in the index, leads where `by` does, which has its cookie and name. */
void dir_index_replace(struct dir_entry *entry, const struct dir_entry *by);

/* dir_index_remove -- `entry` is in the index. Never moves entries. */
void dir_index_remove(struct dir_index *index, struct dir_entry *entry);

#endif
