/*
 * dispatch.c -- messages of clients: decode, check slot and sequence, and find the handler of the operation.
 */
#include "server/ops/dispatch.h"

#include "common/log.h"
#include "server/loop/worker.h"
#include "server/net/conn.h"
#include "server/ops/ops.h"
#include "server/ops/request.h"
#include "server/state/session.h"

#include <errno.h>
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

const struct operation *dispatch_operation(unsigned op)
{
	if (op >= sizeof(operations) / sizeof(operations[0]) || !operations[op].run)
		return NULL;
	return &operations[op];
}

/* A reply without a body. */
static void answer(struct conn *conn, const struct proto_request *in, int error)
{
	struct worker *worker = conn->worker;
	struct proto_reply *reply = &worker->reply;

	reply->op = in->op;
	reply->slot = in->slot;
	reply->sequence = in->sequence;
	reply->status = (uint32_t)error;
	reply->invalidation = conn->session ? conn->session->layouts.invalidation_issued : 0;
	int length = proto_encode_reply(reply, worker->out, sizeof(worker->out));
	if (length > 0)
		conn_send(conn, worker->out, (size_t)length, true);
}

/*
 * The slot's rule: one more is new, the same again asks for the same reply. Returns whether the request is to be run.
 */
static bool take_slot(struct conn *conn, const struct proto_request *in)
{
	struct slot *slot = &conn->session->slots[in->slot];

	if (in->sequence == slot->sequence + 1 && !slot->busy) {
		slot->sequence = in->sequence;
		slot->cached_length = 0;
		return true;
	}
	if (in->sequence != slot->sequence || slot->busy || in->sequence == 0) {
		conn_fail(conn, slot->busy ? "it sent a second request in a busy slot"
		                           : "a request is out of its slot's sequence");
		return false;
	}
	if (slot->cached_length == 0)
		return true;
	conn_send(conn, slot->cached_reply, slot->cached_length, true);
	return false;
}

/* Before HELLO nothing else is understood. */
static void first_message(struct conn *conn, const struct proto_request *in, int rc, const char *why)
{
	if (in->op != PROTO_HELLO) {
		conn_fail(conn, "its first message is not HELLO");
	} else if (rc < 0) {
		conn_log_peer_error(conn, "HELLO", why);
		answer(conn, in, -rc);
	} else {
		session_hello(conn, in);
	}
}

void dispatch_message(struct conn *conn, const void *data, uint32_t length)
{
	struct proto_request *in = &conn->worker->request;
	const char *why = NULL;

	conn->heard_ms = conn->worker->now_ms;
	int rc = proto_decode_request(data, length, in, &why);
	if (rc < 0 && in->op == 0) {
		conn_log_peer_error(conn, "a message", why);
		conn_fail(conn, "what it sends is no message of this protocol");
		return;
	}
	struct session *session = conn->session;
	if (!session) {
		first_message(conn, in, rc, why);
		return;
	}
	if (layout_note_quiesced(&session->layouts, in->quiesced) < 0) {
		conn_fail(conn, "it has quiesced an invalidation it was never told");
		return;
	}
	if (in->slot == PROTO_SLOT_NONE) {
		if (rc == 0 && in->op == PROTO_LAYOUT_RETURN)
			return;
		if (rc == 0 && in->op == PROTO_BYE) {
			session_bye(session);
			answer(conn, in, 0);
			return;
		}
		conn_fail(conn, rc < 0 ? why : "it said HELLO twice");
		return;
	}
	if (session->ended) {
		conn_fail(conn, "it sent a request after BYE");
		return;
	}
	if (!take_slot(conn, in))
		return;
	if (rc < 0) {
		conn_log_peer_error(conn, proto_op_name(in->op), why);
		answer(conn, in, -rc);
		return;
	}
	request_run(conn, data, length, NULL);
}
