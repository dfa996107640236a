/*
 * staging_ring.c -- gets the server's staging ring when it is needed, and gives it back.
 */
#include "client/session/staging_ring.h"

#include "client/session/send.h"
#include "common/clock.h"

#include <errno.h>

/* ask -- request the ring, or give it back; false if that cannot be sent now. */
static bool ask(struct farnova *fs, bool want)
{
	struct proto_request request;

	request.op = PROTO_STAGING;
	request.slot = PROTO_SLOT_NONE;
	request.sequence = 0;
	request.cred = 0;
	request.close_first = 0;
	request.staging.want = want;
	return send_request(fs, &request, 0) == 0;
}

bool staging_ring_get(struct farnova *fs)
{
	struct staging_ring *ring = &fs->session.ring;

	if (ring->state == RING_NONE && ask(fs, true))
		ring->state = RING_ASKED;
	if (ring->state == RING_GRANTED)
		ring->used_ns = clock_now_ns();
	return ring->state == RING_GRANTED;
}

int staging_ring_reply(struct farnova *fs, const struct proto_reply *reply)
{
	struct staging_ring *ring = &fs->session.ring;
	bool wanted = ring->state == RING_ASKED;

	if (!wanted && ring->state != RING_GIVEN_BACK)
		return -EPROTO;
	ring->state = RING_NONE;
	if (reply->status)
		return -(int)reply->status;
	if (reply->staging.granted != wanted)
		return -EPROTO;
	if (wanted) {
		ring->address = reply->staging.address;
		ring->key = reply->staging.key;
		ring->used_ns = clock_now_ns();
		ring->state = RING_GRANTED;
	}
	return 0;
}

void staging_ring_tick(struct farnova *fs)
{
	struct staging_ring *ring = &fs->session.ring;

	if (ring->state != RING_GRANTED || fs->staging.count > 0 ||
	    clock_now_ns() - ring->used_ns < fs->session.lease_ms * CLOCK_NS_PER_MS)
		return;
	/* Nothing of this client is under way into the ring: each piece was returned by a reply. */
	if (ask(fs, false))
		ring->state = RING_GIVEN_BACK;
}

void staging_ring_lost(struct farnova *fs)
{
	fs->session.ring.state = RING_NONE;
}
