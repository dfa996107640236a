/*
 * file_index.c -- radix tree from file block to block.
 */
#include "server/nova/inode/file_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FANOUT       512u
#define SHIFT        9u
#define FIRST_BLOCKS 4u

/* A node has FANOUT pointers or, as a leaf, FANOUT blocks: both have the same size. */
_Static_assert(sizeof(void *) == sizeof(uint64_t), "a node is 4 KiB");

/* Returns how many nodes that were. */
static uint64_t free_node(void *node, uint32_t height)
{
	uint64_t freed = 1;

	if (!node)
		return 0;
	if (height > 0) {
		void **children = node;

		for (uint32_t i = 0; i < FANOUT; i++)
			freed += free_node(children[i], height - 1);
	}
	free(node);
	return freed;
}

void file_index_clear(struct file_index *index)
{
	free_node(index->root, index->height);
	memset(index, 0, sizeof *index);
}

uint64_t file_index_bytes(const struct file_index *index)
{
	return index->height ? index->nodes * FANOUT * sizeof(uint64_t) : index->capacity * sizeof(uint64_t);
}

/* Measured: an extent takes 0.3 to 0.9 us to be released, moved or logged. */
#define EXTENT_NS 700u
#define BLOCK_NS  20u
#define NODE_NS   300u
#define LOOKED_AT 65536u /* blocks, in which it takes some microseconds to find the first that is mapped */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool covers(const struct file_index *index, uint64_t file_block)
{
	if (index->height == 0)
		return file_block < index->capacity;
	return file_block >> (SHIFT * (index->height + 1)) == 0;
}

/* Whether an extent begins with `block`, if `before` is the value of the file block before. */
static bool begins(uint64_t before, uint64_t block)
{
	return block != 0 && (before == 0 || block != before + 1);
}

/* The leaf that has file_block, or NULL. */
static uint64_t *leaf_of(const struct file_index *index, uint64_t file_block)
{
	void *node = index->root;

	if (!covers(index, file_block))
		return NULL;
	for (uint32_t level = index->height; level > 0 && node; level--)
		node = ((void **)node)[file_block >> (SHIFT * level) & (FANOUT - 1)];
	return node;
}

uint64_t file_index_get(const struct file_index *index, uint64_t file_block)
{
	const uint64_t *leaf = leaf_of(index, file_block);

	return leaf ? leaf[file_block & (FANOUT - 1)] : 0;
}

void file_index_prefetch(const struct file_index *index, uint64_t file_block)
{
	const uint64_t *leaf = leaf_of(index, file_block);

	if (leaf)
		__builtin_prefetch(&leaf[file_block & (FANOUT - 1)]);
}

/* Find the first file block in [from, end) that is not a hole; `node` has `entries` entries. */
static bool next_in_node(const void *node, uint32_t height, uint64_t from, uint64_t end, uint64_t entries,
                         uint64_t *found)
{
	uint64_t first = from >> (SHIFT * height);

	if (!node)
		return false;
	if (height == 0) {
		const uint64_t *leaf = node;

		for (uint64_t i = first; i < entries && i < end; i++)
			if (leaf[i]) {
				*found = i;
				return true;
			}
		return false;
	}
	for (uint64_t i = first; i < entries; i++) {
		uint64_t base = i << (SHIFT * height);

		if (base >= end)
			return false;
		if (next_in_node(((void *const *)node)[i], height - 1, from > base ? from - base : 0, end - base,
		                 FANOUT, found)) {
			*found += base;
			return true;
		}
	}
	return false;
}

/* A caller that asks for a few blocks does not pay for a search through a hole behind them. */
static bool next_below(const struct file_index *index, uint64_t from, uint64_t end, uint64_t *file_block)
{
	if (!covers(index, from))
		return false;
	return next_in_node(index->root, index->height, from, end, index->height ? FANOUT : index->capacity,
	                    file_block);
}

uint64_t file_index_cost(const struct file_index *index, uint64_t first, uint64_t end, uint64_t blocks)
{
	uint64_t span = end > first ? end - first : 0;
	uint64_t mapped = least(span, blocks);
	uint64_t nodes = index->height ? least(index->nodes, span / FANOUT + 1) : 0;
	uint64_t next;

	/* To grow a file is no change of what it has. */
	if (span <= LOOKED_AT && !next_below(index, first, end, &next))
		mapped = 0;

	return EXTENT_NS * least(mapped, index->extents) + BLOCK_NS * mapped + NODE_NS * nodes;
}

uint64_t file_index_run(const struct file_index *index, uint64_t file_block, uint64_t max, uint64_t *count)
{
	uint64_t first = file_index_get(index, file_block);
	uint64_t n = 1;

	if (first == 0) {
		uint64_t next;

		*count = next_below(index, file_block, file_block + max, &next) ? next - file_block : max;
		return 0;
	}
	while (n < max) {
		uint64_t at = file_block + n;
		const uint64_t *leaf = leaf_of(index, at);
		uint64_t i = at & (FANOUT - 1);
		uint64_t end = index->height ? FANOUT : index->capacity;

		if (!leaf)
			break;
		if (end - i > max - n)
			end = i + (max - n);
		for (; i < end; i++, n++)
			if (leaf[i] != first + n) {
				*count = n;
				return first;
			}
	}
	*count = n;
	return first;
}

bool file_index_next(const struct file_index *index, uint64_t from, uint64_t *file_block)
{
	return next_below(index, from, UINT64_MAX, file_block);
}

static int grow_array(struct file_index *index, uint64_t blocks)
{
	uint32_t capacity = index->capacity ? index->capacity : FIRST_BLOCKS;
	uint64_t *array;

	while (capacity < blocks)
		capacity *= 2;
	array = realloc(index->root, capacity * sizeof *array);
	if (!array)
		return -ENOMEM;
	memset(array + index->capacity, 0, (capacity - index->capacity) * sizeof *array);
	index->root = array;
	index->capacity = capacity;
	return 0;
}

/* Add levels above the root until the tree covers file_block. */
static int grow_height(struct file_index *index, uint64_t file_block)
{
	if (index->height == 0 && index->root && index->capacity < FANOUT) {
		int rc = grow_array(index, FANOUT);

		if (rc)
			return rc;
	}
	if (index->height == 0) {
		index->capacity = FANOUT;
		index->nodes = index->root ? 1 : 0;
	}
	while (!covers(index, file_block)) {
		void **node = NULL;

		if (index->root) {
			node = calloc(FANOUT, sizeof *node);
			if (!node)
				return -ENOMEM;
			node[0] = index->root;
			index->nodes++;
		}
		index->root = node;
		index->height++;
	}
	return 0;
}

static int make_leaf(struct file_index *index, uint64_t file_block)
{
	void **place = &index->root;

	for (uint32_t level = index->height;; level--) {
		if (!*place) {
			*place = calloc(FANOUT, sizeof(uint64_t));
			if (!*place)
				return -ENOMEM;
			index->nodes++;
		}
		if (level == 0)
			return 0;
		place = &((void **)*place)[file_block >> (SHIFT * level) & (FANOUT - 1)];
	}
}

int file_index_reserve(struct file_index *index, uint64_t file_block, uint64_t count)
{
	uint64_t last = file_block + count - 1;
	int rc;

	if (index->height == 0 && last < FANOUT)
		return last < index->capacity ? 0 : grow_array(index, last + 1);
	if (!covers(index, last)) {
		rc = grow_height(index, last);
		if (rc)
			return rc;
	}
	for (uint64_t at = file_block & ~(uint64_t)(FANOUT - 1); at <= last; at += FANOUT) {
		if (leaf_of(index, at))
			continue;
		rc = make_leaf(index, at);
		if (rc)
			return rc;
	}
	return 0;
}

uint64_t file_index_set(struct file_index *index, uint64_t file_block, uint64_t block)
{
	uint64_t *leaf = leaf_of(index, file_block);
	uint64_t i = file_block & (FANOUT - 1);
	uint64_t before;
	uint64_t after;
	uint64_t old;

	if (!leaf)
		return 0;
	old = leaf[i];
	before = i ? leaf[i - 1] : file_block ? file_index_get(index, file_block - 1) : 0;
	after = i + 1 < FANOUT && covers(index, file_block + 1) ? leaf[i + 1] : file_index_get(index, file_block + 1);
	index->extents += (uint64_t)begins(before, block) + begins(block, after);
	index->extents -= (uint64_t)begins(before, old) + begins(old, after);
	leaf[i] = block;
	return old;
}

void file_index_set_run(struct file_index *index, uint64_t file_block, uint64_t value, uint64_t count,
                        file_index_replaced *replaced, void *context)
{
	uint64_t before = file_block ? file_index_get(index, file_block - 1) : 0;
	uint64_t after = file_index_get(index, file_block + count);
	uint64_t last = before; /* the old value of the previous file block */
	uint64_t gone = 0;      /* extents that began in the replaced part, or right behind it */
	uint64_t run = 0;       /* the old values from `from` to `n` are a run that begins with this value */
	uint64_t from = 0, n = 0;

	while (n < count) {
		uint64_t *leaf = leaf_of(index, file_block + n);
		uint64_t i = (file_block + n) & (FANOUT - 1);

		for (; i < FANOUT && n < count; i++, n++) {
			uint64_t old = leaf[i];

			leaf[i] = value + n;
			gone += begins(last, old);
			last = old;
			if (replaced && n && old != (run ? run + (n - from) : 0)) {
				replaced(context, run, value + from, n - from);
				from = n;
			}
			if (n == from)
				run = old;
		}
	}
	if (replaced)
		replaced(context, run, value + from, n - from);
	index->extents += (uint64_t)begins(before, value) + begins(value + count - 1, after);
	index->extents -= gone + begins(last, after);
}

struct truncation {
	void (*drop)(void *context, uint64_t block);
	void *context;
	uint64_t before;  /* the old value of the previous file block */
	uint64_t extents; /* the number of extents that began in the dropped part */
};

/* Returns how many nodes were freed. */
static uint64_t truncate_node(void *node, uint32_t height, uint64_t from, uint64_t limit, struct truncation *cut)
{
	uint64_t freed = 0;

	if (height == 0) {
		uint64_t *leaf = node;

		for (uint64_t i = from; i < limit; i++) {
			cut->extents += begins(cut->before, leaf[i]);
			cut->before = leaf[i];
			if (leaf[i] && cut->drop)
				cut->drop(cut->context, leaf[i]);
			leaf[i] = 0;
		}
		return 0;
	}
	for (uint64_t i = from >> (SHIFT * height); i < FANOUT; i++) {
		uint64_t base = i << (SHIFT * height);
		void **child = &((void **)node)[i];

		if (!*child) {
			cut->before = 0;
			continue;
		}
		freed += truncate_node(*child, height - 1, from > base ? from - base : 0, FANOUT, cut);
		if (from <= base) {
			freed += free_node(*child, height - 1);
			*child = NULL;
		}
	}
	return freed;
}

void file_index_truncate(struct file_index *index, uint64_t from, void (*drop)(void *context, uint64_t block),
                         void *context)
{
	struct truncation cut = {.drop = drop, .context = context};

	if (!index->root || !covers(index, from))
		return;
	if (from)
		cut.before = file_index_get(index, from - 1);
	index->nodes -= truncate_node(index->root, index->height, from, index->height ? FANOUT : index->capacity, &cut);
	index->extents -= cut.extents;
	if (from == 0)
		file_index_clear(index);
}

bool file_index_next_extent(const struct file_index *index, uint64_t *at, struct extent *out)
{
	uint64_t zone_left;

	if (!file_index_next(index, *at, &out->file_block))
		return false;
	out->value = file_index_run(index, out->file_block, NOVA_ZONE_BLOCKS, &out->count);
	/* Blocks of two zones may be adjacent in the pool, but they are counted and claimed zone by zone. */
	zone_left = NOVA_ZONE_BLOCKS - (file_block_of(out->value) - NOVA_PREAMBLE_BLOCKS) % NOVA_ZONE_BLOCKS;
	if (out->count > zone_left)
		out->count = zone_left;
	*at = out->file_block + out->count;
	return true;
}
