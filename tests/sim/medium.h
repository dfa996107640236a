/*
 * medium.h -- the pool of the simulated server: memory that knows what a power failure may leave.
 *
 * Each line that was stored to but is not durable yet is kept as it was when it last was; a power failure takes some of
 * the 8-byte words of such lines back. What was flushed or stored past the cache is durable with the next fence of the
 * same thread (pm.h).
 */
#ifndef FARNOVA_TESTS_SIM_MEDIUM_H
#define FARNOVA_TESTS_SIM_MEDIUM_H

#include "common/pm/pm.h"

/* medium_make -- an empty file system in `bytes` of memory that a child of this process gets a copy of. Before
 * sim_begin. */
void medium_make(uint64_t bytes);
/*
 * medium_trap -- when the server comes to its `fences`-th fence from now on, its process stops there, with what it has
 * stored before not durable yet; medium_trapped waits for that, until `until` at most.
 */
void medium_trap(unsigned fences);
bool medium_trapped(int64_t until);
/* medium_fail_power -- the server has been killed: what is not durable may be lost. Choices come from SIM_MEDIUM. */
void medium_fail_power(void);
/* medium_check -- whether the checks of fsck find errors; they are printed. The server must have been closed. */
int medium_check(void);

#endif
