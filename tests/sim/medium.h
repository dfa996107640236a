/*
 * medium.h -- the pool of the simulated server: memory that knows what a power failure may leave.
 *
 * All stores, flushes and fences are recorded, as the crash tests do it (tests/crash/trace.h); a power failure leaves one
 * of the images that these could leave (tests/crash/images.h).
 */
#ifndef FARNOVA_TESTS_SIM_MEDIUM_H
#define FARNOVA_TESTS_SIM_MEDIUM_H

#include "common/pm/pm.h"

/* medium_make -- an empty file system in `bytes` of memory that a child of this process gets a copy of. Before
 * sim_begin. */
void medium_make(uint64_t bytes);
enum medium_moment { MEDIUM_FENCE, MEDIUM_STORE };
/*
 * medium_trap -- when the server comes to its `count`-th fence or store from now on, its process stops before it, with
 * what it has stored before not durable yet; medium_trapped waits for that, until `until` at most.
 */
void medium_trap(enum medium_moment moment, unsigned count);
bool medium_trapped(int64_t until);
/* medium_fail_power -- the server has been killed: its host loses power. Choices come from SIM_MEDIUM. */
void medium_fail_power(void);
/* medium_check -- whether the checks of fsck find errors; they are printed. The server must have been closed. Also
 * checked is that no store has gone past the recorder. */
int medium_check(void);

#endif
