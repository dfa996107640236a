/*
 * raw_client.c -- a client made of transport and protocol alone, for tests that must send what the library never would.
 */
#include "tests/support/raw_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

struct raw_client *raw_connect(enum transport_kind kind, const char *host, uint16_t port)
{
	struct raw_client *client = calloc(1, sizeof(*client));
	char why[512];

	if (!client)
		die("connect", "out of memory");
	int rc = transport_queue_create(kind, &client->queue);
	if (rc < 0)
		die("queue", strerror(-rc));
	if (transport_connect(client->queue, host, port, NULL, 10000, &client->conn, why, sizeof(why)) < 0)
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

bool raw_send(struct raw_client *client, const void *data, size_t length)
{
	struct proto_reply ignored;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = length};
	int64_t deadline = now_ms() + 10000;

	while (!client->closed && now_ms() < deadline) {
		int rc = transport_send(client->conn, &iov, 1, 0);
		if (rc != -EAGAIN)
			return rc == 0;
		take(client, &ignored); /* credits come back while polling */
	}
	return false;
}

bool raw_post(struct raw_client *client, const struct proto_request *request)
{
	int length = proto_encode_request(request, client->out, sizeof(client->out));

	if (length < 0)
		die("encode", strerror(-length));
	return raw_send(client, client->out, (size_t)length);
}

bool raw_reply(struct raw_client *client, struct proto_reply *reply, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;

	do {
		if (take(client, reply))
			return true;
	} while (!client->closed && now_ms() < deadline);
	return false;
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

void raw_hello(struct raw_client *client, const struct raw_client *of)
{
	struct proto_request request = {.op = PROTO_HELLO, .slot = PROTO_SLOT_NONE};

	request.hello.min_version = request.hello.max_version = PROTO_VERSION;
	if (of) {
		request.hello.session = of->hello.hello.session;
		request.hello.session_key = of->hello.hello.session_key;
		client->sequence = of->sequence;
	}
	if (!raw_post(client, &request) || !raw_reply(client, &client->hello, 10000))
		die("HELLO", "no answer");
	if (client->hello.status != 0)
		die("HELLO", strerror((int)client->hello.status));
}

bool raw_wait_closed(struct raw_client *client, int timeout_ms)
{
	struct proto_reply ignored;
	int64_t deadline = now_ms() + timeout_ms;

	while (!client->closed && now_ms() < deadline)
		take(client, &ignored);
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
