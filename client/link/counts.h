/*
 * counts.h -- counters of what a connection has sent and received. The connection's lock guards them.
 */
#ifndef FARNOVA_CLIENT_COUNTS_H
#define FARNOVA_CLIENT_COUNTS_H

#include <stdint.h>

#define COUNTS_OPERATIONS 64u /* greater than the highest number of an operation */

struct counts {
	uint64_t requests[COUNTS_OPERATIONS]; /* requests and notices, by operation; a repeated one counts again */
	uint64_t received;
	uint64_t reads, read_bytes;   /* one-sided */
	uint64_t writes, write_bytes; /* one-sided */
};

#endif
