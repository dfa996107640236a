/*
 * checkpoint.h -- what a scan of all logs would find, stored at a clean unmount and taken back at the next mount.
 *
 * A section is added by one row in checkpoint.c: it is written by one function, which sees the file system at rest, and
 * read by one that first only checks and then, when all sections were found sound, takes over what it holds. A section
 * that is missing or unsound makes the mount scan instead.
 */
#ifndef FARNOVA_NOVA_CHECKPOINT_H
#define FARNOVA_NOVA_CHECKPOINT_H

#include "server/nova/core.h"

/* checkpoint_store -- at unmount, when nothing runs: write the state and return its first block, or 0 if there is no
 * room (logged). Fenced; in use only once CHECKPOINT names it and CLEAN is set. */
uint64_t checkpoint_store(struct nova *fs);

/*
 * checkpoint_load -- at mount, with zones, chunk tables and journal loaded: fill maps, slots and counts from the state
 * that CHECKPOINT named. False if it cannot be used (logged); nothing was changed then.
 */
bool checkpoint_load(struct nova *fs, uint64_t block, uint64_t mount_count);

#endif
