/*
 * bounce.c -- registered buffers as the target of READs, for transports that require registered memory.
 */
#include "client/link/bounce.h"

#include <errno.h>
#include <sys/mman.h>

_Static_assert(BOUNCE_COUNT == 32, "one bit of `free` for each buffer");

int bounce_init(struct bounce *bounce, struct transport_conn *conn)
{
	size_t size = (size_t)BOUNCE_SIZE * BOUNCE_COUNT;

	if (!transport_needs_region(conn))
		return 0;
	if (!bounce->memory) {
		void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED)
			return -ENOMEM;
		/* A forked child must not share pages that the device writes to. */
		madvise(memory, size, MADV_DONTFORK);
		bounce->memory = memory;
		bounce->free = UINT32_MAX;
	}
	return transport_register(conn, bounce->memory, size, 0, TRANSPORT_LOCAL_WRITE, &bounce->region);
}

void bounce_destroy(struct bounce *bounce)
{
	if (bounce->memory)
		munmap(bounce->memory, (size_t)BOUNCE_SIZE * BOUNCE_COUNT);
	bounce->memory = NULL;
}

int bounce_take(struct bounce *bounce)
{
	if (bounce->free == 0)
		return -1;
	int number = __builtin_ctz(bounce->free);
	bounce->free &= bounce->free - 1;
	return number;
}

void bounce_return(struct bounce *bounce, int number)
{
	bounce->free |= 1u << number;
}

void *bounce_at(const struct bounce *bounce, int number)
{
	return bounce->memory + (size_t)number * BOUNCE_SIZE;
}
