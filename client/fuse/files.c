/*
 * files.c -- the FUSE operations on open files.
 *
 * flush and fsync are not implemented: every write is durable on the server when it is answered, and without these
 * operations the kernel does not send them. With the kernel's cache, fsync still makes the kernel write its dirty
 * pages.
 */
#include "client/fuse/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static bool is_writable(const struct fuse_file_info *info)
{
	return (info->flags & O_ACCMODE) != O_RDONLY;
}

static void tell_opened(const struct mount_state *state, fuse_ino_t ino, struct farnova_file *file,
                        struct fuse_file_info *info)
{
	if (is_writable(info))
		nodes_opened(state->nodes, ino, 1);
	info->fh = (uint64_t)(uintptr_t)file;
	/* Without the page cache a read sees all completed writes of all clients; with it, only those of this mount. */
	info->direct_io = !state->kernel_cache;
	info->keep_cache = state->kernel_cache;
}

static void close_opened(const struct mount_state *state, fuse_ino_t ino, const struct fuse_file_info *info)
{
	if (is_writable(info))
		nodes_opened(state->nodes, ino, -1);
	farnova_close(files_open_of(info->fh));
}

/*
 * The flags used to open the file. O_APPEND is not one of them: a program may set and clear it with fcntl, and the
 * kernel sends the current state with each write.
 */
#define OPEN_FLAGS (O_ACCMODE | O_TRUNC | O_NOATIME | FARNOVA_O_EXEC)

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter(req);

	if (!state)
		return;
	struct farnova_handle handle = nodes_handle(state->nodes, ino);
	struct farnova_statx st = {.size = sizeof(st)};
	uint64_t moment = recent_moment(state->recent);
	struct farnova_file *file = farnova_openx_at(state->fs, handle, info->flags & OPEN_FLAGS, &st);
	/* A file with the append-only flag (chattr +a) can only be opened with O_APPEND. */
	if (!file && errno == EPERM && info->flags & O_APPEND)
		file = farnova_openx_at(state->fs, handle, info->flags & (OPEN_FLAGS | O_APPEND), &st);
	if (info->flags & O_TRUNC)
		recent_changed(state->recent, ino);
	if (!file) {
		mount_reply_errno(req);
		return;
	}
	retries_done(state->retries, fuse_req_ctx(req)->pid);
	recent_told(state->recent, fuse_req_ctx(req)->pid, ino, moment, &st.stat, !st.has_xattrs);
	tell_opened(state, ino, file, info);
	if (fuse_reply_open(req, info))
		close_opened(state, ino,
		             info); /* interrupted: the kernel does not know the file and will not release it */
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter(req);
	struct fuse_entry_param entry;
	struct farnova_handle handle;
	struct farnova_statx st = {.size = sizeof(st)};

	if (!state)
		return;
	uint64_t moment = recent_moment(state->recent);
	int flags = O_CREAT | (info->flags & (OPEN_FLAGS | O_EXCL));
	struct farnova_file *file =
	    farnova_createx_at(state->fs, nodes_handle(state->nodes, parent), name, flags, mode & 07777, &handle, &st);
	recent_changed(state->recent, parent);
	if (!file) {
		mount_reply_errno(req);
		return;
	}
	retries_done(state->retries, fuse_req_ctx(req)->pid);
	int error = mount_entry(state, handle, &st.stat, &entry);
	if (error) {
		farnova_close(file);
		fuse_reply_err(req, -error);
		return;
	}
	/* No stored attributes can be stale, even if the open truncated an existing file: the kernel did not find the
	 * file just before. */
	recent_told(state->recent, fuse_req_ctx(req)->pid, entry.ino, moment, &st.stat, !st.has_xattrs);
	tell_opened(state, entry.ino, file, info);
	if (fuse_reply_create(req, &entry, info)) {
		close_opened(state, entry.ino, info);
		nodes_forget(state->nodes, entry.ino, 1);
	}
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	close_opened(fuse_req_userdata(req), ino, info); /* close needs no credential */
	fuse_reply_err(req, 0);
}

/* A buffer of this thread for data, kept between requests. */
static pthread_key_t buffer_key;
static pthread_once_t buffer_once = PTHREAD_ONCE_INIT;
static __thread struct {
	void *data;
	size_t size;
} buffer;

static void make_buffer_key(void)
{
	pthread_key_create(&buffer_key, free);
}

static void *thread_buffer(size_t size)
{
	if (buffer.size >= size)
		return buffer.data;
	void *data = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
	if (!data)
		return NULL;
	pthread_once(&buffer_once, make_buffer_key);
	free(buffer.data);
	buffer.data = data;
	buffer.size = size;
	pthread_setspecific(buffer_key, data);
	return data;
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter_unjudged(req);
	pid_t tid = fuse_req_ctx(req)->pid;
	size_t done = 0;

	if (!state)
		return;
	char *data = thread_buffer(size);
	struct farnova_file *file = files_open_of(info->fh);
	if (data && pages_are_filled(state, info)) {
		pages_reply_read(state, req, ino, file, data, size, offset);
		return;
	}
	if (recent_beyond_end(state->recent, tid, ino, offset)) {
		fuse_reply_buf(req, NULL, 0);
		return;
	}
	uint64_t moment = recent_moment(state->recent);
	ssize_t n = data ? 1 : -1;
	off_t end;
	bool sized = recent_size(state->recent, tid, ino, &end);
	/* A short read does not always mean the end of the file. It does if the file is known to end there. */
	while (n > 0 && done < size && !(done > 0 && sized && offset + (off_t)done == end)) {
		n = farnova_pread(file, data + done, size - done, offset + (off_t)done);
		done += n > 0 ? (size_t)n : 0;
	}
	recent_accessed(state->recent, ino);
	if (n >= 0 && done > 0 && done < size)
		recent_ended(state->recent, tid, ino, moment, offset + (off_t)done);
	if (n < 0)
		fuse_reply_err(req, data ? errno : ENOMEM);
	else
		fuse_reply_buf(req, data, done);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
                     struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter_unjudged(req);

	if (!state)
		return;
	/* A page of a shared mapping is written at its own offset, whatever the descriptor's flags are. */
	bool append = (info->flags & O_APPEND) && !info->writepage;
	struct farnova_file *file = files_open_of(info->fh);
	/* Append at the end that the server knows, not at the one that the kernel caches: another client may have
	 * appended. */
	ssize_t n = append ? farnova_append(file, data, size) : farnova_pwrite(file, data, size, offset);
	recent_changed(state->recent, ino);
	if (n < 0)
		fuse_reply_err(req, errno);
	else if (info->writepage) /* the page has these data, and the kernel holds it until the answer */
		fuse_reply_write(req, (size_t)n);
	else
		pages_reply_write(state, req, ino, (size_t)n, offset, append);
}

static void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter_unjudged(req);

	if (!state)
		return;
	/* Only SEEK_DATA and SEEK_HOLE arrive here; the position that this call moves is not used anywhere. */
	off_t found = farnova_lseek(files_open_of(info->fh), offset, whence);
	if (found >= 0)
		fuse_reply_lseek(req, found);
	else
		fuse_reply_err(req, errno);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                         struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter_unjudged(req);

	if (!state)
		return;
	int returned = farnova_fallocate(files_open_of(info->fh), mode, offset, length);
	recent_changed(state->recent, ino);
	mount_reply_status(req, returned);
}

static void op_copy_file_range(fuse_req_t req, fuse_ino_t in_ino, off_t in_offset, struct fuse_file_info *in_info,
                               fuse_ino_t out_ino, off_t out_offset, struct fuse_file_info *out_info, size_t length,
                               int flags)
{
	struct mount_state *state = mount_enter_unjudged(req);

	if (!state)
		return;
	ssize_t n = farnova_copy_file_range(files_open_of(in_info->fh), &in_offset, files_open_of(out_info->fh),
	                                    &out_offset, length, (unsigned)flags);
	recent_accessed(state->recent, in_ino);
	recent_changed(state->recent, out_ino);
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, (size_t)n);
}

void files_operations(struct fuse_lowlevel_ops *ops)
{
	ops->open = op_open;
	ops->create = op_create;
	ops->release = op_release;
	ops->read = op_read;
	ops->write = op_write;
	ops->lseek = op_lseek;
	ops->fallocate = op_fallocate;
	ops->copy_file_range = op_copy_file_range;
}
