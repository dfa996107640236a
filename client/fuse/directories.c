/*
 * directories.c -- the FUSE operations on open directories.
 */
#include "client/fuse/mount_state.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct open_directory {
	struct farnova_dir *dir;
	pthread_mutex_t lock; /* several threads may read one descriptor */
	off_t position;       /* cookie of the entry that was returned last */
	struct dirent *held;  /* the next entry, read but not returned because the buffer was full; else NULL */
};

static struct open_directory *directory_of(const struct fuse_file_info *info)
{
	return (struct open_directory *)(uintptr_t)info->fh;
}

static void release(struct open_directory *directory)
{
	farnova_closedir(directory->dir);
	pthread_mutex_destroy(&directory->lock);
	free(directory);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter(req);

	if (!state)
		return;
	struct open_directory *directory = calloc(1, sizeof(*directory));
	if (!directory) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	struct farnova_statx st = {.size = sizeof(st)};
	uint64_t moment = recent_moment(state->recent);
	directory->dir = farnova_opendirx_at(state->fs, nodes_handle(state->nodes, ino), &st);
	if (!directory->dir) {
		mount_reply_errno(req);
		free(directory);
		return;
	}
	recent_told(state->recent, fuse_req_ctx(req)->pid, ino, moment, &st.stat, !st.has_xattrs);
	retries_done(state->retries, fuse_req_ctx(req)->pid);
	pthread_mutex_init(&directory->lock, NULL);
	info->fh = (uint64_t)(uintptr_t)directory;
	if (fuse_reply_open(req, info))
		release(directory);
}

/* Copy entries from `offset` on to `data`; returns the bytes used, or -1 with errno if an error prevents even the first
 * entry. */
static ssize_t fill(fuse_req_t req, struct open_directory *directory, off_t offset, char *data, size_t size)
{
	struct dirent *entry;
	size_t used = 0;

	if (offset != directory->position) {
		farnova_seekdir(directory->dir, offset);
		directory->held = NULL;
	}
	directory->position = offset;
	while (errno = 0, (entry = directory->held ? directory->held : farnova_readdir(directory->dir))) {
		struct stat st = {.st_ino = entry->d_ino, .st_mode = DTTOIF(entry->d_type)};
		size_t length = fuse_add_direntry(req, data + used, size - used, entry->d_name, &st, entry->d_off);
		if (length > size - used) {
			/* Seeking back would drop the batch of this entry, and the next request would fetch it
			 * again. */
			directory->held = entry;
			return (ssize_t)used;
		}
		directory->held = NULL;
		used += length;
		directory->position = entry->d_off;
	}
	return errno && !used ? -1 : (ssize_t)used;
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter_unjudged(req);
	struct open_directory *directory = directory_of(info);

	if (!state)
		return;
	char *data = malloc(size);
	if (!data) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	pthread_mutex_lock(&directory->lock);
	ssize_t used = fill(req, directory, offset, data, size);
	int error = errno;
	recent_accessed(state->recent, ino);
	pthread_mutex_unlock(&directory->lock);
	if (used < 0)
		fuse_reply_err(req, error);
	else
		fuse_reply_buf(req, data, (size_t)used);
	free(data);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	release(directory_of(info)); /* needs no credential */
	fuse_reply_err(req, 0);
}

void directories_operations(struct fuse_lowlevel_ops *ops)
{
	ops->opendir = op_opendir;
	ops->readdir = op_readdir;
	ops->releasedir = op_releasedir;
}
