/*
 * shortage.h -- space is short: sessions whose READs keep freed blocks from being reused are asked to quiesce, and
 * those that do not answer are ended one after the other, the oldest first, until space suffices.
 *
 *     an operation finds no space --> shortage_note, and every thread calls shortage_ask for its sessions
 *     a session that keeps blocks is a debtor from shortage_ask until it has quiesced what it was asked for, or ends
 *     a debtor that has not answered within the recall time-out is overdue
 *     shortage_due: the overdue debtor that has kept blocks for longest --> its thread ends it
 *
 * When a debtor has answered or ended, the note is gone, so the next one is due only if an operation has found no space
 * after that. It need not be asked again: it has had its time. So a request waits one recall time-out, and after that for
 * each silent debtor only as long as it takes to end it and to try again.
 *
 * Thread safety: the lock protects all debtors' records and the note. It comes after no other lock and no other is
 * taken inside.
 */
#ifndef FARNOVA_SERVER_SHORTAGE_H
#define FARNOVA_SERVER_SHORTAGE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* A session that was asked. */
struct debtor {
	TAILQ_ENTRY(debtor) link;
	bool listed;
	uint64_t number;           /* the invalidation that it was asked to quiesce */
	int64_t since_ms;          /* it keeps blocks for so long */
	int64_t issued_ms, due_ms; /* as issued_ms and since_ms of a lease holder: when it was asked */
};

struct shortage {
	pthread_mutex_t lock;
	bool noted; /* an operation has found no space since a debtor answered or ended */
	TAILQ_HEAD(, debtor) debtors;
};

void shortage_init(struct shortage *shortage);
void shortage_destroy(struct shortage *shortage);

/* shortage_note -- an operation has found no space. From any thread. */
void shortage_note(struct shortage *shortage);

/* shortage_ask -- the session keeps blocks since `since_ms`. Returns whether it was not asked yet: ask it now to
 * quiesce `number`. */
bool shortage_ask(struct shortage *shortage, struct debtor *debtor, uint64_t number, int64_t since_ms, int64_t now_ms);

/* shortage_answered -- it has quiesced `quiesced`. shortage_ended -- it has ended, and its blocks are free. */
void shortage_answered(struct shortage *shortage, struct debtor *debtor, uint64_t quiesced);
void shortage_ended(struct shortage *shortage, struct debtor *debtor);

/* shortage_extend -- see lease_extend. */
void shortage_extend(struct shortage *shortage, struct debtor *debtor, int64_t late_ms, int64_t most_ms);

/* shortage_due -- the debtor that is to be ended now, NULL = none. Only its own thread may use it for more than a
 * comparison. */
const struct debtor *shortage_due(struct shortage *shortage, int64_t now_ms, int64_t recall_ms);

#endif
