/*
 * credits.h -- the accounting of receive buffers: how many messages may still be sent, and how many of the peer's are
 * to be given back.
 *
 * At any time: available + in flight + unreleased at the peer + owed by the peer = peer_depth. A peer that returns more
 * than it ever took breaks the protocol.
 */
#ifndef FARNOVA_COMMON_TRANSPORT_CREDITS_H
#define FARNOVA_COMMON_TRANSPORT_CREDITS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#define CREDITS_MAX UINT16_MAX /* both wires carry a count of 16 bits */

struct credits {
	uint32_t available;  /* messages this side may send now */
	uint32_t peer_depth; /* the peer's receive buffers */
	uint32_t depth;      /* receive buffers of this side */
	uint32_t owed;       /* released here, not yet told to the peer */
};

static inline void credits_init(struct credits *credits, uint32_t depth, uint32_t peer_depth)
{
	*credits = (struct credits){.available = peer_depth, .peer_depth = peer_depth, .depth = depth};
}

/* credits_grant -- the peer says that it has released `count` messages; -EPROTO if that many were never sent. */
static inline int credits_grant(struct credits *credits, uint32_t count)
{
	if (count > credits->peer_depth - credits->available)
		return -EPROTO;
	credits->available += count;
	return 0;
}

/* credits_collect -- what is owed, to be put on a message that is certain to go out. */
static inline uint16_t credits_collect(struct credits *credits)
{
	uint32_t count = credits->owed;

	credits->owed = 0;
	return (uint16_t)count;
}

/* credits_overdue -- so much is owed that the peer could run dry: tell it though there is nothing else to say. */
static inline bool credits_overdue(const struct credits *credits)
{
	return credits->owed > 0 && credits->owed >= credits->depth / 2;
}

#endif
