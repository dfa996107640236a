/*
 * client_session.c -- for tests: the state of a client's connection and session, without threads or a server.
 */
#include "tests/support/client_session.h"

#include <stdlib.h>
#include <string.h>

int client_session_init(struct farnova *fs, const struct connection_handler *handler)
{
	memset(fs, 0, sizeof(*fs));
	LIST_INIT(&fs->files);
	LIST_INIT(&fs->queues);
	TAILQ_INIT(&fs->unsent);
	TAILQ_INIT(&fs->stalled);
	buffers_init(&fs->buffers);
	cache_init(&fs->calls);
	cache_init(&fs->readings);
	fs->timeout_ms = -1;
	int error = connection_init(&fs->link, handler);
	if (!error)
		error = layout_init(&fs->layouts);
	return error ? error : cred_init(&fs->creds);
}

void client_session_destroy(struct farnova *fs)
{
	free(fs->closes);
	buffers_destroy(&fs->buffers);
	cache_destroy(&fs->calls);
	cache_destroy(&fs->readings);
	cred_destroy(&fs->creds);
	layout_destroy(&fs->layouts);
	connection_destroy(&fs->link);
}
