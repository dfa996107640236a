/*
 * gc.h -- rewrite a log that is mostly dead.
 */
#ifndef FARNOVA_NOVA_GC_H
#define FARNOVA_NOVA_GC_H

#include "server/nova/core.h"

/* gc_if_due -- before an append, under the inode's exclusive lock: where more than half of a long log is dead, write
 * what lives to new pages and switch to them as one commit. Does nothing where there is no space for it. */
void gc_if_due(struct nova_worker *worker, struct inode *inode);

/* gc_now -- the same whatever the log's state. -ENOSPC, -ENOMEM leave everything as it was. */
int gc_now(struct nova_worker *worker, struct inode *inode);

#endif
