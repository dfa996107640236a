/*
 * verbs_receive.h -- the receive buffers of a verbs connection, which grow and shrink with what the peer has in flight.
 *
 * Receive buffers are pinned, so a connection begins with few of them. They lie in slabs, each one registration:
 *
 *     (none) --verbs_receive_build, grow--> in use: each buffer is posted, or held by the user
 *     in use --the peer has left most of its credits unused--> retiring: released buffers are not posted any more
 *     retiring --the last buffer is released--> (none), its memory is unpinned
 *     retiring --the peer runs out of credits--> in use
 *
 * A slab is added when the peer may have no credit left, and doubles their number until there are receive_depth of
 * them. The peer receives its new credits as any others. Only the newest slab retires; the first one never does.
 *
 * Thread safety: as the connection's.
 */
#ifndef FARNOVA_COMMON_TRANSPORT_VERBS_RECEIVE_H
#define FARNOVA_COMMON_TRANSPORT_VERBS_RECEIVE_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct verbs_conn;

#define VERBS_RECEIVE_FIRST 4u  /* credits of a new connection */
#define VERBS_RECEIVE_SLABS 15u /* doubling leads from 4 credits to the most a wire format can count, 65,535 */

struct verbs_slab {
	uint8_t *bytes;
	struct ibv_mr *mr;
	uint32_t first, count; /* numbers of its buffers */
	uint32_t idle;         /* number of its buffers that are neither posted nor held */
	uint32_t *idle_buffers;
};

struct verbs_receive {
	struct verbs_slab slabs[VERBS_RECEIVE_SLABS];
	unsigned slab_count;
	bool retiring;        /* the newest slab */
	bool awaited;         /* the peer has no credit, and new ones are owed to it */
	uint32_t stride;      /* bytes of a buffer */
	uint32_t circulating; /* credits: with the peer, in messages that are held, or owed */
	uint32_t held;        /* messages that the user has */
	uint32_t peak;        /* most credits the peer had used at a time, among the last `seen` messages */
	uint32_t seen;
};

/* verbs_receive_build -- make and post the first slab; the queue pair exists. -ENOMEM. */
int verbs_receive_build(struct verbs_conn *conn);

/* verbs_receive_free -- free all slabs; the queue pair has been destroyed. */
void verbs_receive_free(struct verbs_conn *conn);

/* verbs_receive_at -- the bytes of a posted buffer; NULL if there is none of that number. */
uint8_t *verbs_receive_at(const struct verbs_conn *conn, uint32_t buffer);

/* verbs_receive_again -- post a buffer again that took no message. 0 or -errno. */
int verbs_receive_again(struct verbs_conn *conn, uint32_t buffer);

/* verbs_receive_took -- a message has arrived: count it, and grow if the peer may have no credit left. -EPROTO: the
 * peer had no credit for it. -errno: the queue pair takes no more buffers. */
int verbs_receive_took(struct verbs_conn *conn);

/* verbs_receive_release -- the user has released the message at `data`, whose credit is counted as owed: post its buffer
 * again, or retire it. 0 or -errno. */
int verbs_receive_release(struct verbs_conn *conn, const void *data);

#endif
