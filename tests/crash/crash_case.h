/*
 * crash_case.h -- one operation in one state: recorded once, then crashed at every fence.
 */
#ifndef FARNOVA_TESTS_CRASH_CRASH_CASE_H
#define FARNOVA_TESTS_CRASH_CRASH_CASE_H

#include "tests/crash/operations.h"
#include "tests/crash/verify.h"

/* What was tried. */
struct crash_counts {
	uint64_t cases;
	uint64_t fences; /* moments at which a crash was tried */
	uint64_t made;   /* images */
	uint64_t unique; /* different ones within their case and moment */
	uint64_t tried;  /* of those, mounted and checked: what no other case had tried with the same demands */
	uint64_t deep;   /* images of a second crash, during recovery */
	uint64_t inapplicable;
	uint64_t kills; /* processes killed, each followed by a second life and a power failure */
};

#define CRASH_OPERATIONS_MAX 3u
#define CRASH_ORDERS_MAX     6u

/* Who does the second operation. */
enum crash_actor {
	CRASH_SAME,   /* the same thread with the same worker */
	CRASH_HANDED, /* another thread, which takes the worker over */
	CRASH_OTHER,  /* another thread with a worker of its own */
	CRASH_ACTORS,
	CRASH_RACE = CRASH_ACTORS, /* likewise, while the first one runs (race.h) */
};

/* What the file system must hold when so many operations of one order are done, and how many inodes without a name. */
struct crash_order {
	bool possible;                           /* it explains what the operations answered and what they left */
	unsigned sequence[CRASH_OPERATIONS_MAX]; /* of the operations, by their number in the case */
	struct listing trees[CRASH_OPERATIONS_MAX + 1];
	uint64_t orphans[CRASH_OPERATIONS_MAX + 1];
};

struct crash_case {
	const struct world_state *state;
	enum crash_actor actor;
	unsigned count;
	bool inapplicable; /* what the second operation needs cannot be there beside what the first needs */
	struct crash_operation {
		const struct operation *operation;
		size_t begin, end; /* events: the first of the operation, the first after it was acknowledged */
		int result;
		struct world_request request;
	} operations[CRASH_OPERATIONS_MAX];
	struct world world;
	uint32_t *generations;                       /* as the world's, before the operations */
	struct crash_order orders[CRASH_ORDERS_MAX]; /* but for races only the first */
};

struct crash_settings {
	struct image_limits limits;
	uint64_t deep_every;   /* a second crash is tried for one image of so many; 0 = never */
	uint64_t kill_every;   /* the process is killed at one store of so many */
	unsigned failures_max; /* failures told for one case */
	bool quiet;            /* tell no failure, stop at the first */
	const char *keep;      /* file that gets the first wrong image, may be NULL */
	enum image_mutation mutation;
	const char *site;
	/* crash_case_kill: told of each event of the mount that follows a kill; may be NULL */
	void (*recovery)(void *context, const struct trace_event *event);
	void *context;
};

/*
 * crash_case_record -- prepare, and run one operation or, where `second` is not NULL, two, the second begun when the
 * first was acknowledged. False, with the reason told, if that itself goes wrong: if the core answers or then holds
 * anything else than the model.
 */
bool crash_case_record(struct crash_case *c, const struct world_state *state, const struct operation *first,
                       const struct operation *second, enum crash_actor actor);
/* crash_case_name -- "FIRST then SECOND (ACTOR) in STATE", static. */
const char *crash_case_name(const struct crash_case *c);
/* crash_case_try -- crash it at each fence and at each return. Returns the number of wrong images. */
unsigned crash_case_try(const struct crash_case *c, const struct crash_settings *settings, struct crash_counts *counts);
/*
 * crash_case_kill -- kill the process at each store of the operation, mount what the caches then hold, go on for longer
 * than a journal ring, and only then let the power fail: what the second process saw must be there, though the first
 * had not made it durable. Returns the number of wrong images.
 */
unsigned crash_case_kill(const struct crash_case *c, const struct crash_settings *settings,
                         struct crash_counts *counts);
void crash_case_end(struct crash_case *c);

#endif
