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

/* ops_names.c: operations on names */
int op_lookup(struct request *rq);
int op_create(struct request *rq);
int op_symlink(struct request *rq);
int op_link(struct request *rq);
int op_unlink(struct request *rq);
int op_rmdir(struct request *rq);
int op_rename(struct request *rq);
int op_readdir(struct request *rq);
int op_readlink(struct request *rq);

/* ops_files.c: operations on inodes, opens and the session */
int op_cred(struct request *rq);
int op_ping(struct request *rq);
int op_getattr(struct request *rq);
int op_setattr(struct request *rq);
int op_access(struct request *rq);
int op_statfs(struct request *rq);
int op_open(struct request *rq);
int op_reopen(struct request *rq);
int op_tmpfile(struct request *rq);
int op_close(struct request *rq);

/* ops_quota.c: limits of projects */
int op_quota_get(struct request *rq);
int op_quota_set(struct request *rq);

/* ops_xattr.c: extended attributes */
int op_getxattr(struct request *rq);
int op_setxattr(struct request *rq);
int op_listxattr(struct request *rq);
int op_removexattr(struct request *rq);

/* ops_data.c: bytes */
int op_read(struct request *rq);
int op_write(struct request *rq);
int op_write_commit(struct request *rq);
int op_layout_get(struct request *rq);
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

/* ops_space.c: where a file has data */
int op_fallocate(struct request *rq);
int op_seek(struct request *rq);
int op_copy(struct request *rq);

#endif
