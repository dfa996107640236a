/*
 * counts.h -- counts the kernel's requests by operation, and prints all counters of a mount as text.
 *
 * The text is the value of the virtual attribute "farnova.stats" of every file of a mount. Each line has a kind (fuse,
 * message, read, write, connections, ...), a name for the first two kinds, and a number. docs/mount.md lists them.
 *
 * Thread safety: all functions.
 */
#ifndef FARNOVA_FUSE_COUNTS_H
#define FARNOVA_FUSE_COUNTS_H

#include "client/fuse/mount_state.h"

#include <stddef.h>

#define COUNTS_ATTRIBUTE "farnova.stats"

/* counts_wrap -- wrap the operations in `ops` so that they count themselves and call interrupts_begin and
 * interrupts_end (interrupts.h). Once in a process. */
void counts_wrap(struct fuse_lowlevel_ops *ops);

/* counts_text -- the counters as text, allocated with malloc, without a final NUL; NULL without memory. */
char *counts_text(struct farnova *fs, size_t *length);

#endif
