/*
 * net.h -- what the connections of one thread share: queues, mailbox and clock.
 *
 * Everything in it but `mailbox` and `load` is its own thread's.
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
	uint32_t message_size;                           /* of what is received */
	struct transport_queue *queues[TRANSPORT_KINDS]; /* by enum transport_kind; NULL where not in use */
	int64_t now_ms;                                  /* when the thread last looked at the clock */
	int64_t now_ns;
	struct conn *conns;
	struct turns turns; /* of those that have sent something */
	uint64_t next_token;
	unsigned broken;  /* connections to close */
	unsigned stalled; /* connections with messages that had no credit */
};

#endif
