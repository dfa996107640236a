// driver-pmem.c -- the raw medium: pmem_memcpy_persist into a mapped file, memcpy out of it. The floor of suite core.
#include "tests/bench/driver.h"

#include <errno.h>
#include <libpmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct medium {
	char *base;
	size_t mapped;
	uint64_t append_at; // the append region lies behind the data file's place
	uint64_t append_end;
};

static int medium_connect(struct bench_place *place, const struct bench_scale *scale, void **subject)
{
	struct medium *s = calloc(1, sizeof(*s));
	int is_pmem;

	if (!s)
		return -ENOMEM;
	s->append_at = scale->file_size;
	s->append_end = scale->file_size + (uint64_t)scale->ops * BENCH_BLOCK;
	s->base = pmem_map_file(place->where, s->append_end, PMEM_FILE_CREATE, 0600, &s->mapped, &is_pmem);
	if (!s->base) {
		int rc = errno ? -errno : -EIO;
		free(s);
		return rc;
	}
	if (!is_pmem) {
		fprintf(stderr, "%s is not persistent memory; on tmpfs set PMEM_IS_PMEM_FORCE=1\n", place->where);
		pmem_unmap(s->base, s->mapped);
		free(s);
		return -EMEDIUMTYPE;
	}
	pmem_memset_persist(s->base, 0, s->mapped);
	*subject = s;
	return 0;
}

static void medium_disconnect(void *subject)
{
	struct medium *s = subject;

	pmem_unmap(s->base, s->mapped);
	free(s);
}

// A file is the address of its first byte.
static int medium_open(void *subject, const char *name, bool create, void **file)
{
	struct medium *s = subject;

	*file = s->base + (strcmp(name, "append") == 0 ? s->append_at : 0);
	return 0;
}

static int medium_close(void *subject, void *file)
{
	return 0;
}

static int medium_read(void *subject, void *file, void *to, size_t n, uint64_t offset)
{
	memcpy(to, (const char *)file + offset, n);
	return 0;
}

static int medium_write(void *subject, void *file, const void *from, size_t n, uint64_t offset)
{
	pmem_memcpy_persist((char *)file + offset, from, n);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct bench_api api = {
	    .usage = "a file to create and map",
	    .keeps_data = true,
	    .connect = medium_connect,
	    .disconnect = medium_disconnect,
	    .open = medium_open,
	    .close = medium_close,
	    .read = medium_read,
	    .write = medium_write,
	};

	return bench_driver_main(&api, argc, argv);
}
