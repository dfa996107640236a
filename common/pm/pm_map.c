/*
 * pm_map.c -- determines the kind of a pool path, locks it and maps it.
 */
#include "common/pm/pm.h"

#include "common/pm/pm_device.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PAGE 4096u

/* Where the explanation goes; every explanation contains path and verb. */
struct why {
	const char *path;
	const char *verb; /* "open", "grow" or "create" */
	char *text;
	size_t size;
};

__attribute__((format(printf, 3, 4))) static int fail(const struct why *why, int error, const char *format, ...)
{
	va_list args;
	int n;

	if (!why->text || why->size == 0)
		return error;
	n = snprintf(why->text, why->size, "cannot %s pool '%s': ", why->verb, why->path);
	if (n < 0 || (size_t)n >= why->size)
		return error;
	va_start(args, format);
	vsnprintf(why->text + n, why->size - (size_t)n, format, args);
	va_end(args);
	return error;
}

const char *pm_kind_name(enum pm_kind kind)
{
	switch (kind) {
	case PM_DEVDAX:
		return "devdax";
	case PM_FSDAX:
		return "fsdax";
	case PM_MEMORY:
		return "memory";
	case PM_FILE:
		return "file";
	}
	return "unknown";
}

static bool is_devdax(const struct stat *st)
{
	char link[64], target[PATH_MAX];
	const char *name;

	snprintf(link, sizeof(link), "/sys/dev/char/%u:%u/subsystem", major(st->st_rdev), minor(st->st_rdev));
	if (!realpath(link, target))
		return false;
	name = strrchr(target, '/');
	return name && strcmp(name + 1, "dax") == 0;
}

/* A devdax device has no st_size; sysfs has its size. 0 if unknown. */
static uint64_t devdax_size(const struct stat *st)
{
	char path[64];
	unsigned long long size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/size", major(st->st_rdev), minor(st->st_rdev));
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &size) != 1)
		size = 0;
	fclose(f);
	return size;
}

/* Refuse anything but a file or a devdax device. */
static int check_type(const struct stat *st, const struct why *why)
{
	if (S_ISDIR(st->st_mode))
		return fail(why, -EISDIR, "it is a directory; name a file in it or a devdax device");
	if (S_ISBLK(st->st_mode))
		return fail(
		    why, -EINVAL,
		    "it is a block device, which cannot be mapped for direct stores; reconfigure the namespace as "
		    "devdax (ndctl create-namespace -m devdax) or mount a file system on it with -o dax and name a "
		    "file there");
	if (S_ISCHR(st->st_mode) && !is_devdax(st))
		return fail(why, -EINVAL,
		            "it is a character device but not devdax; name a /dev/daxX.Y device or a file");
	if (!S_ISCHR(st->st_mode) && !S_ISREG(st->st_mode))
		return fail(why, -EINVAL, "it is neither a file nor a devdax device");
	return 0;
}

static int explain_open(const struct why *why, int error)
{
	switch (error) {
	case ENOENT:
		return fail(why, -ENOENT, "no such file or device; make it with 'farnova mkfs'");
	case EACCES:
	case EPERM:
		return fail(why, -EACCES, "no permission; run as a user who may read and write it");
	case EISDIR:
		return fail(why, -EISDIR, "it is a directory; name a file in it or a devdax device");
	case EEXIST:
		return fail(why, -EEXIST, "it exists already; use --force to overwrite it and lose what it holds");
	default:
		return fail(why, -error, "%s", strerror(error));
	}
}

static int lock(int fd, bool shared, const struct why *why)
{
	if (flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return fail(why, -EBUSY, "it is in use by another process (a running farnovad?); stop that first");
	return fail(why, -errno, "cannot lock it: %s", strerror(errno));
}

static bool in_memory(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return false;
	return fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC || fs.f_type == RAMFS_MAGIC;
}

/* Map an open, locked pool of `size` bytes and fill *pm. On failure the caller still owns the descriptor. */
static int map(int fd, const struct stat *st, uint64_t size, bool read_only, struct pm *pm, const struct why *why)
{
	int protection = read_only ? PROT_READ : PROT_READ | PROT_WRITE;
	enum pm_kind kind;
	void *base;

	if (S_ISCHR(st->st_mode)) {
		kind = PM_DEVDAX;
		base = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
	} else {
		/* Only a file system that makes page-table entries durable with the data accepts MAP_SYNC. */
		kind = PM_FSDAX;
		base = mmap(NULL, size, protection, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
		if (base == MAP_FAILED && (errno == EOPNOTSUPP || errno == EINVAL)) {
			kind = in_memory(fd) ? PM_MEMORY : PM_FILE;
			base = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
		}
	}
	if (base == MAP_FAILED) {
		int error = errno;

		return fail(why, -error, "cannot map %llu bytes: %s%s", (unsigned long long)size, strerror(error),
		            error == EINVAL ? "; the size must be a multiple of the device's or huge page's alignment"
		                            : "");
	}
	if (kind == PM_MEMORY)
		madvise(base, size, MADV_HUGEPAGE); /* fewer TLB misses on tmpfs; failure does no harm */
	*pm = (struct pm){.base = base, .size = size, .kind = kind, .read_only = read_only, .fd = fd};
	if (kind == PM_DEVDAX || kind == PM_FSDAX)
		pm_device_ask(fd, &pm->device, &pm->unsafe_shutdowns);
	return 0;
}

/* Extend an open, locked file. Its length is durable before the pool depends on it. */
static int extend_file(int fd, uint64_t from, uint64_t size, const struct why *why)
{
	int error;

	if (size < from)
		return fail(why, -EINVAL, "it has %llu bytes already, and a pool cannot shrink",
		            (unsigned long long)from);
	error = size == from ? 0 : posix_fallocate(fd, 0, (off_t)size);
	if (!error && fsync(fd) != 0)
		error = errno;
	if (!error)
		return 0;
	if (ftruncate(fd, (off_t)from) != 0)
		return fail(why, -error, "cannot make it %llu bytes long (%s), nor as long as it was",
		            (unsigned long long)size, strerror(error));
	return fail(why, -error, "cannot make it %llu bytes long: %s", (unsigned long long)size, strerror(error));
}

/* Open an existing pool and map it; if `grown` is not 0, first extend a file to `grown` bytes. */
static int open_as(const char *path, bool read_only, uint64_t grown, struct pm *pm, const struct why *why)
{
	struct stat st;
	uint64_t size;
	int fd, rc;

	/* Check the type before opening: a FIFO would block and a tape would rewind. */
	if (stat(path, &st) != 0)
		return explain_open(why, errno);
	rc = check_type(&st, why);
	if (rc)
		return rc;
	fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (fd < 0)
		return explain_open(why, errno);
	rc = lock(fd, read_only, why);
	if (rc)
		goto out;
	if (fstat(fd, &st) != 0) {
		rc = fail(why, -errno, "%s", strerror(errno));
		goto out;
	}
	rc = check_type(&st, why);
	if (rc)
		goto out;
	size = S_ISCHR(st.st_mode) ? devdax_size(&st) : (uint64_t)st.st_size;
	if (size < PAGE) {
		rc = fail(why, -EINVAL, "it holds %llu bytes, too few for a pool; make one with 'farnova mkfs'",
		          (unsigned long long)size);
		goto out;
	}
	if (grown && S_ISCHR(st.st_mode) && grown != size)
		rc = fail(why, -EINVAL, "the device has %llu bytes and is taken whole; leave the size out",
		          (unsigned long long)size);
	else if (grown && !S_ISCHR(st.st_mode))
		rc = extend_file(fd, size, grown, why);
	if (!rc)
		rc = map(fd, &st, grown ? grown : size, read_only, pm, why);
out:
	if (rc)
		close(fd);
	return rc;
}

int pm_open(const char *path, bool read_only, struct pm *pm, char *why_text, size_t why_size)
{
	struct why why = {path, "open", why_text, why_size};

	return open_as(path, read_only, 0, pm, &why);
}

int pm_open_grown(const char *path, uint64_t size, struct pm *pm, char *why_text, size_t why_size)
{
	struct why why = {path, "grow", why_text, why_size};

	return open_as(path, false, size, pm, &why);
}

static int create_on_device(int fd, const struct stat *st, uint64_t size, struct pm *pm, const struct why *why)
{
	uint64_t device = devdax_size(st);

	if (device == 0)
		return fail(why, -EINVAL, "the device tells no size");
	if (size > device)
		return fail(why, -EINVAL,
		            "the device has %llu bytes, fewer than the %llu asked for; leave the size out to "
		            "take all of it",
		            (unsigned long long)device, (unsigned long long)size);
	return map(fd, st, size ? size : device, false, pm, why);
}

static int create_in_file(int fd, const struct stat *st, uint64_t size, struct pm *pm, const struct why *why)
{
	int error;

	if (size == 0)
		return fail(why, -EINVAL, "a file needs a size");
	if (ftruncate(fd, 0) != 0 || ftruncate(fd, (off_t)size) != 0)
		return fail(why, -errno, "cannot make it %llu bytes long: %s", (unsigned long long)size,
		            strerror(errno));
	/* Allocate the space now, so that no later store gets SIGBUS from a full file system. */
	error = posix_fallocate(fd, 0, (off_t)size);
	if (error)
		return fail(why, -error, "cannot allocate %llu bytes: %s", (unsigned long long)size, strerror(error));
	return map(fd, st, size, false, pm, why);
}

int pm_create(const char *path, uint64_t size, bool force, struct pm *pm, char *why_text, size_t why_size)
{
	struct why why = {path, "create", why_text, why_size};
	bool made = false;
	struct stat st;
	int fd, rc;

	if (stat(path, &st) == 0) {
		rc = check_type(&st, &why);
		if (rc)
			return rc;
		if (S_ISREG(st.st_mode) && !force)
			return explain_open(&why, EEXIST);
		fd = open(path, O_RDWR | O_CLOEXEC);
	} else {
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		made = fd >= 0;
	}
	if (fd < 0) {
		if (errno == ENOENT)
			return fail(&why, -ENOENT, "no such directory; make the directory first");
		return explain_open(&why, errno);
	}
	rc = lock(fd, false, &why);
	if (rc)
		goto out;
	if (fstat(fd, &st) != 0) {
		rc = fail(&why, -errno, "%s", strerror(errno));
		goto out;
	}
	if (S_ISCHR(st.st_mode))
		rc = create_on_device(fd, &st, size, pm, &why);
	else
		rc = create_in_file(fd, &st, size, pm, &why);
out:
	if (rc) {
		if (made)
			unlink(path);
		close(fd);
	}
	return rc;
}

void pm_populate(const struct pm *pm, uint64_t offset, uint64_t length)
{
	uint64_t begin = offset / PAGE * PAGE;

	if (pm->kind != PM_MEMORY || offset >= pm->size)
		return;
	if (length > pm->size - offset)
		length = pm->size - offset;
	/* Linux 5.14; on older kernels faults occur one by one, which is only slower. */
	madvise(pm->base + begin, offset + length - begin, pm->read_only ? MADV_POPULATE_READ : MADV_POPULATE_WRITE);
}

void pm_wrap(struct pm *pm, void *base, uint64_t size)
{
	*pm = (struct pm){.base = base, .size = size, .kind = PM_MEMORY, .fd = -1};
}

void pm_close(struct pm *pm)
{
	if (pm->fd < 0)
		return;
	munmap(pm->base, pm->size);
	close(pm->fd);
	*pm = (struct pm){.fd = -1};
}
