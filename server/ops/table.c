/*
 * table.c -- the table of operations: how each is handled.
 */
#include "server/ops/table.h"

#include "proto/proto.h"
#include "server/ops/ops.h"

#include <stddef.h>

static const struct operation operations[] = {
#define PROTO_OPERATION(NAME, number, handler, keeps_reply, changes, open)                                             \
	[number] = {op_##handler, keeps_reply, changes},
#include "proto/ops.def"
};

const struct operation *table_operation(unsigned op)
{
	if (op >= sizeof(operations) / sizeof(operations[0]) || !operations[op].run)
		return NULL;
	return &operations[op];
}
