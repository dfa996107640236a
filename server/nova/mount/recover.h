/*
 * recover.h -- scans all slots and logs with several threads, to find what is in use.
 */
#ifndef FARNOVA_NOVA_RECOVER_H
#define FARNOVA_NOVA_RECOVER_H

#include "server/nova/core.h"

/*
 * recover_scan -- after the journal's replay: claim every block in use, list free slots, count names and inodes, repair
 * damaged copies (fenced). threads 0 = as many as CPUs. -EIO with `why` for the first damage met; -ENOMEM.
 */
int recover_scan(struct nova *fs, unsigned threads, char *why, size_t why_size);

#endif
