/*
 * table.c -- the table of operations: how each is handled.
 */
#include "server/ops/table.h"

#include "proto/proto.h"
#include "server/ops/ops.h"

#include <stddef.h>

static const struct operation operations[] = {
    [PROTO_CRED] = {op_cred, false, false},
    [PROTO_PING] = {op_ping, false, false},
    [PROTO_LOOKUP] = {op_lookup, false, false},
    [PROTO_GETATTR] = {op_getattr, false, false},
    [PROTO_SETATTR] = {op_setattr, true, true},
    [PROTO_ACCESS] = {op_access, false, false},
    [PROTO_OPEN] = {op_open, true, false},
    [PROTO_REOPEN] = {op_reopen, true, false},
    [PROTO_CLOSE] = {op_close, true, false},
    [PROTO_READ] = {op_read, false, false},
    [PROTO_WRITE] = {op_write, true, true},
    [PROTO_WRITE_COMMIT] = {op_write_commit, true, true},
    [PROTO_LAYOUT_GET] = {op_layout_get, false, false},
    [PROTO_READDIR] = {op_readdir, false, false},
    [PROTO_CREATE] = {op_create, true, true},
    [PROTO_SYMLINK] = {op_symlink, true, true},
    [PROTO_READLINK] = {op_readlink, false, false},
    [PROTO_LINK] = {op_link, true, true},
    [PROTO_UNLINK] = {op_unlink, true, true},
    [PROTO_RMDIR] = {op_rmdir, true, true},
    [PROTO_RENAME] = {op_rename, true, true},
    [PROTO_STATFS] = {op_statfs, false, false},
    [PROTO_GETXATTR] = {op_getxattr, false, false},
    [PROTO_SETXATTR] = {op_setxattr, true, true},
    [PROTO_LISTXATTR] = {op_listxattr, false, false},
    [PROTO_REMOVEXATTR] = {op_removexattr, true, true},
    [PROTO_FALLOCATE] = {op_fallocate, true, true},
    [PROTO_SEEK] = {op_seek, false, false},
    [PROTO_COPY] = {op_copy, true, true},
    [PROTO_TMPFILE] = {op_tmpfile, true, true},
    [PROTO_QUOTA_GET] = {op_quota_get, false, false},
    [PROTO_QUOTA_SET] = {op_quota_set, true, true},
};

const struct operation *table_operation(unsigned op)
{
	if (op >= sizeof(operations) / sizeof(operations[0]) || !operations[op].run)
		return NULL;
	return &operations[op];
}
