/*
 * request_check.h -- whether the fields of a request mean something.
 */
#ifndef FARNOVA_PROTO_REQUEST_CHECK_H
#define FARNOVA_PROTO_REQUEST_CHECK_H

#include "proto/proto.h"

/* request_check -- 0, or the errno for the client, positive, and `*why` for the server's log. */
int request_check(const struct proto_request *request, const char **why);

#endif
