/*
 * attacks_requests.c -- attacks with few connections: costly requests, layouts that are kept, and guessed handles.
 */
#include "tests/integration/attacks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READS      32u
#define READ_BYTES (256u << 10)
#define PIPELINED  (PROTO_MAX_SLOTS - 1u)

/* ---- costly requests --------------------------------------------------------------------------------------------- */

/* Keeps all slots but one busy with `request`, whatever becomes of it. */
static void keep_busy(struct raw_client *client, struct proto_request *request)
{
	uint32_t sequences[PROTO_MAX_SLOTS] = {0};
	struct proto_reply reply;

	for (uint16_t slot = 1; slot <= PIPELINED; slot++) {
		request->slot = slot;
		request->sequence = ++sequences[slot];
		if (!raw_post(client, request))
			die("a request", -ECONNRESET);
	}
	attack_begun();
	while (attack_goes_on()) {
		if (!raw_reply(client, &reply, 100))
			continue;
		request->slot = reply.slot;
		request->sequence = ++sequences[reply.slot];
		if (!raw_post(client, request))
			die("a request", -ECONNRESET);
	}
}

static void make_link(struct raw_client *client, const char *path, const char *target)
{
	struct proto_request request = {.op = PROTO_SYMLINK};
	struct proto_reply reply;

	request.symlink.dir = client->hello.hello.root;
	request.symlink.path = (struct proto_string){.data = path, .length = (uint32_t)strlen(path)};
	request.symlink.target = (struct proto_string){.data = target, .length = (uint32_t)strlen(target)};
	int rc = raw_call(client, &request, &reply);
	if (rc < 0 && rc != -EEXIST)
		die("a symlink", rc);
}

/* 39 symlinks of 2000 components each. */
static void make_far(struct raw_client *client)
{
	char target[4096], name[16];

	for (unsigned i = 0; i < 39; i++) {
		size_t used = 0;
		for (unsigned n = 0; n < 2000; n++, used += 2)
			memcpy(target + used, "./", 2);
		snprintf(target + used, sizeof(target) - used, i < 38 ? "far%u" : "honest", i + 1);
		snprintf(name, sizeof(name), "far%u", i);
		make_link(client, name, target);
	}
}

void walk_far(const struct attack_server *server)
{
	struct proto_request request = {.op = PROTO_LOOKUP};
	struct raw_client *client = greeted(server);

	make_far(client);
	request.lookup.dir = client->hello.hello.root;
	request.lookup.path = (struct proto_string){.data = "far0", .length = 4};
	keep_busy(client, &request);
	raw_close(client);
}

/* The same from many connections, each with a share of its own. */
void walk_far_from_many(const struct attack_server *server)
{
	struct proto_request request = {.op = PROTO_LOOKUP, .slot = 1};
	struct raw_client *clients[CROWD];
	struct proto_reply reply;

	for (unsigned i = 0; i < CROWD; i++)
		clients[i] = greeted(server);
	make_far(clients[0]);
	request.lookup.dir = clients[0]->hello.hello.root;
	request.lookup.path = (struct proto_string){.data = "far0", .length = 4};
	attack_begun();
	for (request.sequence = 1; attack_goes_on(); request.sequence++) {
		for (unsigned i = 0; i < CROWD; i++)
			raw_post(clients[i], &request);
		for (unsigned i = 0; i < CROWD && attack_goes_on(); i++)
			raw_reply(clients[i], &reply, 10000);
	}
	for (unsigned i = 0; i < CROWD; i++)
		raw_close(clients[i]);
}

/* Writes of the whole staging ring, of which all but the last message is there already. */
void write_much(const struct attack_server *server)
{
	struct proto_request request = {.op = PROTO_WRITE_COMMIT};
	struct raw_client *client = greeted(server);
	struct proto_reply reply;

	int rc = raw_open(client, "much", PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE, &reply);
	if (rc < 0)
		die("open", rc);
	rc = raw_staging(client, true);
	if (rc < 0)
		die("staging", rc);
	request.write_commit.open = reply.open.open;
	request.write_commit.length = (uint32_t)client->hello.hello.staging_size;
	keep_busy(client, &request);
	raw_close(client);
}

/* One-sided WRITEs into the ring as fast as they go: the server's thread moves the bytes over tcp. */
void fill_ring(const struct attack_server *server)
{
	static uint8_t data[1u << 20];
	struct proto_reply reply;
	struct raw_client *client = greeted(server);
	struct transport_region *region = NULL;

	if (transport_needs_region(client->conn) &&
	    transport_register(client->conn, data, sizeof(data), 0, TRANSPORT_LOCAL_WRITE, &region) < 0)
		die("register", -ENOMEM);
	int staged = raw_staging(client, true);
	if (staged < 0)
		die("staging", staged);
	attack_begun();
	while (attack_goes_on()) {
		for (int i = 0; i < 8; i++)
			transport_write(client->conn, data, region, client->staging_address, client->staging_key,
			                sizeof(data), NULL, 0);
		struct proto_request request = {.op = PROTO_PING};
		int rc = raw_call(client, &request, &reply);
		if (rc < 0)
			die("ping", rc);
	}
	raw_close(client);
}

/* ---- layouts ------------------------------------------------------------------------------------------------------ */

/* Opens `path` and takes a layout, if it gets one. */
static uint64_t hold(struct raw_client *client, const char *path)
{
	struct proto_request request = {.op = PROTO_LAYOUT_GET};
	struct proto_reply reply;

	if (raw_open(client, path, PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE, &reply) < 0)
		return 0;
	request.layout_get.open = reply.open.open;
	request.layout_get.length = 4096;
	uint64_t open = reply.open.open;
	raw_call(client, &request, &reply);
	return open;
}

static int overwrite(struct raw_client *client, uint64_t open)
{
	static const uint8_t data[8192];
	struct proto_request request = {.op = PROTO_WRITE};
	struct proto_reply reply;

	request.write.open = open;
	request.write.data = data;
	request.write.length = sizeof(data);
	return raw_call(client, &request, &reply);
}

/* Rewrites its file under its own layout and never says that its READs are over: each write keeps blocks from others.
 * Comes back as somebody else whenever it was let go. */
void keep_blocks(const struct attack_server *server)
{
	attack_begun();
	while (attack_goes_on()) {
		struct raw_client *client = intruder(server);
		uint64_t open = 0;
		if (client && raw_try_hello(client, 0, NULL) == 0) {
			open = hold(client, "kept");
			/* The first write gives the file its blocks, of which the layout is. */
			overwrite(client, open);
			hold(client, "kept");
		}
		while (open != 0 && attack_goes_on() && overwrite(client, open) == 0)
			;
		if (client)
			raw_close(client);
	}
}

/* One-sided READs of a file's blocks, as many as may be outstanding: the server's thread sends the bytes over tcp. */
void read_much(const struct attack_server *server)
{
	static uint8_t data[READ_BYTES], into[READS][READ_BYTES];
	struct raw_client *client = greeted(server);
	struct transport_region *region = NULL;
	struct transport_event event;
	struct proto_reply reply;
	unsigned posted = 0;

	int rc = raw_open(client, "read", PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE, &reply);
	struct proto_request request = {.op = PROTO_WRITE};
	request.write.open = reply.open.open;
	request.write.data = data;
	request.write.length = 4096;
	for (; rc == 0 && request.write.offset < READ_BYTES; request.write.offset += 4096)
		rc = raw_call(client, &request, &reply);
	if (rc == 0)
		rc = raw_open(client, "read", PROTO_OPEN_READ | PROTO_OPEN_LAYOUT, &reply);
	if (rc < 0)
		die("a file to read", rc);
	if (reply.open.extent_count == 0 || reply.open.extents[0].key == 0)
		die("a layout of it", -ENOENT);
	const struct proto_extent extent = reply.open.extents[0];
	const uint32_t length = extent.length < READ_BYTES ? (uint32_t)extent.length : READ_BYTES;
	if (transport_needs_region(client->conn) &&
	    transport_register(client->conn, into, sizeof(into), 0, TRANSPORT_LOCAL_WRITE, &region) < 0)
		die("register", -ENOMEM);
	attack_begun();
	while (attack_goes_on()) {
		while (posted < READS && transport_read(client->conn, into[posted], region, extent.address, extent.key,
		                                        length, client, 0) == 0)
			posted++;
		while (posted > 0 && transport_poll(client->queue, &event, 1) > 0) {
			if (event.type == TRANSPORT_CLOSED)
				die("one-sided reads", event.status);
			posted -= event.type == TRANSPORT_DONE;
			if (event.type == TRANSPORT_MESSAGE)
				transport_release(client->conn, event.data);
		}
		usleep(100);
	}
	raw_close(client);
}

/* ---- what is not theirs ------------------------------------------------------------------------------------------ */

/* A file that everyone may read, in a directory that only root may enter. */
static uint64_t make_secret(const struct attack_server *server)
{
	struct raw_client *root = greeted(server);
	struct proto_request request = {.op = PROTO_CREATE};
	struct proto_reply reply;

	request.create.dir = root->hello.hello.root;
	request.create.mode = S_IFDIR | 0700;
	request.create.path = (struct proto_string){.data = "closed", .length = 6};
	int rc = raw_call(root, &request, &reply);
	if (rc == 0 || rc == -EEXIST)
		rc = raw_open(root, "closed/secret", PROTO_OPEN_READ | PROTO_OPEN_CREATE, &reply);
	if (rc < 0)
		die("a secret", rc);
	uint64_t ino = reply.open.attr.handle.ino;
	raw_close(root);
	return ino;
}

void guess_handles(const struct attack_server *server)
{
	uint64_t secret = make_secret(server);
	struct raw_client *client = intruder(server);
	struct proto_reply reply;

	int rc = client ? raw_try_hello(client, 1000, NULL) : -ECONNREFUSED;
	if (rc < 0)
		die("HELLO", rc);
	attack_begun();
	for (uint32_t i = 0; attack_goes_on(); i++) {
		struct proto_request request = {.op = PROTO_REOPEN};
		/* Beside what is right: any other field that a handle has. */
		request.reopen.handle = client->hello.hello.root;
		request.reopen.handle.ino = secret - i % 8;
		request.reopen.handle.generation = 1 + i / 8 % 16;
		request.reopen.flags = PROTO_OPEN_READ;
		rc = raw_call(client, &request, &reply);
		if (rc == 0 && request.reopen.handle.ino == secret) {
			fprintf(stderr, "uid 1000 opened root's file by guessing its handle\n");
			exit(1);
		}
	}
	raw_close(client);
}
