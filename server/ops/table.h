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
	bool keeps_reply;               /* keep the reply: running it again would do harm */
	bool changes;                   /* refused by a read-only server */
};

/* table_operation -- NULL for what is no request with a slot. */
const struct operation *table_operation(unsigned op);

#endif
