/*
 * journal.h -- redo records: several slot words change as one.
 *
 * A worker writes its record; the same fence makes the record and everything that its words point to durable. Then the
 * ring's commit word commits all of them at once. The worker stores the slot words afterwards, into the caches only;
 * its next commit flushes them before its first fence. So the slot words of a record are durable long before its place
 * is reused, and no operation waits for them. The thread that flushes also fences, whichever thread stored.
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
 * journal_commit -- commit at most NOVA_RECORD_WORDS words, of one or several inodes. Durable when it returns.
 */
void journal_commit(struct nova_worker *worker, const struct journal_word *words, unsigned count);

/* journal_flush_slot_words -- make the newest record's slot words durable. */
void journal_flush_slot_words(struct nova_worker *worker);

/* journal_replay -- at mount: apply the records of the rings and fence. Fills fs->ring_sequence. -EIO with `why`. */
int journal_replay(struct nova *fs, char *why, size_t why_size);

/* journal_load -- at mount after a clean unmount: only fill fs->ring_sequence. */
int journal_load(struct nova *fs, char *why, size_t why_size);

#endif
