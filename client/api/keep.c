/*
 * keep.c -- the public calls for programs that keep file data until another client changes the file.
 */
#include "client/api/result.h"
#include "client/include/farnova.h"
#include "client/io/read_kept.h"
#include "client/link/user_memory.h"
#include "client/session/send.h"

#include <errno.h>

ssize_t farnova_pread_kept(struct farnova_file *file, void *buffer, size_t length, off_t offset, bool *kept)
{
	bool keeps = false;
	ssize_t count = offset < 0 ? -EINVAL : read_file_kept(file, buffer, length, (uint64_t)offset, &keeps);
	int error = user_give(kept, &keeps, sizeof(keeps));

	if (count >= 0 && error)
		count = error;
	return count < 0 ? error_handle(file->fs, (int)count, "read", file->inode->handle.ino) : count;
}

void farnova_set_invalidate(struct farnova *fs,
                            void (*invalidate)(void *context, struct farnova_invalidation *invalidation), void *context)
{
	connection_lock(&fs->link);
	fs->layouts.invalidate = invalidate;
	fs->layouts.invalidate_context = context;
	connection_unlock(&fs->link);
}

void farnova_invalidated(struct farnova *fs, struct farnova_invalidation *invalidation)
{
	connection_lock(&fs->link);
	if (layout_invalidated(&fs->layouts, container_of(invalidation, struct invalidation, program)))
		return_layouts(fs, false);
	connection_unlock(&fs->link);
}
