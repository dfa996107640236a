/*
 * reconnect.h -- establishes the first connection and reconnects after a loss.
 */
#ifndef FARNOVA_CLIENT_RECONNECT_H
#define FARNOVA_CLIENT_RECONNECT_H

#include "client/session/session.h"

/*
 * connect_first -- connect by `transport` (NULL or "auto": verbs if that answers, else TCP) and open a session, until
 * `deadline_ns` (0: no limit). Returns 0 or -errno; fs->link.trouble then has the reason of each attempt. The
 * background thread must not run yet.
 */
int connect_first(struct farnova *fs, const char *transport, int64_t deadline_ns);

/*
 * reconnect -- try to reconnect until it succeeds, with a pause after each failure. Lock held, released meanwhile. On
 * success the session is resumed or new, credentials are announced and files are open again.
 */
void reconnect(struct connection *link);

/* session_leave -- end the session with BYE and wait a short time for the reply; lock held. */
void session_leave(struct farnova *fs);

/* session_end -- close the connection and free its resources; lock held, no thread waits. */
void session_end(struct farnova *fs);

#endif
