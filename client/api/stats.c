/*
 * stats.c -- the public calls that tell what a connection has sent and received.
 */
#include "client/api/result.h"
#include "client/include/farnova.h"
#include "client/session/session.h"

#include <errno.h>
#include <string.h>

_Static_assert(PROTO_COPY < COUNTS_OPERATIONS && PROTO_QUOTA_SET < COUNTS_OPERATIONS, "every operation has a counter");

int farnova_get_stats(struct farnova *fs, struct farnova_stats *out)
{
	if (out->size < sizeof(*out))
		return error_set(EINVAL, "get the statistics of %s: the structure is smaller than it was",
		                 connection_name(&fs->link));
	connection_lock(&fs->link);
	*out = (struct farnova_stats){
	    .size = out->size,
	    .received = fs->link.counts.received,
	    .connections = fs->link.epoch,
	    .reads = fs->link.counts.reads,
	    .read_bytes = fs->link.counts.read_bytes,
	    .writes = fs->link.counts.writes,
	    .write_bytes = fs->link.counts.write_bytes,
	};
	for (unsigned op = 0; op < COUNTS_OPERATIONS; op++)
		out->requests += fs->link.counts.requests[op];
	connection_unlock(&fs->link);
	return 0;
}

const char *farnova_get_operation_stats(struct farnova *fs, unsigned *number, uint64_t *count)
{
	const char *name = NULL;

	connection_lock(&fs->link);
	while (*number < COUNTS_OPERATIONS && fs->link.counts.requests[*number] == 0)
		++*number;
	if (*number < COUNTS_OPERATIONS) {
		*count = fs->link.counts.requests[*number];
		name = proto_op_name(*number);
		++*number;
	}
	connection_unlock(&fs->link);
	return name;
}
