/*
 * session_fixture.c -- a server with several workers, and clients that open and write files on it.
 */
#include "tests/support/session_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct running_server *server;
uint16_t port;

int start_with(const char *const *flags)
{
	server = server_run(&port, flags);
	return 0;
}

int start(void **state)
{
	(void)state;
	return start_with((const char *const[]){"--workers", "2", "--lease-ms", "1500", "--share-ms", "20", NULL});
}

/* For what must come long before any lease ends. */
int start_patient(void **state)
{
	(void)state;
	return start_with((const char *const[]){"--workers", "2", "--lease-ms", "60000", "--share-ms", "20", NULL});
}

int start_many_workers(void **state)
{
	(void)state;
	return start_with((const char *const[]){"--workers", "4", "--lease-ms", "60000", NULL});
}

int stop(void **state)
{
	(void)state;
	server_end(server);
	return 0;
}

struct raw_client *client(void)
{
	struct raw_client *c = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);

	raw_hello(c, NULL);
	return c;
}

uint64_t open_file(struct raw_client *c, const char *path, uint32_t flags)
{
	struct proto_reply reply;

	assert_int_equal(raw_open(c, path, flags, &reply), 0);
	return reply.open.open;
}

struct proto_request write_request(uint64_t open, uint64_t offset, const void *data, uint32_t length)
{
	struct proto_request request = {.op = PROTO_WRITE};

	request.write.open = open;
	request.write.offset = offset;
	request.write.data = data;
	request.write.length = length;
	return request;
}

struct proto_request path_request(struct raw_client *c, uint16_t op, const char *path)
{
	struct proto_request request = {.op = op};

	request.unlink.dir = c->hello.hello.root;
	request.unlink.path = (struct proto_string){.data = path, .length = (uint32_t)strlen(path)};
	return request;
}

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
