/*
 * net.h -- shared by the connections of one thread: queues, mailbox and clock.
 *
 * Only that thread uses it, except for `mailbox` and `load`.
 */
#ifndef FARNOVA_SERVER_NET_H
#define FARNOVA_SERVER_NET_H

#include "common/transport/transport.h"
#include "server/net/mailbox.h"
#include "server/net/turns.h"

#include <stdatomic.h>
#include <stdint.h>

struct conn;

struct net {
	struct mailbox mailbox;
	atomic_uint load;                                /* connections it has or is about to get */
	uint32_t message_size;                           /* the largest message that is received */
	struct transport_queue *queues[TRANSPORT_KINDS]; /* by enum transport_kind; NULL where not in use */
	int64_t now_ms;                                  /* when the thread last read the clock */
	int64_t now_ns;
	struct conn *conns;
	struct turns turns;
	uint64_t next_token;
	unsigned broken;  /* connections to close */
	unsigned stalled; /* connections with messages that had no credit */
};

#endif
