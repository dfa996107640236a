/*
 * names.c -- the FUSE operations on names and attributes.
 */
#include "client/fuse/callers.h"
#include "client/fuse/mount_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

static struct farnova_handle handle_of(const struct mount_state *state, fuse_ino_t ino)
{
	return nodes_handle(state->nodes, ino);
}

/* Answer a request that finds or creates an inode; `moment` was taken before the request was sent. */
static void reply_entry(fuse_req_t req, struct mount_state *state, int returned, struct farnova_handle handle,
                        const struct stat *st, bool no_xattrs, uint64_t moment)
{
	struct fuse_entry_param entry;

	if (returned < 0) {
		mount_reply_errno(req);
		return;
	}
	int error = mount_entry(state, handle, st, &entry);
	if (error) {
		fuse_reply_err(req, -error);
		return;
	}
	recent_told(state->recent, fuse_req_ctx(req)->pid, entry.ino, moment, st, no_xattrs);
	if (fuse_reply_entry(req, &entry))
		nodes_forget(state->nodes, entry.ino, 1); /* the request was interrupted: the kernel has no reference */
}

static void op_init(void *userdata, struct fuse_conn_info *connection)
{
	struct mount_state *state = userdata;

	connection->max_write = 1024 * 1024;
	/* Names and attributes from readdir are not cached, so READDIRPLUS would fetch them in vain. */
	connection->want &= ~(unsigned)(FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
	/* Requests are independent: the kernel need not serialize the operations on a directory. */
	connection->want |= connection->capable & FUSE_CAP_PARALLEL_DIROPS;
	/* File handles stay valid after the kernel has forgotten an inode: see nodes.h, and "." and ".." in
	 * op_lookup. */
	connection->want |= connection->capable & FUSE_CAP_EXPORT_SUPPORT;
	/* The server applies the umask, since a directory's default ACL replaces it. */
	connection->want |= connection->capable & FUSE_CAP_DONT_MASK;
	/* The kernel also checks permissions (fuse_mount.c), so it must know ACLs. */
	connection->want |= connection->capable & FUSE_CAP_POSIX_ACL;
	/* The kernel compares the file's mtime with its cached pages when it fetches attributes. */
	if (state->kernel_cache)
		connection->want |= connection->capable & FUSE_CAP_AUTO_INVAL_DATA;
	state->live(state);
}

#define HOLD_TRIES 10 /* lookups of a name that is replaced before it can be held */

/*
 * look_up -- look up a name. If the kernel is repeating a path walk, also hold the result open, with this process's own
 * rights, since nothing is read. An inode that this process may not open, and one that is neither file nor directory,
 * is not held.
 */
static int look_up(struct mount_state *state, fuse_req_t req, fuse_ino_t parent, const char *name,
                   struct farnova_handle *handle, struct farnova_statx *found, struct farnova_statx *in)
{
	pid_t tid = fuse_req_ctx(req)->pid;

	for (int tries = 1;; tries++) {
		int returned = farnova_lookupx_at(state->fs, handle_of(state, parent), name, handle, found, in);
		if (returned < 0 || !retries_wanted(state->retries, tid))
			return returned;
		if (!S_ISREG(found->stat.st_mode) && !S_ISDIR(found->stat.st_mode))
			return returned;
		if (farnova_set_cred(state->fs, NULL))
			return returned;
		struct farnova_file *file = farnova_open_at(state->fs, *handle, O_RDONLY | O_NOATIME);
		if (file)
			retries_hold(state->retries, tid, file);
		if (file || errno != ESTALE || tries == HOLD_TRIES)
			return returned;
		int error = callers_apply(state->fs, req);
		if (error) {
			errno = -error;
			return -1;
		}
	}
}

/* Also for "." and "..": the kernel uses them to connect an inode that it knows only by a file handle
 * (open_by_handle_at). */
static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount_state *state = mount_enter(req);
	struct farnova_statx found = {.size = sizeof(found)}, in = {.size = sizeof(in)};
	struct farnova_handle handle;

	if (!state)
		return;
	uint64_t moment = recent_moment(state->recent);
	int returned = look_up(state, req, parent, name, &handle, &found, &in);
	if (in.stat.st_ino)
		recent_told(state->recent, fuse_req_ctx(req)->pid, parent, moment, &in.stat, !in.has_xattrs);
	reply_entry(req, state, returned, handle, &found.stat, !found.has_xattrs, moment);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct mount_state *state = fuse_req_userdata(req);

	nodes_forget(state->nodes, ino, count);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct mount_state *state = fuse_req_userdata(req);

	for (size_t i = 0; i < count; i++)
		nodes_forget(state->nodes, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter_unjudged(req);
	struct stat st;

	if (!state)
		return;
	if (recent_attr(state->recent, fuse_req_ctx(req)->pid, ino, &st))
		fuse_reply_attr(req, &st, state->timeout);
	else if (farnova_stat_at(state->fs, handle_of(state, ino), &st))
		mount_reply_errno(req);
	else
		fuse_reply_attr(req, &st, state->timeout);
}

static unsigned setattr_mask(int to_set)
{
	static const struct {
		int fuse;
		unsigned farnova;
	} bits[] = {
	    {FUSE_SET_ATTR_MODE, FARNOVA_SET_MODE},
	    {FUSE_SET_ATTR_UID, FARNOVA_SET_UID},
	    {FUSE_SET_ATTR_GID, FARNOVA_SET_GID},
	    {FUSE_SET_ATTR_SIZE, FARNOVA_SET_SIZE},
	    {FUSE_SET_ATTR_ATIME, FARNOVA_SET_ATIME},
	    {FUSE_SET_ATTR_MTIME, FARNOVA_SET_MTIME},
	    /* The kernel sets these together with the two above; the server determines NOW. */
	    {FUSE_SET_ATTR_ATIME_NOW, FARNOVA_SET_ATIME_NOW},
	    {FUSE_SET_ATTR_MTIME_NOW, FARNOVA_SET_MTIME_NOW},
	};
	unsigned mask = 0;

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (to_set & bits[i].fuse)
			mask |= bits[i].farnova;
	if (mask & FARNOVA_SET_ATIME_NOW)
		mask &= ~FARNOVA_SET_ATIME;
	if (mask & FARNOVA_SET_MTIME_NOW)
		mask &= ~FARNOVA_SET_MTIME;
	return mask;
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *wanted, int to_set, struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter(req);
	unsigned mask = setattr_mask(to_set);

	if (!state)
		return;
	struct farnova_statx st = {.size = sizeof(st), .stat = *wanted};
	struct farnova_handle handle = handle_of(state, ino);
	struct farnova_file *open = info ? files_open_of(info->fh) : NULL;
	uint64_t moment = recent_moment(state->recent);
	int returned =
	    mask ? farnova_setattrx_at(state->fs, handle, open, mask, &st) : farnova_statx_at(state->fs, handle, &st);
	if (returned) {
		recent_changed(state->recent, ino);
		mount_reply_errno(req);
		return;
	}
	retries_done(state->retries, fuse_req_ctx(req)->pid);
	recent_set(state->recent, fuse_req_ctx(req)->pid, ino, moment, &st.stat, !st.has_xattrs);
	fuse_reply_attr(req, &st.stat, state->timeout);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct mount_state *state = mount_enter_unjudged(req);
	char target[PATH_MAX];

	if (!state)
		return;
	ssize_t length = farnova_readlink_at(state->fs, handle_of(state, ino), target, sizeof(target) - 1);
	recent_accessed(state->recent, ino);
	if (length < 0) {
		mount_reply_errno(req);
		return;
	}
	target[length] = 0;
	fuse_reply_readlink(req, target);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct mount_state *state = mount_enter(req);
	struct farnova_handle handle;
	struct stat st;

	if (!state)
		return;
	uint64_t moment = recent_moment(state->recent);
	int returned = farnova_mknod_at(state->fs, handle_of(state, parent), name, mode, rdev, &handle, &st);
	recent_changed(state->recent, parent);
	reply_entry(req, state, returned, handle, &st, false, moment);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	op_mknod(req, parent, name, S_IFDIR | (mode & 07777), 0);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct mount_state *state = mount_enter(req);
	struct farnova_handle handle;
	struct stat st;

	if (!state)
		return;
	uint64_t moment = recent_moment(state->recent);
	int returned = farnova_symlink_at(state->fs, target, handle_of(state, parent), name, &handle, &st);
	recent_changed(state->recent, parent);
	reply_entry(req, state, returned, handle, &st, false, moment);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	struct mount_state *state = mount_enter(req);
	struct stat st;

	if (!state)
		return;
	struct farnova_handle handle = handle_of(state, ino);
	uint64_t moment = recent_moment(state->recent);
	int returned = farnova_link_at(state->fs, handle, handle_of(state, new_parent), new_name, &st);
	recent_changed(state->recent, ino);
	recent_changed(state->recent, new_parent);
	reply_entry(req, state, returned, handle, &st, false, moment);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount_state *state = mount_enter(req);

	if (!state)
		return;
	int returned = farnova_unlink_at(state->fs, handle_of(state, parent), name);
	recent_name_gone(state->recent, parent);
	mount_reply_status(req, returned);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct mount_state *state = mount_enter(req);

	if (!state)
		return;
	int returned = farnova_rmdir_at(state->fs, handle_of(state, parent), name);
	recent_names_moved(state->recent);
	mount_reply_status(req, returned);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
                      unsigned flags)
{
	struct mount_state *state = mount_enter(req);

	if (!state)
		return;
	int returned =
	    farnova_rename_at(state->fs, handle_of(state, parent), name, handle_of(state, new_parent), new_name, flags);
	recent_names_moved(state->recent);
	mount_reply_status(req, returned);
}

static void op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct mount_state *state = mount_enter(req);

	if (state)
		mount_reply_status(req, farnova_access_at(state->fs, handle_of(state, ino), mask));
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct mount_state *state = mount_enter_unjudged(req);
	struct statvfs st;

	if (!state)
		return;
	if (farnova_statvfs_at(state->fs, handle_of(state, ino), &st))
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &st);
}

void names_operations(struct fuse_lowlevel_ops *ops)
{
	ops->init = op_init;
	ops->lookup = op_lookup;
	ops->forget = op_forget;
	ops->forget_multi = op_forget_multi;
	ops->getattr = op_getattr;
	ops->setattr = op_setattr;
	ops->readlink = op_readlink;
	ops->mknod = op_mknod;
	ops->mkdir = op_mkdir;
	ops->symlink = op_symlink;
	ops->link = op_link;
	ops->unlink = op_unlink;
	ops->rmdir = op_rmdir;
	ops->rename = op_rename;
	ops->access = op_access;
	ops->statfs = op_statfs;
}
