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

void request_parked_free(struct parked *parked)
{
	if (!parked)
		return;
	free(parked->message);
	free(parked);
}

static void attach(struct session *session, struct parked *parked)
{
	parked->attached = true;
	parked->previous = NULL;
	parked->next = session->parked;
	if (parked->next)
		parked->next->previous = parked;
	session->parked = parked;
}

static void detach(struct session *session, struct parked *parked)
{
	parked->attached = false;
	if (parked->previous)
		parked->previous->next = parked->next;
	else
		session->parked = parked->next;
	if (parked->next)
		parked->next->previous = parked->previous;
}

static void run_again(struct parked *parked)
{
	struct session *session = parked->session;
	const char *why;

	/* It was accepted before, and the copy is the same bytes. */
	if (!parked->message ||
	    proto_decode_request(parked->message, parked->length, &parked->worker->request, &why) < 0)
		return;
	session->slots[parked->slot].busy = false;
	request_run(session->conn, parked->message, parked->length, parked);
}

/* The layouts it waited for have returned. */
static void change_may_go(struct mail *mail)
{
	struct parked *parked = (struct parked *)(void *)mail;

	parked->may_go = true;
	if (parked->session)
		run_again(parked);
	else
		request_parked_free(parked);
}

/* The object a request waits in: made before it is known whether it must, and kept for the next if not. */
static struct parked *get_parked(struct request *rq)
{
	struct worker *worker = rq->worker;

	if (rq->parked)
		return rq->parked;
	if (!worker->spare)
		worker->spare = calloc(1, sizeof(*worker->spare));
	if (worker->spare) {
		worker->spare->waiter.mail.deliver = change_may_go;
		worker->spare->worker = worker;
	}
	return worker->spare;
}

static void use_parked(struct request *rq, struct parked *parked)
{
	if (rq->worker->spare == parked)
		rq->worker->spare = NULL;
	parked->session = rq->session;
	rq->parked = parked;
}

int request_change(struct request *rq, struct proto_handle handle, bool drop_own, struct layout_change *change)
{
	struct parked *parked = get_parked(rq);

	if (!parked)
		return -ENOMEM;
	if (parked->waiting_change) {
		parked->waiting_change = false;
		if (parked->waiter.ino == handle.ino) {
			layout_change_go(&parked->waiter, drop_own, change);
			return 0;
		}
		/* The path leads elsewhere by now. */
		layout_change_abandon(&parked->waiter);
	}
	int rc = layout_change_begin(&rq->session->layouts, handle, drop_own, &parked->waiter, change);
	if (rc <= 0)
		return rc;
	parked->waiting_change = true;
	parked->may_go = false;
	use_parked(rq, parked);
	return REQUEST_PARKED;
}

int request_no_space(struct request *rq)
{
	struct worker *worker = rq->worker;
	struct parked *parked = layout_kept_blocks(rq->server->layouts) > 0 ? get_parked(rq) : NULL;

	if (!parked)
		return -ENOSPC;
	if (parked->since_ms == 0)
		parked->since_ms = worker->now_ms;
	if (worker->now_ms - parked->since_ms > SPACE_WAIT_MS) {
		parked->since_ms = 0;
		return -ENOSPC;
	}
	worker_nudge_all(rq->server);
	parked->waiting_space = true;
	parked->next_space = worker->space_first;
	worker->space_first = parked;
	worker->space_ms = worker->now_ms + SPACE_RETRY_MS;
	use_parked(rq, parked);
	return REQUEST_PARKED;
}

void request_retry_space(struct worker *worker)
{
	struct parked *list = worker->space_first;

	worker->space_first = NULL;
	while (list) {
		struct parked *parked = list;
		list = parked->next_space;
		parked->waiting_space = false;
		if (parked->session)
			run_again(parked);
		else
			request_parked_free(parked);
	}
}

/* Its change will not run; whether its mail is still to come. */
static bool give_up_change(struct parked *parked)
{
	if (!parked->waiting_change)
		return false;
	if (!parked->may_go)
		return !layout_change_cancel(&parked->waiter);
	layout_change_abandon(&parked->waiter);
	return false;
}

void request_cancel_all(struct session *session)
{
	while (session->parked) {
		struct parked *parked = session->parked;
		struct slot *slot = &session->slots[parked->slot];

		detach(session, parked);
		/* As if it had never come: the client sends it again with the same sequence. */
		slot->busy = false;
		slot->sequence = parked->sequence - 1;
		bool mail_coming = give_up_change(parked);
		parked->session = NULL;
		if (!mail_coming && !parked->waiting_space)
			request_parked_free(parked);
	}
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

/* The request waits: its message is copied once, its slot is busy. */
static void park(struct request *rq, const void *message, uint32_t length)
{
	struct parked *parked = rq->parked;

	rq->session->slots[rq->in->slot].busy = true;
	if (parked->attached)
		return;
	parked->slot = rq->in->slot;
	parked->sequence = rq->in->sequence;
	attach(rq->session, parked);
	parked->message = malloc(length);
	if (parked->message) {
		memcpy(parked->message, message, length);
		parked->length = length;
	} else {
		conn_fail(rq->conn, "out of memory for a request that must wait");
	}
}

/* What a client gets that asks again after a new connection: layouts have ended with the old one. */
static void keep_reply(struct slot *slot, struct proto_reply *reply)
{
	if (reply->status == 0 && (reply->op == PROTO_OPEN || reply->op == PROTO_REOPEN)) {
		reply->open.layout = false;
		reply->open.extent_count = 0;
	} else if (reply->status == 0 && (reply->op == PROTO_WRITE || reply->op == PROTO_WRITE_COMMIT)) {
		reply->write.dropped = true;
		reply->write.replaced_length = 0;
		reply->write.extent_count = 0;
	}
	int length = proto_encode_reply(reply, slot->kept, sizeof(slot->kept));
	slot->kept_length = length > 0 ? (uint16_t)length : 0;
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
	reply->invalidation = rq->session->layouts.told;
	int length = proto_encode_reply(reply, worker->out, sizeof(worker->out));
	if (length < 0) {
		log_error("request", "a reply to %s is too large", proto_op_name(in->op));
		reply->status = EIO;
		length = proto_encode_reply(reply, worker->out, sizeof(worker->out));
	}
	conn_send(rq->conn, worker->out, (size_t)length, true);
	if (operation->keep)
		keep_reply(&rq->session->slots[in->slot], reply);
}

static int run(struct request *rq, const struct operation *operation)
{
	if (!operation)
		return -EOPNOTSUPP;
	if (!rq->call.cred) {
		conn_complain(rq->conn, proto_op_name(rq->in->op), "there is no credential of that number");
		return -EINVAL;
	}
	if (operation->changes && rq->server->config.read_only)
		return -EROFS;
	return operation->run(rq);
}

void request_run(struct conn *conn, const void *message, uint32_t length, struct parked *parked)
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
	    .parked = parked,
	};

	int rc = run(&rq, operation);
	if (rc == REQUEST_PARKED) {
		park(&rq, message, length);
		return;
	}
	if (rq.parked) {
		if (rq.parked->waiting_change)
			layout_change_abandon(&rq.parked->waiter);
		if (rq.parked->attached)
			detach(session, rq.parked);
	}
	reply_to(&rq, operation, rc);
	request_parked_free(rq.parked);
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
