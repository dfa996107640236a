/*
 * opening.c -- opens and closes files.
 */
#include "client/session/opening.h"

#include "client/session/slots.h"

#include <errno.h>
#include <stdlib.h>

static int receive_open(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct opened *opened = call->result;

	if (!opened) { /* nobody waits for it any more */
		layout_drop_handle(&fs->layouts, reply->open.attr.handle);
		closes_add(fs, reply->open.open);
		return 0;
	}
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
	file->references = 1;
	cred_use(&fs->creds, file->cred);
	if (opened->attr)
		*opened->attr = reply->open.attr;
	LIST_INSERT_HEAD(&fs->files, file, entry);
	return 0;
}

int file_opening(struct farnova *fs, const struct proto_request *request, uint32_t flags, struct proto_attr *attr,
                 struct opened *opened, struct call **out)
{
	struct farnova_file *file = calloc(1, sizeof(*file));
	struct call *call = call_new(fs, request->op);

	/* Allocate all memory first: a request that was sent may have truncated or created a file, so nothing may fail
	 * after it. */
	*opened = (struct opened){.file = file, .attr = attr, .inode = layout_reserve()};
	if (!file || !opened->inode || !call) {
		free(file);
		free(opened->inode);
		if (call)
			call_free(fs, call);
		return -ENOMEM;
	}
	file->fs = fs;
	file->flags = flags;
	file->cred = cred_number(&fs->creds);
	pthread_mutex_init(&file->position.inner, NULL);
	pthread_cond_init(&file->position.freed, NULL);
	call->receive = receive_open;
	call->result = opened;
	if (request->op == PROTO_REOPEN) {
		call->request.reopen = request->reopen;
		call->request.reopen.flags = flags;
	} else {
		call->request.open = request->open;
		call->request.open.flags = flags;
	}
	/* Only the reply tells which file was truncated and must not be READ under its layout any more. */
	if (flags & PROTO_OPEN_TRUNCATE)
		call->changing = &fs->layouts.blind_changes;
	*out = call;
	return 0;
}

struct farnova_file *file_opened(struct opened *opened, int error)
{
	struct farnova_file *file = opened->file;

	free(opened->inode);
	opened->inode = NULL;
	opened->file = NULL;
	if (error) {
		file_destroy(file);
		file = NULL;
	}
	return file;
}

int file_open(struct farnova *fs, const struct proto_request *request, uint32_t flags, struct proto_attr *attr,
              struct farnova_file **out)
{
	struct opened opened;
	struct call *call;
	int error = file_opening(fs, request, flags, attr, &opened, &call);

	if (error)
		return error;
	error = call_run(fs, call);
	*out = file_opened(&opened, error);
	return error;
}

void file_close(struct farnova_file *file)
{
	struct farnova *fs = file->fs;

	if (fs->link.forked)
		return;
	connection_lock(&fs->link);
	poller_called(&fs->link.poller);
	file_put(file);
	if (fs->close_count > CLOSES_DEFERRED)
		slots_flush_closes(fs, 0);
	connection_unlock(&fs->link);
}
