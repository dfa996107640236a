/*
 * buffers.h -- buffers that data pass through on their way between the program's memory and the connection.
 *
 * The program's memory is not touched by the connection itself (user_memory.h has why), so data lie here meanwhile. A
 * few buffers are kept, the one that was used last first: its memory is in the cache. There is no limit to how many are
 * taken: who waits for a fault of the program's memory must not keep others from going on.
 *
 * Thread safe.
 */
#ifndef FARNOVA_CLIENT_BUFFERS_H
#define FARNOVA_CLIENT_BUFFERS_H

#include <pthread.h>

#define BUFFER_SIZE  (1024u * 1024)
#define BUFFERS_KEPT 8u

struct buffers {
	pthread_mutex_t lock; /* nothing else is locked while it is held */
	void *kept[BUFFERS_KEPT];
	unsigned count;
};

void buffers_init(struct buffers *buffers);
void buffers_destroy(struct buffers *buffers);

/* buffers_take -- BUFFER_SIZE bytes, NULL without memory; buffers_return gives them back. */
void *buffers_take(struct buffers *buffers);
void buffers_return(struct buffers *buffers, void *memory);

#endif
