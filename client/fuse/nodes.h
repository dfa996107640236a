/*
 * nodes.h -- the inodes the kernel holds references to: between FUSE node ids and the server's handles.
 *
 * A node id holds the inode number and its generation, so it names the same inode for ever, also after the kernel or
 * this process has forgotten it: file handles (open_by_handle_at, exports by NFS) are made of node ids. Inode numbers
 * of more than 32 bits do not fit: such a node has a hash for its id, which is unknown once the kernel has forgotten
 * the node. A node lives while the kernel's lookup count of it is above zero.
 *
 * Thread safety: all functions.
 */
#ifndef FARNOVA_FUSE_NODES_H
#define FARNOVA_FUSE_NODES_H

#include "client/include/farnova.h"

#include <stdbool.h>
#include <stdint.h>

struct nodes;

/* nodes_new -- a table with the root, which is node id 1 and never dies. NULL if memory is short. */
struct nodes *nodes_new(struct farnova_handle root);
void nodes_free(struct nodes *nodes);

/* nodes_handle -- the handle of a node id, or one that no inode has (number 0) if the id is unknown. */
struct farnova_handle nodes_handle(struct nodes *nodes, uint64_t id);

/*
 * nodes_set_plain, nodes_is_plain -- until a moment (CLOCK_MONOTONIC, 0: not at all) the inode is known to have no
 * capabilities: the kernel asks for them before each write that goes through its cache.
 */
void nodes_set_plain(struct nodes *nodes, uint64_t id, uint64_t until_ns);
bool nodes_is_plain(struct nodes *nodes, uint64_t id, uint64_t now_ns);

/* nodes_get -- the node id of `handle`, one reference more. 0 if memory is short. */
uint64_t nodes_get(struct nodes *nodes, struct farnova_handle handle);

/* nodes_forget -- give back `count` references. */
void nodes_forget(struct nodes *nodes, uint64_t id, uint64_t count);

#endif
