/*
 * sparse.h -- memory as large as a pool, of which only the pages that were stored to cost anything.
 *
 * Whoever stores to it notes that (sparse_note): copying, comparing and emptying go over the pages that are noted, all
 * others are zero. Not thread safe.
 */
#ifndef FARNOVA_TESTS_CRASH_SPARSE_H
#define FARNOVA_TESTS_CRASH_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPARSE_SHIFT 12
#define SPARSE_PAGE  (1u << SPARSE_SHIFT)

struct sparse {
	uint8_t *base; /* page aligned; NULL: not made yet */
	uint64_t size; /* bytes that are in use */
	uint64_t room; /* bytes that there are, zero beyond `size` */
	uint8_t *is_noted;
	uint32_t *noted; /* numbers of pages, in no order */
	size_t noted_count;
};

/* sparse_init -- `room` bytes, all zero and in use. Aborts without memory. */
void sparse_init(struct sparse *sparse, uint64_t room);
void sparse_free(struct sparse *sparse);

/* sparse_note -- these bytes are stored to, now or soon. */
void sparse_note(struct sparse *sparse, uint64_t offset, uint64_t length);

/* sparse_clear -- `size` bytes, all zero. */
void sparse_clear(struct sparse *sparse, uint64_t size);

/* sparse_copy -- make `to` equal to `from`, which it has room for. */
void sparse_copy(struct sparse *to, const struct sparse *from);

/* sparse_equal -- whether both have the same size and bytes; else *where is that of the first page that differs. */
bool sparse_equal(const struct sparse *a, const struct sparse *b, uint64_t *where);

/* sparse_whole -- whether everything that is not noted is zero indeed: looks at every byte. */
bool sparse_whole(const struct sparse *sparse, uint64_t *where);

#endif
