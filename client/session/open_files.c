/*
 * open_files.c -- the open files of a connection, and their references.
 */
#include "client/session/open_files.h"

#include "client/session/slots.h"

#include <stdlib.h>

void file_destroy(struct farnova_file *file)
{
	pthread_cond_destroy(&file->position.freed);
	pthread_mutex_destroy(&file->position.inner);
	free(file->attached);
	free(file);
}

void file_get(struct farnova_file *file)
{
	file->references++;
}

void file_put(struct farnova_file *file)
{
	struct farnova *fs = file->fs;

	if (--file->references > 0)
		return;
	LIST_REMOVE(file, entry);
	layout_close(&fs->layouts, file->inode);
	cred_unuse(&fs->creds, file->cred);
	if (!fs->leaving && file->session == fs->session.id && !file->error)
		closes_add(fs, file->open);
	file_destroy(file);
}

void file_reopened(struct farnova *fs, struct farnova_file *file, int status, const struct proto_reply *reply)
{
	file->session = fs->session.id;
	file->error = status;
	if (status == 0)
		file->open = reply->open.open;
}

struct farnova_file *file_not_reopened(struct farnova *fs)
{
	struct farnova_file *file;

	LIST_FOREACH(file, &fs->files, entry)
	{
		if (file->session != fs->session.id && !file->error)
			return file;
	}
	return NULL;
}

bool file_still_open(const struct farnova *fs, const struct farnova_file *file)
{
	const struct farnova_file *other;

	LIST_FOREACH(other, &fs->files, entry)
	{
		if (other == file)
			return true;
	}
	return false;
}
