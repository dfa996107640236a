/*
 * session.c -- sets up and frees the state of a connection and its session.
 */
#include "client/session/session.h"

#include <stdlib.h>
#include <string.h>

/* init_parts -- what can fail. */
static int init_parts(struct farnova *fs, const struct connection_handler *handler)
{
	int error = connection_init(&fs->link, handler);

	if (error)
		return error;
	error = layout_init(&fs->layouts);
	if (error) {
		connection_destroy(&fs->link);
		return error;
	}
	error = cred_init(&fs->creds);
	if (error) {
		layout_destroy(&fs->layouts);
		connection_destroy(&fs->link);
	}
	return error;
}

int session_init(struct farnova *fs, const struct connection_handler *handler)
{
	memset(fs, 0, sizeof(*fs));
	int error = init_parts(fs, handler);
	if (error)
		return error;
	layout_reads_init(&fs->layouts.reads, &fs->link);
	fs->lane.link = &fs->link;
	fs->lane.reads = &fs->layouts.reads;
	channels_init(fs);
	LIST_INIT(&fs->files);
	LIST_INIT(&fs->queues);
	TAILQ_INIT(&fs->unsent);
	TAILQ_INIT(&fs->stalled);
	buffers_init(&fs->buffers);
	cache_init(&fs->calls);
	cache_init(&fs->readings);
	fs->timeout_ms = -1;
	return 0;
}

void session_destroy(struct farnova *fs)
{
	channels_end(fs);
	channels_destroy(fs);
	free(fs->closes);
	buffers_destroy(&fs->buffers);
	cache_destroy(&fs->calls);
	cache_destroy(&fs->readings);
	cred_destroy(&fs->creds);
	layout_destroy(&fs->layouts);
	connection_destroy(&fs->link);
}
