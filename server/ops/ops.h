/*
 * ops.h -- the handlers of all operations. Each takes a decoded request, checks what it means, and fills the reply's
 * body; 0, -errno for the reply's status, or DEFERRED.
 */
#ifndef FARNOVA_SERVER_OPS_H
#define FARNOVA_SERVER_OPS_H

#include "proto/proto.h"

#include <stdint.h>

struct layout_change;
struct open;
struct request;

/*
 * ops_names.c has those on names, ops_files.c on inodes, opens and the session, ops_xattr.c on extended attributes,
 * ops_data.c on bytes, ops_space.c on where a file has data and on limits of projects.
 */
#define PROTO_OPERATION(NAME, number, handler, keeps_reply, changes, open) int op_##handler(struct request *rq);
#include "proto/ops.def"

/* ops_get_open -- the open a request names, if it is of a file and has one of the rights `access`. */
int ops_get_open(const struct request *rq, uint64_t id, uint32_t access, const struct open **out);
/*
 * ops_old_size -- of a file that is about to change, if the session's own layout of it goes on: else nobody asks.
 * ops_range_changed -- whole blocks [*from, *from + *count) that are not what they were after a change of
 * [offset, offset + length): what lies between the old end and the data has become zeros from nothing, and the old last
 * block may have been copied.
 */
uint64_t ops_old_size(struct request *rq, struct proto_handle file, const struct layout_change *change);
void ops_range_changed(uint64_t old_size, uint64_t offset, uint64_t length, uint64_t *from, uint64_t *count);

#endif
