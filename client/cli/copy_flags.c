/*
 * copy_flags.c -- copies the flags of chattr: immutable, append-only, project-inherit.
 */
#include "client/cli/copy_flags.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct late_flags {
	struct late_flags *next;
	unsigned flags;
	char path[];
};

/* The same flags in the library and in FS_IOC_GETFLAGS. */
static const struct {
	unsigned farnova;
	int local;
} known[] = {
    {FARNOVA_FILE_IMMUTABLE, FS_IMMUTABLE_FL},
    {FARNOVA_FILE_APPEND, FS_APPEND_FL},
    {FARNOVA_FILE_PROJECT_INHERIT, FS_PROJINHERIT_FL},
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

static int open_local(const char *path, bool follow)
{
	/* O_NONBLOCK: if a FIFO has replaced the file, open must not wait for a writer. */
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
}

/* A file system without flags counts as having none set. */
static int get_local(const char *path, bool follow, unsigned *flags)
{
	int value = 0, fd = open_local(path, follow);

	if (fd < 0)
		return -errno;
	int error = ioctl(fd, FS_IOC_GETFLAGS, &value) ? errno : 0;
	close(fd);
	if (error && error != ENOTTY && error != EOPNOTSUPP && error != ENOSYS && error != EINVAL)
		return -error;
	for (size_t i = 0; i < KNOWN && !error; i++)
		if (value & known[i].local)
			*flags |= known[i].farnova;
	return 0;
}

static int set_local(const char *path, bool follow, unsigned flags)
{
	int value = 0, fd = open_local(path, follow);

	if (fd < 0)
		return -errno;
	int error = ioctl(fd, FS_IOC_GETFLAGS, &value) ? errno : 0;
	for (size_t i = 0; i < KNOWN; i++)
		value = flags & known[i].farnova ? value | known[i].local : value & ~known[i].local;
	if (!error && ioctl(fd, FS_IOC_SETFLAGS, &value))
		error = errno;
	close(fd);
	return -error;
}

static int get(const struct endpoint *endpoint, const char *path, bool follow, unsigned *flags)
{
	*flags = 0;
	if (!endpoint->fs)
		return get_local(path, follow, flags);
	return farnova_getflags(endpoint->fs, path, flags) ? -errno : 0;
}

static int set(const struct endpoint *endpoint, const char *path, bool follow, unsigned flags)
{
	if (!endpoint->fs)
		return set_local(path, follow, flags);
	return farnova_setflags(endpoint->fs, path, flags) ? -errno : 0;
}

static int remember(struct late_flags **late, const char *path, unsigned flags)
{
	size_t length = strlen(path) + 1;
	struct late_flags *one = malloc(sizeof(*one) + length);

	if (!one)
		return -ENOMEM;
	one->flags = flags;
	one->next = *late;
	memcpy(one->path, path, length);
	*late = one;
	return 0;
}

bool copy_flags(const struct endpoint *from, const char *source, const struct endpoint *to, const char *target,
                bool follow, struct late_flags **late, struct copy_flags_failure *failure)
{
	unsigned flags;
	int error = get(from, source, follow, &flags);

	*failure = (struct copy_flags_failure){from, source, error};
	if (error || !flags)
		return !error;
	error = late ? remember(late, target, flags) : set(to, target, follow, flags);
	*failure = (struct copy_flags_failure){to, target, error};
	return !error;
}

int copy_flags_late(const struct endpoint *to, bool follow, struct late_flags **late, char **path, int *error)
{
	struct late_flags *one = *late;

	if (!one)
		return 0;
	*late = one->next;
	*error = set(to, one->path, follow, one->flags);
	*path = strdup(one->path);
	free(one);
	return 1;
}
