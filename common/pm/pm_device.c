/*
 * pm_device.c -- reads the ids and unsafe-shutdown counts of the devices of a pool.
 *
 * libpmem2 adds the unsafe-shutdown counts of all NVDIMMs of a mapping and joins their ids. Emulated devices, files on
 * other media, platforms without such counts and builds without libpmem2 have none: then nothing is known.
 */
#include "common/pm/pm_device.h"

#include "common/crc.h"

#if FARNOVA_HAS_PMEM2

#include <libpmem2.h>
#include <stdlib.h>

static uint64_t id_of(const struct pmem2_source *source)
{
	size_t length = 0;
	uint64_t id = 0;
	char *text;

	if (pmem2_source_device_id(source, NULL, &length) != 0 || length == 0)
		return 0;
	text = malloc(length);
	if (text && pmem2_source_device_id(source, text, &length) == 0)
		id = crc32c(0xffffffff, text, length);
	free(text);
	return id;
}

void pm_device_ask(int fd, uint64_t *id, uint64_t *unsafe_shutdowns)
{
	struct pmem2_source *source;

	*id = *unsafe_shutdowns = 0;
	if (pmem2_source_from_fd(&source, fd) != 0)
		return;
	if (pmem2_source_device_usc(source, unsafe_shutdowns) == 0)
		*id = id_of(source);
	else
		*unsafe_shutdowns = 0;
	pmem2_source_delete(&source);
}

#else

void pm_device_ask(int fd, uint64_t *id, uint64_t *unsafe_shutdowns)
{
	(void)fd;
	*id = *unsafe_shutdowns = 0;
}

#endif
