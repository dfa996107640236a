/*
 * stats.c -- the public calls that return the counters of a connection.
 */
#include "client/api/result.h"
#include "client/include/farnova.h"
#include "client/link/user_memory.h"
#include "client/session/session.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

_Static_assert(PROTO_COPY < COUNTS_OPERATIONS && PROTO_QUOTA_SET < COUNTS_OPERATIONS, "every operation has a counter");

static void add_channel(struct connection *link, struct farnova_stats *stats)
{
	connection_lock(link);
	stats->channels += link->state == CONNECTION_UP;
	stats->channel_reads += link->counts.reads;
	stats->reads += link->counts.reads;
	stats->read_bytes += link->counts.read_bytes;
	connection_unlock(link);
}

int farnova_get_stats(struct farnova *fs, struct farnova_stats *out)
{
	const size_t least = offsetof(struct farnova_stats, channels); /* programs may be older */
	struct farnova_stats stats;
	int error = user_copy_in(&stats.size, &out->size, sizeof(stats.size));

	if (error == 0 && stats.size < least)
		return error_set(EINVAL, "get the statistics of %s: the structure is smaller than it was",
		                 connection_name(&fs->link));
	connection_lock(&fs->link);
	stats = (struct farnova_stats){
	    .size = stats.size,
	    .received = fs->link.counts.received,
	    .connections = fs->link.epoch,
	    .reads = fs->link.counts.reads,
	    .read_bytes = fs->link.counts.read_bytes,
	    .writes = fs->link.counts.writes,
	    .write_bytes = fs->link.counts.write_bytes,
	};
	for (unsigned op = 0; op < COUNTS_OPERATIONS; op++)
		stats.requests += fs->link.counts.requests[op];
	connection_unlock(&fs->link);
	for (unsigned i = 0; i < fs->channels.count; i++)
		add_channel(&fs->channels.list[i].link, &stats);
	if (error == 0)
		error = user_give(out, &stats, stats.size < sizeof(stats) ? stats.size : sizeof(stats));
	return error ? error_set(-error, "get the statistics of %s", connection_name(&fs->link)) : 0;
}

const char *farnova_get_operation_stats(struct farnova *fs, unsigned *number, uint64_t *count)
{
	unsigned at = *number;
	uint64_t sent = 0;
	const char *name = NULL;

	connection_lock(&fs->link);
	while (at < COUNTS_OPERATIONS && fs->link.counts.requests[at] == 0)
		at++;
	if (at < COUNTS_OPERATIONS) {
		sent = fs->link.counts.requests[at];
		name = proto_op_name(at++);
	}
	connection_unlock(&fs->link);
	*number = at;
	*count = name ? sent : *count;
	return name;
}
