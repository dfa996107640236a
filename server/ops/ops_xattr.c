/*
 * ops_xattr.c -- operations on extended attributes: GETXATTR, SETXATTR, LISTXATTR, REMOVEXATTR.
 *
 * A value or a list may be longer than a message. It is sent in pieces; each has the inode's change number, so that the
 * client can see whether the pieces belong together. A client sends a long value through the staging ring.
 */
#include "server/net/conn.h"
#include "server/ops/ops.h"
#include "server/ops/request.h"
#include "server/state/session.h"
#include "server/state/state.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static_assert(PROTO_XATTR_CREATE == NOVA_XATTR_CREATE && PROTO_XATTR_REPLACE == NOVA_XATTR_REPLACE,
              "flags pass through");
static_assert(sizeof(((struct state *)NULL)->data) >= PROTO_MAX_XATTR_VALUE, "a thread's buffer holds any value");

/* Put the requested piece into the reply; the thread's buffer has the whole value or list. */
static int put_piece(struct request *rq, ssize_t total, uint64_t change)
{
	uint32_t limit = conn_reply_room(rq->conn) - PROTO_XATTR_FIXED;
	uint32_t offset = rq->in->getxattr.offset, length = rq->in->getxattr.size;

	if (total < 0)
		return (int)total;
	if (offset > total)
		offset = (uint32_t)total;
	if (length > total - offset)
		length = (uint32_t)total - offset;
	rq->out->xattr.total = (uint32_t)total;
	rq->out->xattr.change = change;
	rq->out->xattr.length = length < limit ? length : limit;
	rq->out->xattr.data = rq->state->data + offset;
	return 0;
}

int op_getxattr(struct request *rq)
{
	struct nova_handle file = core_handle(rq->in->getxattr.handle);
	struct proto_string name = rq->in->getxattr.name;
	uint64_t change = 0;

	ssize_t total = nova_getxattr(&rq->call, file, name.data, name.length, rq->state->data,
	                              rq->in->getxattr.size ? sizeof(rq->state->data) : 0, &change);
	return put_piece(rq, total, change);
}

int op_listxattr(struct request *rq)
{
	struct nova_handle file = core_handle(rq->in->listxattr.handle);
	uint64_t change = 0;

	ssize_t total = nova_listxattr(&rq->call, file, (char *)rq->state->data,
	                               rq->in->listxattr.size ? sizeof(rq->state->data) : 0, &change);
	return put_piece(rq, total, change);
}

int op_setxattr(struct request *rq)
{
	const struct proto_request *in = rq->in;
	uint64_t ring = rq->shared->config->staging_size, staging = in->setxattr.staging;
	const void *value = in->setxattr.value;
	uint32_t length = in->setxattr.length;

	if (staging != PROTO_XATTR_HERE) {
		if ((rq->conn && !rq->session->staging_region) || length > ring || staging > ring - length) {
			conn_log_peer_error(rq->conn, "SETXATTR", "the range is not within a staging ring that it has");
			return -EINVAL;
		}
		/* The client can change the staged bytes at any time, so the bytes that are checked must be a copy. */
		memcpy(rq->state->data, rq->session->staging + staging, length);
		value = rq->state->data;
	}
	int rc = nova_setxattr(&rq->call, core_handle(in->setxattr.handle), in->setxattr.name.data,
	                       in->setxattr.name.length, value, length, in->setxattr.flags, NULL);
	return request_space(rq, rc);
}

int op_removexattr(struct request *rq)
{
	struct proto_string name = rq->in->removexattr.name;

	int rc = nova_removexattr(&rq->call, core_handle(rq->in->removexattr.handle), name.data, name.length, NULL);
	return request_space(rq, rc);
}
