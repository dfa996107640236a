/*
 * position.h -- the lock of a file's shared position, which waits no longer than a request.
 *
 * A call that uses the position holds the lock while it runs, which takes up to the time limit of its own requests.
 */
#ifndef FARNOVA_CLIENT_POSITION_H
#define FARNOVA_CLIENT_POSITION_H

#include "client/session/open_files.h"

/* position_lock -- 0, or -ETIMEDOUT: the time limit of the connection has passed, or the thread's calls are cancelled.
 * position_unlock -- wakes one that waits. The connection's lock is not held. */
int position_lock(struct farnova_file *file);
void position_unlock(struct farnova_file *file);

#endif
