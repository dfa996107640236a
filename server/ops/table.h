/*
 * table.h -- the table of operations: how each is handled.
 */
#ifndef FARNOVA_SERVER_TABLE_H
#define FARNOVA_SERVER_TABLE_H

#include <stdbool.h>

struct request;

/* How an operation is handled. */
struct operation {
	int (*run)(struct request *rq); /* 0, -errno or DEFERRED */
	bool keeps_reply;               /* cache the reply, because a second run could have another result */
	bool changes;                   /* a read-only server refuses it */
};

/* table_operation -- NULL if `op` is no request with a slot. */
const struct operation *table_operation(unsigned op);

#endif
