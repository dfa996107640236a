/*
 * buffers.h -- buffers for data between the program's memory and the connection.
 *
 * The connection does not access the program's memory (user_memory.h has the reason), so data are copied to a buffer
 * first. A few free buffers are cached; the last one used is reused first because its memory is in the CPU's cache. The
 * number of buffers in use is not limited: a thread that waits for a fault of the program's memory must not block
 * others.
 *
 * Thread safe.
 */
#ifndef FARNOVA_CLIENT_BUFFERS_H
#define FARNOVA_CLIENT_BUFFERS_H

#include <pthread.h>
#include <stddef.h>

#define BUFFER_SIZE  (1024u * 1024)
#define BUFFER_SMALL (64u * 1024) /* up to this size memory comes from malloc */
#define BUFFERS_KEPT 8u

struct buffers {
	pthread_mutex_t lock; /* a leaf lock: no other lock is taken while it is held */
	void *kept[BUFFERS_KEPT];
	unsigned count;
};

void buffers_init(struct buffers *buffers);
void buffers_destroy(struct buffers *buffers);

/* buffers_take -- a buffer of `size` bytes, at most BUFFER_SIZE; NULL without memory. buffers_return frees it, `size`
 * being the same. */
void *buffers_take(struct buffers *buffers, size_t size);
void buffers_return(struct buffers *buffers, void *memory, size_t size);

#endif
