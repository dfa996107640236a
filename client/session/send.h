/*
 * send.h -- requests as the session sends them: each tells the server which READs have ended.
 */
#ifndef FARNOVA_CLIENT_SEND_H
#define FARNOVA_CLIENT_SEND_H

#include "client/session/session.h"

/* send_request -- encode and send; -EAGAIN without credit; loses the connection on any other failure. Lock held. */
int send_request(struct farnova *fs, struct proto_request *request, unsigned flags);

/* return_layouts -- tell the server `quiesced` if it waits for that, or, with `idle`, if it does not know the newest.
 * Lock held. */
void return_layouts(struct farnova *fs, bool idle);

#endif
