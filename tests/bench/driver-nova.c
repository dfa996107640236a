// driver-nova.c -- drives the NOVA core in process: a fresh pool, one worker, no network.
#include "server/nova/nova.h"
#include "tests/bench/driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WHY_SIZE   256
// Beside the data file: room for the copies of copy-on-write, the append file, logs and the format's own regions.
#define POOL_SPARE (UINT64_C(1536) << 20)

struct core {
	struct pm pm;
	struct nova *fs;
	struct nova_worker *worker;
	struct nova_call call;
	struct nova_handle root;
};

struct core_file {
	struct nova_handle handle;
	struct nova_call call; // opened: as a session's calls on a file it has opened
};

static int format_and_mount(struct core *s, const char *path, uint64_t size)
{
	struct nova_mount_options options = {0};
	char why[WHY_SIZE] = "";

	int rc = pm_create(path, size, true, &s->pm, why, sizeof(why));
	if (rc) {
		fprintf(stderr, "%s\n", why);
		return rc;
	}
	/* As farnovad does, and as the raw subject's mapping is: a devdax pool has no page faults. */
	pm_populate(&s->pm, 0, s->pm.size);
	rc = nova_format(&s->pm, &(struct nova_format_options){.label = "bench"});
	if (!rc)
		rc = nova_mount(&s->pm, &options, &s->fs, why, sizeof(why));
	if (rc) {
		fprintf(stderr, "%s: %s\n", path, why);
		pm_close(&s->pm);
		return rc;
	}
	rc = nova_worker_open(s->fs, &s->worker);
	if (rc) {
		nova_unmount(s->fs);
		pm_close(&s->pm);
	}
	return rc;
}

static int core_connect(struct bench_place *place, const struct bench_scale *scale, void **subject)
{
	struct core *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	int rc = format_and_mount(s, place->where, scale->file_size + POOL_SPARE);
	if (rc) {
		free(s);
		return rc;
	}
	s->call = (struct nova_call){.worker = s->worker};
	s->root = nova_root(s->fs);
	*subject = s;
	return 0;
}

static void core_disconnect(void *subject)
{
	struct core *s = subject;

	nova_worker_close(s->worker);
	nova_unmount(s->fs);
	pm_close(&s->pm);
	free(s);
}

static int core_create(void *subject, const char *name)
{
	struct core *s = subject;
	struct nova_attr attr;

	return nova_create(&s->call, s->root, name, strlen(name), S_IFREG | 0644, 0, &attr);
}

static int core_stat(void *subject, const char *name)
{
	struct core *s = subject;
	struct nova_attr attr;

	return nova_lookup(&s->call, s->root, name, strlen(name), &attr);
}

static int core_rename(void *subject, const char *from, const char *to)
{
	struct core *s = subject;

	return nova_rename(&s->call, s->root, from, strlen(from), s->root, to, strlen(to), 0, NULL);
}

static int core_unlink(void *subject, const char *name)
{
	struct core *s = subject;

	return nova_unlink(&s->call, s->root, name, strlen(name), NULL);
}

static int core_open(void *subject, const char *name, bool create, void **file)
{
	struct core *s = subject;
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
	    .open = core_open,
	    .close = core_close,
	    .read = core_read,
	    .write = core_write,
	};

	return bench_driver_main(&api, argc, argv);
}
