/*
 * client_session.h -- for tests: the state of a client's connection and session, without threads or a server.
 */
#ifndef TESTS_SUPPORT_CLIENT_SESSION_H
#define TESTS_SUPPORT_CLIENT_SESSION_H

#include "client/session/session.h"

/* client_session_init -- as farnova_connect makes it before it connects, with no limit of time. 0 or -errno.
 * client_session_destroy -- all calls have ended and all files have been closed. */
int client_session_init(struct farnova *fs, const struct connection_handler *handler);
void client_session_destroy(struct farnova *fs);

#endif
