/*
 * call.c -- requests in slots: sent, answered, and sent again after a reconnect.
 */
#include "client/session/call.h"

#include "client/session/open_files.h"
#include "client/session/send.h"
#include "common/clock.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

/* ---- slots ------------------------------------------------------------------------------------------------------ */

/* take_slot -- a free slot other than the background thread's, its sequence moved on; false if there is none. */
static bool take_slot(struct farnova *fs, uint16_t *number)
{
	if (fs->free_slots == 0)
		return false;
	*number = (uint16_t)__builtin_ctzll(fs->free_slots);
	fs->free_slots &= fs->free_slots - 1;
	fs->slots[*number].busy = true;
	fs->slots[*number].sequence++;
	return true;
}

static void free_slot(struct farnova *fs, uint16_t number)
{
	struct slot *slot = &fs->slots[number];
	slot->busy = false;
	slot->call = NULL;
	slot->closes = 0;
	if (number != 0) {
		fs->free_slots |= 1ull << number;
		poller_wake_resource(&fs->link);
	}
}

/* end -- the call gives back what it holds. */
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

/* send_here -- send on the connection of `epoch`; false if that has ended, and with it the sending. */
static bool send_here(struct farnova *fs, uint64_t epoch, struct proto_request *request, unsigned flags)
{
	for (;;) {
		if (fs->link.state != CONNECTION_UP || fs->link.epoch != epoch)
			return false;
		int error = send_request(fs, request, flags);
		if (error == 0)
			return true;
		if (error != -EAGAIN)
			return false;
		poller_make_room(&fs->link);
	}
}

/* write_staged -- the data of a request into the staging ring; false if the connection of `epoch` has ended. */
static bool write_staged(struct farnova *fs, uint64_t epoch, struct call *call)
{
	uint32_t length = call->staged_length;
	uint64_t offset;
	const uint8_t *from = call->staged;

	while (!staging_take(&fs->staging, length, &offset, &call->piece)) {
		call->waiter->resource = true;
		poller_wait(&fs->link, call->waiter, 0);
		if (fs->link.state != CONNECTION_UP || fs->link.epoch != epoch)
			return false;
	}
	call->holds_piece = true;
	*call->staging = offset;
	if (fs->staging_memory) {
		uint8_t *image = (uint8_t *)fs->staging_memory + offset;
		memcpy(image, from, length);
		from = image;
	}
	for (;;) {
		int error =
		    transport_write(fs->link.transport, from, fs->staging_region, fs->session.staging_address + offset,
		                    fs->session.staging_key, length, NULL, TRANSPORT_MORE);
		if (error == 0) {
			fs->link.counts.writes++;
			fs->link.counts.write_bytes += length;
			return true;
		}
		if (error != -EAGAIN)
			connection_lose(&fs->link, error, "a write into the staging ring was refused");
		else
			poller_make_room(&fs->link);
		if (fs->link.state != CONNECTION_UP || fs->link.epoch != epoch)
			return false;
	}
}

/* name_open -- the file's number in this session, which is another after a restart of the server. */
static void name_open(struct call *call)
{
	struct proto_request *request = call->request;
	uint64_t *open = proto_request_open(request);

	if (open)
		*open = call->file->open;
	if (request->op == PROTO_COPY)
		request->copy.from_open = call->source->open;
}

/* moves_data -- done twice it would not leave what it leaves done once. Whether the server that was lost did it nobody
 * can tell but the caller, who knows what the file was like. */
static bool moves_data(const struct proto_request *request)
{
	return request->op == PROTO_FALLOCATE &&
	       request->fallocate.mode & (PROTO_FALLOCATE_COLLAPSE_RANGE | PROTO_FALLOCATE_INSERT_RANGE);
}

/* refuse -- end a call that has not been sent in this session: the server has not seen the slot's sequence yet. */
static void refuse(struct farnova *fs, struct call *call, int status)
{
	fs->slots[call->slot].sequence--;
	free_slot(fs, call->slot);
	call->holds_slot = false;
	end(fs, call, status);
}

/* try_send -- one attempt on the connection there is now; leaves call->sent false if that ends meanwhile. */
static void try_send(struct farnova *fs, struct call *call)
{
	uint64_t epoch = fs->link.epoch;

	while (!call->holds_slot) {
		if (take_slot(fs, &call->slot)) {
			fs->slots[call->slot].call = call;
			call->holds_slot = true;
			if (call->epoch == 0) {
				call->session = fs->session.id;
				call->epoch = epoch;
			}
			break;
		}
		call->waiter->resource = true;
		poller_wait(&fs->link, call->waiter, 0);
		if (fs->link.state != CONNECTION_UP || fs->link.epoch != epoch)
			return;
	}
	call->on_new_connection = call->on_new_connection || call->epoch != epoch;
	call->maybe_executed = call->maybe_executed || call->session != fs->session.id;
	if (call->file && call->file->error) {
		refuse(fs, call, call->file->error);
		return;
	}
	if (call->source && call->source->error) {
		refuse(fs, call, call->source->error);
		return;
	}
	if (call->maybe_executed && moves_data(call->request)) {
		refuse(fs, call, -ECONNRESET);
		return;
	}
	if (call->staged && call->staged_length > fs->staging.size) {
		refuse(fs, call, -EMSGSIZE); /* another server, with a smaller ring than the one before */
		return;
	}
	if (call->file)
		name_open(call);
	/* One close goes along; sent again the request says what it said before. More of them go ahead of it. */
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
	call->sent = send_here(fs, epoch, call->request, 0);
}

void call_start(struct farnova *fs, struct call *call)
{
	call->waiter = poller_self();
	call->request->cred = call->file ? call->file->cred : cred_number(&fs->creds);
	call->deadline_ns = 0;
	call->holds_slot = call->holds_piece = call->sent = call->done = call->on_new_connection =
	    call->maybe_executed = false;
	call->status = 0;
	call->epoch = 0;
	if (call->changing)
		(*call->changing)++;
	poller_called(&fs->link.poller);
	if (fs->link.state == CONNECTION_UP)
		try_send(fs, call);
}

int call_wait_up(struct farnova *fs, int64_t *deadline_ns)
{
	while (fs->link.state != CONNECTION_UP) {
		if (*deadline_ns == 0 && fs->timeout_ms >= 0)
			*deadline_ns = clock_now_ns() + (int64_t)fs->timeout_ms * 1000000;
		if (poller_wait(&fs->link, poller_self(), *deadline_ns) != 0 && fs->link.state != CONNECTION_UP)
			return -ETIMEDOUT;
	}
	*deadline_ns = 0;
	return 0;
}

/* abandon -- the caller has given up: its request may still arrive, or have arrived, so the slot stays busy. */
static void abandon(struct farnova *fs, struct call *call)
{
	if (call->holds_slot)
		fs->slots[call->slot].call = NULL;
	call->holds_slot = false;
	call->waiter = NULL;
	end(fs, call, -ETIMEDOUT);
}

/*
 * settle -- what an answer means for a request that may have been executed twice because the server was restarted in
 * the middle of it: a name that is not there any more is what the caller asked for.
 */
static int settle(const struct call *call)
{
	int gone = -ENOENT;

	switch (call->request->op) {
	case PROTO_UNLINK:
	case PROTO_RMDIR:
		break;
	case PROTO_RENAME:
		if (call->request->rename.flags & PROTO_RENAME_EXCHANGE)
			return call->status;
		break;
	case PROTO_REMOVEXATTR:
		gone = -ENODATA;
		break;
	default:
		return call->status;
	}
	return call->maybe_executed && call->status == gone ? 0 : call->status;
}

int call_finish(struct farnova *fs, struct call *call)
{
	while (!call->done) {
		if (fs->link.state != CONNECTION_UP) {
			if (call_wait_up(fs, &call->deadline_ns) != 0 && !call->done)
				abandon(fs, call);
		} else if (!call->sent) {
			try_send(fs, call);
		} else {
			poller_wait(&fs->link, call->waiter, 0);
		}
	}
	return settle(call);
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
				return; /* not known to have arrived: goes again in its slot */
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

	poller_called(&fs->link.poller);
	while (fs->close_count == CLOSES_DEFERRED) {
		if (fs->link.state != CONNECTION_UP)
			return; /* too many to remember: the server closes it when the session dies */
		call_flush_closes(fs, 0);
		if (fs->close_count < CLOSES_DEFERRED)
			break;
		self->resource = true;
		poller_wait(&fs->link, self, 0);
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
	request.sequence = slot->sequence + 1;
	request.cred = 0;
	request.close_first = 0;
	if (send_request(fs, &request, 0) == 0) {
		slot->sequence++;
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
		/* An OPEN whose caller has given up has made an open that nobody would ever close. */
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
		call->holds_piece = false; /* the ring begins anew */
		poller_wake(&fs->link, call->waiter);
	}
}

/* settle_slot -- the server may have seen the newest request of the slot or not; ask for its reply, whatever it was. */
static void settle_slot(struct farnova *fs, uint16_t number)
{
	struct slot *slot = &fs->slots[number];
	struct proto_request request;

	request.op = PROTO_PING;
	request.slot = number;
	request.sequence = slot->sequence;
	request.cred = 0;
	request.close_first = slot->closes;
	send_here(fs, fs->link.epoch, &request, 0);
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
			/* This server gives fewer slots than the last. */
			call->holds_slot = false;
			call = slot->call = NULL;
		}
		slot->busy = call != NULL;
		slot->sequence = call ? 1 : 0;
		slot->closes = 0;
		if (!call && i > 0 && i < fs->session.slots)
			fs->free_slots |= 1ull << i;
	}
	fs->close_count = 0;
}
