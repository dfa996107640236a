/*
 * credits.h -- accounting of receive buffers: how many messages this side may still send, and how many credits it owes
 * to the peer.
 *
 * At any time: available + in flight + unreleased at the peer + owed by the peer = the peer's receive buffers, at most
 * peer_depth. Both can become more, as new credits, and fewer, as credits that are not returned. A peer that returns
 * more than that violates the protocol.
 */
#ifndef FARNOVA_COMMON_TRANSPORT_CREDITS_H
#define FARNOVA_COMMON_TRANSPORT_CREDITS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#define CREDITS_MAX UINT16_MAX /* both wire formats carry a 16-bit count */

struct credits {
	uint32_t available;  /* messages this side may send now */
	uint32_t peer_depth; /* the most receive buffers that the peer may have */
	uint32_t depth;      /* receive buffers of this side, those of messages that are held too */
	uint32_t owed;       /* released here, not returned to the peer yet */
};

static inline void credits_init(struct credits *credits, uint32_t depth, uint32_t peer_first, uint32_t peer_depth)
{
	*credits = (struct credits){.available = peer_first, .peer_depth = peer_depth, .depth = depth};
}

/* credits_grant -- the peer has released `count` messages; -EPROTO if fewer were outstanding. */
static inline int credits_grant(struct credits *credits, uint32_t count)
{
	if (count > credits->peer_depth - credits->available)
		return -EPROTO;
	credits->available += count;
	return 0;
}

/* credits_collect -- take the credits owed, for a message that is certain to be sent. */
static inline uint16_t credits_collect(struct credits *credits)
{
	uint32_t count = credits->owed;

	credits->owed = 0;
	return (uint16_t)count;
}

/* credits_overdue -- whether the credits owed must be sent now, even without a message, because the peer could run
 * out. */
static inline bool credits_overdue(const struct credits *credits)
{
	return credits->owed > 0 && credits->owed >= credits->depth / 2;
}

#endif
