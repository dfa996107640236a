/*
 * gc_queue.h -- logs that could be shorter, for a time when nothing else happens.
 */
#ifndef FARNOVA_NOVA_GC_QUEUE_H
#define FARNOVA_NOVA_GC_QUEUE_H

#include "server/nova/core.h"

/* gc_queue -- under the inode's exclusive lock. */
void gc_queue(struct nova *fs, struct nova_inode *inode);

#endif
