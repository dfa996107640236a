/*
 * alloc.h -- free blocks.
 *
 * Each zone has a bitmap under its lock; each worker keeps a run and a stack of single blocks, so that single blocks
 * come and go without a shared lock. Nothing here is on the medium: a mount finds what is used from the logs.
 *
 * A reserve is kept for operations that free space or have been promised it (`privileged`): some blocks, and one for
 * each 63 names and unwritten blocks, since that many removals or first writes fill a log page. So a full pool can be
 * emptied, and what was reserved can be written.
 */
#ifndef FARNOVA_NOVA_ALLOC_H
#define FARNOVA_NOVA_ALLOC_H

#include "server/nova/core.h"
#include "server/nova/space/stream.h"

/* alloc_init -- zones of fs->blocks blocks, all free but their headers. */
int alloc_init(struct nova *fs);
void alloc_fini(struct nova *fs);

/* alloc_valid -- the run lies in the part of one zone that holds data and log pages (or slots). */
bool alloc_valid(const struct nova *fs, uint64_t first, uint64_t count);

/* alloc_claim -- mark a run used during recovery; false if a block of it was used already. Thread safe. */
bool alloc_claim(struct nova *fs, uint64_t first, uint64_t count);

/* alloc_count -- after the claims: count what is free. */
void alloc_count(struct nova *fs);

/* alloc_run -- up to `want` blocks in a row; returns how many, or -ENOSPC. */
int64_t alloc_run(struct nova_worker *worker, uint64_t want, bool privileged, uint64_t *first);

/*
 * alloc_data -- up to `want` blocks in a row for the file blocks of an inode from `file_block` on; returns how many, or
 * -ENOSPC. A file that is written in order gets runs that follow each other, whatever else is written meanwhile.
 * `unfilled`: the last of these blocks is written in part, up to the end of the file, so it will be written again.
 */
int64_t alloc_data(struct nova_worker *worker, const struct alloc_file *file, uint64_t file_block, uint64_t want,
                   bool unfilled, uint64_t *first);

/* alloc_reserve_run -- for alloc_data: at least `least` and up to `want` blocks in a row from the zones, if possible
 * from `goal` on (0 = nowhere); 0 if there are none to spare. */
uint64_t alloc_reserve_run(struct nova_worker *worker, uint64_t goal, uint64_t want, uint64_t least, uint64_t *first);

/* alloc_free -- give back a run. The commit that freed it is durable. */
void alloc_free(struct nova_worker *worker, uint64_t first, uint64_t count);

/* alloc_chunk -- a whole chunk for slots: returns its first block, or 0 if there is none. */
uint64_t alloc_chunk(struct nova_worker *worker);

/* alloc_drain -- return what the worker keeps to the zones. */
void alloc_drain(struct nova_worker *worker);

/*
 * alloc_find_free -- at unmount, when nothing runs: free runs of `need` blocks together, at most `max` of them, long
 * ones if there are; they stay free. Returns how many runs, 0 if there is no such choice.
 */
uint32_t alloc_find_free(const struct nova *fs, uint64_t need, struct nova_checkpoint_run *runs, uint32_t max);

/* alloc_bytes -- memory of the zones and their maps. */
uint64_t alloc_bytes(const struct nova *fs);

/*
 * alloc_promise -- `lines` unwritten blocks are about to be taken: keep log space for their first writes. -ENOSPC if
 * blocks and log space are not there. alloc_keep_promise -- so many were written, freed or never taken.
 */
int alloc_promise(struct nova_worker *worker, uint64_t lines);
void alloc_keep_promise(struct nova_worker *worker, uint64_t lines);

/* alloc_free_total -- free blocks in zones and with workers. */
uint64_t alloc_free_total(struct nova *fs);

/* alloc_available_total -- those of them that may be taken without touching the reserve. */
uint64_t alloc_available_total(struct nova *fs);

#endif
