/*
 * session_fixture.h -- a server with several workers, and clients that open and write files on it.
 *
 * For the tests of sessions. One server at a time, in `server`; it listens on `port`.
 */
#ifndef FARNOVA_TESTS_SESSION_FIXTURE_H
#define FARNOVA_TESTS_SESSION_FIXTURE_H

#include "proto/proto.h"
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <stdint.h>

#define READ_WRITE (PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE)

extern struct running_server *server;
extern uint16_t port;

/* start_with -- start the server with these flags, ended by NULL. */
int start_with(const char *const *flags);

/* Set-up and tear-down for cmocka: two workers and a lease of 1.5 s; the same with a lease that does not end during the
 * test; four workers. */
int start(void **state);
int start_patient(void **state);
int start_many_workers(void **state);
int stop(void **state);

/* client -- a new client with a session. The caller closes it. */
struct raw_client *client(void);

/* open_file -- the id of a new open. */
uint64_t open_file(struct raw_client *c, const char *path, uint32_t flags);

/* write_request, path_request -- requests; the second is UNLINK or another one with the same fields. */
struct proto_request write_request(uint64_t open, uint64_t offset, const void *data, uint32_t length);
struct proto_request path_request(struct raw_client *c, uint16_t op, const char *path);

int64_t now_ms(void);

#endif
