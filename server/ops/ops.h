/*
 * ops.h -- the handlers of all operations. Each takes a decoded request, checks its arguments, and fills the body of
 * the reply. Returns 0, -errno for the reply's status, or DEFERRED.
 */
#ifndef FARNOVA_SERVER_OPS_H
#define FARNOVA_SERVER_OPS_H

#include "proto/proto.h"
#include "server/nova/nova.h"

#include <stdbool.h>
#include <stdint.h>

struct layout_change;
struct open;
struct request;

/*
 * ops_names.c: names; ops_files.c: inodes, opens and the session; ops_xattr.c: extended attributes; ops_data.c: reads,
 * writes and layouts; ops_space.c: the space of files, and limits of projects.
 */
#define PROTO_OPERATION(NAME, number, handler, keeps_reply, changes, open) int op_##handler(struct request *rq);
#include "proto/ops.def"

/* ops_get_open -- the open that a request names. -EBADF if there is none with one of the rights `access`, -EISDIR. */
int ops_get_open(const struct request *rq, uint64_t id, uint32_t access, const struct open **out);
/* ops_open_again -- fill in the reply to an OPEN, REOPEN or TMPFILE that has been executed, and whose new open has been
 * lost with its session: `created` or truncated, it is opened as it is now. */
int ops_open_again(struct request *rq, struct nova_handle file, uint32_t flags, bool created);

/*
 * ops_old_size -- the size of a file before a change; 0 if the session has no layout of it that continues, since then
 * nothing uses the size. ops_range_changed -- the range of whole blocks, *from and *count in bytes, that a change of
 * [offset, offset + length) has changed: it begins at the old end if that is lower, because the part between has become
 * zeros and the old last block may have been copied.
 */
uint64_t ops_old_size(struct request *rq, struct proto_handle file, const struct layout_change *change);
void ops_range_changed(uint64_t old_size, uint64_t offset, uint64_t length, uint64_t *from, uint64_t *count);

#endif
