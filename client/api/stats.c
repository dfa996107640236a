/*
 * stats.c -- the public calls that tell what a connection has sent and received.
 */
#include "client/include/farnova.h"
#include "client/link/connection.h"
#include "client/link/error.h"

#include <errno.h>
#include <string.h>

_Static_assert(PROTO_COPY < COUNTS_OPERATIONS && PROTO_QUOTA_SET < COUNTS_OPERATIONS, "every operation has a counter");

int farnova_get_stats(struct farnova *fs, struct farnova_stats *out)
{
	if (out->size < sizeof(*out))
		return error_set(EINVAL, "get the statistics of %s: the structure is smaller than it was",
		                 connection_name(fs));
	connection_lock(fs);
	*out = (struct farnova_stats){
	    .size = out->size,
	    .received = fs->counts.received,
	    .connections = fs->epoch,
	    .reads = fs->counts.reads,
	    .read_bytes = fs->counts.read_bytes,
	    .writes = fs->counts.writes,
	    .write_bytes = fs->counts.write_bytes,
	};
	for (unsigned op = 0; op < COUNTS_OPERATIONS; op++)
		out->requests += fs->counts.requests[op];
	connection_unlock(fs);
	return 0;
}

const char *farnova_get_operation_stats(struct farnova *fs, unsigned *number, uint64_t *count)
{
	const char *name = NULL;

	connection_lock(fs);
	while (*number < COUNTS_OPERATIONS && fs->counts.requests[*number] == 0)
		++*number;
	if (*number < COUNTS_OPERATIONS) {
		*count = fs->counts.requests[*number];
		name = proto_op_name(*number);
		++*number;
	}
	connection_unlock(fs);
	return name;
}
