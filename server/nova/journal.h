/*
 * journal.h -- redo records: several home words move as one.
 *
 * A worker writes its record and, with the same fence, everything the words point to; the ring's commit word makes it
 * all true at once; the home words follow without a fence of their own. A worker's next operation fences before it
 * commits anything, so when a record's place is reused its home words have long been durable. Where the worker has
 * changed threads in between, that fence would speak for the wrong thread: the lines are flushed again first.
 */
#ifndef FARNOVA_NOVA_JOURNAL_H
#define FARNOVA_NOVA_JOURNAL_H

#include "server/nova/core.h"

struct journal_word {
	uint64_t ino;
	uint64_t value;
	uint32_t generation; /* of the new value: a birth's own */
	enum nova_word_kind kind;
};

/* journal_commit -- at most NOVA_RECORD_WORDS words, each home line named once or more. Durable when it returns. */
void journal_commit(struct nova_worker *worker, const struct journal_word *words, unsigned count);

/* journal_settle -- make the newest record's home words durable, whoever flushed them. */
void journal_settle(struct nova_worker *worker);

/* journal_replay -- at mount: apply what the rings hold and fence. Fills fs->ring_sequence. -EIO with the reason. */
int journal_replay(struct nova *fs, char *why, size_t why_size);

/* journal_load -- after a clean unmount: only learn the sequences. */
int journal_load(struct nova *fs, char *why, size_t why_size);

#endif
