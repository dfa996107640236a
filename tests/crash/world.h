/*
 * world.h -- a small pool in memory with a file system on it whose stores are recorded, and beside it the model of what
 * it must hold, in a state that a crash test starts from.
 *
 * Every world begins with the same tree:
 *   /d/f       file of 3 blocks and 100 bytes      /d/empty   empty file
 *   /d/g       file of 200 bytes                   /d/sub     empty directory
 *   /d/full    directory with a file x             /d/two     file, also named /e/two
 *   /d/link    symlink                             /e         directory with a file y and an empty directory sub
 */
#ifndef FARNOVA_TESTS_CRASH_WORLD_H
#define FARNOVA_TESTS_CRASH_WORLD_H

#include "server/nova/clients.h"
#include "server/nova/media/format.h"
#include "server/nova/nova.h"
#include "tests/crash/trace.h"
#include "tests/model/posix_model.h"

#define WORLD_SIZE      (12u << 20)
/* Zones are large, but only what is stored to takes memory. The second one alone has more blocks than are kept back. */
#define WORLD_ZONES     ((uint64_t)(NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_BLOCKS + 8192u) * NOVA_BLOCK_SIZE)
#define WORLD_ROOM      WORLD_ZONES /* for the largest world */
#define WORLD_HELD_MAX  32u
#define WORLD_STEPS_MAX 16u

/* The same object in the core and in the model. */
struct world_object {
	struct nova_handle handle;
	posix_ino ino;
};

/* What a path meant when it was held. */
struct world_held {
	const char *path;
	struct world_object object;
};

/* What the core answered to each step of an operation, so that the model can be asked later. */
struct world_answers {
	struct {
		int rc;
		struct nova_handle made;
	} step[WORLD_STEPS_MAX];
	unsigned count, next;
};

/* The newest request of an operation: each step is one, and has an intent. Of an operation's steps one changes something;
 * its request stays. */
struct world_request {
	uint32_t slot;
	uint32_t sequence; /* 0 = none yet */
	uint64_t number;   /* of the client */
	bool stored;       /* its commit carried the intent */
	struct nova_outcome outcome;
};

/* Where steps are taken: usually in both at once. While threads race the order is not known before the end: each thread
 * takes them in the core alone, and the model follows in each order that could have been. */
enum world_side { WORLD_BOTH, WORLD_CORE, WORLD_MODEL };

struct world {
	struct pm pm;
	struct trace trace;
	struct nova *fs;
	struct nova_worker *worker;
	struct nova_call call;
	struct posix_model *model;  /* NULL: this world has none */
	struct nova_client *client; /* who asks for the steps; NULL: nobody who repeats */
	struct nova_intent intent;
	uint32_t sequence;
	struct world_request request; /* of the present operation */
	enum world_side side;
	struct world_answers answers;
	bool disagreed;        /* WORLD_MODEL: the model would have answered otherwise */
	uint32_t *generations; /* by inode number: the newest that was told to anybody */
	int64_t now;           /* time of the next step */
	uint8_t round;         /* of the bytes written */
	bool second;           /* an operation was done since the state was prepared */
	unsigned slots_used;   /* by world_use_up_slots */
	struct world_object root;
	struct world_held held[WORLD_HELD_MAX];
	unsigned held_count;
	const char *failed; /* the first step of a preparation that failed, or in which core and model disagree */
	int error;
};

/* A state in which operations are tried. */
struct world_state {
	const char *name;
	const char *meaning;
	void (*prepare)(struct world *world);
	bool nearly_full;  /* operations that need space may fail with ENOSPC */
	bool other_thread; /* the operation runs in another thread, with a worker of its own */
	bool long_past;    /* preparing it stores too much to be tried with each mutation */
	bool zones;        /* the pool has two zones, WORLD_ZONES bytes */
};

extern const struct world_state world_states[];
extern const size_t world_state_count;

/*
 * world_begin -- format `memory` (WORLD_ROOM), copy it to `initial`, mount it, make the tree and bring it into the
 * state. Everything since the copy is recorded. -errno, and world->failed says in which step.
 */
int world_begin(struct world *world, struct sparse *memory, struct sparse *initial, const struct world_state *state);
/* The identity of the client that asks for the steps, and a slot of its for each operation of a case. */
#define WORLD_CLIENT       0x5ca1ab1e0ddba11ULL
#define WORLD_CLIENT_SLOTS 3u
#define WORLD_CLIENT_KEY   ((const uint8_t *)"not that secret") /* 16 bytes with the NUL */

/* world_connect -- after a mount: the client, new or known, has a session. */
void world_connect(struct world *world);
/* world_next_operation -- the steps from now on are of an operation that uses this slot. */
void world_next_operation(struct world *world, uint32_t slot);

/* world_inodes -- one more than the greatest inode number that the pool has room for. */
uint64_t world_inodes(const struct world *world);
/* world_end -- close and unmount what is still open. */
void world_end(struct world *world);

/* world_age -- append to the log of `path` until `left` lines are left before the end of its slot or page. `pages`: 0
 * the slot's end, else the end of so many pages. */
void world_age(struct world *world, const char *path, unsigned pages, unsigned left);

/* world_use_up_slots -- make files, until no slot is free in the chunks that there are. */
void world_use_up_slots(struct world *world);

/* What the log of `path` looks like on the medium: lines since birth, and the first position if GC has rewritten it. */
uint64_t world_log_lines(struct world *world, const char *path);
uint64_t world_log_start(struct world *world, const char *path);

#endif
