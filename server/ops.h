/*
 * ops.h -- the handlers of all operations. Each takes a decoded request, checks what it means, and fills the reply's
 * body; 0, -errno for the reply's status, or REQUEST_PARKED.
 */
#ifndef FARNOVA_SERVER_OPS_H
#define FARNOVA_SERVER_OPS_H

#include <stdint.h>

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

/* ops_space.c: where a file has data */
int op_fallocate(struct request *rq);
int op_seek(struct request *rq);
int op_copy(struct request *rq);

#endif
