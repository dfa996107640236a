/*
 * dispatch.h -- messages of clients: decode, check slot and sequence, and find the handler of the operation.
 */
#ifndef FARNOVA_SERVER_DISPATCH_H
#define FARNOVA_SERVER_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct request;

/* dispatch_message -- handle a message; its buffer is free when this returns. */
void dispatch_message(struct conn *conn, const void *data, uint32_t length);

/* How an operation is handled. */
struct operation {
	int (*run)(struct request *rq); /* 0, -errno or REQUEST_DEFERRED */
	bool keeps_reply;               /* keep the reply: running it again would do harm */
	bool changes;                   /* refused by a read-only server */
};

/* dispatch_operation -- NULL for what is no request with a slot. */
const struct operation *dispatch_operation(unsigned op);

#endif
