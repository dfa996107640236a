/*
 * dir_index.h -- the names of a directory in DRAM.
 *
 * Entries lie in an array in the order of their cookies; a removed one leaves a tombstone until the array is packed. An
 * open-addressing table finds them by hash. A hash is only a hint: the name's bytes on the medium decide. Not thread
 * safe: readers share, a writer is alone (the inode's lock).
 */
#ifndef FARNOVA_NOVA_DIR_INDEX_H
#define FARNOVA_NOVA_DIR_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct dir_entry {
	uint64_t cookie;
	uint64_t line; /* where the NAME entry lies: offset in the pool / 64; 0 = removed */
	uint64_t ino : 48;
	uint64_t type : 8; /* S_IFMT bits >> 12 */
	uint64_t length : 8;
	uint32_t hash;
};

struct dir_index {
	struct dir_entry *entries;
	uint32_t *table; /* index in entries + 1, 0 = free; NULL while few */
	uint32_t count;  /* entries used, with tombstones */
	uint32_t live;
	uint32_t capacity;
	uint32_t table_mask;
	uint64_t lines; /* of log that the live entries take */
};

void dir_index_clear(struct dir_index *index);

/* dir_index_bytes -- the memory it takes. */
uint64_t dir_index_bytes(const struct dir_index *index);

/* dir_index_hash -- of a name, under a seed that attackers do not know. */
uint32_t dir_index_hash(uint64_t seed, const char *name, size_t length);

/* dir_index_find -- the entry of this name, or NULL. `base` is the pool's start. */
struct dir_entry *dir_index_find(const struct dir_index *index, const uint8_t *base, uint32_t hash, const char *name,
                                 size_t length);

/* dir_index_after -- the place in `entries` of the first entry with a cookie greater than `cookie`, tombstones too. */
uint32_t dir_index_after(const struct dir_index *index, uint64_t cookie);

/* dir_index_at -- the live entry with this cookie, or NULL. */
struct dir_entry *dir_index_at(const struct dir_index *index, uint64_t cookie);

/* dir_index_reserve -- room for `more` entries, so that dir_index_add cannot fail. -ENOMEM; moves entries. */
int dir_index_reserve(struct dir_index *index, uint32_t more);

/* dir_index_add -- room was reserved. `entry` has a greater cookie than all, or dir_index_sort is called before
 * anything else is asked. */
void dir_index_add(struct dir_index *index, const struct dir_entry *entry);

/* dir_index_sort -- put entries that were added out of order into the order of their cookies; moves them. */
void dir_index_sort(struct dir_index *index);

/* dir_index_remove -- `entry` is in the array. Never moves entries. */
void dir_index_remove(struct dir_index *index, struct dir_entry *entry);

#endif
