/*
 * reconnect.h -- make a connection: the first one, and again after it was lost.
 */
#ifndef FARNOVA_CLIENT_RECONNECT_H
#define FARNOVA_CLIENT_RECONNECT_H

#include "client/session/session.h"

/*
 * connect_first -- connect by the transport asked for (NULL or "auto": verbs if that answers, else TCP) and open a
 * session, until `deadline_ns` (0: without end). -errno with the reason of each attempt in fs->link.trouble. The
 * background thread is not running yet.
 */
int connect_first(struct farnova *fs, const char *transport, int64_t deadline_ns);

/*
 * reconnect -- one attempt to get a lost connection back, and a pause after a failure; lock held, given up meanwhile.
 * On success the session is resumed or opened anew, credentials are known and files open again.
 */
void reconnect(struct connection *link);

/* session_leave -- end the session cleanly, waiting a moment for the answer; lock held. */
void session_leave(struct farnova *fs);

/* session_end -- close the connection and free what belongs to it; lock held, no thread waits. */
void session_end(struct farnova *fs);

#endif
