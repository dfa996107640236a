/*
 * extent_tree.c -- the known extents of a file: a treap of disjoint extents.
 *
 * Every change of a layout cuts the tree at two offsets and joins the outer parts with a new middle; a treap does both
 * in a few lines.
 */
#include "client/session/extent_tree.h"

#include <stdlib.h>

struct extent_node {
	struct extent_node *left, *right;
	uint64_t priority; /* greater than that of its children */
	struct proto_extent extent;
};

void extent_pool_init(struct extent_pool *pool, size_t limit)
{
	*pool = (struct extent_pool){.limit = limit, .seed = 0x9e3779b97f4a7c15u};
}

void extent_pool_destroy(struct extent_pool *pool)
{
	while (pool->free) {
		struct extent_node *node = pool->free;
		pool->free = node->left;
		free(node);
	}
}

static struct extent_node *node_get(struct extent_pool *pool, const struct proto_extent *extent)
{
	if (pool->used == pool->limit)
		return NULL;
	struct extent_node *node = pool->free;
	if (node)
		pool->free = node->left;
	else if (!(node = malloc(sizeof(*node))))
		return NULL;
	pool->used++;
	/* xorshift64: balance needs only bits that do not depend on the offsets */
	pool->seed ^= pool->seed << 13;
	pool->seed ^= pool->seed >> 7;
	pool->seed ^= pool->seed << 17;
	*node = (struct extent_node){.priority = pool->seed, .extent = *extent};
	return node;
}

static void node_put(struct extent_pool *pool, struct extent_node *node)
{
	node->left = pool->free;
	pool->free = node;
	pool->used--;
}

static void tree_put(struct extent_pool *pool, struct extent_node *tree)
{
	while (tree) {
		struct extent_node *left = tree->left;
		tree_put(pool, tree->right);
		node_put(pool, tree);
		tree = left;
	}
}

/* part -- the extent without its first `skip` bytes. */
static struct proto_extent part(const struct proto_extent *extent, uint64_t skip)
{
	return (struct proto_extent){.offset = extent->offset + skip,
	                             .length = extent->length - skip,
	                             .address = extent->key ? extent->address + skip : 0,
	                             .key = extent->key};
}

/* join -- one tree of two; every extent of `left` lies before every extent of `right`. */
static struct extent_node *join(struct extent_node *left, struct extent_node *right)
{
	if (!left)
		return right;
	if (!right)
		return left;
	if (left->priority > right->priority) {
		left->right = join(left->right, right);
		return left;
	}
	right->left = join(left, right->left);
	return right;
}

/*
 * cut -- split the tree: `*before` gets the bytes below `at`, `*after` the others. An extent that contains `at` is
 * shortened and goes to `before`; `*rest` gets its remainder (length 0 if none). So cutting needs no memory and cannot
 * fail.
 */
static void cut(struct extent_node *tree, uint64_t at, struct extent_node **before, struct extent_node **after,
                struct proto_extent *rest)
{
	if (!tree) {
		*before = *after = NULL;
	} else if (tree->extent.offset < at) {
		if (tree->extent.offset + tree->extent.length > at) {
			uint64_t keep = at - tree->extent.offset;
			*rest = part(&tree->extent, keep);
			tree->extent.length = keep;
		}
		cut(tree->right, at, &tree->right, after, rest);
		*before = tree;
	} else {
		cut(tree->left, at, before, &tree->left, rest);
		*after = tree;
	}
}

/* replace -- remove [offset, offset + length) and insert `node` (may be NULL) there. */
static void replace(struct extent_pool *pool, struct extents *extents, uint64_t offset, uint64_t length,
                    struct extent_node *node)
{
	struct extent_node *before, *middle, *after;
	struct proto_extent rest = {0}, tail = {0};
	uint64_t end = offset + length;

	cut(extents->root, offset, &before, &middle, &rest);
	if (rest.length > 0 && rest.offset + rest.length > end)
		tail = part(&rest, end - offset);
	cut(middle, end, &middle, &after, &tail);
	tree_put(pool, middle);
	extents->root = join(join(before, node), after);
	if (tail.length == 0)
		return;

	/* An extent may extend beyond the range: the part behind the range stays valid and needs its own node. */
	struct extent_node *kept = node_get(pool, &tail);
	if (!kept) {
		extents_clear(pool, extents);
		return;
	}
	cut(extents->root, end, &before, &after, &rest);
	extents->root = join(join(before, kept), after);
}

void extents_forget(struct extent_pool *pool, struct extents *extents, uint64_t offset, uint64_t length)
{
	replace(pool, extents, offset, length, NULL);
}

void extents_add(struct extent_pool *pool, struct extents *extents, const struct proto_extent *extent)
{
	struct extent_node *node = node_get(pool, extent);
	if (node)
		replace(pool, extents, extent->offset, extent->length, node);
	else
		extents_clear(pool, extents);
}

bool extents_find(const struct extents *extents, uint64_t offset, struct proto_extent *out)
{
	const struct extent_node *node = extents->root;
	while (node) {
		if (offset < node->extent.offset) {
			node = node->left;
		} else if (offset - node->extent.offset >= node->extent.length) {
			node = node->right;
		} else {
			*out = part(&node->extent, offset - node->extent.offset);
			return true;
		}
	}
	return false;
}

void extents_clear(struct extent_pool *pool, struct extents *extents)
{
	tree_put(pool, extents->root);
	extents->root = NULL;
}
