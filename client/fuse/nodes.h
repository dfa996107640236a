/*
 * nodes.h -- maps FUSE node ids to the server's handles, for the inodes that the kernel references.
 *
 * A node id contains the inode number and generation, so it identifies the inode permanently, even after the kernel or
 * this process has forgotten it: file handles (open_by_handle_at, NFS exports) contain node ids. Inode numbers of more
 * than 32 bits do not fit; the id of such a node is a hash, which becomes unknown when the kernel forgets the node. A
 * node exists while the kernel's lookup count is above zero.
 *
 * Thread safety: all functions.
 */
#ifndef FARNOVA_FUSE_NODES_H
#define FARNOVA_FUSE_NODES_H

#include "client/include/farnova.h"

#include <stdbool.h>
#include <stdint.h>

struct nodes;

/* nodes_new -- a table with the root, which has node id 1 and is never removed. NULL without memory. */
struct nodes *nodes_new(struct farnova_handle root);
void nodes_free(struct nodes *nodes);

/* nodes_handle -- the handle of a node id; an invalid handle (number 0) if the id is unknown. */
struct farnova_handle nodes_handle(struct nodes *nodes, uint64_t id);

/*
 * A node is plain while the inode is known to have no capabilities: the kernel asks for them before each write through
 * its cache.
 *
 * nodes_is_plain -- whether it is; `*state` receives a number. nodes_set_plain -- it is until `until_ns`
 * (CLOCK_MONOTONIC), unless it was set not plain after the nodes_is_plain that gave `state`: then the answer may be from
 * before that. nodes_set_not_plain -- capabilities were set.
 */
bool nodes_is_plain(struct nodes *nodes, uint64_t id, uint64_t now_ns, uint64_t *state);
void nodes_set_plain(struct nodes *nodes, uint64_t id, uint64_t until_ns, uint64_t state);
void nodes_set_not_plain(struct nodes *nodes, uint64_t id);

/*
 * nodes_set_filled, nodes_is_filled -- set or test whether the kernel's cache may have pages of the file, filled by a
 * read (pages.h).
 */
void nodes_set_filled(struct nodes *nodes, uint64_t id, bool filled);
bool nodes_is_filled(struct nodes *nodes, uint64_t id);

/* nodes_opened -- the file was opened for writing (1) or such an open was closed (-1). nodes_is_open_for_writing --
 * whether it is, so that a mapping may change pages. */
void nodes_opened(struct nodes *nodes, uint64_t id, int count);
bool nodes_is_open_for_writing(struct nodes *nodes, uint64_t id);

/*
 * nodes_recalled -- an invalidation of the file's pages has arrived (1) or was carried out (-1). nodes_is_recalled --
 * whether one is being carried out; if so, the caller will answer a read of pages, which nodes_answered counts.
 */
void nodes_recalled(struct nodes *nodes, uint64_t id, int count);
bool nodes_is_recalled(struct nodes *nodes, uint64_t id);
uint64_t nodes_answered(struct nodes *nodes, uint64_t id);

/* nodes_find -- the node id of `handle` if the kernel references it, else 0. */
uint64_t nodes_find(struct nodes *nodes, struct farnova_handle handle);

/* nodes_get -- the node id of `handle`, with one more reference. 0 without memory. */
uint64_t nodes_get(struct nodes *nodes, struct farnova_handle handle);

/* nodes_forget -- drop `count` references. */
void nodes_forget(struct nodes *nodes, uint64_t id, uint64_t count);

#endif
