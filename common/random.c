/* random.c -- random numbers from the kernel. */
#include "common/random.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

int random_fill(void *out, size_t size)
{
	uint8_t *bytes = out;

	while (size > 0) {
		ssize_t count = getrandom(bytes, size, 0);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -EIO;
		bytes += count;
		size -= (size_t)count;
	}
	return 0;
}
