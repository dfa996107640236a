/*
 * dispatch.c -- messages of clients: decode, check slot and sequence, run the handler of the operation, and answer.
 */
#include "server/ops/dispatch.h"

#include "common/log.h"
#include "server/net/conn.h"
#include "server/nova/clients.h"
#include "server/ops/repeat.h"
#include "server/ops/request.h"
#include "server/ops/table.h"
#include "server/state/channel.h"
#include "server/state/seal.h"
#include "server/state/session.h"
#include "server/state/state.h"

#include <errno.h>
#include <stddef.h>

#define PATH_TRIES 10 /* how often a path is walked if its inode is freed before it is used */

/* A reply without a body. */
static void answer(struct state *state, struct conn *conn, const struct proto_request *in, int error)
{
	struct proto_reply *reply = &state->reply;

	reply->reason = (struct proto_string){0};

	reply->op = in->op;
	reply->slot = in->slot;
	reply->sequence = in->sequence;
	reply->status = (uint32_t)error;
	reply->slots = conn->session ? conn->session->slots.window : 0;
	reply->window = conn->session ? conn->session->slots.number : 0;
	reply->invalidation = conn->session ? conn->session->layouts.lease.invalidation_issued : 0;
	int length = proto_encode_reply(reply, state->out, sizeof(state->out));
	if (length > 0)
		conn_send(conn, state->out, (size_t)length, true);
}

/* Grant the session's staging ring, or take it back. */
static void answer_staging(struct state *state, struct conn *conn, const struct proto_request *in)
{
	bool want = in->staging.want != 0;
	int rc = session_staging(conn->session, want);

	if (rc < 0)
		conn_log_peer_error(conn, "STAGING",
		                    "its staging ring cannot be registered: raise the memlock limit (ulimit -l) or "
		                    "lower staging_size");
	state->reply.staging.granted = want;
	state->reply.staging.address = 0;
	state->reply.staging.key = want && rc == 0 ? transport_region_key(conn->session->staging_region) : 0;
	answer(state, conn, in, -rc);
}

/*
 * The rule of a slot: the next sequence is a new request; the same sequence asks for the reply again. The first request
 * that the session has in the slot may have any sequence. Returns whether the request must be run. *judged: it may have
 * been executed before, and only the pool tells.
 */
static bool take_slot(struct conn *conn, const struct proto_request *in, bool *judged)
{
	struct slot *slot;

	int rc = slot_table_find(&conn->session->slots, in->slot, &slot);
	if (rc < 0) {
		conn_fail(conn,
		          rc == -EPROTO ? "it uses a slot that it was not granted" : "out of memory for its slots");
		return false;
	}
	bool first = slot->sequence == 0 && in->sequence != 0;
	*judged = first;
	if ((first || in->sequence == proto_next_sequence(slot->sequence)) && !slot->busy) {
		slot->sequence = in->sequence;
		slot_table_drop(slot);
		return true;
	}
	if (in->sequence != slot->sequence || slot->busy || in->sequence == 0) {
		conn_fail(conn, slot->busy ? "it sent a second request in a busy slot"
		                           : "a request is out of its slot's sequence");
		return false;
	}
	*judged = slot->forgotten;
	if (slot->reply_length == 0)
		return true;
	conn_send(conn, slot->reply, slot->reply_length, true);
	return false;
}

/*
 * judge -- the first request that a session has in a slot may have been executed before the session, and the newest one
 * before its reply was forgotten. 1: it was, with this outcome. 0: it was not. -EPROTO: the client breaks the rules, and
 * the connection has been ended. Else -errno.
 */
static int judge(struct conn *conn, const struct proto_request *in, struct nova_outcome *outcome)
{
	struct session *session = conn->session;

	int rc = session->client ? nova_client_outcome(session->state->shared->nova, session->client, in->slot,
	                                               in->sequence, outcome)
	                         : 0;
	/* A PING asks whether the slot's last request is over: it is. */
	if (rc > 0 && in->op == PROTO_PING)
		return 0;
	if (rc == -EPROTO || (rc > 0 && outcome->op != in->op)) {
		conn_fail(conn, "it repeats a request that it has seen answered, or another in its place");
		return -EPROTO;
	}
	return rc;
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

/* The cached reply for a repeat on a new connection: the layouts have ended with the old connection. */
static void cache_reply(struct session *session, uint32_t slot, struct proto_reply *reply)
{
	uint8_t bytes[SLOT_REPLY_SIZE];

	if (reply->status == 0 && (reply->op == PROTO_OPEN || reply->op == PROTO_REOPEN)) {
		reply->open.layout = false;
		reply->open.extent_count = 0;
	} else if (reply->status == 0 && (reply->op == PROTO_WRITE || reply->op == PROTO_WRITE_COMMIT)) {
		reply->write.dropped = true;
		reply->write.replaced_length = 0;
		reply->write.extent_count = 0;
	}
	int length = proto_encode_reply(reply, bytes, sizeof(bytes));
	if (length > 0)
		slot_table_keep(&session->slots, slot, bytes, (uint32_t)length);
}

static void reply_to(struct request *rq, const struct operation *operation, int rc)
{
	struct state *state = rq->state;
	struct proto_reply *reply = rq->out;
	const struct proto_request *in = rq->in;

	reply->op = in->op;
	reply->slot = in->slot;
	reply->sequence = in->sequence;
	reply->status = (uint32_t)-rc;
	reply->slots = rq->session->slots.window;
	reply->window = rq->session->slots.number;
	reply->invalidation = rq->session->layouts.lease.invalidation_issued;
	seal_reply(state->sealer, reply);
	int length = proto_encode_reply(reply, state->out, sizeof(state->out));
	if (length < 0) {
		log_error_limited("request", "a reply to %s is too large", proto_op_name(in->op));
		reply->status = EIO;
		length = proto_encode_reply(reply, state->out, sizeof(state->out));
	}
	if (rq->conn)
		conn_send(rq->conn, state->out, (size_t)length, true);
	if (operation->keeps_reply)
		cache_reply(rq->session, in->slot, reply);
}

/*
 * Run the operation; a request by path more than once, if needed: the inode that the path led to may have been removed
 * or replaced before it was used. Then nothing has been changed, and the path is walked again.
 */
static int run_operation(struct request *rq, const struct operation *operation, const struct nova_call *call)
{
	int rc = -ESTALE;

	for (int tries = 0; tries < PATH_TRIES && rc == -ESTALE; tries++) {
		rq->call = *call;
		rc = operation->run(rq);
		if (!rq->walked)
			break;
	}
	return rc;
}

/* Run the request, or have a bulk thread do what takes long (server/nova/long.h). A request that has to wait has done
 * nothing yet. */
static int run_hurried(struct request *rq, const struct operation *operation, const struct nova_call *call)
{
	struct nova_worker *worker = call->worker;
	nova_ino ino;

	nova_may_defer(worker, true);
	int rc = run_operation(rq, operation, call);
	enum nova_deferral why = rc == -EBUSY ? nova_deferred(worker, &ino) : NOVA_DEFER_NONE;
	if (why == NOVA_DEFER_LONG) {
		nova_may_defer(worker, true);
		rq->by_bulk = true;
		rc = run_operation(rq, operation, call);
		why = rc == -EBUSY ? nova_deferred(worker, &ino) : NOVA_DEFER_NONE;
	}
	nova_may_defer(worker, false);
	if (why == NOVA_DEFER_NONE)
		return rc;
	rc = why == NOVA_DEFER_LOAD   ? deferred_load(rq->session, &rq->deferred, ino)
	     : why == NOVA_DEFER_BUSY ? deferred_busy(rq->session, &rq->deferred, ino)
	                              : -EAGAIN;
	return rc == -EAGAIN ? run_operation(rq, operation, call) : rc;
}

static void refused(struct request *rq, const char *why)
{
	if (rq->conn)
		conn_log_peer_error(rq->conn, proto_op_name(rq->in->op), why);
}

static int run(struct request *rq, const struct operation *operation)
{
	const struct nova_call call = rq->call;

	if (!operation)
		return -EOPNOTSUPP;
	if (!rq->call.cred) {
		refused(rq, "there is no credential of that number");
		return -EINVAL;
	}
	if (!seal_check(rq->state->sealer, rq->in, rq->call.cred->uid == 0)) {
		refused(rq, "its handle has a wrong seal");
		return -ESTALE;
	}
	if (rq->outcome)
		return repeat_answer(rq);
	if (operation->changes && rq->shared->config->read_only)
		return -EROFS;
	return run_hurried(rq, operation, &call);
}

/* `judged`: 0 = the request is new, 1 = it was executed before, with the result in `outcome`, -errno = reply with this
 * status. The session has no connection if the connection ended when the request could no longer be cancelled. */
static void run_request(struct session *session, const void *message, uint32_t length, struct deferred *deferred,
                        int judged, const struct nova_outcome *outcome)
{
	struct conn *conn = session->conn;
	struct state *state = session->state;
	const struct proto_request *in = &state->request;
	const struct operation *operation = table_operation(in->op);
	/* If the request frees an inode, this session has freed its blocks. */
	const struct layout_change nothing = {.lease.owner = &session->layouts.lease};
	struct request rq = {
	    .shared = state->shared,
	    .state = state,
	    .conn = conn,
	    .session = session,
	    .in = in,
	    .out = &state->reply,
	    .call = {.worker = state->nova, .change = &nothing, .cred = cred_get(&session->creds, in->cred)},
	    .deferred = deferred,
	    .outcome = judged > 0 ? outcome : NULL,
	};
	struct nova_intent intent;

	int rc = judged < 0 ? judged : 0;
	if (judged == 0 && session->client && proto_request_changes(in)) {
		rc = nova_intent_begin(state->nova, session->client, in->slot, in->sequence, (uint8_t)in->op, &intent);
		rq.call.intent = &intent;
	}
	state->returned = nova_returned(state->nova);
	state->returns = false;
	if (rc == 0)
		rc = run(&rq, operation);
	if (rc == DEFERRED) {
		if (!conn)
			deferred_cancel(rq.deferred);
		else if (deferred_keep(rq.deferred, in, message, length) < 0)
			conn_fail(conn, "out of memory for a request that must wait");
		return;
	}
	reply_to(&rq, operation, rc);
	if (rq.deferred)
		deferred_done(rq.deferred);
}

void dispatch_resume(struct deferred *deferred)
{
	struct state *state = deferred->state;
	const char *why;

	/* This message was decoded before, and the copy has the same bytes. */
	if (proto_decode_request(deferred->message, deferred->length, &state->request, &why) == 0)
		run_request(deferred->session, deferred->message, deferred->length, deferred, 0, NULL);
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

static void bind_conn(struct state *state, struct conn *conn, const struct proto_request *in)
{
	int rc = channel_bind(conn, in);

	if (rc < 0)
		conn_log_peer_error(conn, "BIND_CONN",
		                    rc == -EUSERS ? "its session has as many channels as it may"
		                                  : "there is no connected session with that number and key");
	answer(state, conn, in, -rc);
}

/* The first message must be HELLO or BIND_CONN. */
static void first_message(struct state *state, struct conn *conn, const struct proto_request *in, int rc,
                          const char *why)
{
	if (conn->bound) {
		conn_fail(conn, "it sent a message on a channel");
	} else if (in->op != PROTO_HELLO && in->op != PROTO_BIND_CONN) {
		conn_fail(conn, "its first message is not HELLO");
	} else if (rc < 0) {
		conn_log_peer_error(conn, proto_op_name(in->op), why);
		answer(state, conn, in, -rc);
	} else if (in->op == PROTO_BIND_CONN) {
		bind_conn(state, conn, in);
	} else if (conn->channel_of) {
		conn_fail(conn, "it said HELLO on a connection that has joined a session");
	} else {
		session_hello(state, conn, in);
	}
}

static bool note_quiesced(struct conn *conn, uint64_t quiesced)
{
	if (session_quiesced(conn->session, quiesced) == 0)
		return true;
	conn_fail(conn, "it has quiesced an invalidation that was never issued");
	return false;
}

static void note_slots(struct session *session, const struct proto_request *in)
{
	uint32_t used = in->slots_used;

	if (in->slot != PROTO_SLOT_NONE && used <= in->slot)
		used = in->slot + 1u;
	session_note_slots(session, used, in->window);
}

void dispatch_arrived(struct conn *conn, const void *data, uint32_t length)
{
	uint64_t quiesced;

	if (conn->session && !conn->broken && proto_request_quiesced(data, length, &quiesced))
		note_quiesced(conn, quiesced);
}

void dispatch_message(struct state *state, struct conn *conn, const void *data, uint32_t length)
{
	struct proto_request *in = &state->request;
	const char *why = NULL;

	conn_heard(conn);
	int rc = proto_decode_request(data, length, in, &why);
	if (rc < 0 && in->op == 0) {
		conn_log_peer_error(conn, "a message", why);
		conn_fail(conn, "it sent bytes that are no message of this protocol");
		return;
	}
	struct session *session = conn->session;
	if (!session) {
		first_message(state, conn, in, rc, why);
		return;
	}
	if (!note_quiesced(conn, in->quiesced))
		return;
	note_slots(session, in);
	if (in->slot == PROTO_SLOT_NONE) {
		if (rc == 0 && in->op == PROTO_LAYOUT_RETURN)
			return;
		if (rc == 0 && in->op == PROTO_BYE) {
			session_bye(session);
			answer(state, conn, in, 0);
			return;
		}
		if (rc == 0 && in->op == PROTO_STAGING && !session->ended) {
			answer_staging(state, conn, in);
			return;
		}
		conn_fail(conn, rc < 0 ? why : "it sent a first message again");
		return;
	}
	if (session->ended) {
		conn_fail(conn, "it sent a request after BYE");
		return;
	}
	struct nova_outcome outcome;
	bool must_judge;
	if (!take_slot(conn, in, &must_judge))
		return;
	int judged = must_judge ? judge(conn, in, &outcome) : 0;
	if (judged == -EPROTO)
		return;
	/* If there is no such open, it was closed when the same request came before. */
	if (in->close_first != 0)
		session_close_open(session, in->close_first);
	if (rc < 0) {
		conn_log_peer_error(conn, proto_op_name(in->op), why);
		answer(state, conn, in, -rc);
		return;
	}
	run_request(session, data, length, NULL, judged, &outcome);
}
