/*
 * raw_client.h -- a client made of transport and protocol alone, for tests that must send what the library never would.
 *
 * Not thread safe. Functions print what went wrong and exit with 1 where a test cannot go on, unless they say
 * otherwise.
 */
#ifndef FARNOVA_TESTS_INTEGRATION_RAW_CLIENT_H
#define FARNOVA_TESTS_INTEGRATION_RAW_CLIENT_H

#include "common/transport/transport.h"
#include "proto/proto.h"

#include <stdbool.h>
#include <stdint.h>

#define RAW_RECALLS 16

struct raw_client {
	struct transport_queue *queue;
	struct transport_conn *conn; /* NULL once closed */
	bool closed;                 /* the server has ended the connection */
	unsigned done;               /* one-sided READs that have ended */
	uint32_t sequence;           /* of slot 0 */
	uint64_t quiesced;           /* said in every request */
	struct proto_reply hello;
	uint64_t staging_address, staging_key;    /* of the ring that raw_staging got */
	struct proto_recall recalls[RAW_RECALLS]; /* that came, oldest first */
	unsigned recall_count;
	uint8_t message[PROTO_MAX_MESSAGE]; /* the last reply's bytes: its pointers point here */
	uint8_t out[PROTO_MAX_MESSAGE];
};

/* raw_connect -- connect without HELLO. raw_close -- vanish. raw_try_connect -- the same where the server may refuse:
 * -errno, and why. */
struct raw_client *raw_connect(enum transport_kind kind, const char *host, uint16_t port);
int raw_try_connect(enum transport_kind kind, const char *host, uint16_t port, struct raw_client **out, char *why,
                    size_t why_size);
void raw_close(struct raw_client *client);

/* raw_hello -- open a session as uid 0, or resume that of `of` (may be NULL). raw_try_hello -- as any uid, and where
 * the server may refuse: -errno. raw_post_hello -- without waiting for the reply, which belongs in `hello`; false if the
 * connection has ended. */
bool raw_post_hello(struct raw_client *client, uint32_t uid, const struct raw_client *of);
int raw_try_hello(struct raw_client *client, uint32_t uid, const struct raw_client *of);
void raw_hello(struct raw_client *client, const struct raw_client *of);

/* raw_join -- connect with the ticket of the session of `of`, whose key is changed by `wrong`, without BIND_CONN.
 * raw_bind -- send BIND_CONN with the same; the reply's status as -errno. */
struct raw_client *raw_join(const struct raw_client *of, uint64_t wrong, uint16_t port);
int raw_bind(struct raw_client *client, const struct raw_client *of, uint64_t wrong);

/* raw_read -- READ into `to`; false if the connection has ended. */
bool raw_read(struct raw_client *client, void *to, uint64_t address, uint64_t key, uint32_t length);

/* raw_staging -- get the session's staging ring, or give it back; the reply's status as -errno. */
int raw_staging(struct raw_client *client, bool want);

/* raw_send -- send bytes as one message; false if the connection has ended. */
bool raw_send(struct raw_client *client, const void *data, size_t length);

/* raw_post -- send a request as it is. raw_reply -- wait for the next reply; false if the connection has ended or
 * nothing came for `timeout_ms`. Recalls are collected meanwhile. */
bool raw_post(struct raw_client *client, const struct proto_request *request);
bool raw_reply(struct raw_client *client, struct proto_reply *reply, int timeout_ms);

/* raw_call -- send `request` in slot 0 with the next sequence and wait for its reply; its status as -errno. */
int raw_call(struct raw_client *client, struct proto_request *request, struct proto_reply *reply);

/* raw_wait_closed -- whether the server ends the connection within `timeout_ms`. */
bool raw_wait_closed(struct raw_client *client, int timeout_ms);

/* raw_open -- open a file below the root; -errno. */
int raw_open(struct raw_client *client, const char *path, uint32_t flags, struct proto_reply *reply);

#endif
