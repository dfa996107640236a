/*
 * replay_internal.h -- what the parts of a replay share.
 */
#ifndef FARNOVA_NOVA_REPLAY_INTERNAL_H
#define FARNOVA_NOVA_REPLAY_INTERNAL_H

#include "server/nova/inode/replay.h"
#include "server/nova/log/inode_log.h"

#include <errno.h>
#include <stdio.h>

/* A NAME_GONE entry that is put off. */
struct gone {
	uint64_t cookie;
	uint64_t ino;
	uint64_t position;
};

struct replay {
	struct nova *fs;
	struct nova_inode *inode;
	const struct nova_slot *slot; /* a copy to be read in its place, or NULL */
	const struct log_walk *walk;
	struct slot_runs *runs; /* in place of the index, NULL = build the index */
	bool unsorted;          /* GC has moved names: their cookies are out of order, and names go at the end */
	struct gone *gone;
	size_t gone_count;
	size_t gone_room;
	int (*page)(void *context, uint64_t block);
	void *page_context;
	char *why;
	size_t why_size;
};

/* replay_refuse -- the log cannot be believed: -EIO, with the reason in replay->why. */
static inline int replay_refuse(struct replay *replay, uint64_t position, const char *reason)
{
	snprintf(replay->why, replay->why_size, "inode %llu, log position %llu: %s",
	         (unsigned long long)replay->inode->ino, (unsigned long long)position, reason);
	return -EIO;
}

/* replay_word -- a word of the slot. Two copies that differ are made equal before the slot is used; the caller's fence
 * makes it durable. False if neither tells it. */
bool replay_word(struct nova *fs, uint64_t ino, enum nova_word_kind kind, uint64_t owner, le64 *pair, const char *name,
                 uint64_t *value);

/* ---- replay_blocks.c: a file's blocks, in its index or as runs -------------------------------------------------- */

void replay_truncate(struct replay *replay, uint64_t from);
int replay_set_blocks(struct replay *replay, uint64_t file_block, uint64_t count, uint64_t value);

/* ---- replay_names.c: a directory's names ------------------------------------------------------------------------ */

int replay_name(struct replay *replay, const struct nova_entry *entry, uint64_t position, uint64_t line);
int replay_name_gone(struct replay *replay, const struct nova_name_gone_entry *payload, uint64_t position);

/* replay_names_done -- the whole log was read: put names into order, and take away those that have gone. */
int replay_names_done(struct replay *replay);

/* ---- replay_entry.c: entries ------------------------------------------------------------------------------------ */

/* replay_entry -- for log_walk: what one entry says. `context` is the struct replay. */
int replay_entry(void *context, const struct nova_entry *entry, uint64_t position, uint64_t line);

#endif
