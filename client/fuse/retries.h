/*
 * retries.h -- holds inodes open while the kernel repeats a path walk after ESTALE.
 *
 * The kernel looks up a name and then operates on the inode, in two requests. If another client replaces the file in
 * between, the second request gets ESTALE; the kernel then walks the path once more, and fails if the same happens
 * again. So after an ESTALE, what the thread looks up is held open until the thread has used it: the inode then
 * survives the removal of its name.
 *
 *     (none) --retries_stale--> wanted --retries_hold--> held
 *     held --retries_hold: the next component--> held
 *     wanted, held --retries_done, or RETRIES_NS after the last ESTALE or retries_hold--> (none)
 *
 * There are at most RETRIES_MAX entries; a new one beyond that replaces the oldest.
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

/* retries_new -- NULL without memory. retries_free -- also closes all held files. */
struct retries *retries_new(void);
void retries_free(struct retries *retries);

/* retries_stale -- a request of thread `tid` is answered with ESTALE. */
void retries_stale(struct retries *retries, pid_t tid);

/* retries_wanted -- whether to hold what `tid` looks up. Also closes expired files of other threads. */
bool retries_wanted(struct retries *retries, pid_t tid);

/* retries_hold -- keep `file`, which `tid` has looked up, open; the table takes ownership. */
void retries_hold(struct retries *retries, pid_t tid, struct farnova_file *file);

/* retries_done -- `tid` has used what it looked up. */
void retries_done(struct retries *retries, pid_t tid);

#endif
