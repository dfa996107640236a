/*
 * gc_sweep.h -- a sweep: GC writes all extents of a file again, in the order of the file.
 */
#ifndef FARNOVA_NOVA_GC_SWEEP_H
#define FARNOVA_NOVA_GC_SWEEP_H

#include "server/nova/inode/nova_inode.h"

/* gc_sweep_begin -- the following slices of this inode sweep. */
void gc_sweep_begin(struct nova_inode *inode);

/* gc_sweep_slice -- append the next extents. -ENOSPC, or -EIO. */
int gc_sweep_slice(struct nova_worker *worker, struct nova_inode *inode);

#endif
