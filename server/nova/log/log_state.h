/*
 * log_state.h -- the place and the length of an inode's log.
 */
#ifndef FARNOVA_NOVA_LOG_STATE_H
#define FARNOVA_NOVA_LOG_STATE_H

#include "server/nova/nova.h"

/* Under the inode's lock. */
struct log_state {
	uint64_t tail;       /* lines committed since the inode was created */
	uint64_t head;       /* block of the first log page, 0 = none */
	uint64_t start;      /* position of the first page's first line if GC has cut the log, else 0 */
	uint64_t tail_page;  /* block with the last line, 0 = the slot */
	uint64_t tail_first; /* position of that page's first line */
	uint32_t born;       /* of the newest entry */
};

#endif
