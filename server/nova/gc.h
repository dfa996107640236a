/*
 * gc.h -- keep logs short.
 */
#ifndef FARNOVA_NOVA_GC_H
#define FARNOVA_NOVA_GC_H

#include "server/nova/core.h"

/*
 * gc_if_due -- before an append, under the inode's exclusive lock: where the log is longer than what lives in it
 * warrants, one slice of GC: the first pages go, what lives in them is appended anew. Does nothing where there is no
 * space for it.
 */
void gc_if_due(struct nova_worker *worker, struct inode *inode);

#endif
