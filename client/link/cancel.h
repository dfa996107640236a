/*
 * cancel.h -- lets a thread cancel the calls of another thread by tag.
 *
 * A cancelled thread does not wait any more: poller_wait returns at once, as after the deadline, until the thread sets
 * another tag.
 */
#ifndef FARNOVA_CLIENT_CANCEL_H
#define FARNOVA_CLIENT_CANCEL_H

#include "client/link/poller.h"

/* cancel_set_tag -- set the tag of the calling thread's later calls, 0: none. The thread is not cancelled any more. */
void cancel_set_tag(uint64_t tag);

/* cancel_is_set -- whether the calling thread's tag is cancelled. */
bool cancel_is_set(void);

/* cancel_tag -- cancel all threads that have this tag, and wake those that wait on `link`. */
void cancel_tag(struct connection *link, uint64_t tag);

/* cancel_all -- wake all threads that wait on `link`; later waits return at once. */
void cancel_all(struct connection *link);

#endif
