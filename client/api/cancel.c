/*
 * cancel.c -- the public calls that cancel other calls.
 */
#include "client/link/cancel.h"

#include "client/api/queue.h"
#include "client/include/farnova.h"
#include "client/session/session.h"

void farnova_set_tag(uint64_t tag)
{
	cancel_set_tag(tag);
}

void farnova_cancel(struct farnova *fs, uint64_t tag)
{
	cancel_tag(&fs->link, tag);
	for (unsigned i = 0; i < fs->channels.count; i++)
		cancel_tag(&fs->channels.list[i].link, tag);
	if (tag == 0)
		return;
	/* What is submitted from now on by a thread of this tag sees that it is cancelled. */
	connection_lock(&fs->link);
	queue_cancel_tag(fs, tag);
	connection_unlock(&fs->link);
}

void farnova_cancel_all(struct farnova *fs)
{
	cancel_all(&fs->link);
	for (unsigned i = 0; i < fs->channels.count; i++)
		cancel_all(&fs->channels.list[i].link);
	connection_lock(&fs->link);
	queue_cancel_all(fs);
	connection_unlock(&fs->link);
}
