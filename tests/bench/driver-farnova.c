// driver-farnova.c -- drives a farnova server through the client library.
#include "client/include/farnova.h"
#include "tests/bench/driver.h"
#include "tests/bench/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

struct mount {
	const char *url;
	struct farnova *fs;
	struct farnova_queue *queue;
};

// The library's words say more than errno does; a benchmark that fails shows them.
static int failed(void)
{
	int rc = errno ? -errno : -EIO;

	fprintf(stderr, "farnova: %s\n", farnova_last_error());
	return rc;
}

static int path_of(const char *name, char path[static 64])
{
	return snprintf(path, 64, "/%s", name) < 64 ? 0 : -ENAMETOOLONG;
}

static int remote_connect(struct bench_place *place, const struct bench_scale *scale, void **subject)
{
	struct farnova_options options = {
	    .size = sizeof(options),
	    .transport = getenv("FARNOVA_BENCH_TRANSPORT"),
	    .timeout_ms = 20000,
	};
	struct mount *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->url = place->where;
	s->fs = farnova_connect(place->where, &options);
	if (!s->fs) {
		int rc = failed();
		free(s);
		return rc;
	}
	s->queue = farnova_queue_create(s->fs, BENCH_MOST);
	if (!s->queue) {
		int rc = failed();
		farnova_disconnect(s->fs);
		free(s);
		return rc;
	}
	fprintf(stderr, "bench: farnova over %s\n", farnova_transport(s->fs));
	*subject = s;
	return 0;
}

static void remote_disconnect(void *subject)
{
	struct mount *s = subject;

	farnova_disconnect(s->fs);
	free(s);
}

static int remote_create(void *subject, const char *name)
{
	struct mount *s = subject;
	char path[64];

	if (path_of(name, path))
		return -ENAMETOOLONG;
	struct farnova_file *file = farnova_open(s->fs, path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (!file)
		return failed();
	return farnova_close(file) ? failed() : 0;
}

static int remote_stat(void *subject, const char *name)
{
	struct mount *s = subject;
	struct stat st;
	char path[64];

	if (path_of(name, path))
		return -ENAMETOOLONG;
	return farnova_stat(s->fs, path, &st) ? failed() : 0;
}

static int remote_rename(void *subject, const char *from, const char *to)
{
	struct mount *s = subject;
	char old_path[64], new_path[64];

	if (path_of(from, old_path) || path_of(to, new_path))
		return -ENAMETOOLONG;
	return farnova_rename(s->fs, old_path, new_path, 0) ? failed() : 0;
}

static int remote_unlink(void *subject, const char *name)
{
	struct mount *s = subject;
	char path[64];

	if (path_of(name, path))
		return -ENAMETOOLONG;
	return farnova_unlink(s->fs, path) ? failed() : 0;
}

static int remote_open(void *subject, const char *name, bool create, void **file)
{
	struct mount *s = subject;
	char path[64];

	if (path_of(name, path))
		return -ENAMETOOLONG;
	*file = farnova_open(s->fs, path, O_RDWR | (create ? O_CREAT | O_TRUNC : 0), 0644);
	return *file ? 0 : failed();
}

static int remote_close(void *subject, void *file)
{
	return farnova_close(file) ? failed() : 0;
}

static int remote_read(void *subject, void *file, void *to, size_t n, uint64_t offset)
{
	while (n) {
		ssize_t got = farnova_pread(file, to, n, (off_t)offset);
		if (got < 0)
			return failed();
		if (!got)
			return -ENODATA;
		to = (char *)to + got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int remote_read_many(void *subject, void *file, void *to, size_t n, unsigned count, const uint64_t *offsets)
{
	static struct farnova_operation operations[BENCH_MOST];
	static struct farnova_completion completions[BENCH_MOST];
	struct mount *s = subject;

	for (unsigned i = 0; i < count; i++) {
		operations[i].operation = FARNOVA_OP_READ;
		operations[i].file = file;
		operations[i].buffer = (char *)to + i * n;
		operations[i].length = n;
		operations[i].offset = (off_t)offsets[i];
	}
	if (farnova_queue_submit(s->queue, operations, count) != (int)count)
		return failed();
	if (farnova_queue_reap(s->queue, completions, count, count, -1) != (int)count)
		return -EIO;
	for (unsigned i = 0; i < count; i++)
		if (completions[i].result != (ssize_t)n)
			return completions[i].result < 0 ? (int)completions[i].result : -ENODATA;
	return 0;
}

static int remote_write(void *subject, void *file, const void *from, size_t n, uint64_t offset)
{
	while (n) {
		ssize_t put = farnova_pwrite(file, from, n, (off_t)offset);
		if (put < 0)
			return failed();
		from = (const char *)from + put;
		offset += (uint64_t)put;
		n -= (size_t)put;
	}
	return 0;
}

static int read_by_threads(void *subject, uint64_t file_size, uint32_t ops, uint32_t round, uint64_t *ns)
{
	return readers_run(((const struct mount *)subject)->url, false, file_size, ops, round, ns);
}

static int read_by_processes(void *subject, uint64_t file_size, uint32_t ops, uint32_t round, uint64_t *ns)
{
	return readers_run(((const struct mount *)subject)->url, true, file_size, ops, round, ns);
}

int main(int argc, char **argv)
{
	// What threads are compared with, and nothing else.
	static const struct bench_api processes = {
	    .usage = "the URL of a directory",
	    .keeps_data = true,
	    .connect = remote_connect,
	    .disconnect = remote_disconnect,
	    .read_by_two = read_by_processes,
	};
	static const struct bench_api api = {
	    .usage = "the URL of an empty directory; FARNOVA_BENCH_TRANSPORT chooses verbs or tcp",
	    .keeps_data = true,
	    .connect = remote_connect,
	    .disconnect = remote_disconnect,
	    .create = remote_create,
	    .stat = remote_stat,
	    .rename = remote_rename,
	    .unlink = remote_unlink,
	    .open = remote_open,
	    .close = remote_close,
	    .read = remote_read,
	    .write = remote_write,
	    .read_many = remote_read_many,
	    .read_by_two = read_by_threads,
	};

	return bench_driver_main(getenv("FARNOVA_BENCH_PROCESSES") ? &processes : &api, argc, argv);
}
