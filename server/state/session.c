/*
 * session.c -- what the server knows of a client beyond its connection: credentials, opens, slots, layouts, staging.
 */
#include "server/state/session.h"

#include "common/log.h"
#include "server/loop/worker.h"
#include "server/net/conn.h"
#include "server/ops/request.h"
#include "server/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define MIN_MESSAGE     8192u
#define READ_OVERHEAD   (PROTO_REPLY_HEADER + 12u)
#define WRITE_OVERHEAD  (PROTO_REQUEST_HEADER + 24u)
#define RECALL_MAX_SIZE 128u

/* A client that came back: its session is fetched from the worker that has it. */
struct session_transfer {
	struct mail mail;
	struct worker *worker; /* that has the connection */
	struct worker *owner;  /* that had the session */
	uint64_t token;        /* of the connection */
	uint64_t session_id;
	struct session *session; /* found */
	struct proto_request hello;
};

static void notify(struct layout_owner *layouts, uint64_t number, struct proto_handle handle)
{
	struct session *session = (struct session *)((char *)layouts - offsetof(struct session, layouts));
	const struct proto_recall recall = {.invalidation = number, .handle = handle};
	uint8_t buffer[RECALL_MAX_SIZE];

	int length = proto_encode_recall(&recall, buffer, sizeof(buffer));
	if (session->conn && length > 0)
		conn_send(session->conn, buffer, (size_t)length, false);
}

static void link_session(struct worker *worker, struct session *session)
{
	session->previous = NULL;
	session->next = worker->sessions;
	if (session->next)
		session->next->previous = session;
	worker->sessions = session;
	session->layouts.mailbox = &worker->mailbox;
	session->layouts.nova = worker->nova;
}

static void unlink_session(struct worker *worker, struct session *session)
{
	if (session->previous)
		session->previous->next = session->next;
	else
		worker->sessions = session->next;
	if (session->next)
		session->next->previous = session->previous;
}

/* ---- birth and death -------------------------------------------------------------------------------------------- */

static uint64_t random_number(void)
{
	uint64_t value = 0;

	/* 8 bytes come whole or not at all; a session with id or key 0 is never made. */
	while (value == 0 && getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
		value = 0;
	return value;
}

static int session_create(struct worker *worker, struct session **out)
{
	struct server *server = worker->server;
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return -ENOMEM;
	session->id = random_number();
	session->key = random_number();
	session->worker = worker;
	open_table_init(&session->opens, server->config.max_opens);
	layout_owner_init(&session->layouts, server->layouts);
	session->layouts.max_regions = server->config.max_regions;
	session->layouts.notify = notify;
	session->staging = mmap(NULL, server->config.staging_size, PROT_READ | PROT_WRITE,
	                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int rc = session->staging == MAP_FAILED ? -ENOMEM : registry_add(&server->registry, session);
	if (rc < 0) {
		if (session->staging != MAP_FAILED)
			munmap(session->staging, server->config.staging_size);
		free(session);
		return rc;
	}
	link_session(worker, session);
	*out = session;
	return 0;
}

void session_free(struct session *session, bool close_opens)
{
	struct worker *worker = session->worker;
	const struct nova_call call = {.worker = worker->nova};

	registry_remove(&worker->server->registry, session);
	unlink_session(worker, session);
	if (close_opens)
		open_table_close_all(&session->opens, &call);
	open_table_free(&session->opens);
	cred_table_free(&session->creds);
	munmap(session->staging, worker->server->config.staging_size);
	free(session);
}

void session_disconnected(struct session *session)
{
	struct worker *worker = session->worker;

	session->conn = NULL;
	session->staging_region = NULL; /* has ended with the connection */
	request_cancel_all(session);
	layout_owner_end(&session->layouts);
	session->expires_ms = worker->now_ms + (int64_t)worker->server->config.lease_ms;
	if (session->ended)
		session_free(session, true);
}

void session_bye(struct session *session)
{
	const struct nova_call call = {.worker = session->worker->nova};

	session->ended = true;
	for (size_t i = 0; i < session->opens.size; i++) {
		const struct open *open = &session->opens.items[i];
		if (!open->file)
			continue;
		if (open_table_is_last(open))
			layout_file_closed(&session->layouts, open->file->handle);
		open_table_remove(&session->opens, &call, open->id);
	}
}

void session_tick(struct session *session)
{
	struct worker *worker = session->worker;
	int64_t lease = (int64_t)worker->server->config.lease_ms;

	if (!session->conn) {
		if (worker->now_ms < session->expires_ms)
			return;
		log_info("session", "a client has not come back within its lease: its session ends");
		session_free(session, true);
		return;
	}
	if (layout_tick(&session->layouts, worker->now_ms, lease) < 0)
		conn_fail(session->conn, "it has not returned a layout within the lease");
	else if (worker->now_ms - session->conn->heard_ms > lease)
		conn_fail(session->conn, "it has been silent for a lease");
}

void session_extend_lease(struct session *session, int64_t late_ms)
{
	session->expires_ms += late_ms;
	layout_extend(&session->layouts, late_ms);
}

/* ---- hello ------------------------------------------------------------------------------------------------------ */

static void refuse_hello(struct conn *conn, int error, const char *why)
{
	struct worker *worker = conn->worker;
	struct proto_reply *reply = &worker->reply;

	conn_log_peer_error(conn, "HELLO", why);
	*reply = (struct proto_reply){.op = PROTO_HELLO, .slot = PROTO_SLOT_NONE, .status = (uint32_t)error};
	int length = proto_encode_reply(reply, worker->out, sizeof(worker->out));
	if (length > 0)
		conn_send(conn, worker->out, (size_t)length, true);
}

static uint32_t minimum(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

static void welcome(struct conn *conn, bool resumed)
{
	struct worker *worker = conn->worker;
	const struct server *server = worker->server;
	struct session *session = conn->session;
	struct proto_reply *reply = &worker->reply;
	uint32_t peer = transport_max_message(conn->transport);

	*reply = (struct proto_reply){
	    .op = PROTO_HELLO,
	    .slot = PROTO_SLOT_NONE,
	    .invalidation = session->layouts.invalidation_issued,
	    .hello = {.version = PROTO_VERSION,
	              .session = session->id,
	              .session_key = session->key,
	              .resumed = resumed,
	              .instance = server->instance,
	              .slots = PROTO_MAX_SLOTS,
	              .lease_ms = (uint32_t)server->config.lease_ms,
	              .max_read = minimum(peer, PROTO_MAX_MESSAGE) - READ_OVERHEAD,
	              .max_write = (uint32_t)server->config.message_size - WRITE_OVERHEAD,
	              .staging_address = 0,
	              .staging_key = transport_region_key(session->staging_region),
	              .staging_size = server->config.staging_size,
	              .root = server->root},
	};
	memcpy(reply->hello.pool, server->pool, sizeof(reply->hello.pool));
	/* Whole blocks: what is not aligned costs a merge of its edges. */
	if (reply->hello.max_read > 4096)
		reply->hello.max_read &= ~4095u;
	if (reply->hello.max_write > 4096)
		reply->hello.max_write &= ~4095u;
	int length = proto_encode_reply(reply, worker->out, sizeof(worker->out));
	conn_send(conn, worker->out, (size_t)length, true);
}

/* Connection and session find each other. */
static int attach(struct conn *conn, struct session *session, const struct proto_request *hello)
{
	const struct config *config = &conn->worker->server->config;

	int rc = cred_set(&session->creds, 0, config->squash_root, hello->hello.uid, hello->hello.gid,
	                  hello->hello.group_count, hello->hello.groups);
	if (rc == 0)
		rc = transport_register(conn->transport, session->staging, config->staging_size, 0,
		                        TRANSPORT_REMOTE_WRITE, &session->staging_region);
	if (rc < 0) {
		refuse_hello(conn, -rc,
		             rc == -ENOMEM ? "cannot register its staging ring: raise the memlock limit "
		                             "(ulimit -l) or lower staging_size"
		                           : "cannot register its staging ring");
		return rc;
	}
	conn->session = session;
	session->conn = conn;
	session->layouts.connected = true;
	return 0;
}

static void open_session(struct conn *conn, const struct proto_request *hello)
{
	struct session *session;

	int rc = session_create(conn->worker, &session);
	if (rc == -EBUSY) {
		refuse_hello(conn, EBUSY, "there are as many sessions as max_clients allows");
		return;
	}
	if (rc < 0) {
		refuse_hello(conn, -rc, "cannot make a session");
		return;
	}
	if (attach(conn, session, hello) < 0) {
		session_free(session, true);
		return;
	}
	log_info("session", "client %s has a new session", transport_peer(conn->transport));
	welcome(conn, false);
}

static struct conn *find_conn(const struct worker *worker, uint64_t token)
{
	struct conn *conn = worker->conns;

	while (conn && conn->token != token)
		conn = conn->next;
	return conn;
}

/* In the worker that has the connection: the session has come, or there is none any more. */
static void transfer_delivered(struct mail *mail)
{
	struct session_transfer *transfer = (struct session_transfer *)(void *)mail;
	struct worker *worker = transfer->worker;
	struct session *session = transfer->session;
	struct conn *conn = find_conn(worker, transfer->token);

	if (session)
		link_session(worker, session);
	if (conn)
		conn->resuming = false;
	if (conn && !conn->broken) {
		if (session && attach(conn, session, &transfer->hello) == 0) {
			log_info("session", "client %s has its session back", transport_peer(conn->transport));
			welcome(conn, true);
		} else if (!session) {
			open_session(conn, &transfer->hello);
		}
	}
	free(transfer);
}

/* In the worker that has the session. */
static void transfer_requested(struct mail *mail)
{
	struct session_transfer *transfer = (struct session_transfer *)(void *)mail;
	struct worker *owner = transfer->owner;
	struct server *server = owner->server;

	struct session *session = registry_get(&server->registry, transfer->session_id, owner);
	if (session && session->ended)
		session = NULL; /* it goes with its connection */
	if (session) {
		/* The client has left the old connection, whether that is known here or not. */
		if (session->conn)
			conn_close(session->conn);
		unlink_session(owner, session);
		registry_hand_on(&server->registry, session, transfer->worker);
	}
	transfer->session = session;
	transfer->mail.deliver = transfer_delivered;
	if (owner == transfer->worker)
		transfer_delivered(mail);
	else
		mailbox_post(&transfer->worker->mailbox, mail);
}

static void fetch_session(struct conn *conn, struct worker *owner, const struct proto_request *hello)
{
	struct session_transfer *transfer = malloc(sizeof(*transfer));

	if (!transfer) {
		refuse_hello(conn, ENOMEM, "out of memory");
		return;
	}
	*transfer = (struct session_transfer){
	    .mail.deliver = transfer_requested,
	    .worker = conn->worker,
	    .owner = owner,
	    .token = conn->token,
	    .session_id = hello->hello.session,
	    .hello = *hello,
	};
	conn->resuming = true;
	mailbox_post(&owner->mailbox, &transfer->mail);
}

void session_hello(struct conn *conn, const struct proto_request *hello)
{
	if (conn->session || conn->resuming) {
		conn_fail(conn, "it said HELLO twice");
		return;
	}
	if (hello->hello.min_version > PROTO_VERSION || hello->hello.max_version < PROTO_VERSION) {
		refuse_hello(conn, EPROTONOSUPPORT, "no version of the protocol that both sides speak");
		return;
	}
	if (transport_max_message(conn->transport) < MIN_MESSAGE) {
		refuse_hello(conn, EMSGSIZE, "it receives messages of less than 8 KiB");
		return;
	}
	struct worker *owner = NULL;
	if (hello->hello.session != 0)
		owner = registry_owner(&conn->worker->server->registry, hello->hello.session, hello->hello.session_key);
	if (owner)
		fetch_session(conn, owner, hello);
	else
		open_session(conn, hello);
}
