/*
 * request_check.h -- validates the fields of a request.
 */
#ifndef FARNOVA_PROTO_REQUEST_CHECK_H
#define FARNOVA_PROTO_REQUEST_CHECK_H

#include "proto/proto.h"

/* request_check -- 0, or the errno for the client (positive) with the reason for the server's log in `*why`. */
int request_check(const struct proto_request *request, const char **why);

#endif
