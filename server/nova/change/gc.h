/*
 * gc.h -- keep logs short.
 */
#ifndef FARNOVA_NOVA_GC_H
#define FARNOVA_NOVA_GC_H

#include "server/nova/inode/nova_inode.h"

/*
 * gc_if_due -- before an append, under the inode's exclusive lock: where the log is longer than what lives in it
 * warrants, one slice of GC: the first pages go, what lives in them is appended anew. Does nothing where there is no
 * space for it.
 */
void gc_if_due(struct nova_worker *worker, struct nova_inode *inode);

/* gc_idle_slice -- a slice of that. False when enough is done: the log is short, or begins at `end` or later, so that
 * all that was there when the tail was `end` has been looked at, and a sweep that this asked for is over. */
bool gc_idle_slice(struct nova_worker *worker, struct nova_inode *inode, uint64_t end);

#endif
