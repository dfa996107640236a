/*
 * counts.h -- what a connection has sent and received so far. Guarded by the connection's lock.
 */
#ifndef FARNOVA_CLIENT_COUNTS_H
#define FARNOVA_CLIENT_COUNTS_H

#include <stdint.h>

#define COUNTS_OPERATIONS 64u /* more than the highest number of an operation */

struct counts {
	uint64_t requests[COUNTS_OPERATIONS]; /* and notices, by operation; what was sent again counts again */
	uint64_t received;
	uint64_t reads, read_bytes;   /* one-sided */
	uint64_t writes, write_bytes; /* one-sided */
};

#endif
