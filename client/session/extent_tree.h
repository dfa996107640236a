/*
 * extent_tree.h -- the known extents of a file: disjoint, in order of file offset.
 *
 * The structure is a tree because a randomly overwritten file has as many extents as blocks, and every write replaces
 * one of them. No locking: the caller holds the connection's lock. Nodes come from a pool that all files of a
 * connection share; the pool never exceeds its limit.
 */
#ifndef FARNOVA_CLIENT_EXTENT_TREE_H
#define FARNOVA_CLIENT_EXTENT_TREE_H

#include "proto/proto.h"

#include <stdbool.h>
#include <stddef.h>

struct extent_node;

struct extent_pool {
	struct extent_node *free;
	size_t used;   /* nodes in the trees of all files */
	size_t limit;  /* maximum of `used` */
	uint64_t seed; /* state of the random numbers that balance the trees */
};

struct extents {
	struct extent_node *root;
};

void extent_pool_init(struct extent_pool *pool, size_t limit);
/* extent_pool_destroy -- all trees must be empty. */
void extent_pool_destroy(struct extent_pool *pool);

/*
 * extents_forget -- remove what is known of [offset, offset + length). extents_add -- replace what is known of the
 * range of `extent` by `extent`. At the pool's limit or without memory both forget the whole file. That is always safe:
 * the client can ask the server again.
 */
void extents_forget(struct extent_pool *pool, struct extents *extents, uint64_t offset, uint64_t length);
void extents_add(struct extent_pool *pool, struct extents *extents, const struct proto_extent *extent);

/* extents_find -- find the extent that contains `offset` and return its part from `offset` on; false if none is
 * known. */
bool extents_find(const struct extents *extents, uint64_t offset, struct proto_extent *out);

/* extents_clear -- forget all extents of a file. */
void extents_clear(struct extent_pool *pool, struct extents *extents);

#endif
