/*
 * hostile.c -- a client that does all it should not: `hostile TRANSPORT HOST PORT`. After each kind of mischief another
 * client must be served as before. Exit status 0 if it always was.
 */
#include "tests/support/raw_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEED 20261121u

static enum transport_kind kind;
static const char *host;
static uint16_t port;
static unsigned seed = SEED;

static struct raw_client *connected(void)
{
	return raw_connect(kind, host, port);
}

static struct raw_client *greeted(void)
{
	struct raw_client *client = connected();

	raw_hello(client, NULL);
	return client;
}

static unsigned dice(unsigned sides)
{
	return (unsigned)rand_r(&seed) % sides;
}

static void fill(uint8_t *buffer, size_t length)
{
	for (size_t i = 0; i < length; i++)
		buffer[i] = (uint8_t)rand_r(&seed);
}

/* ---- the client that must be served ------------------------------------------------------------------------------ */

static struct raw_client *honest;
static uint64_t honest_open;
static uint64_t honest_size;

static void must_be_served(const char *after)
{
	struct proto_reply reply;
	struct proto_request request = {.op = PROTO_WRITE};
	uint64_t mark = honest_size;

	request.write.open = honest_open;
	request.write.offset = honest_size;
	request.write.data = &mark;
	request.write.length = sizeof(mark);
	int rc = raw_call(honest, &request, &reply);
	honest_size += sizeof(mark);
	if (rc == 0) {
		request = (struct proto_request){.op = PROTO_READ};
		request.read.open = honest_open;
		request.read.offset = honest_size - sizeof(mark);
		request.read.length = sizeof(mark);
		rc = raw_call(honest, &request, &reply);
	}
	if (rc == 0 && (reply.read.length != sizeof(mark) || memcmp(reply.read.data, &mark, sizeof(mark)) != 0))
		rc = -EIO;
	if (rc < 0) {
		fprintf(stderr, "after %s another client is not served: %s\n", after, strerror(-rc));
		exit(1);
	}
	printf("served after: %s\n", after);
}

/* ---- mischief ---------------------------------------------------------------------------------------------------- */

/* Bytes that are no messages of the transport; a connection that stops half way. Only TCP lets one do so. */
static void raw_socket(size_t bytes)
{
	const struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(host)};
	uint8_t buffer[4096];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		perror("connect");
		exit(1);
	}
	fill(buffer, sizeof(buffer));
	if (bytes > 0 && send(fd, buffer, bytes, MSG_NOSIGNAL) < 0)
		perror("send");
	close(fd);
}

static void garbage_bytes(void)
{
	for (int i = 0; kind == TRANSPORT_TCP && i < 50; i++)
		raw_socket(i == 0 ? 0 : 1 + dice(4096));
}

static void garbage_messages(void)
{
	uint8_t buffer[8192];

	for (int i = 0; i < 20; i++) {
		struct raw_client *client = i % 2 ? greeted() : connected();
		size_t length = 1 + dice(sizeof(buffer));
		fill(buffer, length);
		raw_send(client, buffer, length);
		if (!raw_wait_closed(client, 10000)) {
			fprintf(stderr, "a message of garbage did not end its connection\n");
			exit(1);
		}
		raw_close(client);
	}
}

/* A request with sound header whose body is wrong somewhere. */
static void damaged_requests(void)
{
	static const uint16_t ops[] = {
#define PROTO_OPERATION(NAME, number, handler, keeps_reply, changes, open) PROTO_##NAME,
#include "proto/ops.def"
	    99, 35, /* none */
	};
	struct proto_reply reply;
	uint8_t message[512];
	struct raw_client *client = greeted();

	for (int i = 0; i < 3000; i++) {
		struct proto_request request = {.op = PROTO_PING, .sequence = client->sequence + 1};
		size_t body = dice(400);
		int length = proto_encode_request(&request, message, sizeof(message));
		if (length != (int)PROTO_REQUEST_HEADER)
			exit(1);
		/* The header's length and op are put right, the body is anything: often zeros, so that lengths fit. */
		uint32_t total = PROTO_REQUEST_HEADER + (uint32_t)body;
		uint16_t op = ops[dice(sizeof(ops) / sizeof(ops[0]))];
		memset(message + length, 0, body);
		for (size_t b = 0; b < body; b++)
			message[(size_t)length + b] = dice(3) ? 0 : (uint8_t)rand_r(&seed);
		memcpy(message + 4, &total, sizeof(total));
		memcpy(message + 8, &op, sizeof(op));
		client->sequence++;
		if (!raw_send(client, message, total) || !raw_reply(client, &reply, 10000)) {
			fprintf(stderr, "a damaged %s got no answer\n", proto_op_name(op));
			exit(1);
		}
	}
	raw_close(client);
}

static void vanishing(void)
{
	for (int i = 0; i < 30; i++) {
		struct raw_client *client = greeted();
		struct proto_request request = {.op = PROTO_OPEN, .sequence = 1};
		request.open.dir = client->hello.hello.root;
		request.open.flags = PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE | PROTO_OPEN_LAYOUT;
		request.open.mode = 0600;
		request.open.umask = 0;
		request.open.path = (struct proto_string){.data = "vanished", .length = 8};
		raw_post(client, &request);
		if (i % 2) {
			struct proto_reply reply;
			raw_reply(client, &reply, 10000);
		}
		raw_close(client);
	}
}

static void wrong_keys(void)
{
	static uint8_t buffer[4096];

	if (raw_staging(honest, true) != 0)
		exit(1);

	for (int i = 0; i < 8; i++) {
		struct raw_client *client = greeted();
		struct transport_region *region = NULL;
		const struct proto_reply *h = &client->hello;
		if (transport_needs_region(client->conn) &&
		    transport_register(client->conn, buffer, sizeof(buffer), 0, TRANSPORT_LOCAL_WRITE, &region) < 0)
			exit(1);
		if (raw_staging(client, true) != 0)
			exit(1);
		uint64_t end = client->staging_address + h->hello.staging_size;
		switch (i % 4) {
		case 0: /* a key that does not exist */
			transport_read(client->conn, buffer, region, 4096, client->staging_key ^ 0x5a, 4096, buffer, 0);
			break;
		case 1: /* a right that was not given */
			transport_read(client->conn, buffer, region, client->staging_address, client->staging_key, 4096,
			               buffer, 0);
			break;
		case 2: /* beyond the end */
			transport_write(client->conn, buffer, region, end - 100, client->staging_key, 4096, buffer, 0);
			break;
		case 3: /* another session's ring */
			transport_write(client->conn, buffer, region, honest->staging_address, honest->staging_key,
			                4096, buffer, 0);
			break;
		}
		if (!raw_wait_closed(client, 10000)) {
			fprintf(stderr, "wrong access %d did not end its connection\n", i % 4);
			exit(1);
		}
		raw_close(client);
	}
}

static void foreign_opens(void)
{
	struct proto_reply reply;
	struct raw_client *client = greeted();

	for (unsigned i = 0; i < 64; i++) {
		struct proto_request request = {.op = i % 2 ? PROTO_CLOSE : PROTO_WRITE};
		if (i % 2) {
			request.close.open = honest_open + i / 2;
		} else {
			request.write.open = honest_open + i / 2;
			request.write.data = "no";
			request.write.length = 2;
		}
		if (raw_call(client, &request, &reply) != -EBADF) {
			fprintf(stderr, "an open of another session was accepted\n");
			exit(1);
		}
	}
	raw_close(client);
}

/* Invents an invalidation it was never told; says BYE and goes on; never says HELLO; takes no replies. */
static void broken_rules(void)
{
	struct proto_reply reply;
	struct raw_client *client = greeted();
	struct proto_request request = {.op = PROTO_PING};

	client->quiesced = 1000;
	if (raw_call(client, &request, &reply) != -ECONNRESET)
		exit(1);
	raw_close(client);

	client = greeted();
	request = (struct proto_request){.op = PROTO_BYE, .slot = PROTO_SLOT_NONE};
	raw_post(client, &request);
	raw_reply(client, &reply, 10000);
	request = (struct proto_request){.op = PROTO_PING};
	if (raw_call(client, &request, &reply) != -ECONNRESET)
		exit(1);
	raw_close(client);

	client = connected();
	if (raw_call(client, &request, &reply) != -ECONNRESET)
		exit(1);
	raw_close(client);
}

int main(int argc, char **argv)
{
	struct proto_reply reply;

	if (argc != 4 || transport_kind_from_name(argv[1], &kind) < 0) {
		fprintf(stderr, "usage: hostile TRANSPORT HOST PORT\n");
		return 2;
	}
	host = argv[2];
	port = (uint16_t)atoi(argv[3]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	honest = greeted();
	int rc = raw_open(honest, "honest", PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE, &reply);
	if (rc < 0) {
		fprintf(stderr, "cannot open a file: %s\n", strerror(-rc));
		return 1;
	}
	honest_open = reply.open.open;
	must_be_served("nothing");
	garbage_bytes();
	must_be_served("bytes that are no messages");
	garbage_messages();
	must_be_served("messages that are no requests");
	damaged_requests();
	must_be_served("damaged requests");
	vanishing();
	must_be_served("clients that vanish");
	wrong_keys();
	must_be_served("wrong keys");
	foreign_opens();
	must_be_served("opens of another session");
	broken_rules();
	must_be_served("rules of the session broken");
	raw_close(honest);
	return 0;
}
