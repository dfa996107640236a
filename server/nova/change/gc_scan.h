/*
 * gc_scan.h -- a slice of GC that scans the first pages of a log.
 */
#ifndef FARNOVA_NOVA_GC_SCAN_H
#define FARNOVA_NOVA_GC_SCAN_H

#include "server/nova/inode/nova_inode.h"

/* gc_scan_slice -- scan up to `pages` of the log's first pages. -ENOSPC, -ENOMEM, or -EIO with the reason in `why`. */
int gc_scan_slice(struct nova_worker *worker, struct nova_inode *inode, uint64_t pages, char *why, size_t why_size);

#endif
