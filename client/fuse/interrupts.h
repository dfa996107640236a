/*
 * interrupts.h -- lets processes that wait for a request of the mount be killed, even while the server is unreachable.
 *
 * The kernel reports a signal to a waiting process (FUSE_INTERRUPT) once for each request and without the signal
 * number. Nobody reads that report while all threads handle requests that wait. So a thread checks every 100 ms whether
 * the callers of longer requests are about to die of a signal, and cancels the requests of those. A call that may have
 * been executed never returns EINTR: a signal that the process handles waits until the server has answered. For callers
 * in another pid namespace, which cannot be inspected, the kernel's report decides.
 *
 * Thread safety: all functions.
 */
#ifndef FARNOVA_FUSE_INTERRUPTS_H
#define FARNOVA_FUSE_INTERRUPTS_H

#include "client/fuse/mount_state.h"

/* interrupts_start -- start the scanning; -errno. interrupts_stop -- stop it, when no request is in progress any
 * more. */
int interrupts_start(struct farnova *fs);
void interrupts_stop(void);

/* interrupts_begin -- this thread starts to handle `req`. interrupts_end -- it has answered. */
void interrupts_begin(fuse_req_t req);
void interrupts_end(void);

#endif
