/*
 * session.c -- sessions: their creation, transfer between threads and end.
 */
#include "server/state/session.h"

#include "common/container_of.h"
#include "common/log.h"
#include "common/random.h"
#include "server/net/admission.h"
#include "server/net/conn.h"
#include "server/state/channel.h"
#include "server/state/deferred.h"
#include "server/state/identity.h"
#include "server/state/seal.h"
#include "server/state/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MIN_MESSAGE       8192u
#define WRITE_OVERHEAD    (PROTO_REQUEST_HEADER + 24u)
#define RECALL_MAX_SIZE   128u
#define SLOTS_LEAST       16u /* of a session, if the configuration allows them */
#define PENALTY_SHARED_MS 400 /* a shorter penalty does not count for the host: the recall took less than 50 ms */

/* A client has reconnected: the transfer of its session from the thread that has it. */
struct session_transfer {
	struct mail mail;
	struct state *to;   /* the thread that has the connection */
	struct state *from; /* the thread that had the session */
	uint64_t token;     /* of the connection */
	uint64_t session_id;
	bool resume;             /* else it ends for a new one of the same identity */
	struct session *session; /* NULL: it no longer exists */
	struct proto_request hello;
};

static void notify(struct lease_owner *leases, uint64_t number, struct proto_handle handle)
{
	struct session *session = container_of(leases, struct session, layouts.lease);
	struct proto_recall recall = {.invalidation = number, .handle = handle};
	uint8_t buffer[RECALL_MAX_SIZE];

	if (handle.ino != 0)
		seal_handle(session->state->sealer, &recall.handle);
	int length = proto_encode_recall(&recall, buffer, sizeof(buffer));
	if (session->conn && length > 0)
		conn_send(session->conn, buffer, (size_t)length, false);
}

static void link_session(struct state *state, struct session *session)
{
	session->previous = NULL;
	session->next = state->sessions;
	if (session->next)
		session->next->previous = session;
	state->sessions = session;
	session->state = state;
	session->layouts.lease.mailbox = &state->net->mailbox;
	session->layouts.nova = state->nova;
}

static void unlink_session(struct state *state, struct session *session)
{
	if (session->previous)
		session->previous->next = session->next;
	else
		state->sessions = session->next;
	if (session->next)
		session->next->previous = session->previous;
}

/* ---- creation and end ------------------------------------------------------------------------------------------- */

/* The slots that each session may have at present; in steps, so that it changes rarely. */
static uint32_t share_of_slots(const struct state_shared *shared)
{
	size_t sessions = registry_count(&shared->registry);
	uint64_t share = shared->config->total_slots / (sessions ? sessions : 1) / SLOTS_LEAST * SLOTS_LEAST;

	if (share < SLOTS_LEAST)
		share = SLOTS_LEAST;
	return (uint32_t)(share < shared->config->max_slots ? share : shared->config->max_slots);
}

static uint64_t random_number(void)
{
	uint64_t value = 0;

	/* No session has id or key 0. */
	while (value == 0 && random_fill(&value, sizeof(value)) != 0)
		value = 0;
	return value;
}

static void destroy(struct session *session, bool close_opens)
{
	struct state *state = session->state;
	const struct nova_call call = {.worker = state->nova};

	session->dead = true;
	session->dead_close = session->dead_close || close_opens;
	if (session->lost > 0)
		return;
	unlink_session(state, session);
	if (session->dead_close)
		open_table_close_all(&session->opens, &call);
	bulk_owner_end(state->shared->bulk, session->bulk);
	open_table_free(&session->opens);
	cred_table_free(&session->creds);
	slot_table_free(&session->slots);
	if (session->client)
		nova_client_release(state->shared->nova, session->client);
	munmap(session->staging, state->shared->config->staging_size);
	free(session);
}

static void post_parked(struct session *session)
{
	struct mail *mail = session->parked, *oldest = NULL;

	session->parked = NULL;
	while (mail) {
		struct mail *next = mail->next;

		mail->next = oldest;
		oldest = mail;
		mail = next;
	}
	while (oldest) {
		struct mail *next = oldest->next;

		mailbox_post(&session->state->net->mailbox, oldest);
		oldest = next;
	}
}

/* No request holds the session any more. If it is dead, the parked transfers will not find it in the registry. */
static void found(struct session *session)
{
	post_parked(session);
	if (session->dead)
		destroy(session, session->dead_close);
	else if (session->opens.count == 0 && !session->conn)
		registry_idle(&session->state->shared->registry, &session->registered);
}

static void evicted(struct mail *mail)
{
	destroy((struct session *)(void *)mail, true);
}

/* On success the session has the hold on `client`. */
static int session_create(struct state *state, const struct conn *conn, struct nova_client *client,
                          struct session **out, const char **why)
{
	struct state_shared *shared = state->shared;
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return -ENOMEM;
	session->registered.id = random_number();
	session->registered.key = random_number();
	session->registered.identity = client ? nova_client_number(client) : 0;
	session->registered.host = conn->guest->host;
	session->registered.state = state;
	session->registered.mailbox = &state->net->mailbox;
	session->registered.evicted_mail.deliver = evicted;
	open_table_init(&session->opens, shared->config->max_opens);
	layout_owner_init(&session->layouts, shared->layouts);
	session->layouts.max_regions = shared->config->max_regions;
	session->layouts.lease.notify = notify;
	session->found = found;
	penalty_begin(&shared->penalties, conn->guest->host, &session->layouts.lease.penalty, state->net->now_ms);
	session->staging = mmap(NULL, shared->config->staging_size, PROT_READ | PROT_WRITE,
	                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	session->bulk = bulk_owner_make();
	int rc = session->staging == MAP_FAILED || !session->bulk
	             ? -ENOMEM
	             : registry_add(&shared->registry, &session->registered, why);
	if (rc < 0) {
		if (session->staging != MAP_FAILED)
			munmap(session->staging, shared->config->staging_size);
		bulk_owner_end(shared->bulk, session->bulk);
		free(session);
		return rc;
	}
	session->client = client;
	link_session(state, session);
	*out = session;
	return 0;
}

void session_free(struct session *session, bool close_opens)
{
	if (registry_remove(&session->state->shared->registry, &session->registered))
		destroy(session, close_opens);
}

/* The penalty of this session also applies to sessions that its host opens from now on, unless it is short. */
static void share_penalty(struct session *session, int64_t until_ms_before)
{
	const struct penalty *penalty = &session->layouts.lease.penalty;
	struct state *state = session->state;

	if (penalty->until_ms != until_ms_before && penalty->until_ms - state->net->now_ms >= PENALTY_SHARED_MS)
		penalty_remember(&state->shared->penalties, session->registered.host, penalty, state->net->now_ms);
}

int session_quiesced(struct session *session, uint64_t quiesced)
{
	struct lease_owner *lease = &session->layouts.lease;
	uint64_t before = lease->quiesced;
	int64_t until_ms = lease->penalty.until_ms;

	if (quiesced == before)
		return 0;
	int rc = lease_quiesced(lease, quiesced);
	share_penalty(session, until_ms);
	if (lease->quiesced != before)
		deferred_retry_soon(session->state);
	return rc;
}

/* Free the memory of the staging ring, whose registration has ended. A change that a bulk thread has begun may read it. */
static void release_staging(struct session *session)
{
	if (!session->deferred)
		madvise(session->staging, session->state->shared->config->staging_size, MADV_DONTNEED);
}

int session_staging(struct session *session, bool want)
{
	if (want == (session->staging_region != NULL))
		return 0;
	if (want)
		return transport_register(session->conn->transport, session->staging,
		                          session->state->shared->config->staging_size, 0, TRANSPORT_REMOTE_WRITE,
		                          &session->staging_region);
	transport_deregister(session->staging_region);
	session->staging_region = NULL;
	release_staging(session);
	return 0;
}

static void disconnected(struct session *session)
{
	int64_t until_ms = session->layouts.lease.penalty.until_ms;
	struct state *state = session->state;

	session->conn = NULL;
	session->staging_region = NULL; /* it has ended with the connection */
	deferred_cancel_all(session);
	release_staging(session);
	layout_owner_end(&session->layouts);
	share_penalty(session, until_ms);
	session->left_ms = state->net->now_ms;
	session->expires_ms = session->left_ms + (int64_t)state->shared->config->lease_ms;
	if (session->ended)
		session_free(session, true);
	else if (session->opens.count == 0 && session->lost == 0)
		registry_idle(&state->shared->registry, &session->registered);
}

void session_close_conn(struct conn *conn)
{
	struct session *session = conn->session;

	/* Destroy the queue pairs first: what waits for READs of this client may continue only when it cannot READ. */
	if (session)
		channel_close_all(session);
	channel_left(conn);
	conn_close(conn);
	if (session)
		disconnected(session);
}

int session_close_open(struct session *session, uint64_t id)
{
	const struct layout_change nothing = {.lease.owner = &session->layouts.lease};
	const struct nova_call call = {.worker = session->state->nova, .change = &nothing};
	const struct open *open = open_table_get(&session->opens, id);

	if (!open)
		return -EBADF;
	/* The layout first: if this close frees the inode, its blocks must wait for READs in flight. */
	if (open_table_is_last(open))
		layout_file_closed(&session->layouts, open->file->handle);
	open_table_remove(&session->opens, &call, id);
	return 0;
}

void session_bye(struct session *session)
{
	session->ended = true;
	/* The place of the session is free when the client gets the reply; its connection may end later. */
	registry_remove(&session->state->shared->registry, &session->registered);
	for (size_t i = 0; i < session->opens.size; i++) {
		if (session->opens.items[i].file)
			session_close_open(session, session->opens.items[i].id);
	}
	if (session->client)
		nova_client_end(session->state->shared->nova, session->client);
	session->client = NULL;
}

void session_note_slots(struct session *session, uint32_t used, uint16_t window)
{
	if (slot_table_heard(&session->slots, used, window))
		conn_set_slots(session->conn, session->slots.limit);
}

void session_tick(struct session *session)
{
	struct state *state = session->state;
	const struct config *config = state->shared->config;
	int64_t recall_ms = (int64_t)config->recall_ms, lease_ms = (int64_t)config->lease_ms;
	int64_t now_ms = state->net->now_ms;

	slot_table_tick(&session->slots, share_of_slots(state->shared), session->client != NULL);
	if (session->conn)
		conn_set_slots(session->conn, session->slots.limit);
	if (!session->conn) {
		if (session->lost > 0 || now_ms < session->expires_ms)
			return;
		log_info_limited("session", "a client has not reconnected within its lease time: its session ends");
		session_free(session, true);
		return;
	}
	if (session->conn->broken)
		return;
	int64_t until_ms = session->layouts.lease.penalty.until_ms;
	if (layout_tick(&session->layouts, now_ms, recall_ms, lease_ms) < 0) {
		share_penalty(session, until_ms);
		conn_fail(session->conn, "it has not answered a recall in time; it gets no layouts for a while");
	} else if (now_ms - session->conn->heard_ms > lease_ms) {
		conn_fail(session->conn, "it has sent nothing for a lease time");
	}
}

void session_space_short(struct state *state)
{
	struct state_shared *shared = state->shared;
	int64_t now_ms = state->net->now_ms;

	for (struct session *session = state->sessions; session; session = session->next)
		layout_ask_for_space(&session->layouts, now_ms);
	const struct debtor *due = layout_due(shared->layouts, now_ms, (int64_t)shared->config->recall_ms);
	for (struct session *session = due ? state->sessions : NULL; session; session = session->next) {
		int64_t until_ms = session->layouts.lease.penalty.until_ms;
		if (&session->layouts.debtor != due || !session->conn || session->conn->broken)
			continue;
		penalty_unanswered(&session->layouts.lease.penalty, now_ms);
		share_penalty(session, until_ms);
		conn_fail(session->conn, "it keeps blocks while space is short; it gets no layouts for a while");
	}
}

void session_extend_lease(struct session *session, int64_t late_ms, int64_t stalled_ms)
{
	const struct config *config = session->state->shared->config;
	int64_t most_ms = session->left_ms + 2 * (int64_t)config->lease_ms;

	session->expires_ms = session->expires_ms + late_ms < most_ms ? session->expires_ms + late_ms : most_ms;
	layout_extend(&session->layouts, stalled_ms, (int64_t)config->recall_ms);
}

/* ---- hello ------------------------------------------------------------------------------------------------------ */

static void refuse_hello(struct state *state, struct conn *conn, int error, const char *why)
{
	struct proto_reply *reply = &state->reply;

	conn_log_peer_error(conn, "HELLO", why);
	*reply = (struct proto_reply){
	    .op = PROTO_HELLO,
	    .slot = PROTO_SLOT_NONE,
	    .status = (uint32_t)error,
	    .reason = {.data = why, .length = (uint32_t)strlen(why)},
	};
	int length = proto_encode_reply(reply, state->out, sizeof(state->out));
	if (length > 0)
		conn_send(conn, state->out, (size_t)length, true);
}

static void welcome(struct state *state, struct conn *conn, bool resumed)
{
	const struct state_shared *shared = state->shared;
	struct session *session = conn->session;
	struct proto_reply *reply = &state->reply;

	*reply = (struct proto_reply){
	    .op = PROTO_HELLO,
	    .slot = PROTO_SLOT_NONE,
	    .slots = session->slots.window,
	    .window = session->slots.number,
	    .invalidation = session->layouts.lease.invalidation_issued,
	    .hello = {.version = PROTO_VERSION,
	              .identity = session->registered.identity,
	              .known = session->client && (resumed || session->known),
	              .session = session->registered.id,
	              .session_key = session->registered.key,
	              .resumed = resumed,
	              .instance = shared->instance,
	              .lease_ms = (uint32_t)shared->config->lease_ms,
	              .max_read = conn_reply_room(conn) - PROTO_READ_FIXED,
	              .max_write = (uint32_t)shared->config->message_size - WRITE_OVERHEAD,
	              .staging_size = shared->config->staging_size,
	              .root = shared->root},
	};
	memcpy(reply->hello.pool, shared->pool, sizeof(reply->hello.pool));
	/* Whole blocks: an unaligned write costs a merge at its edges. */
	if (reply->hello.max_read > 4096)
		reply->hello.max_read &= ~4095u;
	if (reply->hello.max_write > 4096)
		reply->hello.max_write &= ~4095u;
	seal_reply(state->sealer, reply);
	int length = proto_encode_reply(reply, state->out, sizeof(state->out));
	conn_send(conn, state->out, (size_t)length, true);
}

/* Connect connection and session. */
static int attach(struct state *state, struct conn *conn, struct session *session, const struct proto_request *hello)
{
	const struct config *config = state->shared->config;

	int rc = cred_set(&session->creds, 0, config->squash_root, hello->hello.uid, hello->hello.gid,
	                  hello->hello.group_count, hello->hello.groups);
	if (rc < 0) {
		refuse_hello(state, conn, -rc, "cannot keep its credential");
		return rc;
	}
	conn_greeted(conn, session);
	conn_set_slots(conn, session->slots.limit);
	session->conn = conn;
	session->layouts.lease.connected = true;
	return 0;
}

static void route_hello(struct state *state, struct conn *conn, const struct proto_request *hello);

/* Take an identity, and make its session. */
static int make_session(struct state *state, struct conn *conn, const struct proto_request *hello, struct session **out,
                        const char **why)
{
	struct nova *nova = state->shared->nova;
	struct nova_client *client;
	bool known;

	*why = conn->guest->refused;
	int rc = *why ? -EUSERS : identity_take(nova, state->nova, hello, &client, &known);
	if (rc < 0)
		return rc;
	rc = session_create(state, conn, client, out, why);
	if (rc == 0) {
		(*out)->known = known;
		slot_table_init(&(*out)->slots, hello->hello.slots, hello->slots_used, share_of_slots(state->shared));
	} else if (client && known) {
		nova_client_release(nova, client);
	} else if (client) {
		nova_client_end(nova, client);
	}
	return rc;
}

static void open_session(struct state *state, struct conn *conn, const struct proto_request *hello)
{
	struct session *session;
	const char *why;

	int rc = make_session(state, conn, hello, &session, &why);
	if (rc == -EEXIST) {
		/* Another connection of the client was faster: this one takes its place. */
		route_hello(state, conn, hello);
		return;
	}
	if (rc < 0) {
		refuse_hello(state, conn, -rc, rc == -EUSERS ? why : "cannot create a session");
		return;
	}
	if (attach(state, conn, session, hello) < 0) {
		session_free(session, true);
		return;
	}
	log_info_limited("session", "client %s has a new session", transport_peer(conn->transport));
	welcome(state, conn, false);
}

static struct conn *find_conn(const struct net *net, uint64_t token)
{
	struct conn *conn = net->conns;

	while (conn && conn->token != token)
		conn = conn->next;
	return conn;
}

/* In the thread that has the connection: the session has arrived, or it no longer exists. */
static void transfer_delivered(struct mail *mail)
{
	struct session_transfer *transfer = (struct session_transfer *)(void *)mail;
	struct state *state = transfer->to;
	struct session *session = transfer->session;
	struct conn *conn = find_conn(state->net, transfer->token);

	if (session) {
		registry_arrived(&state->shared->registry, &session->registered);
		link_session(state, session);
	}
	if (conn)
		conn->resuming = false;
	if (conn && !conn->broken) {
		if (session && !transfer->resume) {
			session_free(session, true);
			session = NULL;
		}
		if (session && attach(state, conn, session, &transfer->hello) == 0) {
			slot_table_wants(&session->slots, transfer->hello.hello.slots);
			log_info_limited("session", "client %s has resumed its session",
			                 transport_peer(conn->transport));
			welcome(state, conn, true);
		} else if (!session) {
			open_session(state, conn, &transfer->hello);
		}
	}
	free(transfer);
}

/* In the thread that has the session, or had it when the transfer was requested. */
static void transfer_requested(struct mail *mail)
{
	struct session_transfer *transfer = (struct session_transfer *)(void *)mail;
	struct state *state = transfer->from, *owner;
	struct registry *registry = &state->shared->registry;

	struct session *session = (struct session *)(void *)registry_get(registry, transfer->session_id, state, &owner);
	if (owner && !session) {
		/* Another connection of the client was first; this later one takes the session from it. If the session
		 * is on its way back to this thread, its mail comes before this one. */
		transfer->from = owner;
		mailbox_post(&owner->net->mailbox, mail);
		return;
	}
	if (session && session->ended)
		session = NULL; /* it will be freed with its connection */
	/* The client has left the old connection, whether this thread has noticed it or not. */
	if (session && session->conn)
		session_close_conn(session->conn);
	if (session && session->lost > 0) {
		mail->next = session->parked;
		session->parked = mail;
		return;
	}
	if (session && !registry_claim(registry, &session->registered))
		session = NULL;
	if (session)
		unlink_session(state, session);
	transfer->session = session;
	transfer->mail.deliver = transfer_delivered;
	if (state == transfer->to)
		transfer_delivered(mail);
	else if (session)
		registry_hand_on(registry, &session->registered, transfer->to, &transfer->to->net->mailbox, mail);
	else
		mailbox_post(&transfer->to->net->mailbox, mail);
}

static void fetch_session(struct state *state, struct conn *conn, struct state *from, uint64_t id, bool resume,
                          const struct proto_request *hello)
{
	struct session_transfer *transfer = malloc(sizeof(*transfer));

	if (!transfer) {
		refuse_hello(state, conn, ENOMEM, "out of memory");
		return;
	}
	*transfer = (struct session_transfer){
	    .mail.deliver = transfer_requested,
	    .to = state,
	    .from = from,
	    .token = conn->token,
	    .session_id = id,
	    .resume = resume,
	    .hello = *hello,
	};
	conn->resuming = true;
	mailbox_post(&from->net->mailbox, &transfer->mail);
}

/* Resume the session that it names; else end the one that its identity has; open a new one. */
static void route_hello(struct state *state, struct conn *conn, const struct proto_request *hello)
{
	struct registry *registry = &state->shared->registry;
	uint64_t identity = hello->hello.identity, id = hello->hello.session;
	struct state *from = id ? registry_owner(registry, id, hello->hello.session_key, identity) : NULL;
	bool resume = from != NULL;

	if (!from)
		from = registry_of_identity(registry, identity, &id);
	if (from)
		fetch_session(state, conn, from, id, resume, hello);
	else
		open_session(state, conn, hello);
}

void session_hello(struct state *state, struct conn *conn, const struct proto_request *hello)
{
	if (conn->session || conn->resuming) {
		conn_fail(conn, "it said HELLO twice");
		return;
	}
	if (hello->hello.min_version > PROTO_VERSION || hello->hello.max_version < PROTO_VERSION) {
		refuse_hello(state, conn, EPROTONOSUPPORT,
		             "client and server have no version of the protocol in common");
		return;
	}
	if (transport_max_message(conn->transport) < MIN_MESSAGE) {
		refuse_hello(state, conn, EMSGSIZE, "it receives messages of less than 8 KiB");
		return;
	}
	int rc = identity_check(state->shared->nova, hello);
	if (rc < 0) {
		refuse_hello(state, conn, -rc,
		             rc == -EACCES ? "the key is not that of its identity"
		                           : "its identity cannot be looked up");
		return;
	}
	route_hello(state, conn, hello);
}
