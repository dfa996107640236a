/*
 * counts.h -- how many requests of each kind the kernel has made, and all counters of a mount as text.
 *
 * The text is the value of the virtual attribute "farnova.stats" of every file of a mount: lines of a kind (fuse,
 * message, read, write, connections), a name for the first two, and a number.
 *
 * Thread safety: all functions.
 */
#ifndef FARNOVA_FUSE_COUNTS_H
#define FARNOVA_FUSE_COUNTS_H

#include "client/fuse/mount_state.h"

#include <stddef.h>

#define COUNTS_ATTRIBUTE "farnova.stats"

/* counts_wrap -- from now on the operations in `ops` count themselves, and tell when they have answered
 * (interrupts.h). Once in a process. */
void counts_wrap(struct fuse_lowlevel_ops *ops);

/* counts_text -- what was counted, allocated with malloc and not ended by a NUL; NULL without memory. */
char *counts_text(struct farnova *fs, size_t *length);

#endif
