/*
 * send.h -- encodes and sends the session's requests; each carries `quiesced`.
 */
#ifndef FARNOVA_CLIENT_SEND_H
#define FARNOVA_CLIENT_SEND_H

#include "client/session/session.h"

/* send_request -- encode and send; -EAGAIN without credit; any other failure loses the connection. Lock held. */
int send_request(struct farnova *fs, struct proto_request *request, unsigned flags);

/* return_layouts -- send `quiesced` to the server if the server waits for it or, with `idle`, if the value has grown
 * since the last message. Lock held. */
void return_layouts(struct farnova *fs, bool idle);

#endif
