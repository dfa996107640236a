/*
 * call.c -- sends requests in slots, handles their replies, and repeats requests after a reconnect.
 */
#include "client/session/call.h"

#include "client/session/open_files.h"
#include "client/session/send.h"
#include "common/clock.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

/* ---- slots ------------------------------------------------------------------------------------------------------ */

/* take_slot -- take a free slot, except slot 0, and advance its sequence number; false if no slot is free. */
static bool take_slot(struct farnova *fs, uint16_t *number)
{
	if (fs->free_slots == 0)
		return false;
	*number = (uint16_t)__builtin_ctzll(fs->free_slots);
	fs->free_slots &= fs->free_slots - 1;
	fs->slots[*number].busy = true;
	fs->slots[*number].sequence = proto_next_sequence(fs->slots[*number].sequence);
	return true;
}

static void free_slot(struct farnova *fs, uint16_t number)
{
	struct slot *slot = &fs->slots[number];
	slot->busy = false;
	slot->call = NULL;
	slot->closes = 0;
	cred_unuse(&fs->creds, slot->cred);
	slot->cred = 0;
	if (number != 0) {
		fs->free_slots |= 1ull << number;
		poller_wake_resource(&fs->link);
	}
}

/* end -- complete the call with `status`: release its resources and wake its caller. */
static void end(struct farnova *fs, struct call *call, int status)
{
	if (call->holds_piece) {
		staging_return(&fs->staging, call->piece);
		poller_wake_resource(&fs->link);
	}
	call->holds_piece = false;
	if (call->changing)
		(*call->changing)--;
	call->changing = NULL;
	call->status = status;
	call->done = true;
	poller_wake(&fs->link, call->waiter);
}

/* ---- sending ---------------------------------------------------------------------------------------------------- */

/* passed -- whether the calling thread must stop waiting: the deadline has passed, or its calls are cancelled. */
static bool passed(const struct farnova *fs, int64_t deadline_ns)
{
	return poller_cancelled(&fs->link, poller_self()) || (deadline_ns && clock_now_ns() >= deadline_ns);
}

/* there_still -- whether the connection of `epoch` is still up. */
static bool there_still(const struct farnova *fs, uint64_t epoch)
{
	return fs->link.state == CONNECTION_UP && fs->link.epoch == epoch;
}

/* send_here -- send on the connection of `epoch`; false if that connection has ended or the deadline has passed. */
static bool send_here(struct farnova *fs, uint64_t epoch, struct proto_request *request, int64_t deadline_ns)
{
	while (there_still(fs, epoch)) {
		int error = send_request(fs, request, 0);
		if (error == 0)
			return true;
		if (error != -EAGAIN || passed(fs, deadline_ns))
			return false;
		poller_make_room(&fs->link);
	}
	return false;
}

/* write_staged -- WRITE the data of a request into the staging ring; false as for send_here. */
static bool write_staged(struct farnova *fs, uint64_t epoch, struct call *call)
{
	uint32_t length = call->staged_length;
	uint64_t offset;
	const uint8_t *from = call->staged;

	while (!staging_take(&fs->staging, length, &offset, &call->piece)) {
		call->waiter->resource = true;
		if (poller_wait(&fs->link, call->waiter, call->deadline_ns) != 0 || !there_still(fs, epoch))
			return false;
	}
	call->holds_piece = true;
	*call->staging = offset;
	if (fs->staging_memory) {
		uint8_t *image = (uint8_t *)fs->staging_memory + offset;
		memcpy(image, from, length);
		from = image;
	}
	while (there_still(fs, epoch)) {
		int error =
		    transport_write(fs->link.transport, from, fs->staging_region, fs->session.staging_address + offset,
		                    fs->session.staging_key, length, NULL, TRANSPORT_MORE);
		if (error == 0) {
			call->staged_epoch = epoch;
			fs->link.counts.writes++;
			fs->link.counts.write_bytes += length;
			return true;
		}
		if (error != -EAGAIN)
			connection_lose(&fs->link, error, "a write into the staging ring was refused");
		else if (passed(fs, call->deadline_ns))
			return false;
		else
			poller_make_room(&fs->link);
	}
	return false;
}

/* name_open -- set the numbers of the open files in the request. They differ in each session, so a restart of the
 * server changes them. */
static void name_open(struct call *call)
{
	struct proto_request *request = call->request;
	uint64_t *open = proto_request_open(request);

	if (open)
		*open = call->file->open;
	if (request->op == PROTO_COPY)
		request->copy.from_open = call->source->open;
}

/* refuse -- end a call that was not sent in this session. Where it was never sent, the server has not seen the slot's
 * sequence number, so it is reset. Else the number is used up: the server may have the result under it. */
static void refuse(struct farnova *fs, struct call *call, int status)
{
	if (call->holds_slot) {
		struct slot *slot = &fs->slots[call->slot];
		if (slot->closes && fs->close_count < CLOSES_DEFERRED)
			fs->closes[fs->close_count++] = slot->closes;
		if (!call->first_epoch)
			slot->sequence--;
		free_slot(fs, call->slot);
	}
	call->holds_slot = false;
	end(fs, call, status);
}

/*
 * give_up -- end a call whose deadline has passed. A request that may have arrived keeps its slot until its reply
 * arrives. If the request has staged data, the connection must end: the transport may still read the data from the
 * caller's buffer, which the caller gets back now, and the request may still be executed, so no other call may use its
 * piece of the staging ring.
 */
static void give_up(struct farnova *fs, struct call *call)
{
	bool sent = call->latest_session == fs->session.id;

	call->waiter = NULL;
	if (!sent) {
		refuse(fs, call, -ETIMEDOUT);
	} else {
		if (call->holds_slot)
			fs->slots[call->slot].call = NULL;
		call->holds_slot = false;
		end(fs, call, -ETIMEDOUT);
	}
	if (call->staged && call->staged_epoch == fs->link.epoch)
		connection_lose(&fs->link, -ETIMEDOUT, "a write was not answered in time");
}

/* get_slot -- take a slot for the call unless it has one; false as for send_here. */
static bool get_slot(struct farnova *fs, uint64_t epoch, struct call *call)
{
	while (!call->holds_slot) {
		if (take_slot(fs, &call->slot)) {
			fs->slots[call->slot].call = call;
			fs->slots[call->slot].cred = call->request->cred;
			cred_use(&fs->creds, call->request->cred);
			call->holds_slot = true;
			break;
		}
		call->waiter->resource = true;
		if (poller_wait(&fs->link, call->waiter, call->deadline_ns) != 0 || !there_still(fs, epoch))
			return false;
	}
	return true;
}

/* refusal -- the error that forbids to send the call in this session, or 0. */
static int refusal(const struct farnova *fs, const struct call *call)
{
	if (call->file && call->file->error)
		return call->file->error;
	if (call->source && call->source->error)
		return call->source->error;
	if (call->maybe_executed && proto_request_changes(call->request))
		return -ECONNRESET;
	if (call->staged && call->staged_length > fs->staging.size)
		return -EMSGSIZE; /* a restarted server may have a smaller ring */
	return 0;
}

/* try_send -- try to send on the current connection; call->sent stays false if that connection ends or the deadline
 * passes. */
static void try_send(struct farnova *fs, struct call *call)
{
	uint64_t epoch = fs->link.epoch;

	if (!get_slot(fs, epoch, call))
		return;
	call->maybe_executed = call->first_epoch && call->session != fs->session.id &&
	                       (call->identity == 0 || call->identity != fs->identity.number);
	int error = refusal(fs, call);
	if (error) {
		refuse(fs, call, error);
		return;
	}
	if (call->file)
		name_open(call);
	/* The request itself carries one close; a repeated request must carry the same one. Send further closes before
	 * it. */
	struct slot *slot = &fs->slots[call->slot];
	if (!slot->closes && fs->close_count > 0)
		slot->closes = fs->closes[--fs->close_count];
	if (fs->close_count > 0)
		call_flush_closes(fs, TRANSPORT_MORE);
	if (call->staged && !write_staged(fs, epoch, call))
		return;
	call->request->slot = call->slot;
	call->request->sequence = slot->sequence;
	call->request->close_first = slot->closes;
	if (!send_here(fs, epoch, call->request, call->deadline_ns))
		return;
	call->sent = true;
	if (!call->first_epoch) {
		call->first_epoch = epoch;
		call->session = fs->session.id;
		call->identity = fs->identity.number;
	}
	call->latest_session = fs->session.id;
	call->on_new_connection = call->first_epoch != epoch;
}

void call_start(struct farnova *fs, struct call *call)
{
	call->waiter = poller_self();
	call->request->cred = call->file ? call->file->cred : cred_number(&fs->creds);
	call->deadline_ns = call_deadline(fs);
	call->holds_slot = call->holds_piece = call->sent = call->done = false;
	call->on_new_connection = call->maybe_executed = false;
	call->status = 0;
	call->first_epoch = call->staged_epoch = 0;
	call->session = call->latest_session = call->identity = 0;
	if (call->changing)
		(*call->changing)++;
	poller_called(&fs->link.poller);
	if (fs->link.state == CONNECTION_UP && !passed(fs, call->deadline_ns))
		try_send(fs, call);
}

int64_t call_deadline(const struct farnova *fs)
{
	return fs->timeout_ms < 0 ? 0 : clock_now_ns() + fs->timeout_ms * CLOCK_NS_PER_MS;
}

int call_wait_up(struct farnova *fs, int64_t deadline_ns)
{
	if (passed(fs, deadline_ns))
		return -ETIMEDOUT;
	while (fs->link.state != CONNECTION_UP) {
		if (poller_wait(&fs->link, poller_self(), deadline_ns) != 0 && fs->link.state != CONNECTION_UP)
			return -ETIMEDOUT;
	}
	return 0;
}

int call_finish(struct farnova *fs, struct call *call)
{
	while (!call->done) {
		if (passed(fs, call->deadline_ns)) {
			give_up(fs, call);
		} else if (fs->link.state != CONNECTION_UP) {
			call_wait_up(fs, call->deadline_ns);
		} else if (!call->sent) {
			try_send(fs, call);
		} else {
			poller_wait(&fs->link, call->waiter, call->deadline_ns);
		}
	}
	return call->status;
}

int call_run(struct farnova *fs, struct call *call)
{
	connection_lock(&fs->link);
	call_start(fs, call);
	int status = call_finish(fs, call);
	connection_unlock(&fs->link);
	return status;
}

/* ---- requests nobody waits for ---------------------------------------------------------------------------------- */

static bool send_close(struct farnova *fs, uint16_t number, unsigned flags)
{
	struct proto_request request;

	request.op = PROTO_CLOSE;
	request.slot = number;
	request.sequence = fs->slots[number].sequence;
	request.cred = 0;
	request.close_first = 0;
	request.close.open = fs->slots[number].closes;
	return send_request(fs, &request, flags) == 0;
}

void call_flush_closes(struct farnova *fs, unsigned flags)
{
	uint16_t number;

	while (fs->link.state == CONNECTION_UP && fs->close_count > 0 && take_slot(fs, &number)) {
		fs->slots[number].closes = fs->closes[fs->close_count - 1];
		if (!send_close(fs, number, flags)) {
			if (fs->link.state != CONNECTION_UP)
				return; /* it may have arrived: repeat it in its slot */
			fs->slots[number].sequence--;
			free_slot(fs, number);
			return;
		}
		fs->close_count--;
	}
}

void call_close(struct farnova *fs, uint64_t open)
{
	struct waiter *self = poller_self();
	int64_t deadline_ns = call_deadline(fs);

	poller_called(&fs->link.poller);
	while (fs->close_count == CLOSES_DEFERRED) {
		/* The list stays full, or the time is up: the server closes the file when the session ends. */
		if (fs->link.state != CONNECTION_UP || passed(fs, deadline_ns))
			return;
		call_flush_closes(fs, 0);
		if (fs->close_count < CLOSES_DEFERRED)
			break;
		self->resource = true;
		poller_wait(&fs->link, self, deadline_ns);
	}
	fs->closes[fs->close_count++] = open;
}

void call_ping(struct farnova *fs)
{
	struct slot *slot = &fs->slots[0];
	struct proto_request request;

	if (slot->busy)
		return;
	request.op = PROTO_PING;
	request.slot = 0;
	request.sequence = proto_next_sequence(slot->sequence);
	request.cred = 0;
	request.close_first = 0;
	if (send_request(fs, &request, 0) == 0) {
		slot->sequence = request.sequence;
		slot->busy = true;
	}
}

/* ---- replies ---------------------------------------------------------------------------------------------------- */

bool call_reply(struct farnova *fs, const struct proto_reply *reply)
{
	if (reply->slot >= fs->session.slots)
		return false;
	struct slot *slot = &fs->slots[reply->slot];
	struct call *call = slot->call;
	if (!slot->busy || reply->sequence != slot->sequence)
		return false;
	if (!call) {
		/* The caller of this OPEN has given up: close the file, since nobody else will. */
		if ((reply->op == PROTO_OPEN || reply->op == PROTO_REOPEN) && reply->status == 0 &&
		    fs->close_count < CLOSES_DEFERRED)
			fs->closes[fs->close_count++] = reply->open.open;
		free_slot(fs, reply->slot);
		return true;
	}
	if (!call->sent || reply->op != call->request->op)
		return false;
	int status = -(int)reply->status;
	if (status == 0 && call->receive)
		status = call->receive(fs, call, reply);
	call->holds_slot = false;
	free_slot(fs, reply->slot);
	end(fs, call, status);
	return true;
}

/* ---- another connection ----------------------------------------------------------------------------------------- */

void call_lost(struct farnova *fs)
{
	for (unsigned i = 0; i < fs->session.slots; i++) {
		struct call *call = fs->slots[i].call;
		if (!call)
			continue;
		call->sent = false;
		call->holds_piece = false; /* the ring is reset */
		poller_wake(&fs->link, call->waiter);
	}
}

/* settle_slot -- the server may or may not have seen the slot's last request. A PING with the same sequence number gets
 * a reply in both cases. */
static void settle_slot(struct farnova *fs, uint16_t number)
{
	struct slot *slot = &fs->slots[number];
	struct proto_request request;

	request.op = PROTO_PING;
	request.slot = number;
	request.sequence = slot->sequence;
	request.cred = 0;
	request.close_first = slot->closes;
	send_here(fs, fs->link.epoch, &request, call_deadline(fs));
}

void call_session_resumed(struct farnova *fs)
{
	for (uint16_t i = 0; i < fs->session.slots && fs->link.state == CONNECTION_UP; i++) {
		if (fs->slots[i].busy && !fs->slots[i].call)
			settle_slot(fs, i);
	}
}

void call_session_new(struct farnova *fs)
{
	fs->free_slots = 0;
	for (uint16_t i = 0; i < PROTO_MAX_SLOTS; i++) {
		struct slot *slot = &fs->slots[i];
		struct call *call = slot->call;

		if (call && i >= fs->session.slots) {
			/* This server grants fewer slots than the one before: nothing tells whether it was executed. */
			call->holds_slot = false;
			call->identity = 0;
			call = slot->call = NULL;
		}
		if (!call) {
			cred_unuse(&fs->creds, slot->cred);
			slot->cred = 0;
		}
		/* What nobody waits for is over: the server ends a session before the identity's next one begins. */
		slot->busy = call != NULL;
		slot->closes = 0;
		if (!call && i > 0 && i < fs->session.slots)
			fs->free_slots |= 1ull << i;
	}
	fs->close_count = 0;
}
