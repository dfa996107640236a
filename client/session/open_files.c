/*
 * open_files.c -- opens files, closes them, and reopens them in a new session.
 */
#include "client/session/open_files.h"

#include "client/session/call.h"

#include <errno.h>
#include <stdlib.h>

struct opened {
	struct farnova_file *file;
	struct proto_attr *attr;
	struct inode *inode; /* reserved */
};

static int receive_open(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct opened *opened = call->result;
	struct farnova_file *file = opened->file;
	struct inode *inode = layout_open(&fs->layouts, reply->open.attr.handle, &opened->inode);

	if (file->flags & PROTO_OPEN_TRUNCATE || call->on_new_connection)
		layout_drop(&fs->layouts, inode);
	if (reply->open.layout && !call->on_new_connection)
		layout_granted(&fs->layouts, inode, reply->open.attr.size, reply->open.extents,
		               reply->open.extent_count);
	file->inode = inode;
	file->mode = reply->open.attr.mode;
	file->open = reply->open.open;
	file->session = fs->session.id;
	cred_use(&fs->creds, file->cred);
	if (opened->attr)
		*opened->attr = reply->open.attr;
	LIST_INSERT_HEAD(&fs->files, file, entry);
	return 0;
}

static void destroy(struct farnova_file *file)
{
	pthread_cond_destroy(&file->position.freed);
	pthread_mutex_destroy(&file->position.inner);
	free(file->attached);
	free(file);
}

int file_open(struct farnova *fs, struct proto_request *request, uint32_t flags, struct proto_attr *attr,
              struct farnova_file **out)
{
	struct farnova_file *file = calloc(1, sizeof(*file));
	struct opened opened = {.file = file, .attr = attr, .inode = layout_reserve()};
	struct call call;
	int error;

	/* Allocate all memory first: a request that was sent may have truncated or created a file, so nothing may fail
	 * after it. */
	if (!file || !opened.inode) {
		free(file);
		free(opened.inode);
		return -ENOMEM;
	}
	file->fs = fs;
	file->flags = flags;
	file->cred = cred_number(&fs->creds);
	pthread_mutex_init(&file->position.inner, NULL);
	pthread_cond_init(&file->position.freed, NULL);
	if (request->op != PROTO_REOPEN)
		request->open.flags = flags;
	else
		request->reopen.flags = flags;
	do {
		call = (struct call){.request = request, .receive = receive_open, .result = &opened};
		/* Only the reply tells which file was truncated and must not be READ under its layout any more. */
		if (flags & PROTO_OPEN_TRUNCATE)
			call.changing = &fs->layouts.blind_changes;
		error = call_run(fs, &call);
		/* It was executed in a lost session, and what it made has been removed since: it is made again. */
	} while (error == -ESTALE && request->op != PROTO_REOPEN && call.on_new_connection);
	free(opened.inode);
	if (error) {
		destroy(file);
		return error;
	}
	*out = file;
	return 0;
}

void file_close(struct farnova_file *file)
{
	struct farnova *fs = file->fs;

	connection_lock(&fs->link);
	LIST_REMOVE(file, entry);
	layout_close(&fs->layouts, file->inode);
	cred_unuse(&fs->creds, file->cred);
	if (!fs->leaving && file->session == fs->session.id && !file->error)
		call_close(fs, file->open);
	connection_unlock(&fs->link);
	destroy(file);
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
