/*
 * log_state.h -- where an inode's log lies and how far it goes.
 */
#ifndef FARNOVA_NOVA_LOG_STATE_H
#define FARNOVA_NOVA_LOG_STATE_H

#include "server/nova/nova.h"

/* Under the inode's lock. */
struct log_state {
	uint64_t tail;       /* lines committed since birth */
	uint64_t head;       /* block of the first log page, 0 = none */
	uint64_t start;      /* position of the first live line: 0, or where GC began anew */
	uint64_t tail_page;  /* block in which the last line lies, 0 = the slot */
	uint64_t tail_first; /* position of that page's first line */
	struct nova_request last_request;
};

#endif
