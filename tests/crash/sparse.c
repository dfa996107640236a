/*
 * sparse.c -- remembers which pages of a large memory were stored to.
 */
#include "tests/crash/sparse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const uint8_t zeros[SPARSE_PAGE];

static size_t pages_of(uint64_t bytes)
{
	return (size_t)((bytes + SPARSE_PAGE - 1) >> SPARSE_SHIFT);
}

void sparse_init(struct sparse *sparse, uint64_t room)
{
	size_t pages = pages_of(room);
	void *base =
	    mmap(NULL, pages * SPARSE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	*sparse = (struct sparse){.base = base, .size = room, .room = room};
	sparse->is_noted = calloc(pages, sizeof(*sparse->is_noted));
	sparse->noted = malloc(pages * sizeof(*sparse->noted));
	if (base == MAP_FAILED || !sparse->is_noted || !sparse->noted) {
		fprintf(stderr, "sparse: out of memory\n");
		abort();
	}
	/* A large page for each single one that is touched would be most of the memory that is used. */
	madvise(base, pages * SPARSE_PAGE, MADV_NOHUGEPAGE);
}

void sparse_free(struct sparse *sparse)
{
	if (sparse->base)
		munmap(sparse->base, pages_of(sparse->room) * SPARSE_PAGE);
	free(sparse->is_noted);
	free(sparse->noted);
	*sparse = (struct sparse){0};
}

static uint8_t *page_at(const struct sparse *sparse, uint32_t page)
{
	return sparse->base + ((uint64_t)page << SPARSE_SHIFT);
}

static void note_page(struct sparse *sparse, uint32_t page)
{
	if (sparse->is_noted[page])
		return;
	sparse->is_noted[page] = 1;
	sparse->noted[sparse->noted_count++] = page;
}

void sparse_note(struct sparse *sparse, uint64_t offset, uint64_t length)
{
	if (length == 0)
		return;
	if (offset > sparse->size || length > sparse->size - offset) {
		fprintf(stderr, "sparse: store of %llu bytes at %llu beyond the end\n", (unsigned long long)length,
		        (unsigned long long)offset);
		abort();
	}
	for (uint64_t page = offset >> SPARSE_SHIFT; page <= (offset + length - 1) >> SPARSE_SHIFT; page++)
		note_page(sparse, (uint32_t)page);
}

void sparse_clear(struct sparse *sparse, uint64_t size)
{
	for (size_t i = 0; i < sparse->noted_count; i++) {
		memset(page_at(sparse, sparse->noted[i]), 0, SPARSE_PAGE);
		sparse->is_noted[sparse->noted[i]] = 0;
	}
	sparse->noted_count = 0;
	sparse->size = size;
}

void sparse_copy(struct sparse *to, const struct sparse *from)
{
	size_t kept = 0;

	for (size_t i = 0; i < to->noted_count; i++) {
		uint32_t page = to->noted[i];

		if (page < pages_of(from->room) && from->is_noted[page]) {
			to->noted[kept++] = page;
			continue;
		}
		memset(page_at(to, page), 0, SPARSE_PAGE);
		to->is_noted[page] = 0;
	}
	to->noted_count = kept;
	to->size = from->size;
	for (size_t i = 0; i < from->noted_count; i++) {
		note_page(to, from->noted[i]);
		memcpy(page_at(to, from->noted[i]), page_at(from, from->noted[i]), SPARSE_PAGE);
	}
}

/* Of the pages that `a` has noted. */
static bool same_pages(const struct sparse *a, const struct sparse *b, uint64_t *where)
{
	for (size_t i = 0; i < a->noted_count; i++) {
		uint32_t page = a->noted[i];

		*where = (uint64_t)page << SPARSE_SHIFT;
		if (memcmp(page_at(a, page), page_at(b, page), SPARSE_PAGE) != 0)
			return false;
	}
	return true;
}

bool sparse_equal(const struct sparse *a, const struct sparse *b, uint64_t *where)
{
	*where = a->size < b->size ? a->size : b->size;
	return a->size == b->size && same_pages(a, b, where) && same_pages(b, a, where);
}

bool sparse_whole(const struct sparse *sparse, uint64_t *where)
{
	for (uint32_t page = 0; page < pages_of(sparse->size); page++) {
		*where = (uint64_t)page << SPARSE_SHIFT;
		if (!sparse->is_noted[page] && memcmp(page_at(sparse, page), zeros, SPARSE_PAGE) != 0)
			return false;
	}
	return true;
}
