/*
 * linearize.h -- whether concurrent calls on one object can be put into an order that a sequential model explains
 * (Wing and Gong 1993, with the memory of Lowe 2017).
 */
#ifndef FARNOVA_TESTS_SIM_LINEARIZE_H
#define FARNOVA_TESTS_SIM_LINEARIZE_H

#include <stdbool.h>
#include <stdint.h>

struct linearize_call {
	uint64_t began, ended; /* moments, each used once; UINT64_MAX: open */
	bool perhaps;          /* it may be left out */
	const void *call;      /* for the model */
};

struct linearize_model {
	unsigned state_size;
	/* Does the call in `state`; false: it cannot have had its result there, and `state` is of no use any more. */
	bool (*step)(void *state, const void *call);
};

enum linearize_result { LINEARIZE_YES, LINEARIZE_NO, LINEARIZE_UNDECIDED };

#define LINEARIZE_CALLS_MAX 1024u
#define LINEARIZE_STATE_MAX 128u

/* Where the longest order that was found goes no further. */
struct linearize_end {
	unsigned length;
	unsigned next_count;
	const void *next[16]; /* calls of which one would have to be next */
	uint8_t state[LINEARIZE_STATE_MAX];
};

/*
 * linearize -- `calls` in any order; `state` is where they begin. UNDECIDED after `steps_max` steps of the model, or if
 * memory or LINEARIZE_CALLS_MAX do not suffice. `end` may be NULL.
 */
enum linearize_result linearize(const struct linearize_model *model, const void *state,
                                const struct linearize_call *calls, unsigned count, uint64_t steps_max,
                                struct linearize_end *end);

#endif
