/*
 * slots.h -- the slots of a session, and the requests that nobody waits for: CLOSE, PING.
 *
 * session.h has the states of a slot. The connection's lock is held.
 */
#ifndef FARNOVA_CLIENT_SLOTS_H
#define FARNOVA_CLIENT_SLOTS_H

#include "client/session/session.h"

/* slot_take -- take a free slot, except slot 0, and advance its sequence number; false if no slot is free. slot_free
 * -- its request has its reply. */
bool slot_take(struct farnova *fs, uint16_t *number);
void slot_free(struct farnova *fs, uint16_t number);

/* slot_set -- make a slot busy with `call`, or free (NULL), as the next session of the identity begins with it. */
void slot_set(struct farnova *fs, uint16_t number, struct call *call);

/* slots_window -- a reply says that the session's window is `slots` wide, and has this number. */
void slots_window(struct farnova *fs, uint16_t slots, uint16_t window);

/* closes_add -- CLOSE an open with one of the next requests, or soon. */
void closes_add(struct farnova *fs, uint64_t open);
/* slots_flush_closes -- send pending closes while slots are free; `flags` are those of the send. */
void slots_flush_closes(struct farnova *fs, unsigned flags);

/* slots_ping -- send PING in slot 0 if that slot is free. */
void slots_ping(struct farnova *fs);

/* slots_settle -- send a PING in each slot that is `unsettled`; false: without credit or connection, some are left. */
bool slots_settle(struct farnova *fs);

#endif
