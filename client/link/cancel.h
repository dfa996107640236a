/*
 * cancel.h -- calls that another thread ends: by the tag that their thread has given them.
 *
 * A cancelled thread waits no more: poller_wait returns at once, as if the deadline had passed, until the thread has
 * another tag.
 */
#ifndef FARNOVA_CLIENT_CANCEL_H
#define FARNOVA_CLIENT_CANCEL_H

#include "client/link/poller.h"

/* cancel_set_tag -- the calling thread's calls are `tag`'s from now on, 0: nobody's, and none of them is cancelled. */
void cancel_set_tag(uint64_t tag);

/* cancel_is_set -- whether the calling thread is cancelled by its tag. */
bool cancel_is_set(void);

/* cancel_tag -- threads whose tag that is are cancelled; those that wait for something of `link` are woken. */
void cancel_tag(struct connection *link, uint64_t tag);

/* cancel_all -- whoever waits for something of `link` is woken, and nobody waits again. */
void cancel_all(struct connection *link);

#endif
