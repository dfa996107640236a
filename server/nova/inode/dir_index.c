/*
 * dir_index.c -- names by hash and in cookie order.
 */
#include "server/nova/inode/dir_index.h"

#include "server/nova/media/entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FIRST_ENTRIES 4u
#define LARGE_PAGE    (2u << 20)
#define LARGE_FROM    (4u << 20)
#define PLACES_AHEAD  16u
#define TABLE_FROM    16u /* with fewer places a linear search is faster */

/* Access to a large array is random: with huge pages the CPU needs fewer page table reads for each. */
static void want_large_pages(void *array, size_t bytes)
{
	uintptr_t first = ((uintptr_t)array + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1);
	uintptr_t end = ((uintptr_t)array + bytes) & ~(uintptr_t)(LARGE_PAGE - 1);

	if (bytes >= LARGE_FROM)
		madvise((void *)first, end - first, MADV_HUGEPAGE); /* a failure does no harm */
}

void dir_index_clear(struct dir_index *index)
{
	free(index->table);
	free(index->order);
	memset(index, 0, sizeof *index);
}

/* At most four fifths of a table are used, so that probe sequences stay short. */
static uint32_t room_of(uint64_t places, bool hashed)
{
	return (uint32_t)(hashed ? places - places / 5 : places);
}

uint64_t dir_index_bytes(const struct dir_index *index)
{
	uint64_t order = index->order ? room_of(index->places, true) * sizeof *index->order : 0;

	return index->places * sizeof *index->table + order;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint32_t dir_index_hash(uint64_t seed, const char *name, size_t length)
{
	uint64_t state = seed ^ length * 0x9e3779b97f4a7c15ULL;
	uint64_t word;

	for (; length >= 8; name += 8, length -= 8) {
		memcpy(&word, name, 8);
		state = mix(state ^ word, 0xd6e8feb86659fd93ULL ^ seed);
	}
	word = 0;
	memcpy(&word, name, length);
	state = mix(state ^ word, 0xa0761d6478bd642fULL ^ seed);
	return (uint32_t)(state ^ state >> 32);
}

static int same_name(const struct dir_entry *entry, const uint8_t *base, const char *name, size_t length)
{
	return entry->length == length &&
	       memcmp(base + entry->line * NOVA_LINE_SIZE + ENTRY_NAME_OFFSET, name, length) == 0;
}

static uint32_t first_place(const struct dir_index *index, uint32_t hash)
{
	return index->order ? (uint32_t)((uint64_t)hash * index->places >> 32) : 0;
}

static uint32_t next_place(const struct dir_index *index, uint32_t at)
{
	return at + 1 == index->places && index->order ? 0 : at + 1;
}

static bool is_end(const struct dir_index *index, uint32_t at)
{
	return index->order ? !index->table[at].length : at == index->count;
}

/* The first entry with this hash from `at` on, or NULL; `at` becomes its place. */
static struct dir_entry *probe(const struct dir_index *index, uint32_t hash, uint32_t *at)
{
	if (!index->places)
		return NULL;
	for (; !is_end(index, *at); *at = next_place(index, *at))
		if (index->table[*at].hash == hash && index->table[*at].line)
			return &index->table[*at];
	return NULL;
}

const struct dir_entry *dir_index_likely(const struct dir_index *index, uint32_t hash)
{
	uint32_t at = first_place(index, hash);

	return probe(index, hash, &at);
}

struct dir_entry *dir_index_find(const struct dir_index *index, const uint8_t *base, uint32_t hash, const char *name,
                                 size_t length)
{
	struct dir_entry *entry;

	for (uint32_t at = first_place(index, hash); (entry = probe(index, hash, &at)); at = next_place(index, at))
		if (same_name(entry, base, name, length))
			return entry;
	return NULL;
}

uint32_t dir_index_after(const struct dir_index *index, uint64_t cookie)
{
	uint32_t low = 0;
	uint32_t high = index->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (dir_index_entry(index, middle)->cookie > cookie)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct dir_entry *dir_index_at(const struct dir_index *index, uint64_t cookie)
{
	uint32_t after = dir_index_after(index, cookie);
	struct dir_entry *entry;

	if (after == 0)
		return NULL;
	entry = dir_index_entry(index, after - 1);
	return entry->cookie == cookie && entry->line ? entry : NULL;
}

/* The caller has reserved room. */
static void put(struct dir_index *index, const struct dir_entry *entry)
{
	uint32_t at = index->count;

	if (index->order) {
		at = first_place(index, entry->hash);
		while (index->table[at].length)
			at = next_place(index, at);
		index->order[index->count] = at;
	}
	index->table[at] = *entry;
	if (index->loading)
		index->table[at].number = index->count;
	index->count++;
}

static bool is_hashed(const struct dir_index *index, uint64_t places)
{
	return places >= TABLE_FROM && !index->loading;
}

/* Prefetch the place in the table where the entry will be put. */
static void prefetch_place(const struct dir_index *index, const struct dir_entry *entry)
{
	__builtin_prefetch(&index->table[first_place(index, entry->hash)], 1);
}

/* Copy the live entries into a table of so many places. */
static int rebuild(struct dir_index *index, uint64_t places)
{
	struct dir_index packed = {
	    .places = (uint32_t)places, .live = index->live, .lines = index->lines, .loading = index->loading};

	packed.table = calloc(places, sizeof *packed.table);
	if (!packed.table)
		return -ENOMEM;
	want_large_pages(packed.table, places * sizeof *packed.table);
	if (is_hashed(index, places)) {
		packed.order = malloc(room_of(places, true) * sizeof *packed.order);
		if (!packed.order) {
			free(packed.table);
			return -ENOMEM;
		}
	}
	for (uint32_t i = 0; i < index->count; i++) {
		if (i + PLACES_AHEAD < index->count)
			prefetch_place(&packed, dir_index_entry(index, i + PLACES_AHEAD));
		if (dir_index_entry(index, i)->line)
			put(&packed, dir_index_entry(index, i));
	}
	free(index->table);
	free(index->order);
	*index = packed;
	return 0;
}

/* So many places have room for `entries`. */
static uint64_t places_for(const struct dir_index *index, uint64_t entries)
{
	uint64_t places = entries > FIRST_ENTRIES ? entries : FIRST_ENTRIES;

	return is_hashed(index, places) ? places + places / 4 + 1 : places;
}

int dir_index_reserve(struct dir_index *index, uint32_t more)
{
	uint64_t needed = (uint64_t)index->live + more;
	uint32_t room = room_of(index->places, index->order);
	uint64_t places;

	if ((uint64_t)index->count + more <= room)
		return 0;
	/* Packing pays for itself once a quarter of the room is tombstones. */
	if (needed <= room - room / 4)
		return rebuild(index, index->places);
	places = places_for(index, needed + index->live / 2);
	return places > UINT32_MAX ? -ENOMEM : rebuild(index, places);
}

void dir_index_add(struct dir_index *index, const struct dir_entry *entry)
{
	put(index, entry);
	index->live++;
	index->lines += entry_name_lines(entry->length);
}

void dir_index_load(struct dir_index *index)
{
	index->loading = true;
}

static int compare_cookies(const void *a, const void *b)
{
	const struct dir_entry *x = a;
	const struct dir_entry *y = b;

	if (x->cookie != y->cookie)
		return x->cookie < y->cookie ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

void dir_index_sort(struct dir_index *index)
{
	qsort(index->table, index->count, sizeof *index->table, compare_cookies);
}

int dir_index_load_done(struct dir_index *index)
{
	int rc = 0;

	index->loading = false;
	if (index->places >= TABLE_FROM)
		rc = rebuild(index, places_for(index, index->live));
	index->loading = rc;
	return rc;
}

void dir_index_replace(struct dir_entry *entry, const struct dir_entry *by)
{
	entry->line = by->line;
	entry->ino = by->ino;
	entry->type = by->type;
}

void dir_index_remove(struct dir_index *index, struct dir_entry *entry)
{
	entry->line = 0;
	index->live--;
	index->lines -= entry_name_lines(entry->length);
}
