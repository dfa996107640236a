/*
 * files.c -- the FUSE operations on open files.
 *
 * There is no flush and no fsync here: every write is durable on the server when it is answered, so the kernel is told
 * (by their absence) that it need not ask. With the kernel's cache it writes its dirty pages on fsync by itself.
 */
#include "client/fuse/mount_state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/*
 * An append must go to the end that the server knows, not to the one this kernel remembers: another client may have
 * appended since. The library appends on a file that was opened so. A descriptor may change to O_APPEND and back with
 * fcntl, hence two opens of one file, the second made when it is first needed.
 */
struct open_file {
	struct farnova_file *files[2]; /* [1]: with O_APPEND; the one opened first is never NULL */
	int flags;
	pthread_mutex_t lock; /* of the making of the second */
};

static struct open_file *open_of(uint64_t fh)
{
	return (struct open_file *)(uintptr_t)fh;
}

struct farnova_file *files_open_of(uint64_t fh)
{
	struct open_file *open = open_of(fh);

	return (open->flags & O_APPEND) ? open->files[1] : open->files[0];
}

static struct farnova_file *file_for(struct mount_state *state, fuse_ino_t ino, struct open_file *open, bool append)
{
	pthread_mutex_lock(&open->lock);
	if (!open->files[append])
		open->files[append] = farnova_open_at(state->fs, nodes_handle(state->nodes, ino),
		                                      (open->flags & O_ACCMODE) | (append ? O_APPEND : 0));
	struct farnova_file *file = open->files[append];
	pthread_mutex_unlock(&open->lock);
	return file;
}

/* Wrap an open file for the kernel. Takes `file` over, also on failure. */
static int wrap(struct mount_state *state, struct farnova_file *file, struct fuse_file_info *info)
{
	struct open_file *open = calloc(1, sizeof(*open));

	if (!open) {
		farnova_close(file);
		return -ENOMEM;
	}
	open->flags = info->flags & (O_ACCMODE | O_APPEND);
	open->files[(info->flags & O_APPEND) ? 1 : 0] = file;
	pthread_mutex_init(&open->lock, NULL);
	info->fh = (uint64_t)(uintptr_t)open;
	/* Without the page cache a read sees what any client has written before; with it only this mount's own. */
	info->direct_io = !state->kernel_cache;
	info->keep_cache = state->kernel_cache;
	return 0;
}

static void release(uint64_t fh)
{
	struct open_file *open = open_of(fh);

	for (int i = 0; i < 2; i++)
		if (open->files[i])
			farnova_close(open->files[i]);
	pthread_mutex_destroy(&open->lock);
	free(open);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter(req);

	if (!state)
		return;
	int flags = info->flags & (O_ACCMODE | O_APPEND | O_TRUNC);
	struct farnova_file *file = farnova_open_at(state->fs, nodes_handle(state->nodes, ino), flags);
	if (!file) {
		fuse_reply_err(req, errno);
		return;
	}
	int error = wrap(state, file, info);
	if (error)
		fuse_reply_err(req, -error);
	else if (fuse_reply_open(req, info))
		release(info->fh); /* interrupted: the kernel will not release what it never got */
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter(req);
	struct fuse_entry_param entry;
	struct farnova_handle handle;
	struct stat st;

	if (!state)
		return;
	int flags = O_CREAT | (info->flags & (O_ACCMODE | O_APPEND | O_TRUNC | O_EXCL));
	struct farnova_file *file =
	    farnova_create_at(state->fs, nodes_handle(state->nodes, parent), name, flags, mode & 07777, &handle, &st);
	if (!file) {
		fuse_reply_err(req, errno);
		return;
	}
	int error = wrap(state, file, info);
	if (error) {
		fuse_reply_err(req, -error);
		return;
	}
	error = mount_entry(state, handle, &st, &entry);
	if (error) {
		release(info->fh);
		fuse_reply_err(req, -error);
	} else if (fuse_reply_create(req, &entry, info)) {
		release(info->fh);
		nodes_forget(state->nodes, entry.ino, 1);
	}
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	release(info->fh); /* needs no credential */
	fuse_reply_err(req, 0);
}

/* A buffer of this thread for data on their way, kept between requests. */
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
	struct mount_state *state = mount_enter(req);
	size_t done = 0;

	if (!state)
		return;
	char *data = thread_buffer(size);
	struct farnova_file *file = files_open_of(info->fh);
	ssize_t n = data ? 1 : -1;
	while (n > 0 && done < size) {
		n = farnova_pread(file, data + done, size - done, offset + (off_t)done);
		done += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		fuse_reply_err(req, data ? errno : ENOMEM);
	else
		fuse_reply_buf(req, data, done);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
                     struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter(req);

	if (!state)
		return;
	/* A page written back from a shared mapping has its place, whatever the descriptor's flags are. */
	bool append = (info->flags & O_APPEND) && !info->writepage;
	struct farnova_file *file = file_for(state, ino, open_of(info->fh), append);
	ssize_t n = !file ? -1 : append ? farnova_write(file, data, size) : farnova_pwrite(file, data, size, offset);
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, (size_t)n);
}

static void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter(req);

	if (!state)
		return;
	/* Only SEEK_DATA and SEEK_HOLE come here; the position this moves is used by nothing. */
	off_t found = farnova_lseek(files_open_of(info->fh), offset, whence);
	if (found >= 0)
		fuse_reply_lseek(req, found);
	else
		fuse_reply_err(req, errno);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                         struct fuse_file_info *info)
{
	struct mount_state *state = mount_enter(req);

	if (!state)
		return;
	fuse_reply_err(req, farnova_fallocate(files_open_of(info->fh), mode, offset, length) ? errno : 0);
}

static void op_copy_file_range(fuse_req_t req, fuse_ino_t in_ino, off_t in_offset, struct fuse_file_info *in_info,
                               fuse_ino_t out_ino, off_t out_offset, struct fuse_file_info *out_info, size_t length,
                               int flags)
{
	struct mount_state *state = mount_enter(req);

	if (!state)
		return;
	/* The kernel refuses it for a descriptor that appends; one that did when it was opened may not any more. */
	struct farnova_file *out = file_for(state, out_ino, open_of(out_info->fh), false);
	ssize_t n = out ? farnova_copy_file_range(files_open_of(in_info->fh), &in_offset, out, &out_offset, length,
	                                          (unsigned)flags)
	                : -1;
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
