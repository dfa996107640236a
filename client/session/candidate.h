/*
 * candidate.h -- a new connection that is not in use yet: it is made, and carries one request at a time.
 *
 * Only the thread that made it uses it, without a lock.
 */
#ifndef FARNOVA_CLIENT_CANDIDATE_H
#define FARNOVA_CLIENT_CANDIDATE_H

#include "client/link/poller.h"
#include "client/link/url.h"
#include "common/transport/transport.h"
#include "proto/proto.h"

#include <stdint.h>

struct candidate {
	struct transport_queue *queue;
	struct transport_conn *conn;
	char why[512];                     /* why it could not be used */
	char reason[PROTO_MAX_REASON + 1]; /* text of the server's last refusal */
	struct poller *poller;             /* its `stop` ends the waits; NULL: nothing does */
	int64_t deadline_ns;               /* deadline of every wait; 0: each wait has only its own limit */
};

/* candidate_trouble -- note why it failed; returns `error`. */
int candidate_trouble(struct candidate *candidate, int error, const char *what);

/* candidate_connect -- connect within `timeout_ms`; -errno with `why`. candidate_discard -- close it, if it is open. */
int candidate_connect(struct candidate *candidate, enum transport_kind kind, const struct url *url,
                      const struct transport_options *options, int timeout_ms);
void candidate_discard(struct candidate *candidate);

/* candidate_next_message -- wait for a message; the caller releases the event's data. -errno of the connection. */
int candidate_next_message(struct candidate *candidate, int64_t deadline_ns, struct transport_event *event);

/* candidate_ask -- send a request, encoded in `buffer`, and wait for its reply; the reply's pointers are invalid. Does not
 * check the reply's status. -errno of the connection. */
int candidate_ask(struct candidate *candidate, struct proto_request *request, int timeout_ms, uint8_t *buffer,
                  size_t size, struct proto_reply *reply);

#endif
