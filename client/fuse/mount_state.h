/*
 * mount_state.h -- state and functions shared by the parts of the FUSE mount.
 */
#ifndef FARNOVA_FUSE_MOUNT_STATE_H
#define FARNOVA_FUSE_MOUNT_STATE_H

#define FUSE_USE_VERSION 314

#include "client/fuse/nodes.h"
#include "client/fuse/recent.h"
#include "client/fuse/retries.h"
#include "client/include/farnova.h"

#include <fuse3/fuse_lowlevel.h>
#include <limits.h>

struct mount_state {
	struct farnova *fs;
	struct nodes *nodes;
	struct recent *recent;
	struct retries *retries;
	double timeout; /* how long the kernel may cache names and attributes, in seconds */
	bool kernel_cache;
	bool local_maps; /* shared mappings are required */
	struct fuse_session *session;
	void (*live)(struct mount_state *state); /* called once, when the kernel has accepted the mount */
	int live_fd;                             /* pipe to the waiting parent, or -1 */
	const char *log_path;                    /* log file of the background process, or NULL */
	char directory[PATH_MAX];
	unsigned device_major, device_minor; /* of the mount; 0 if unknown */
	int error;                           /* why the mount ended right after it was established, or 0 */
	int sign_of_life;                    /* descriptor of mounts_announce; -1 before the mount is established */
};

/* Add the operations of each file: attributes and names (names.c), open files (files.c), directories (directories.c),
 * extended attributes and flags (xattrs.c), locks (locks.c; without these the kernel grants locks itself). */
void names_operations(struct fuse_lowlevel_ops *ops);
void files_operations(struct fuse_lowlevel_ops *ops);
void directories_operations(struct fuse_lowlevel_ops *ops);
void xattrs_operations(struct fuse_lowlevel_ops *ops);
void locks_operations(struct fuse_lowlevel_ops *ops);

/*
 * The begin and the end of a request (requests.c).
 *
 * mount_enter -- begin a request with the credential of its caller for this thread's calls. Returns the mount's state,
 * or NULL after it has answered the request with an error.
 */
struct mount_state *mount_enter(fuse_req_t req);

/*
 * mount_enter_unjudged -- the same for a request that needs no permission, or that uses an open file, where the
 * opener's credential counts. The calls use the credential of this process, and no groups are read.
 */
struct mount_state *mount_enter_unjudged(fuse_req_t req);

/* files_open_of -- the open file of a FUSE file handle. */
static inline struct farnova_file *files_open_of(uint64_t fh)
{
	return (struct farnova_file *)(uintptr_t)fh;
}

/* mount_reply_errno -- answer with errno; for ESTALE, after which the kernel walks the path again, see retries.h. */
void mount_reply_errno(fuse_req_t req);

/* mount_reply_status -- answer with success if `returned` is not negative, else as mount_reply_errno. */
void mount_reply_status(fuse_req_t req, int returned);

/*
 * mount_entry -- fill `entry` for an inode that was found or created, and count the kernel's reference to it. On
 * -ENOMEM the caller replies.
 */
int mount_entry(struct mount_state *state, struct farnova_handle handle, const struct stat *st,
                struct fuse_entry_param *entry);

#endif
