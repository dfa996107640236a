/*
 * staging_ring.h -- asks the server for the session's staging ring when a request needs it, and gives it back when none
 * has for a lease: on the server it is registered memory.
 *
 *     NONE --staging_ring_get--> ASKED --reply--> GRANTED --staging_ring_tick--> GIVEN_BACK --reply--> NONE
 *     any --staging_ring_lost: the connection has ended--> NONE
 *
 * Only what is GRANTED can be written to. The connection's lock is held in all functions.
 */
#ifndef FARNOVA_CLIENT_STAGING_RING_H
#define FARNOVA_CLIENT_STAGING_RING_H

#include "client/session/session.h"

/* staging_ring_get -- whether the ring can be written to now; if not, it is asked for. */
bool staging_ring_get(struct farnova *fs);

/* staging_ring_reply -- the reply to STAGING has come. 0, -EPROTO if it was not asked for, or the server's error: no
 * staged request can be sent. */
int staging_ring_reply(struct farnova *fs, const struct proto_reply *reply);

/* staging_ring_tick -- give the ring back if it was not used for a lease. */
void staging_ring_tick(struct farnova *fs);

void staging_ring_lost(struct farnova *fs);

#endif
