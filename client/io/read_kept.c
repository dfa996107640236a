/*
 * read_kept.c -- reads of data that the program keeps until the file's layout ends.
 */
#include "client/io/read_kept.h"

#include "client/io/read.h"
#include "client/session/call.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define TRIES 2 /* the first may get the layout only while it reads */

/* keep -- note before a read that the program will keep the data. False if there is no layout and none is granted. */
static bool keep(struct farnova_file *file, uint64_t offset, struct invalidation **reserved, uint64_t *ended)
{
	struct farnova *fs = file->fs;

	connection_lock(&fs->link);
	bool wanted = fs->layouts.invalidate && S_ISREG(file->mode) && !file->error;
	if (wanted && !file->inode->layout && fs->link.state == CONNECTION_UP)
		read_ask_layout(file, offset);
	bool kept = wanted && file->inode->layout;
	if (kept)
		layout_keep(file->inode, reserved);
	*ended = file->inode->ended;
	connection_unlock(&fs->link);
	return kept;
}

/* same_layout -- whether the layout of `ended` is still held. `*again`: whether another one is held. */
static bool same_layout(struct farnova_file *file, uint64_t ended, bool *again)
{
	connection_lock(&file->fs->link);
	bool same = file->inode->layout && file->inode->ended == ended;
	*again = file->inode->layout;
	connection_unlock(&file->fs->link);
	return same;
}

ssize_t read_file_kept(struct farnova_file *file, void *buffer, size_t length, uint64_t offset, bool *kept)
{
	struct invalidation *reserved = NULL;
	ssize_t count = -ENOMEM;
	bool again = true;

	*kept = false;
	for (unsigned tries = 0; again && !*kept && tries < TRIES; tries++) {
		uint64_t ended;
		if (!reserved && !(reserved = calloc(1, sizeof(*reserved))))
			return -ENOMEM;
		bool noted = keep(file, offset, &reserved, &ended);
		count = read_file(file, buffer, length, offset);
		bool same = same_layout(file, ended, &again);
		*kept = count >= 0 && noted && same;
	}
	free(reserved);
	return count;
}
