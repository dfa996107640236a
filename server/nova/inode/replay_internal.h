/*
 * replay_internal.h -- shared by the parts of a replay.
 */
#ifndef FARNOVA_NOVA_REPLAY_INTERNAL_H
#define FARNOVA_NOVA_REPLAY_INTERNAL_H

#include "server/nova/inode/replay.h"
#include "server/nova/log/inode_log.h"

#include <errno.h>
#include <stdio.h>

/* A NAME_GONE entry that will be applied at the end of the replay. */
struct gone {
	uint64_t cookie;
	uint64_t ino;
	uint64_t position;
};

struct replay {
	struct nova *fs;
	struct nova_inode *inode;
	const struct nova_slot *slot; /* a copy of the slot, which is read instead of it, or NULL */
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

/* replay_refuse -- the log is invalid: -EIO, with the reason in replay->why. */
static inline int replay_refuse(struct replay *replay, uint64_t position, const char *reason)
{
	snprintf(replay->why, replay->why_size, "inode %llu, log position %llu: %s",
	         (unsigned long long)replay->inode->ino, (unsigned long long)position, reason);
	return -EIO;
}

/* replay_word -- read a word of the slot. If the two copies differ, they are made equal before the slot is used; the
 * caller's fence makes this durable. False if no copy gives the value. */
bool replay_word(struct nova *fs, uint64_t ino, enum nova_word_kind kind, uint64_t owner, le64 *pair, const char *name,
                 uint64_t *value);

/* ---- replay_blocks.c: a file's blocks, in its index or as runs -------------------------------------------------- */

void replay_truncate(struct replay *replay, uint64_t from);
int replay_set_blocks(struct replay *replay, uint64_t file_block, uint64_t count, uint64_t value);

/* ---- replay_names.c: a directory's names ------------------------------------------------------------------------ */

int replay_name(struct replay *replay, const struct nova_entry *entry, uint64_t position, uint64_t line);
int replay_name_gone(struct replay *replay, const struct nova_name_gone_entry *payload, uint64_t position);

/* replay_names_done -- after the whole log was read: sort the names, and apply the NAME_GONE entries that were put off.
 */
int replay_names_done(struct replay *replay);

/* ---- replay_entry.c: entries ------------------------------------------------------------------------------------ */

/* replay_entry -- a callback of log_walk: apply one entry. `context` is the struct replay. */
int replay_entry(void *context, const struct nova_entry *entry, uint64_t position, uint64_t line);

#endif
