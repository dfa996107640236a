/*
 * checkpoint.h -- the checkpoint: the result of a scan of all logs, stored at a clean unmount and loaded at the next
 * mount.
 *
 * Each section is one row in checkpoint.c. One function writes it, while no operation runs. Another function reads it:
 * first it only checks; after all sections were found valid, it applies the content. If a section is missing or
 * invalid, the mount scans all logs instead.
 */
#ifndef FARNOVA_NOVA_CHECKPOINT_H
#define FARNOVA_NOVA_CHECKPOINT_H

#include "server/nova/core.h"

/* checkpoint_store -- at unmount, while no operation runs: write the checkpoint and return its first block, or 0 if
 * there is no room (logged). Fenced; valid only once CHECKPOINT names it and CLEAN is set. */
uint64_t checkpoint_store(struct nova *fs);

/*
 * checkpoint_load -- at mount, with zones, chunk tables and journal loaded: fill maps, slots and counts from the
 * checkpoint that CHECKPOINT names. False if it is invalid (logged); then nothing was changed.
 */
bool checkpoint_load(struct nova *fs, uint64_t block, uint64_t mount_count);

#endif
