/*
 * space_use.h -- the space that an inode uses.
 */
#ifndef FARNOVA_NOVA_SPACE_USE_H
#define FARNOVA_NOVA_SPACE_USE_H

#include <stdint.h>

/* Under the inode's lock. */
struct space_use {
	uint64_t blocks;
	uint64_t unwritten;    /* of the blocks, those that were reserved and never written */
	struct project *quota; /* the inode's project, NULL for 0 */
	uint64_t charged;      /* blocks that it was charged for this inode */
};

#endif
