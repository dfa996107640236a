/*
 * random_history.h -- what several threads have done to the same files at once, and whether some order of it explains
 * what they were answered and what is there now (linearizability: Herlihy and Wing).
 *
 * Each operation of the core is promised to be atomic: it happens as a whole at some moment between its call and its
 * return. So there must be an order in which each comes after those that had returned before it was called, and in
 * which the model, doing one after another, answers the same and ends with the same tree. All orders are tried until
 * one is found: that there is none is a fault, never a matter of luck.
 */
#ifndef FARNOVA_TESTS_MODEL_RANDOM_HISTORY_H
#define FARNOVA_TESTS_MODEL_RANDOM_HISTORY_H

#include "tests/model/random_ops.h"

#define RANDOM_SHARERS_MAX 4u
#define RANDOM_CALLS_MAX   4u

struct random_record {
	struct random_op op;
	int64_t now;           /* what the thread's clock said */
	uint64_t began, ended; /* moments, counted by all threads together */
	struct random_answer answer;
	posix_ino ino; /* that it made or found, in the order that was found */
};

struct random_history {
	unsigned threads, calls; /* so many of each thread, one after another */
	struct random_record records[RANDOM_SHARERS_MAX][RANDOM_CALLS_MAX];
};

/* What there must be at the end of an order. */
struct random_end {
	const struct listing *tree; /* then what random_history_list_core adds */
	uint64_t orphans;
	/* 0: after all calls. Else the process was killed at this moment: after all that had returned then, and any of
	 * those that had been called; nothing is pinned, and what has no name is gone. */
	uint64_t killed;
};

enum random_verdict { RANDOM_EXPLAINED, RANDOM_INEXPLICABLE, RANDOM_UNDECIDED };

/*
 * random_history_explain -- `model` is as it was before. If an order is found, *after is the model after it (for the
 * caller to free), and unless the process was killed, `slots` has what the calls made. UNDECIDED: there are too many
 * orders.
 */
enum random_verdict random_history_explain(struct random_history *history, const struct posix_model *model,
                                           struct random_slots *slots, const struct random_end *end,
                                           struct posix_model **after);

/* random_history_list_core -- what has no name is in no tree, but slots and calls have handles of it: it must be right,
 * too, or an order that is wrong for it would be taken. */
int random_history_list_core(const struct random_history *history, const struct random_slots *slots,
                             const struct nova_call *call, struct listing *listing);

/* random_history_overlaps -- whether any two calls of different threads ran at the same time. */
bool random_history_overlaps(const struct random_history *history);

/* random_history_print -- the calls in the order of their returns, what the model would have answered in that order,
 * and how its tree would differ: of an inexplicable history the nearest that there is to an explanation. */
void random_history_print(FILE *out, struct random_history *history, const struct posix_model *model,
                          const struct random_slots *slots, const struct random_end *end);

#endif
