/*
 * xattrs.c -- the FUSE operations on extended attributes and ACLs, and the ioctls of chattr and lsattr, which also set
 * projects.
 *
 * The kernel checks permissions as the server does. So it is informed that ACLs exist (names.c), reads them here, and
 * caches them as long as attributes: not at all without its cache. With its cache the kernel also asks for a file's
 * capabilities before each write; that a file has none is cached here as long as attributes are. Both queries are
 * answered without the server for an inode that recently had no extended attributes (recent.h).
 */
#include "client/fuse/counts.h"
#include "client/fuse/mount_state.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define VALUE_MAX  65536u
#define CAPABILITY "security.capability"
#define ACLS       "system.posix_acl_"
#define NS_PER_S   1000000000ull

static struct farnova_handle handle_of(const struct mount_state *state, fuse_ino_t ino)
{
	return nodes_handle(state->nodes, ino);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	struct mount_state *state = mount_enter(req);

	if (!state)
		return;
	int returned = farnova_setxattr_at(state->fs, handle_of(state, ino), name, value, size, flags);
	/* In this order: a request that finds the node not plain must not find an older reply in `recent` either. */
	recent_changed(state->recent, ino);
	if (strcmp(name, CAPABILITY) == 0)
		nodes_set_not_plain(state->nodes, ino);
	mount_reply_status(req, returned);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct mount_state *state = mount_enter(req);

	if (!state)
		return;
	int returned = farnova_removexattr_at(state->fs, handle_of(state, ino), name);
	recent_changed(state->recent, ino);
	mount_reply_status(req, returned);
}

/* Until when it may be cached that an inode has no capabilities, and the number of nodes_is_plain. */
struct plain {
	uint64_t until_ns, state;
};

/* Answer with a value or, without a name, with a list. The kernel asks for the length with size 0. If `plain` is
 * not NULL, a missing attribute is cached. */
static void reply_bytes(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size, const struct plain *plain)
{
	/* Everyone may read ACLs, and the kernel reads them for each of its own checks. */
	bool judged = !name || strncmp(name, ACLS, sizeof(ACLS) - 1) != 0;
	struct mount_state *state = judged ? mount_enter(req) : mount_enter_unjudged(req);
	char *bytes = NULL;

	if (!state)
		return;
	if (size > VALUE_MAX)
		size = VALUE_MAX;
	if (size && !(bytes = malloc(size))) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	ssize_t length = name ? farnova_getxattr_at(state->fs, handle_of(state, ino), name, bytes, size)
	                      : farnova_listxattr_at(state->fs, handle_of(state, ino), bytes, size);
	/* Before the answer: after it the kernel may forget the node. */
	if (length < 0 && errno == ENODATA && plain)
		nodes_set_plain(state->nodes, ino, plain->until_ns, plain->state);
	if (length < 0)
		mount_reply_errno(req);
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)length);
	else
		fuse_reply_buf(req, bytes, (size_t)length);
	free(bytes);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* The virtual attribute with the mount's counters; no list contains it. */
static void reply_counts(fuse_req_t req, struct mount_state *state, size_t size)
{
	size_t length;
	char *text = counts_text(state->fs, &length);

	if (!text)
		fuse_reply_err(req, ENOMEM);
	else if (size == 0)
		fuse_reply_xattr(req, length);
	else if (size < length)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, text, length);
	free(text);
}

/*
 * The server's error for an attribute that is known to be missing; 0 if that is not known. Not for attributes whose
 * absence the server reveals only to callers who may read the inode.
 */
static int known_absent(fuse_req_t req, struct mount_state *state, fuse_ino_t ino, const char *name)
{
	bool acl = strcmp(name, ACLS "access") == 0 || strcmp(name, ACLS "default") == 0;
	mode_t mode;

	if (!acl && strcmp(name, CAPABILITY) != 0 && strcmp(name, "security.selinux") != 0)
		return 0;
	if (!recent_no_xattrs(state->recent, fuse_req_ctx(req)->pid, ino, &mode))
		return 0;
	return acl && S_ISLNK(mode) ? EOPNOTSUPP : ENODATA;
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct mount_state *state = fuse_req_userdata(req);

	if (strcmp(name, COUNTS_ATTRIBUTE) == 0) {
		reply_counts(req, state, size);
		return;
	}
	bool keep = state->kernel_cache && strcmp(name, CAPABILITY) == 0;
	uint64_t now = keep ? now_ns() : 0;
	struct plain plain = {.until_ns = now + (uint64_t)(state->timeout * (double)NS_PER_S)};

	if (keep && nodes_is_plain(state->nodes, ino, now, &plain.state)) {
		fuse_reply_err(req, ENODATA);
		return;
	}
	int error = known_absent(req, state, ino, name);
	if (!error) {
		reply_bytes(req, ino, name, size, keep ? &plain : NULL);
		return;
	}
	if (keep)
		nodes_set_plain(state->nodes, ino, plain.until_ns, plain.state);
	fuse_reply_err(req, error);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	reply_bytes(req, ino, NULL, size, NULL);
}

/* ---- flags ------------------------------------------------------------------------------------------------------ */

/* The same flag in the library, in FS_IOC_GETFLAGS and in FS_IOC_FSGETXATTR. */
static const struct {
	unsigned farnova, flag, xflag;
} known_flags[] = {
    {FARNOVA_FILE_IMMUTABLE, FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE},
    {FARNOVA_FILE_APPEND, FS_APPEND_FL, FS_XFLAG_APPEND},
    {FARNOVA_FILE_PROJECT_INHERIT, FS_PROJINHERIT_FL, FS_XFLAG_PROJINHERIT},
};

#define KNOWN_FLAGS (sizeof(known_flags) / sizeof(known_flags[0]))

static void to_kernel(unsigned flags, unsigned *fl, unsigned *xflags)
{
	*fl = *xflags = 0;
	for (size_t i = 0; i < KNOWN_FLAGS; i++) {
		if (!(flags & known_flags[i].farnova))
			continue;
		*fl |= known_flags[i].flag;
		*xflags |= known_flags[i].xflag;
	}
}

/* -EOPNOTSUPP for unsupported flags. */
static int from_kernel(unsigned fl, unsigned xflags, unsigned *flags)
{
	unsigned rest = fl, xrest = xflags;

	*flags = 0;
	for (size_t i = 0; i < KNOWN_FLAGS; i++) {
		if (fl & known_flags[i].flag || xflags & known_flags[i].xflag)
			*flags |= known_flags[i].farnova;
		rest &= ~known_flags[i].flag;
		xrest &= ~known_flags[i].xflag;
	}
	return rest || (xrest & ~FS_XFLAG_HASATTR) ? -EOPNOTSUPP : 0;
}

static void reply_flags(fuse_req_t req, struct mount_state *state, fuse_ino_t ino, unsigned command, size_t room)
{
	struct farnova_statx all = {.size = sizeof(all)};
	struct fsxattr extended = {0};
	unsigned fl;

	if (farnova_statx_at(state->fs, handle_of(state, ino), &all)) {
		fuse_reply_err(req, errno);
		return;
	}
	to_kernel(all.flags, &fl, &extended.fsx_xflags);
	extended.fsx_projid = all.project;
	bool plain = command == (unsigned)FS_IOC_GETFLAGS;
	size_t size = plain ? sizeof(fl) : sizeof(extended);
	if (room < size)
		fuse_reply_err(req, EINVAL);
	else
		fuse_reply_ioctl(req, 0, plain ? (const void *)&fl : &extended, size);
}

/* An unchanged project is not set: an immutable file would refuse it, even if this request clears that flag. */
static int set_all(struct mount_state *state, fuse_ino_t ino, uint32_t project, unsigned flags)
{
	struct farnova_statx all = {.size = sizeof(all)};

	if (farnova_statx_at(state->fs, handle_of(state, ino), &all))
		return -1;
	if (all.project == project)
		return farnova_setflags_at(state->fs, handle_of(state, ino), flags);
	return farnova_setproject_at(state->fs, handle_of(state, ino), project, flags);
}

static void take_flags(fuse_req_t req, struct mount_state *state, fuse_ino_t ino, unsigned command, const void *in,
                       size_t size)
{
	struct fsxattr extended = {0};
	unsigned fl = 0, flags;
	bool plain = command == (unsigned)FS_IOC_SETFLAGS;

	if (size < (plain ? sizeof(fl) : sizeof(extended))) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	if (plain)
		memcpy(&fl, in, sizeof(fl));
	else
		memcpy(&extended, in, sizeof(extended));
	int error = from_kernel(fl, extended.fsx_xflags, &flags);
	if (!error && (extended.fsx_extsize || extended.fsx_cowextsize))
		error = -EOPNOTSUPP;
	if (!error && (plain ? farnova_setflags_at(state->fs, handle_of(state, ino), flags)
	                     : set_all(state, ino, extended.fsx_projid, flags)))
		error = -errno;
	recent_changed(state->recent, ino);
	if (error)
		fuse_reply_err(req, -error);
	else
		fuse_reply_ioctl(req, 0, NULL, 0);
}

static void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned command, void *argument, struct fuse_file_info *info,
                     unsigned flags, const void *in, size_t in_size, size_t out_size)
{
	struct mount_state *state = mount_enter(req);

	if (!state)
		return;
	switch (command) {
	case (unsigned)FS_IOC_GETFLAGS:
	case (unsigned)FS_IOC_FSGETXATTR:
		reply_flags(req, state, ino, command, out_size);
		break;
	case (unsigned)FS_IOC_SETFLAGS:
	case (unsigned)FS_IOC_FSSETXATTR:
		take_flags(req, state, ino, command, in, in_size);
		break;
	default:
		fuse_reply_err(req, ENOTTY);
	}
}

void xattrs_operations(struct fuse_lowlevel_ops *ops)
{
	ops->setxattr = op_setxattr;
	ops->getxattr = op_getxattr;
	ops->listxattr = op_listxattr;
	ops->removexattr = op_removexattr;
	ops->ioctl = op_ioctl;
}
