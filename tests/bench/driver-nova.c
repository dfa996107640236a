// driver-nova.c -- drives the NOVA core in process: a fresh pool, one worker, no network.
#include "tests/bench/driver.h"
#include "tests/bench/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Beside the data file: room for the copies of copy-on-write, the append file, logs and the format's own regions.
#define POOL_SPARE (UINT64_C(1536) << 20)

struct core_file {
	struct nova_handle handle;
	struct nova_call call; // opened: as a session's calls on a file it has opened
};

static int core_connect(struct bench_place *place, const struct bench_scale *scale, void **subject)
{
	struct bench_pool *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	int rc = bench_pool_make(s, place->where, scale->file_size + POOL_SPARE);
	if (rc) {
		free(s);
		return rc;
	}
	*subject = s;
	return 0;
}

static void core_disconnect(void *subject)
{
	bench_pool_close(subject);
	free(subject);
}

static int core_create(void *subject, const char *name)
{
	struct bench_pool *s = subject;
	struct nova_attr attr;

	return nova_create(&s->call, s->root, name, strlen(name), S_IFREG | 0644, 0, &attr);
}

static int core_stat(void *subject, const char *name)
{
	struct bench_pool *s = subject;
	struct nova_attr attr;

	return nova_lookup(&s->call, s->root, name, strlen(name), &attr);
}

static int core_rename(void *subject, const char *from, const char *to)
{
	struct bench_pool *s = subject;

	return nova_rename(&s->call, s->root, from, strlen(from), s->root, to, strlen(to), 0, NULL);
}

static int core_unlink(void *subject, const char *name)
{
	struct bench_pool *s = subject;

	return nova_unlink(&s->call, s->root, name, strlen(name), NULL);
}

static int core_mkdir(void *subject, const char *name)
{
	struct bench_pool *s = subject;
	struct nova_attr attr;

	return nova_create(&s->call, s->root, name, strlen(name), S_IFDIR | 0755, 0, &attr);
}

static int core_rmdir(void *subject, const char *name)
{
	struct bench_pool *s = subject;

	return nova_rmdir(&s->call, s->root, name, strlen(name), NULL);
}

static int core_open(void *subject, const char *name, bool create, void **file)
{
	struct bench_pool *s = subject;
	struct core_file *f = calloc(1, sizeof(*f));
	struct nova_attr attr;

	if (!f)
		return -ENOMEM;
	int rc = create ? nova_create(&s->call, s->root, name, strlen(name), S_IFREG | 0644, 0, &attr)
	                : nova_lookup(&s->call, s->root, name, strlen(name), &attr);
	if (!rc)
		rc = nova_open(&s->call, attr.handle, &attr);
	if (rc) {
		free(f);
		return rc;
	}
	f->handle = attr.handle;
	f->call = s->call;
	f->call.opened = true;
	*file = f;
	return 0;
}

static int core_close(void *subject, void *file)
{
	struct core_file *f = file;
	int rc = nova_close(&f->call, f->handle);

	free(f);
	return rc;
}

static int core_read(void *subject, void *file, void *to, size_t n, uint64_t offset)
{
	struct core_file *f = file;
	ssize_t got = nova_read(&f->call, f->handle, offset, to, n);

	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -ENODATA;
}

static int core_write(void *subject, void *file, const void *from, size_t n, uint64_t offset)
{
	struct core_file *f = file;
	ssize_t put = nova_write(&f->call, f->handle, offset, from, n, 0, NULL);

	return put < 0 ? (int)put : 0;
}

int main(int argc, char **argv)
{
	static const struct bench_api api = {
	    .usage = "a file to make the pool in",
	    .keeps_data = true,
	    .connect = core_connect,
	    .disconnect = core_disconnect,
	    .create = core_create,
	    .stat = core_stat,
	    .rename = core_rename,
	    .unlink = core_unlink,
	    .mkdir = core_mkdir,
	    .rmdir = core_rmdir,
	    .open = core_open,
	    .close = core_close,
	    .read = core_read,
	    .write = core_write,
	};

	return bench_driver_main(&api, argc, argv);
}
