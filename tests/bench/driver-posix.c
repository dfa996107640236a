// driver-posix.c -- drives a directory of any mounted file system through POSIX calls.
#include "tests/bench/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct posix {
	const struct bench_place *place;
	int dir;
};

struct posix_file {
	int fd;
};

static int posix_connect(struct bench_place *place, const struct bench_scale *scale, void **subject)
{
	struct posix *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->place = place;
	s->dir = open(place->where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0) {
		int rc = -errno;
		free(s);
		return rc;
	}
	*subject = s;
	return 0;
}

static void posix_disconnect(void *subject)
{
	struct posix *s = subject;

	close(s->dir);
	free(s);
}

// A changed directory is durable once it has been synced itself.
static int sync_dir(const struct posix *s)
{
	if (!s->place->fsync || !s->place->durable)
		return 0;
	return fsync(s->dir) ? -errno : 0;
}

static int posix_create(void *subject, const char *name)
{
	struct posix *s = subject;
	int fd = openat(s->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	if (s->place->fsync && s->place->durable && fsync(fd)) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	return close(fd) ? -errno : sync_dir(s);
}

static int posix_stat(void *subject, const char *name)
{
	struct posix *s = subject;
	struct stat st;

	return fstatat(s->dir, name, &st, 0) ? -errno : 0;
}

static int posix_rename(void *subject, const char *from, const char *to)
{
	struct posix *s = subject;

	return renameat(s->dir, from, s->dir, to) ? -errno : sync_dir(s);
}

static int posix_unlink(void *subject, const char *name)
{
	struct posix *s = subject;

	return unlinkat(s->dir, name, 0) ? -errno : sync_dir(s);
}

static int posix_mkdir(void *subject, const char *name)
{
	struct posix *s = subject;

	return mkdirat(s->dir, name, 0755) ? -errno : sync_dir(s);
}

static int posix_rmdir(void *subject, const char *name)
{
	struct posix *s = subject;

	return unlinkat(s->dir, name, AT_REMOVEDIR) ? -errno : sync_dir(s);
}

static int posix_open(void *subject, const char *name, bool create, void **file)
{
	struct posix *s = subject;
	struct posix_file *f = calloc(1, sizeof(*f));
	int flags = O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_TRUNC : 0) | (s->place->osync ? O_SYNC : 0) |
	            (s->place->direct ? O_DIRECT : 0);

	if (!f)
		return -ENOMEM;
	f->fd = openat(s->dir, name, flags, 0644);
	if (f->fd < 0) {
		int rc = -errno;
		free(f);
		return rc;
	}
	*file = f;
	return 0;
}

static int posix_close(void *subject, void *file)
{
	struct posix_file *f = file;
	int rc = close(f->fd) ? -errno : 0;

	free(f);
	return rc;
}

static int posix_read(void *subject, void *file, void *to, size_t n, uint64_t offset)
{
	struct posix_file *f = file;

	while (n) {
		ssize_t got = pread(f->fd, to, n, (off_t)offset);
		if (got < 0)
			return -errno;
		if (!got)
			return -ENODATA;
		to = (char *)to + got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int posix_write(void *subject, void *file, const void *from, size_t n, uint64_t offset)
{
	struct posix *s = subject;
	struct posix_file *f = file;

	while (n) {
		ssize_t put = pwrite(f->fd, from, n, (off_t)offset);
		if (put < 0)
			return -errno;
		from = (const char *)from + put;
		offset += (uint64_t)put;
		n -= (size_t)put;
	}
	if (!s->place->fsync || !s->place->durable)
		return 0;
	return fsync(f->fd) ? -errno : 0;
}

int main(int argc, char **argv)
{
	static const struct bench_api api = {
	    .usage = "an empty directory",
	    .keeps_data = true,
	    .connect = posix_connect,
	    .disconnect = posix_disconnect,
	    .create = posix_create,
	    .stat = posix_stat,
	    .rename = posix_rename,
	    .unlink = posix_unlink,
	    .mkdir = posix_mkdir,
	    .rmdir = posix_rmdir,
	    .open = posix_open,
	    .close = posix_close,
	    .read = posix_read,
	    .write = posix_write,
	};

	return bench_driver_main(&api, argc, argv);
}
