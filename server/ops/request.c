/*
 * request.c -- run a request and answer it; and requests that wait, for layouts to return or for space.
 */
#include "server/ops/request.h"

#include "common/log.h"
#include "server/loop/worker.h"
#include "server/net/conn.h"
#include "server/ops/dispatch.h"
#include "server/server.h"
#include "server/state/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SPACE_RETRY_MS 2
#define SPACE_WAIT_MS  2000

/* ---- requests that wait ----------------------------------------------------------------------------------------- */

void request_deferred_free(struct deferred *deferred)
{
	if (!deferred)
		return;
	free(deferred->message);
	free(deferred);
}

static void attach(struct session *session, struct deferred *deferred)
{
	deferred->attached = true;
	deferred->previous = NULL;
	deferred->next = session->deferred;
	if (deferred->next)
		deferred->next->previous = deferred;
	session->deferred = deferred;
}

static void detach(struct session *session, struct deferred *deferred)
{
	deferred->attached = false;
	if (deferred->previous)
		deferred->previous->next = deferred->next;
	else
		session->deferred = deferred->next;
	if (deferred->next)
		deferred->next->previous = deferred->previous;
}

static void run_again(struct deferred *deferred)
{
	struct session *session = deferred->session;
	const char *why;

	/* It was accepted before, and the copy is the same bytes. */
	if (!deferred->message ||
	    proto_decode_request(deferred->message, deferred->length, &deferred->worker->request, &why) < 0)
		return;
	session->slots[deferred->slot].busy = false;
	request_run(session->conn, deferred->message, deferred->length, deferred);
}

/* The layouts it waited for have returned. */
static void change_may_go(struct mail *mail)
{
	struct deferred *deferred = (struct deferred *)(void *)mail;

	deferred->may_go = true;
	if (deferred->session)
		run_again(deferred);
	else
		request_deferred_free(deferred);
}

/* The object a request waits in: made before it is known whether it must, and kept for the next if not. */
static struct deferred *get_deferred(struct request *rq)
{
	struct worker *worker = rq->worker;

	if (rq->deferred)
		return rq->deferred;
	if (!worker->spare)
		worker->spare = calloc(1, sizeof(*worker->spare));
	if (worker->spare) {
		worker->spare->waiter.mail.deliver = change_may_go;
		worker->spare->worker = worker;
	}
	return worker->spare;
}

static void use_deferred(struct request *rq, struct deferred *deferred)
{
	if (rq->worker->spare == deferred)
		rq->worker->spare = NULL;
	deferred->session = rq->session;
	rq->deferred = deferred;
}

int request_change(struct request *rq, struct proto_handle handle, bool drop_own, struct layout_change *change)
{
	struct deferred *deferred = get_deferred(rq);

	if (!deferred)
		return -ENOMEM;
	if (deferred->waiting_change) {
		deferred->waiting_change = false;
		if (deferred->waiter.ino == handle.ino) {
			layout_change_go(&deferred->waiter, drop_own, change);
			return 0;
		}
		/* The path leads elsewhere by now. */
		layout_change_abandon(&deferred->waiter);
	}
	int rc = layout_change_begin(&rq->session->layouts, handle, drop_own, &deferred->waiter, change);
	if (rc <= 0)
		return rc;
	deferred->waiting_change = true;
	deferred->may_go = false;
	use_deferred(rq, deferred);
	return REQUEST_DEFERRED;
}

int request_no_space(struct request *rq)
{
	struct worker *worker = rq->worker;
	struct deferred *deferred = layout_quarantined_blocks(rq->server->layouts) > 0 ? get_deferred(rq) : NULL;

	if (!deferred)
		return -ENOSPC;
	if (deferred->since_ms == 0)
		deferred->since_ms = worker->now_ms;
	if (worker->now_ms - deferred->since_ms > SPACE_WAIT_MS) {
		deferred->since_ms = 0;
		return -ENOSPC;
	}
	worker_request_quiesce_all(rq->server);
	deferred->waiting_space = true;
	deferred->next_space = worker->space_first;
	worker->space_first = deferred;
	worker->space_ms = worker->now_ms + SPACE_RETRY_MS;
	use_deferred(rq, deferred);
	return REQUEST_DEFERRED;
}

void request_retry_space(struct worker *worker)
{
	struct deferred *list = worker->space_first;

	worker->space_first = NULL;
	while (list) {
		struct deferred *deferred = list;
		list = deferred->next_space;
		deferred->waiting_space = false;
		if (deferred->session)
			run_again(deferred);
		else
			request_deferred_free(deferred);
	}
}

/* Its change will not run; whether its mail is still to come. */
static bool give_up_change(struct deferred *deferred)
{
	if (!deferred->waiting_change)
		return false;
	if (!deferred->may_go)
		return !layout_change_cancel(&deferred->waiter);
	layout_change_abandon(&deferred->waiter);
	return false;
}

void request_cancel_all(struct session *session)
{
	while (session->deferred) {
		struct deferred *deferred = session->deferred;
		struct slot *slot = &session->slots[deferred->slot];

		detach(session, deferred);
		/* As if it had never come: the client sends it again with the same sequence. */
		slot->busy = false;
		slot->sequence = deferred->sequence - 1;
		bool mail_coming = give_up_change(deferred);
		deferred->session = NULL;
		if (!mail_coming && !deferred->waiting_space)
			request_deferred_free(deferred);
	}
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

/* The request waits: its message is copied once, its slot is busy. */
static void defer(struct request *rq, const void *message, uint32_t length)
{
	struct deferred *deferred = rq->deferred;

	rq->session->slots[rq->in->slot].busy = true;
	if (deferred->attached)
		return;
	deferred->slot = rq->in->slot;
	deferred->sequence = rq->in->sequence;
	attach(rq->session, deferred);
	deferred->message = malloc(length);
	if (deferred->message) {
		memcpy(deferred->message, message, length);
		deferred->length = length;
	} else {
		conn_fail(rq->conn, "out of memory for a request that must wait");
	}
}

/* What a client gets that asks again after a new connection: layouts have ended with the old one. */
static void cache_reply(struct slot *slot, struct proto_reply *reply)
{
	if (reply->status == 0 && (reply->op == PROTO_OPEN || reply->op == PROTO_REOPEN)) {
		reply->open.layout = false;
		reply->open.extent_count = 0;
	} else if (reply->status == 0 && (reply->op == PROTO_WRITE || reply->op == PROTO_WRITE_COMMIT)) {
		reply->write.dropped = true;
		reply->write.replaced_length = 0;
		reply->write.extent_count = 0;
	}
	int length = proto_encode_reply(reply, slot->cached_reply, sizeof(slot->cached_reply));
	slot->cached_length = length > 0 ? (uint16_t)length : 0;
}

static void reply_to(struct request *rq, const struct operation *operation, int rc)
{
	struct worker *worker = rq->worker;
	struct proto_reply *reply = rq->out;
	const struct proto_request *in = rq->in;

	reply->op = in->op;
	reply->slot = in->slot;
	reply->sequence = in->sequence;
	reply->status = (uint32_t)-rc;
	reply->invalidation = rq->session->layouts.invalidation_issued;
	int length = proto_encode_reply(reply, worker->out, sizeof(worker->out));
	if (length < 0) {
		log_error("request", "a reply to %s is too large", proto_op_name(in->op));
		reply->status = EIO;
		length = proto_encode_reply(reply, worker->out, sizeof(worker->out));
	}
	conn_send(rq->conn, worker->out, (size_t)length, true);
	if (operation->keeps_reply)
		cache_reply(&rq->session->slots[in->slot], reply);
}

static int run(struct request *rq, const struct operation *operation)
{
	if (!operation)
		return -EOPNOTSUPP;
	if (!rq->call.cred) {
		conn_log_peer_error(rq->conn, proto_op_name(rq->in->op), "there is no credential of that number");
		return -EINVAL;
	}
	if (operation->changes && rq->server->config.read_only)
		return -EROFS;
	return operation->run(rq);
}

void request_run(struct conn *conn, const void *message, uint32_t length, struct deferred *deferred)
{
	struct worker *worker = conn->worker;
	struct session *session = conn->session;
	const struct proto_request *in = &worker->request;
	const struct operation *operation = dispatch_operation(in->op);
	struct request rq = {
	    .server = worker->server,
	    .worker = worker,
	    .conn = conn,
	    .session = session,
	    .in = in,
	    .out = &worker->reply,
	    .call = {.worker = worker->nova,
	             .cred = cred_get(&session->creds, in->cred),
	             .request = {.client = (uint32_t)session->id, .slot = in->slot, .sequence = in->sequence}},
	    .deferred = deferred,
	};

	int rc = run(&rq, operation);
	if (rc == REQUEST_DEFERRED) {
		defer(&rq, message, length);
		return;
	}
	if (rq.deferred) {
		if (rq.deferred->waiting_change)
			layout_change_abandon(&rq.deferred->waiter);
		if (rq.deferred->attached)
			detach(session, rq.deferred);
	}
	reply_to(&rq, operation, rc);
	request_deferred_free(rq.deferred);
}

void request_accessed(struct request *rq, struct nova_handle file, const struct nova_attr *attr)
{
	const struct config *config = &rq->server->config;
	struct timespec now;

	if (config->keep_atime)
		return;
	if (!config->strict_atime && attr) {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		if (!nova_atime_due(attr, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec))
			return;
	}
	nova_accessed(&rq->call, file, config->strict_atime ? NOVA_ATIME_STRICT : NOVA_ATIME_RELATIVE);
}

void request_attr(const struct nova_attr *in, struct proto_attr *out)
{
	*out = (struct proto_attr){
	    .handle = wire_handle(in->handle),
	    .mode = in->mode,
	    .nlink = in->nlink,
	    .uid = in->uid,
	    .gid = in->gid,
	    .rdev = in->rdev,
	    .flags = in->flags,
	    .project = in->project,
	    .size = in->size,
	    .blocks = in->blocks,
	    .atime_ns = in->atime_ns,
	    .mtime_ns = in->mtime_ns,
	    .ctime_ns = in->ctime_ns,
	    .btime_ns = in->btime_ns,
	    .change = in->change,
	};
}
