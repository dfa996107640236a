/*
 * journal.h -- redo records: several slot words move as one.
 *
 * A worker writes its record and, with the same fence, everything the words point to; the ring's commit word makes it
 * all true at once. The slot words follow into the caches only: the worker's next commit flushes them before its first
 * fence, so when a record's place is reused its slot words have long been durable, and no operation waits for them.
 * That fence is by the thread that flushed, whichever thread stored.
 */
#ifndef FARNOVA_NOVA_JOURNAL_H
#define FARNOVA_NOVA_JOURNAL_H

#include "server/nova/core.h"

struct journal_word {
	uint64_t ino; /* locked for writing */
	uint64_t value;
	uint32_t generation;
	enum nova_word_kind kind;
};

/*
 * journal_commit -- at most NOVA_RECORD_WORDS words, of one or several inodes. Durable when it returns. What it does
 * not name of an inode's words is stored in the slot as the inode says it.
 */
void journal_commit(struct nova_worker *worker, const struct journal_word *words, unsigned count);

/* journal_flush_slot_words -- make the newest record's slot words durable. */
void journal_flush_slot_words(struct nova_worker *worker);

/* journal_replay -- at mount: apply what the rings hold and fence. Fills fs->ring_sequence. -EIO with the reason. */
int journal_replay(struct nova *fs, char *why, size_t why_size);

/* journal_load -- after a clean unmount: only learn the sequences. */
int journal_load(struct nova *fs, char *why, size_t why_size);

#endif
