/*
 * call.c -- sends requests in slots, handles their replies, and repeats requests after a reconnect.
 */
#include "client/session/call.h"

#include "client/session/open_files.h"
#include "client/session/send.h"
#include "client/session/slots.h"
#include "client/session/staging_ring.h"
#include "common/clock.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define NO_OPEN UINT64_MAX /* no open of the server has this number */

/* ---- memory ----------------------------------------------------------------------------------------------------- */

struct call *call_new(struct farnova *fs, uint16_t op)
{
	/* In a child of fork the lock of the cache may be taken by a thread that is not there. */
	struct call *call = fs->link.forked ? malloc(sizeof(*call)) : cache_take(&fs->calls, sizeof(*call));

	if (!call)
		return NULL;
	memset(call, 0, offsetof(struct call, request));
	call->request.op = op;
	return call;
}

void call_free(struct farnova *fs, struct call *call)
{
	if (call->memory)
		buffers_return(&fs->buffers, call->memory, call->memory_size);
	if (fs->link.forked)
		free(call);
	else
		cache_return(&fs->calls, call);
}

/* ---- the end of a call ------------------------------------------------------------------------------------------- */

/* end -- complete the call with `status`: release what it holds, and tell who waits for it. It has no slot any more. */
static void end(struct farnova *fs, struct call *call, int status)
{
	if (call->holds_piece)
		staging_return(&fs->staging, call->piece);
	call->holds_piece = false;
	if (call->changing)
		(*call->changing)--;
	call->changing = NULL;
	if (call->state == CALL_WAITING)
		TAILQ_REMOVE(&fs->unsent, call, entry);
	if (call->file)
		file_put(call->file);
	if (call->source)
		file_put(call->source);
	call->file = call->source = NULL;
	cred_unuse(&fs->creds, call->request.cred);
	call->state = CALL_DONE;
	call->status = status;
	if (call->abandoned)
		call_free(fs, call);
	else if (call->on_done)
		call->on_done(fs, call);
	else
		poller_wake(&fs->link, call->waiter);
}

/* ---- sending ---------------------------------------------------------------------------------------------------- */

/* What became of an attempt to send. */
enum sent {
	SENT,
	ENDED,   /* the call must not be sent: it is DONE */
	NO_ROOM, /* in the staging ring */
	BLOCKED, /* no slot or credit: nothing can be sent */
	LOST,    /* the connection has ended */
};

/* write_staged -- WRITE the data of a request into the staging ring. */
static enum sent write_staged(struct farnova *fs, struct call *call)
{
	uint32_t length = call->staged_length;
	const uint8_t *from = call->memory;
	uint64_t offset;

	/* A piece that is held has its data already, on this connection. */
	if (call->holds_piece)
		return SENT;
	if (!staging_ring_get(fs) || !staging_take(&fs->staging, length, &offset, &call->piece))
		return fs->link.state == CONNECTION_UP ? NO_ROOM : LOST;
	if (fs->staging_memory) {
		uint8_t *image = (uint8_t *)fs->staging_memory + offset;
		memcpy(image, from, length);
		from = image;
	}
	int error = transport_write(fs->link.transport, from, fs->staging_region, fs->session.ring.address + offset,
	                            fs->session.ring.key, length, NULL, TRANSPORT_MORE);
	if (error) {
		staging_return(&fs->staging, call->piece);
		if (error == -EAGAIN)
			return BLOCKED;
		connection_lose(&fs->link, error, "a write into the staging ring was refused");
		return LOST;
	}
	*call->staging = offset;
	call->holds_piece = true;
	fs->link.counts.writes++;
	fs->link.counts.write_bytes += length;
	return SENT;
}

/* name_open -- set the numbers of the open files in the request. They differ in each session, so a restart of the
 * server changes them. A request that must not be executed names an open that there is never: the server answers it
 * only if it was executed before. */
static void name_open(struct call *call)
{
	uint64_t *open = proto_request_open(&call->request);

	if (open)
		*open = call->refused ? NO_OPEN : call->file->open;
	if (call->request.op == PROTO_COPY)
		call->request.copy.from_open = call->refused ? NO_OPEN : call->source->open;
}

/* give_slot_back -- free the slot of a call that was not sent in this session. If it was never sent, the server has not
 * seen the sequence number, so it is reset. Else the number is used up: the server may have the result under it. */
static void give_slot_back(struct farnova *fs, struct call *call)
{
	struct slot *slot = &fs->slots[call->slot];

	if (slot->closes)
		closes_add(fs, slot->closes);
	if (!call->first_epoch)
		slot->sequence--;
	slot_free(fs, call->slot);
	call->holds_slot = false;
}

/* refuse -- end a call that was not sent in this session. */
static void refuse(struct farnova *fs, struct call *call, int status)
{
	if (call->holds_slot)
		give_slot_back(fs, call);
	end(fs, call, status);
}

/* refusal -- the error that forbids to execute the call in this session, or 0. */
static int refusal(const struct farnova *fs, const struct call *call)
{
	if (call->maybe_executed && proto_request_changes(&call->request))
		return -ECONNRESET;
	if (call->file && call->file->error)
		return call->file->error;
	if (call->source && call->source->error)
		return call->source->error;
	if (call->staged_length > fs->staging.size)
		return -EMSGSIZE; /* a restarted server may have a smaller ring */
	return 0;
}

/* may_ask -- whether the server can say what became of a call that must not be executed: it was sent before, under the
 * identity that the client still has, and changes something by an open. */
static bool may_ask(const struct call *call)
{
	return call->first_epoch && !call->maybe_executed && call->file && proto_request_changes(&call->request);
}

/* get_slot -- take a slot for the call unless it has one. */
static bool get_slot(struct farnova *fs, struct call *call)
{
	if (call->holds_slot)
		return true;
	if (!slot_take(fs, &call->slot))
		return false;
	fs->slots[call->slot].call = call;
	call->holds_slot = true;
	return true;
}

/* try_send -- send a call that waits, if that is possible now. */
static enum sent try_send(struct farnova *fs, struct call *call)
{
	if (!get_slot(fs, call))
		return BLOCKED;
	call->maybe_executed = call->first_epoch && call->session != fs->session.id &&
	                       (call->identity == 0 || call->identity != fs->identity.number);
	int error = refusal(fs, call);
	if (error && !may_ask(call)) {
		refuse(fs, call, error);
		return ENDED;
	}
	call->refused = error;
	if (call->file)
		name_open(call);
	/* The request itself carries one close; a repeated request must carry the same one. Send further closes before
	 * it. */
	struct slot *slot = &fs->slots[call->slot];
	if (!slot->closes && fs->close_count > 0)
		slot->closes = fs->closes[--fs->close_count];
	if (fs->close_count > 0)
		slots_flush_closes(fs, TRANSPORT_MORE);
	if (fs->link.state != CONNECTION_UP)
		return LOST; /* by sending those */
	enum sent sent = call->staged_length && !call->refused ? write_staged(fs, call) : SENT;
	if (sent != SENT) {
		/* Whoever waits for room must not keep those from sending who need none. */
		if (sent == NO_ROOM && !call->first_epoch)
			give_slot_back(fs, call);
		return sent;
	}
	call->request.slot = call->slot;
	call->request.sequence = slot->sequence;
	call->request.close_first = slot->closes;
	error = send_request(fs, &call->request, 0);
	if (error)
		return error == -EAGAIN ? BLOCKED : LOST;
	TAILQ_REMOVE(&fs->unsent, call, entry);
	call->state = CALL_SENT;
	if (!call->first_epoch) {
		call->first_epoch = fs->link.epoch;
		call->session = fs->session.id;
		call->identity = fs->identity.number;
	}
	call->latest_session = fs->session.id;
	call->on_new_connection = call->first_epoch != fs->link.epoch;
	return SENT;
}

void call_pump(struct farnova *fs)
{
	struct call *call, *next;
	bool room = true;

	if (fs->pumping || fs->link.state != CONNECTION_UP)
		return;
	fs->pumping = true; /* `on_done` of a call that ends may start others */
	if (fs->unsettled == 0 || slots_settle(fs)) {
		for (call = TAILQ_FIRST(&fs->unsent); call; call = next) {
			next = TAILQ_NEXT(call, entry);
			if (call->staged_length && !room)
				continue;
			enum sent sent = try_send(fs, call);
			if (sent == ENDED)
				next = TAILQ_FIRST(&fs->unsent); /* `on_done` may have changed the list */
			else if (sent == NO_ROOM)
				room = false;
			else if (sent != SENT)
				break;
		}
	}
	fs->pumping = false;
}

void call_refuse_staged(struct farnova *fs, int error)
{
	struct call *call = TAILQ_FIRST(&fs->unsent);

	while (call) {
		struct call *next = TAILQ_NEXT(call, entry);

		if (call->staged_length) {
			refuse(fs, call, error);
			next = TAILQ_FIRST(&fs->unsent); /* `on_done` may have changed the list */
		}
		call = next;
	}
}

void call_start_as(struct farnova *fs, struct call *call, struct waiter *waiter, uint32_t cred)
{
	call->waiter = waiter;
	call->request.cred = cred;
	cred_use(&fs->creds, call->request.cred);
	call->deadline_ns = call_deadline(fs);
	if (call->file)
		file_get(call->file);
	if (call->source)
		file_get(call->source);
	if (call->changing)
		(*call->changing)++;
	call->state = CALL_WAITING;
	TAILQ_INSERT_TAIL(&fs->unsent, call, entry);
	poller_called(&fs->link.poller);
	call_pump(fs);
}

void call_start(struct farnova *fs, struct call *call, struct waiter *waiter)
{
	call_start_as(fs, call, waiter, call->file ? call->file->cred : cred_number(&fs->creds));
}

void call_renew(struct call *call)
{
	call->state = CALL_NEW;
	call->first_epoch = call->session = call->latest_session = call->identity = 0;
	call->on_new_connection = call->maybe_executed = false;
	call->refused = 0;
}

/* ---- waiting ---------------------------------------------------------------------------------------------------- */

bool call_passed(const struct farnova *fs, int64_t deadline_ns)
{
	return poller_cancelled(&fs->link, poller_self()) || (deadline_ns && clock_now_ns() >= deadline_ns);
}

int64_t call_deadline(const struct farnova *fs)
{
	return fs->timeout_ms < 0 ? 0 : clock_now_ns() + fs->timeout_ms * CLOCK_NS_PER_MS;
}

void call_abandon(struct farnova *fs, struct call *call)
{
	call->abandoned = true;
	call->result = NULL;
	call->waiter = NULL;
	if (call->state == CALL_DONE) {
		call_free(fs, call);
	} else if (call->latest_session != fs->session.id) {
		/* The transport may still read the data that the request was to follow. */
		if (call->holds_piece)
			connection_lose(&fs->link, -ETIMEDOUT, "a write was given up while it was being sent");
		refuse(fs, call, -ECANCELED);
	} else if (call->state == CALL_WAITING) {
		/* It is in flight on a connection that was lost, and may have been executed. */
		TAILQ_REMOVE(&fs->unsent, call, entry);
		call->state = CALL_SENT;
		if (fs->link.state == CONNECTION_UP) {
			fs->slots[call->slot].unsettled = true;
			fs->unsettled++;
			call_pump(fs);
		}
	}
}

int call_finish(struct farnova *fs, struct call *call)
{
	while (call->state != CALL_DONE) {
		if (fs->link.forked) {
			call_abandon(fs, call);
			return -ECHILD;
		}
		if (call_passed(fs, call->deadline_ns)) {
			call_abandon(fs, call);
			return -ETIMEDOUT;
		}
		poller_wait(&fs->link, call->waiter, call->deadline_ns);
	}
	int status = call->status;
	call_free(fs, call);
	return status;
}

int call_run(struct farnova *fs, struct call *call)
{
	if (!call)
		return -ENOMEM;
	connection_lock(&fs->link);
	call_start(fs, call, poller_self());
	int status = call_finish(fs, call);
	connection_unlock(&fs->link);
	return status;
}

/* ---- replies ---------------------------------------------------------------------------------------------------- */

/* makes_open -- whether the call opens by path and was sent again. If it was executed in a lost session, and what it made
 * has been removed since, that fails with ESTALE; then it is made again. */
static bool makes_open(const struct call *call)
{
	return (call->request.op == PROTO_OPEN || call->request.op == PROTO_TMPFILE) && call->on_new_connection &&
	       !call->abandoned;
}

/* again -- the call begins anew, in another slot. */
static void again(struct farnova *fs, struct call *call)
{
	slot_free(fs, call->slot);
	call->holds_slot = call->on_new_connection = false;
	call->first_epoch = call->session = call->latest_session = call->identity = 0;
	call->state = CALL_WAITING;
	TAILQ_INSERT_TAIL(&fs->unsent, call, entry);
	call_pump(fs);
}

bool call_reply(struct farnova *fs, const struct proto_reply *reply)
{
	if (reply->slot >= PROTO_MAX_SLOTS)
		return false;
	struct slot *slot = &fs->slots[reply->slot];
	struct call *call = slot->call;
	if (!slot->busy || reply->sequence != slot->sequence)
		return false;
	if (!call) {
		slot_free(fs, reply->slot);
		return true;
	}
	bool own = reply->op == call->request.op;
	/* An abandoned call gets the reply to a PING if it was sent on a connection before. */
	if (call->state != CALL_SENT || (!own && !call->abandoned))
		return false;
	int status = -(int)reply->status;
	if (status == -ESTALE && own && makes_open(call)) {
		again(fs, call);
		return true;
	}
	if (own && status && call->refused)
		status = call->refused;
	if (own && status == 0 && call->receive)
		status = call->receive(fs, call, reply);
	call->holds_slot = false;
	slot_free(fs, reply->slot);
	end(fs, call, status);
	return true;
}

/* ---- another connection ----------------------------------------------------------------------------------------- */

void call_lost(struct farnova *fs)
{
	for (unsigned i = fs->slots_used; i-- > 0;) {
		struct call *call = fs->slots[i].call;
		if (!call)
			continue;
		call->holds_piece = false; /* the ring is reset */
		if (call->state != CALL_SENT || call->abandoned)
			continue;
		call->state = CALL_WAITING;
		TAILQ_INSERT_HEAD(&fs->unsent, call, entry);
	}
	for (unsigned i = 0; i < fs->slots_used; i++)
		fs->slots[i].unsettled = false;
	fs->unsettled = 0;
}

void call_session_resumed(struct farnova *fs)
{
	for (uint16_t i = 0; i < fs->slots_used; i++) {
		struct slot *slot = &fs->slots[i];
		if (!slot->busy || (slot->call && !slot->call->abandoned))
			continue;
		slot->unsettled = true;
		fs->unsettled++;
	}
	call_pump(fs);
}

void call_session_new(struct farnova *fs)
{
	/* A call keeps its slot even if that is beyond the window of the new session. */
	for (uint16_t i = PROTO_MAX_SLOTS; i-- > 0;) {
		struct call *call = fs->slots[i].call;

		if (call && call->abandoned) {
			/* Nobody waits: the server ends a session before the identity's next one begins. */
			call->holds_slot = false;
			call->identity = 0;
			fs->slots[i].call = NULL;
			end(fs, call, -ECONNRESET);
			call = NULL;
		}
		slot_set(fs, i, call);
	}
	if (fs->slots_used == 0)
		fs->slots_used = 1;
	fs->close_count = 0;
}

void call_end_all(struct farnova *fs)
{
	for (unsigned i = 0; i < PROTO_MAX_SLOTS; i++) {
		struct call *call = fs->slots[i].call;
		if (!call)
			continue;
		fs->slots[i].call = NULL;
		call->holds_slot = false;
		end(fs, call, -ECONNRESET);
	}
}
