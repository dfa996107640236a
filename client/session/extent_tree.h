/*
 * extent_tree.h -- what a client knows of where a file's bytes lie: disjoint extents in order of file offset.
 *
 * A tree, since a file that is overwritten at random has as many extents as blocks and every write replaces one of
 * them. No locking: the caller holds the connection's lock. Nodes come from a pool that a connection's files share and
 * that never grows beyond its limit.
 */
#ifndef FARNOVA_CLIENT_EXTENT_TREE_H
#define FARNOVA_CLIENT_EXTENT_TREE_H

#include "proto/proto.h"

#include <stdbool.h>
#include <stddef.h>

struct extent_node;

struct extent_pool {
	struct extent_node *free;
	size_t used;   /* nodes in files' trees */
	size_t limit;  /* of used */
	uint64_t seed; /* of the trees' shape */
};

struct extents {
	struct extent_node *root;
};

void extent_pool_init(struct extent_pool *pool, size_t limit);
/* extent_pool_destroy -- all trees must be empty. */
void extent_pool_destroy(struct extent_pool *pool);

/*
 * extents_forget -- nothing is known any more of [offset, offset + length). extents_add -- `extent` takes the place of
 * whatever was known of its range. Past the pool's limit or without memory everything known of the file is forgotten,
 * which is always safe: the server can be asked again.
 */
void extents_forget(struct extent_pool *pool, struct extents *extents, uint64_t offset, uint64_t length);
void extents_add(struct extent_pool *pool, struct extents *extents, const struct proto_extent *extent);

/* extents_find -- the rest from `offset` on of the extent that holds it; false if nothing is known of it. */
bool extents_find(const struct extents *extents, uint64_t offset, struct proto_extent *out);

/* extents_clear -- forget everything. */
void extents_clear(struct extent_pool *pool, struct extents *extents);

#endif
