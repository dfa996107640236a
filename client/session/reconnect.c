/*
 * reconnect.c -- establishes the first connection and reconnects after a loss.
 *
 * While the connection is lost all other threads wait, so only the background thread uses the new connection until it
 * declares it up: it opens or resumes the session, announces credentials and reopens files, all in slot 0.
 */
#include "client/session/reconnect.h"

#include "client/session/call.h"
#include "client/session/candidate.h"
#include "client/session/channel.h"
#include "client/session/open_files.h"
#include "client/session/send.h"
#include "client/session/slots.h"
#include "client/session/staging_ring.h"
#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CONNECT_MS        3000
#define ANSWER_MS         5000
#define BYE_MS            1000
#define PAUSE_SHARE       8 /* of the time since the loss: a client comes back late by at most that part of the outage */
#define SHORTEST_PAUSE_NS 10000000
#define LONGEST_PAUSE_NS  500000000
#define RECEIVES          128u
#define READS             256u               /* in flight at a time */
#define STAGING_MOST      (4u * 1024 * 1024) /* part of the ring that is used: on verbs its image is locked memory */

/* tell_trouble -- copy the reason why a candidate failed to link.trouble; lock held. */
static int tell_trouble(struct farnova *fs, const struct candidate *candidate, int error)
{
	snprintf(fs->link.trouble, sizeof(fs->link.trouble), "%s", candidate->why);
	return error;
}

/* ask -- send a request and wait for its reply in fs->reply. */
static int ask(struct farnova *fs, struct candidate *candidate, struct proto_request *request, int timeout_ms)
{
	request->slots_used = fs->slots_used;
	request->window = fs->session.window;
	return candidate_ask(candidate, request, timeout_ms, fs->message, sizeof(fs->message), &fs->reply);
}

/* ask_in_slot -- send a new request in slot 0 and wait for its reply. */
static int ask_in_slot(struct farnova *fs, struct candidate *candidate, struct proto_request *request)
{
	struct slot *slot = &fs->slots[0];

	request->slot = 0;
	request->sequence = slot->sequence = proto_next_sequence(slot->sequence);
	slot->busy = true;
	int error = ask(fs, candidate, request, ANSWER_MS);
	if (error == 0)
		slot->busy = false;
	return error;
}

/* ---- the session ------------------------------------------------------------------------------------------------ */

static void own_cred(struct proto_request *request)
{
	gid_t groups[PROTO_MAX_GROUPS];
	int count = getgroups(PROTO_MAX_GROUPS, groups);

	request->hello.uid = geteuid();
	request->hello.gid = getegid();
	request->hello.group_count = count > 0 ? (uint32_t)count : 0;
	for (uint32_t i = 0; i < request->hello.group_count; i++)
		request->hello.groups[i] = groups[i];
}

/* hello -- open or resume the session; the reply is in fs->reply. */
static int hello(struct farnova *fs, struct candidate *candidate)
{
	struct proto_request request;

	request.op = PROTO_HELLO;
	request.slot = PROTO_SLOT_NONE;
	request.sequence = 0;
	request.cred = 0;
	request.hello.min_version = PROTO_VERSION;
	request.hello.max_version = PROTO_VERSION;
	request.hello.features = 0;
	request.hello.identity = fs->identity.number;
	memcpy(request.hello.identity_key, fs->identity.key, sizeof(fs->identity.key));
	request.hello.session = fs->session.id;
	request.hello.session_key = fs->session.key;
	request.hello.slots = PROTO_MAX_SLOTS;
	own_cred(&request);
	int error = ask(fs, candidate, &request, ANSWER_MS);
	if (error)
		return candidate_trouble(candidate, error,
		                         "it accepts connections but does not answer as a farnova server");
	if (fs->reply.status && candidate->reason[0]) {
		snprintf(candidate->why, sizeof(candidate->why), "the server refuses the session: %s",
		         candidate->reason);
		return -(int)fs->reply.status;
	}
	if (fs->reply.status)
		return candidate_trouble(candidate, -(int)fs->reply.status, "the server refuses the session");
	if (transport_max_message(candidate->conn) < PROTO_MESSAGE_SIZE || fs->reply.slots < PROTO_MIN_SLOTS)
		return candidate_trouble(candidate, -EPROTO,
		                         "the server is configured with too few slots or too small messages");
	if (fs->reply.hello.known && fs->reply.hello.identity != fs->identity.number)
		return candidate_trouble(candidate, -EPROTO,
		                         "the server knows another identity than the one it was told");
	if (fs->session.id && memcmp(fs->session.pool, fs->reply.hello.pool, sizeof(fs->session.pool)) != 0)
		return candidate_trouble(candidate, -ESTALE, "another pool is served there now");
	return 0;
}

/* dial -- connect a candidate by `kind` and open or resume its session. */
static int dial(struct farnova *fs, enum transport_kind kind, int timeout_ms, struct candidate *candidate)
{
	struct transport_options options = {
	    .message_size = PROTO_MESSAGE_SIZE, .receive_depth = RECEIVES, .operations = READS};

	candidate->poller = &fs->link.poller;
	int error = candidate_connect(candidate, kind, &fs->url, &options, timeout_ms);
	if (error == 0)
		error = hello(fs, candidate);
	if (error)
		candidate_discard(candidate);
	return error;
}

/* prepare_memory -- set up the staging ring and the bounce buffers on the new connection. */
static int prepare_memory(struct farnova *fs, struct candidate *candidate, uint64_t ring)
{
	uint64_t size = ring < STAGING_MOST ? ring : STAGING_MOST;
	int error = bounce_init(&fs->lane.bounce, candidate->conn);

	if (error)
		return candidate_trouble(candidate, error, "cannot register memory for reads (see the memlock limit)");
	staging_init(&fs->staging, size / STAGING_ALIGN * STAGING_ALIGN);
	atomic_store_explicit(&fs->write_chunk,
	                      fs->staging.size < BUFFER_SIZE ? (unsigned)fs->staging.size : BUFFER_SIZE,
	                      memory_order_relaxed);
	atomic_store_explicit(&fs->write_small, fs->session.max_write, memory_order_relaxed);
	if (!transport_needs_region(candidate->conn))
		return 0;
	if (!fs->staging_memory) {
		void *memory = mmap(NULL, STAGING_MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED)
			return candidate_trouble(candidate, -ENOMEM, "cannot get memory for writes");
		madvise(memory, STAGING_MOST, MADV_DONTFORK);
		fs->staging_memory = memory;
	}
	error = transport_register(candidate->conn, fs->staging_memory, fs->staging.size, 0, 0, &fs->staging_region);
	return error ? candidate_trouble(candidate, error, "cannot register memory for writes (see the memlock limit)")
	             : 0;
}

/* adopt_session -- take over the session parameters of the reply to HELLO. */
static int adopt_session(struct farnova *fs, struct candidate *candidate)
{
	const struct proto_reply *reply = &fs->reply;
	bool first = fs->session.id == 0;
	bool resumed = reply->hello.resumed && reply->hello.session == fs->session.id;

	fs->layouts.seen = reply->invalidation;
	fs->layouts.quiesced_sent = 0;
	/* Where the server does not know it any more, calls in flight that change something fail: call.c. */
	fs->identity.number = reply->hello.identity;
	fs->session.id = reply->hello.session;
	fs->session.key = reply->hello.session_key;
	fs->session.instance = reply->hello.instance;
	/* It never changes later, and is read without the lock. */
	if (first)
		memcpy(fs->session.pool, reply->hello.pool, sizeof(fs->session.pool));
	fs->session.slots = reply->slots;
	fs->session.window = reply->window;
	fs->session.lease_ms = reply->hello.lease_ms;
	fs->session.max_read = reply->hello.max_read;
	fs->session.max_write = reply->hello.max_write;
	staging_ring_lost(fs);
	fs->root = fs->root.ino ? fs->root : reply->hello.root;
	if (!resumed)
		call_session_new(fs);
	return prepare_memory(fs, candidate, reply->hello.staging_size);
}

/* settle_slot_0 -- find out whether slot 0's request at the loss of the connection was executed. */
static int settle_slot_0(struct farnova *fs, struct candidate *candidate)
{
	struct proto_request request;

	if (!fs->slots[0].busy)
		return 0;
	request.op = PROTO_PING;
	request.slot = 0;
	request.sequence = fs->slots[0].sequence;
	request.cred = 0;
	connection_unlock(&fs->link);
	int error = ask(fs, candidate, &request, ANSWER_MS);
	connection_lock(&fs->link);
	if (error)
		return error;
	fs->slots[0].busy = false;
	if (fs->reply.op == PROTO_REOPEN && fs->reply.status == 0)
		closes_add(fs, fs->reply.open.open);
	return 0;
}

/* announce_creds -- send the credentials that this session does not know yet. Lock held, released during each
 * exchange. */
static int announce_creds(struct farnova *fs, struct candidate *candidate)
{
	struct proto_request request;

	for (unsigned number = 1; number <= fs->creds.count; number++) {
		struct cred *cred = fs->creds.list[number - 1];
		/* One that nothing uses is announced when a thread sets it again. */
		if (cred->session == fs->session.id || atomic_load(&cred->uses) == 0)
			continue;
		request.cred = 0;
		cred_request(&fs->creds, number, &request);
		cred_use(&fs->creds, number); /* the number keeps its meaning meanwhile */
		connection_unlock(&fs->link);
		int error = ask_in_slot(fs, candidate, &request);
		connection_lock(&fs->link);
		if (error == 0 && fs->reply.status == 0)
			cred->session = fs->session.id;
		cred_unuse(&fs->creds, number);
		if (error)
			return error;
	}
	return 0;
}

/* reopen_files -- reopen all files by handle in the new session. Lock held, released during each exchange. */
static int reopen_files(struct farnova *fs, struct candidate *candidate)
{
	struct farnova_file *file;

	while ((file = file_not_reopened(fs)) != NULL) {
		struct proto_request request;
		request.op = PROTO_REOPEN;
		request.cred = file->cred;
		request.reopen.handle = file->inode->handle;
		request.reopen.flags =
		    file->flags & (PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_APPEND | PROTO_OPEN_DIRECTORY |
		                   PROTO_OPEN_NOATIME | PROTO_OPEN_EXECUTE | PROTO_OPEN_PATH);
		request.reopen.flags |= PROTO_OPEN_RECLAIM;
		connection_unlock(&fs->link);
		int error = ask_in_slot(fs, candidate, &request);
		connection_lock(&fs->link);
		if (error)
			return error;
		/* No thread can have opened a file meanwhile, but one may have closed this file. */
		if (file_still_open(fs, file))
			file_reopened(fs, file, -(int)fs->reply.status, &fs->reply);
		else if (fs->reply.status == 0)
			closes_add(fs, fs->reply.open.open);
	}
	return 0;
}

/* take_up -- make the candidate the connection. */
static void take_up(struct farnova *fs, struct candidate *candidate)
{
	connection_up(&fs->link, candidate->queue, candidate->conn);
	call_session_resumed(fs);
	poller_wake_all(&fs->link);
	channels_wake(fs);
}

/* ---- the first time --------------------------------------------------------------------------------------------- */

static int connect_by(struct farnova *fs, enum transport_kind kind, int64_t deadline_ns)
{
	struct candidate candidate = {.deadline_ns = deadline_ns};
	const char *host = fs->url.host;
	bool bracket = strchr(host, ':') || *host == '/';

	snprintf(fs->link.name, sizeof(fs->link.name), "farnova://%s%.240s%s:%u (%s)", bracket ? "[" : "", host,
	         bracket ? "]" : "", fs->url.port, transport_kind_name(kind));
	fs->link.kind = kind;
	int error = dial(fs, kind, INT32_MAX, &candidate);
	if (error)
		return tell_trouble(fs, &candidate, error);
	connection_lock(&fs->link);
	error = adopt_session(fs, &candidate);
	if (error) {
		candidate_discard(&candidate);
		tell_trouble(fs, &candidate, error);
		fs->session.id = 0; /* its lease expires; the next attempt opens another session */
	} else {
		take_up(fs, &candidate);
	}
	connection_unlock(&fs->link);
	return error;
}

/* connect_auto -- verbs if a device is active and the server answers over verbs within half of the time, else TCP. On
 * failure link.trouble has the reason of each attempt. */
static int connect_auto(struct farnova *fs, int64_t deadline_ns)
{
	int64_t half_ns = deadline_ns ? clock_now_ns() + (deadline_ns - clock_now_ns()) / 2 : 0;

	char verbs[sizeof(fs->link.trouble) / 2], tcp[sizeof(fs->link.trouble) / 2];
	bool try_verbs = *fs->url.host != '/' &&
	                 transport_available(TRANSPORT_VERBS, fs->link.trouble, sizeof(fs->link.trouble)) == 0;

	if (try_verbs && connect_by(fs, TRANSPORT_VERBS, half_ns) == 0)
		return 0;
	snprintf(verbs, sizeof(verbs), "%.200s", fs->link.trouble);
	int error = connect_by(fs, TRANSPORT_TCP, deadline_ns);
	if (error == 0 || !try_verbs)
		return error;
	snprintf(tcp, sizeof(tcp), "%.230s", fs->link.trouble);
	snprintf(fs->link.trouble, sizeof(fs->link.trouble), "by tcp: %.230s; by verbs: %.200s", tcp, verbs);
	return error;
}

int connect_first(struct farnova *fs, const char *transport, int64_t deadline_ns)
{
	enum transport_kind kind;

	if (!transport || strcmp(transport, "auto") == 0)
		return connect_auto(fs, deadline_ns);
	int error = transport_kind_from_name(transport, &kind);
	if (error) {
		struct candidate none = {0};
		return tell_trouble(fs, &none, candidate_trouble(&none, error, "the transport is auto, verbs or tcp"));
	}
	error = transport_available(kind, fs->link.trouble, sizeof(fs->link.trouble));
	return error ? error : connect_by(fs, kind, deadline_ns);
}

/* ---- again ------------------------------------------------------------------------------------------------------ */

/* attempt -- one attempt to reconnect. Lock held, released during waits for the network. */
static int attempt(struct farnova *fs)
{
	int connect_ms = fs->timeout_ms >= 0 && fs->timeout_ms < CONNECT_MS ? fs->timeout_ms : CONNECT_MS;
	struct candidate candidate = {.deadline_ns = 0};

	if (fs->link.queue)
		transport_queue_destroy(fs->link.queue);
	fs->link.queue = NULL;
	connection_unlock(&fs->link);
	int error = dial(fs, fs->link.kind, connect_ms, &candidate);
	connection_lock(&fs->link);
	if (error)
		return tell_trouble(fs, &candidate, error);
	error = adopt_session(fs, &candidate);
	if (error == 0)
		error = settle_slot_0(fs, &candidate);
	if (error == 0)
		error = announce_creds(fs, &candidate);
	if (error == 0)
		error = reopen_files(fs, &candidate);
	if (error == 0 && !fs->link.poller.stop) {
		take_up(fs, &candidate);
		return 0;
	}
	fs->lane.bounce.region = fs->staging_region = NULL;
	candidate_discard(&candidate);
	return candidate.why[0] ? tell_trouble(fs, &candidate, error) : error;
}

/* pause_after -- how long to wait after an attempt that failed so long after the loss. */
static int64_t pause_after(int64_t lost_ns)
{
	int64_t pause_ns = lost_ns / PAUSE_SHARE;

	if (pause_ns < SHORTEST_PAUSE_NS)
		return SHORTEST_PAUSE_NS;
	return pause_ns < LONGEST_PAUSE_NS ? pause_ns : LONGEST_PAUSE_NS;
}

void reconnect(struct connection *link)
{
	struct farnova *fs = farnova_of(link);
	struct waiter *self = &fs->link.poller.background;
	int64_t lost_ns = clock_now_ns();

	while (!fs->link.poller.stop && attempt(fs) != 0) {
		int64_t now_ns = clock_now_ns(), until_ns = now_ns + pause_after(now_ns - lost_ns);
		struct timespec until = clock_timespec(until_ns);
		self->asleep = true;
		while (!fs->link.poller.stop && clock_now_ns() < until_ns)
			pthread_cond_clockwait(&self->wake, &fs->link.lock, CLOCK_MONOTONIC, &until);
		self->asleep = false;
	}
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

void session_leave(struct farnova *fs)
{
	struct candidate candidate = {.queue = fs->link.queue, .conn = fs->link.transport};
	struct transport_event event;
	struct proto_request request;
	int64_t bye_ms = fs->timeout_ms >= 0 && fs->timeout_ms < BYE_MS ? fs->timeout_ms : BYE_MS;
	int64_t deadline_ns = clock_now_ns() + bye_ms * CLOCK_NS_PER_MS;

	request.op = PROTO_BYE;
	request.slot = PROTO_SLOT_NONE;
	request.sequence = 0;
	request.cred = 0;
	request.close_first = 0;
	if (fs->link.state != CONNECTION_UP || send_request(fs, &request, 0) != 0)
		return;
	/* Replies that nobody waits for arrive first; the reply to BYE is the server's last message. */
	while (candidate_next_message(&candidate, deadline_ns, &event) == 0) {
		const char *why;
		bool last = !proto_is_recall(event.data, event.length) &&
		            proto_decode_reply(event.data, event.length, &fs->reply, &why) == 0 &&
		            fs->reply.op == PROTO_BYE;
		transport_release(fs->link.transport, event.data);
		if (last)
			return;
	}
}

void session_end(struct farnova *fs)
{
	connection_end(&fs->link);
	bounce_destroy(&fs->lane.bounce);
	if (fs->staging_memory)
		munmap(fs->staging_memory, STAGING_MOST);
}
