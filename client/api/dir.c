/*
 * dir.c -- open directories: entries in batches, stable positions.
 *
 * Positions that the program sees: 0 before ".", 1 before "..", and c + 2 after the entry with the server's cookie c.
 * The server's cookies begin at 1, so 2 is the position before its first entry.
 */
#include "client/api/dir.h"

#include "client/api/names.h"
#include "client/api/result.h"
#include "client/session/opening.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 8192u /* bytes of entries in one request */
#define DOTS  2

struct farnova_dir {
	struct farnova_file *file;
	pthread_mutex_t lock;
	uint64_t position; /* position of the next entry */
	uint64_t parent;   /* inode number of "..", 0 = not known yet */
	uint64_t until;    /* end of the listing, as the first reply gave it; 0 = no reply yet */
	struct dirent entry;
	bool filled, end; /* `entries` follows `position`; nothing follows `entries` */
	size_t used, at;
	uint8_t entries[PROTO_MAX_MESSAGE];
};

struct farnova_dir *dir_of(struct farnova_file *file)
{
	struct farnova_dir *dir = calloc(1, sizeof(*dir));
	if (!dir) {
		file_close(file);
		return NULL;
	}
	pthread_mutex_init(&dir->lock, NULL);
	dir->file = file;
	file->attached = dir;
	return dir;
}

struct farnova_dir *farnova_opendir(struct farnova *fs, const char *path)
{
	struct farnova_file *file = farnova_open(fs, path, O_RDONLY | O_DIRECTORY, 0);
	if (!file)
		return NULL;
	struct farnova_dir *dir = dir_of(file);
	if (!dir)
		error_path(fs, -ENOMEM, "open directory", path);
	return dir;
}

int farnova_closedir(struct farnova_dir *dir)
{
	pthread_mutex_destroy(&dir->lock);
	file_close(dir->file);
	return 0;
}

static int receive_entries(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct farnova_dir *dir = call->result;

	if (!dir)
		return 0;
	if (reply->readdir.length > sizeof(dir->entries))
		return -EPROTO;
	memcpy(dir->entries, reply->readdir.entries, reply->readdir.length);
	dir->used = reply->readdir.length;
	dir->at = 0;
	dir->end = reply->readdir.end;
	dir->until = reply->readdir.until;
	dir->parent = reply->readdir.parent;
	dir->filled = true;
	return 0;
}

static int fill(struct farnova_dir *dir)
{
	struct call *call = call_new(dir->file->fs, PROTO_READDIR);

	if (!call)
		return -ENOMEM;
	call->receive = receive_entries;
	call->result = dir;
	call->file = dir->file;
	call->request.readdir.handle = dir->file->inode->handle;
	call->request.readdir.cookie = dir->position > DOTS ? dir->position - DOTS : 0;
	call->request.readdir.until = dir->until;
	call->request.readdir.size = BATCH;
	return call_run(dir->file->fs, call);
}

/* dot -- the entry "." or "..", which the server does not send. */
static struct dirent *dot(struct farnova_dir *dir)
{
	uint64_t own = dir->file->inode->handle.ino;
	bool parent = dir->position == 1;

	/* The first batch is needed next anyway, and its reply has the parent. The next readdir reports an error of
	 * it. */
	if (parent && dir->parent == 0)
		fill(dir);
	dir->entry.d_ino = parent && dir->parent ? dir->parent : own;
	dir->entry.d_type = DT_DIR;
	strcpy(dir->entry.d_name, parent ? ".." : ".");
	dir->entry.d_off = (off_t)++dir->position;
	return &dir->entry;
}

/* next -- the next entry; NULL at the end, or with `*error`. */
static struct dirent *next(struct farnova_dir *dir, int *error)
{
	struct proto_dirent entry;

	if (dir->position < DOTS)
		return dot(dir);
	for (;;) {
		if (dir->filled && proto_dirent_next(dir->entries, dir->used, &dir->at, &entry))
			break;
		if (dir->filled && dir->end)
			return NULL;
		bool before = dir->filled;
		*error = fill(dir);
		if (*error)
			return NULL;
		/* Twice neither entries nor the end: further requests could repeat this for ever. */
		if (before && dir->used == 0 && !dir->end) {
			*error = -EPROTO;
			return NULL;
		}
	}
	dir->position = entry.cookie + DOTS;
	dir->entry.d_ino = entry.ino;
	dir->entry.d_off = (off_t)dir->position;
	dir->entry.d_type = (unsigned char)IFTODT(entry.type);
	memcpy(dir->entry.d_name, entry.name, entry.length);
	dir->entry.d_name[entry.length] = '\0';
	return &dir->entry;
}

struct dirent *farnova_readdir(struct farnova_dir *dir)
{
	int before = errno, error = 0;

	if (dir->file->fs->link.forked) {
		error_handle(dir->file->fs, -ECHILD, "read directory", dir->file->inode->handle.ino);
		return NULL;
	}
	pthread_mutex_lock(&dir->lock);
	struct dirent *entry = next(dir, &error);
	pthread_mutex_unlock(&dir->lock);
	if (error)
		error_handle(dir->file->fs, error, "read directory", dir->file->inode->handle.ino);
	else
		errno = before;
	return entry;
}

void farnova_seekdir(struct farnova_dir *dir, off_t position)
{
	pthread_mutex_lock(&dir->lock);
	dir->position = position < 0 ? 0 : (uint64_t)position;
	dir->filled = false;
	if (dir->position == 0)
		dir->until = 0; /* as rewinddir: the listing starts again */
	pthread_mutex_unlock(&dir->lock);
}

off_t farnova_telldir(struct farnova_dir *dir)
{
	pthread_mutex_lock(&dir->lock);
	off_t position = (off_t)dir->position;
	pthread_mutex_unlock(&dir->lock);
	return position;
}
