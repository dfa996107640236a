/*
 * retries.h -- paths that the kernel walks again because what they led to had died.
 *
 * The kernel looks a name up and then asks for what is to be done with the inode, in two requests. Where another client
 * replaces the file in between, the second gets ESTALE; the kernel then walks the path once more, and gives up if the
 * same happens again. So what a thread looks up after an ESTALE is held open until the thread has used it: the inode
 * stays even if its name goes.
 *
 *     (none) --retries_stale--> wanted --retries_hold--> held
 *     held --retries_hold: the next component--> held
 *     wanted, held --retries_done, or RETRIES_NS after the last ESTALE or retries_hold--> (none)
 *
 * There are at most RETRIES_MAX; where there would be more the oldest is given up.
 *
 * Thread safety: all functions.
 */
#ifndef FARNOVA_FUSE_RETRIES_H
#define FARNOVA_FUSE_RETRIES_H

#include "client/include/farnova.h"

#include <stdbool.h>
#include <sys/types.h>

#define RETRIES_MAX 64u
#define RETRIES_NS  INT64_C(1000000000)

struct retries;

/* retries_new -- NULL if memory is short. retries_free -- also lets go of what is held. */
struct retries *retries_new(void);
void retries_free(struct retries *retries);

/* retries_stale -- a request of thread `tid` is answered with ESTALE. */
void retries_stale(struct retries *retries, pid_t tid);

/* retries_wanted -- whether what `tid` looks up is to be held. Lets go of what has been held for too long by others. */
bool retries_wanted(struct retries *retries, pid_t tid);

/* retries_hold -- keep `file`, which `tid` has looked up, open; it is the table's from now on. */
void retries_hold(struct retries *retries, pid_t tid, struct farnova_file *file);

/* retries_done -- `tid` has used what it looked up. */
void retries_done(struct retries *retries, pid_t tid);

#endif
