/*
 * interrupts.h -- processes that wait for a request of the mount can be killed, also while the server is away.
 *
 * The kernel tells (FUSE_INTERRUPT) that a signal has come for a process that waits, once for each request and not which
 * signal; and nobody reads that while all threads serve requests that wait. So it is looked every 100 ms whether the
 * callers of requests that take longer are about to die of a signal: then their requests are given up. Nobody sees EINTR
 * from a call that may have been executed: a signal that the process handles waits until the server has answered. Of
 * callers that cannot be seen from here (in another pid namespace) the kernel's word counts.
 *
 * Thread safety: all functions.
 */
#ifndef FARNOVA_FUSE_INTERRUPTS_H
#define FARNOVA_FUSE_INTERRUPTS_H

#include "client/fuse/mount_state.h"

/* interrupts_start -- begin to look; -errno. interrupts_stop -- end it; no request is being served any more. */
int interrupts_start(struct farnova *fs);
void interrupts_stop(void);

/* interrupts_begin -- this thread serves `req` now. interrupts_end -- it has answered. */
void interrupts_begin(fuse_req_t req);
void interrupts_end(void);

#endif
