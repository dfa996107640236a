/*
 * raw_client.c -- a client made of transport and protocol alone, for tests that must send what the library never would.
 */
#include "tests/support/raw_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLLS 100 /* before a wait sleeps */

static void die(const char *what, const char *why)
{
	fprintf(stderr, "raw client: %s: %s\n", what, why);
	exit(1);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int connect_with(enum transport_kind kind, const char *host, uint16_t port,
                        const struct transport_options *options, struct raw_client **out, char *why, size_t why_size)
{
	struct raw_client *client = calloc(1, sizeof(*client));

	if (!client)
		die("connect", "out of memory");
	int rc = transport_queue_create(kind, &client->queue);
	if (rc < 0)
		die("queue", strerror(-rc));
	rc = transport_connect(client->queue, host, port, options, 10000, &client->conn, why, why_size);
	if (rc < 0) {
		transport_queue_destroy(client->queue);
		free(client);
		return rc;
	}
	*out = client;
	return 0;
}

int raw_try_connect(enum transport_kind kind, const char *host, uint16_t port, struct raw_client **out, char *why,
                    size_t why_size)
{
	return connect_with(kind, host, port, NULL, out, why, why_size);
}

struct raw_client *raw_connect(enum transport_kind kind, const char *host, uint16_t port)
{
	struct raw_client *client;
	char why[512];

	if (raw_try_connect(kind, host, port, &client, why, sizeof(why)) < 0)
		die("connect", why);
	return client;
}

void raw_close(struct raw_client *client)
{
	if (client->conn)
		transport_close(client->conn);
	transport_queue_destroy(client->queue);
	free(client);
}

/* Takes what is there; true if a reply came, which is in `reply`. */
static bool take(struct raw_client *client, struct proto_reply *reply)
{
	struct transport_event event;
	const char *why;
	bool got = false;

	if (client->closed || transport_poll(client->queue, &event, 1) <= 0)
		return false;
	if (event.type == TRANSPORT_CLOSED) {
		client->closed = true;
		transport_close(client->conn);
		client->conn = NULL;
		return false;
	}
	if (event.type == TRANSPORT_DONE)
		client->done++;
	if (event.type != TRANSPORT_MESSAGE)
		return false;
	if (proto_is_recall(event.data, event.length)) {
		struct proto_recall *recall = &client->recalls[client->recall_count % RAW_RECALLS];
		if (proto_decode_recall(event.data, event.length, recall, &why) < 0)
			die("recall", why);
		client->recall_count++;
	} else {
		memcpy(client->message, event.data, event.length);
		if (proto_decode_reply(client->message, event.length, reply, &why) < 0)
			die("reply", why);
		got = true;
	}
	transport_release(event.conn, event.data);
	return got;
}

/*
 * Waits until something may have come. Where the answer comes at once polling is faster than to be woken, and a test of
 * speed is to measure the server; `polls` counts how often in a row there was nothing. No wait is long, so that a lost
 * wake-up costs little.
 */
static void sleep_until(struct raw_client *client, int64_t deadline_ms, unsigned *polls)
{
	int64_t left = deadline_ms - now_ms();

	if (client->closed || left <= 0 || ++*polls < POLLS || transport_arm(client->queue) != 0)
		return;
	struct pollfd fd = {.fd = transport_fd(client->queue), .events = POLLIN};
	poll(&fd, 1, left < 100 ? (int)left : 100);
}

bool raw_send(struct raw_client *client, const void *data, size_t length)
{
	struct proto_reply ignored;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = length};
	int64_t deadline = now_ms() + 10000;
	unsigned polls = 0;

	while (!client->closed && now_ms() < deadline) {
		int rc = transport_send(client->conn, &iov, 1, 0);
		if (rc != -EAGAIN)
			return rc == 0;
		take(client, &ignored); /* credits come back while polling */
		sleep_until(client, deadline, &polls);
	}
	return false;
}

bool raw_post(struct raw_client *client, const struct proto_request *request)
{
	struct proto_request sent = *request;

	/* It may ask for any reply again, unless the test says which slots are in use. */
	if (sent.slots_used == 0 && sent.op != PROTO_HELLO)
		sent.slots_used = PROTO_MAX_SLOTS;
	int length = proto_encode_request(&sent, client->out, sizeof(client->out));
	if (length < 0)
		die("encode", strerror(-length));
	return raw_send(client, client->out, (size_t)length);
}

bool raw_reply(struct raw_client *client, struct proto_reply *reply, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	unsigned recalls = client->recall_count, polls = 0;

	while (!take(client, reply)) {
		if (client->closed || now_ms() >= deadline)
			return false;
		if (client->recall_count == recalls)
			sleep_until(client, deadline, &polls);
		recalls = client->recall_count;
	}
	return true;
}

int raw_call(struct raw_client *client, struct proto_request *request, struct proto_reply *reply)
{
	request->slot = 0;
	request->sequence = ++client->sequence;
	request->quiesced = client->quiesced;
	if (!raw_post(client, request))
		return -ECONNRESET;
	if (!raw_reply(client, reply, 30000))
		return client->closed ? -ECONNRESET : -ETIMEDOUT;
	return -(int)reply->status;
}

struct raw_client *raw_join(const struct raw_client *of, uint64_t wrong, uint16_t port)
{
	const struct transport_options options = {
	    .ticket = {.number = of->hello.hello.session, .key = of->hello.hello.session_key ^ wrong}};
	struct raw_client *client;
	char why[512];

	if (connect_with(TRANSPORT_TCP, "127.0.0.1", port, &options, &client, why, sizeof(why)) < 0)
		die("connect", why);
	return client;
}

int raw_bind(struct raw_client *client, const struct raw_client *of, uint64_t wrong)
{
	struct proto_request request = {.op = PROTO_BIND_CONN, .slot = PROTO_SLOT_NONE};
	static struct proto_reply reply;

	request.bind_conn.session = of->hello.hello.session;
	request.bind_conn.session_key = of->hello.hello.session_key ^ wrong;
	if (!raw_post(client, &request))
		return -ECONNRESET;
	if (!raw_reply(client, &reply, 30000))
		return client->closed ? -ECONNRESET : -ETIMEDOUT;
	return -(int)reply.status;
}

bool raw_read(struct raw_client *client, void *to, uint64_t address, uint64_t key, uint32_t length)
{
	struct proto_reply ignored;
	unsigned done = client->done;

	if (client->closed || transport_read(client->conn, to, NULL, address, key, length, client, 0) != 0)
		return false;
	while (!client->closed && client->done == done)
		take(client, &ignored);
	return client->done != done;
}

int raw_staging(struct raw_client *client, bool want)
{
	struct proto_request request = {.op = PROTO_STAGING, .slot = PROTO_SLOT_NONE, .quiesced = client->quiesced};
	static struct proto_reply reply;

	request.staging.want = want;
	if (!raw_post(client, &request))
		return -ECONNRESET;
	if (!raw_reply(client, &reply, 30000))
		return client->closed ? -ECONNRESET : -ETIMEDOUT;
	client->staging_address = reply.status == 0 ? reply.staging.address : 0;
	client->staging_key = reply.status == 0 ? reply.staging.key : 0;
	return -(int)reply.status;
}

bool raw_post_hello(struct raw_client *client, uint32_t uid, const struct raw_client *of)
{
	struct proto_request request = {.op = PROTO_HELLO, .slot = PROTO_SLOT_NONE};

	request.hello.uid = request.hello.gid = uid;
	request.hello.min_version = request.hello.max_version = PROTO_VERSION;
	request.hello.slots = PROTO_MAX_SLOTS;
	if (of) {
		request.hello.identity = of->hello.hello.identity;
		request.hello.session = of->hello.hello.session;
		request.hello.session_key = of->hello.hello.session_key;
		client->sequence = of->sequence;
	}
	return raw_post(client, &request);
}

int raw_try_hello(struct raw_client *client, uint32_t uid, const struct raw_client *of)
{
	if (!raw_post_hello(client, uid, of) || !raw_reply(client, &client->hello, 10000))
		return client->closed ? -ECONNRESET : -ETIMEDOUT;
	return -(int)client->hello.status;
}

void raw_hello(struct raw_client *client, const struct raw_client *of)
{
	int rc = raw_try_hello(client, 0, of);

	if (rc < 0)
		die("HELLO", strerror(-rc));
}

bool raw_wait_closed(struct raw_client *client, int timeout_ms)
{
	struct proto_reply ignored;
	int64_t deadline = now_ms() + timeout_ms;
	unsigned polls = 0;

	while (!client->closed && now_ms() < deadline) {
		take(client, &ignored);
		sleep_until(client, deadline, &polls);
	}
	return client->closed;
}

int raw_open(struct raw_client *client, const char *path, uint32_t flags, struct proto_reply *reply)
{
	struct proto_request request = {.op = PROTO_OPEN};

	request.open.dir = client->hello.hello.root;
	request.open.flags = flags;
	request.open.mode = 0644;
	request.open.umask = 0;
	request.open.path = (struct proto_string){.data = path, .length = (uint32_t)strlen(path)};
	return raw_call(client, &request, reply);
}
