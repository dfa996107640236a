/*
 * gc.h -- garbage collection (GC) of inode logs.
 */
#ifndef FARNOVA_NOVA_GC_H
#define FARNOVA_NOVA_GC_H

#include "server/nova/inode/nova_inode.h"

/*
 * gc_if_due -- call before an append, under the inode's exclusive lock. If the log is too long for its live entries,
 * this runs slices of GC: each appends the live entries of the first pages again and frees these pages. Without space
 * for that it does nothing.
 */
void gc_if_due(struct nova_worker *worker, struct nova_inode *inode);

/* gc_idle_slice -- run one slice of GC, under the same lock. False when nothing is left to do: the log is short, or it
 * begins at `end` or later, so GC has examined every entry before `end`, and a sweep that this caused has ended. */
bool gc_idle_slice(struct nova_worker *worker, struct nova_inode *inode, uint64_t end);

#endif
