/*
 * buffers.c -- buffers for data between the program's memory and the connection.
 */
#include "client/link/buffers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

void buffers_init(struct buffers *buffers)
{
	buffers->count = 0;
	pthread_mutex_init(&buffers->lock, NULL);
}

void buffers_destroy(struct buffers *buffers)
{
	while (buffers->count > 0)
		munmap(buffers->kept[--buffers->count], BUFFER_SIZE);
	pthread_mutex_destroy(&buffers->lock);
}

void *buffers_take(struct buffers *buffers, size_t size)
{
	void *memory = NULL;

	if (size <= BUFFER_SMALL)
		return malloc(size);
	pthread_mutex_lock(&buffers->lock);
	if (buffers->count > 0)
		memory = buffers->kept[--buffers->count];
	pthread_mutex_unlock(&buffers->lock);
	if (memory)
		return memory;
	memory = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	return memory;
}

void buffers_return(struct buffers *buffers, void *memory, size_t size)
{
	if (size <= BUFFER_SMALL) {
		free(memory);
		return;
	}
	pthread_mutex_lock(&buffers->lock);
	bool keep = buffers->count < BUFFERS_KEPT;
	if (keep)
		buffers->kept[buffers->count++] = memory;
	pthread_mutex_unlock(&buffers->lock);
	if (!keep)
		munmap(memory, BUFFER_SIZE);
}
