/*
 * alloc.h -- the block allocator.
 *
 * Each zone has a bitmap under its lock. Each worker keeps a run and a stack of single blocks, so that it allocates and
 * frees single blocks without a shared lock. None of this is on the medium: a mount finds the used blocks in the logs.
 *
 * The allocator keeps a reserve (enum alloc_use). One part is for operations that free space or use promised space:
 * some blocks, and one for each 63 names and unwritten blocks, since 63 removals or first writes fill a log page. So a
 * full pool can be emptied, and reserved blocks can be written. Another part is for changes after which about as much
 * is in use as before: a write over existing blocks needs new ones only until its commit. So a database can still
 * write to its files on a full pool. Its log may use that part up, at 64 bytes for each extent.
 */
#ifndef FARNOVA_NOVA_ALLOC_H
#define FARNOVA_NOVA_ALLOC_H

#include "server/nova/core.h"
#include "server/nova/space/stream.h"

/* alloc_init -- make the zones of fs->blocks blocks; all blocks but the zones' headers are free. */
int alloc_init(struct nova *fs);
void alloc_fini(struct nova *fs);

/* alloc_valid -- whether the run is in one zone, in the part for data, log pages and slots. */
bool alloc_valid(const struct nova *fs, uint64_t first, uint64_t count);

/* alloc_claim -- mark a run used during recovery; false if a block of it was used already. Thread safe. */
bool alloc_claim(struct nova *fs, uint64_t first, uint64_t count);

/* alloc_count -- after the claims: count the free blocks. */
void alloc_count(struct nova *fs);

/* alloc_run -- allocate a run of up to `want` blocks; returns its length, or -ENOSPC. */
int64_t alloc_run(struct nova_worker *worker, uint64_t want, enum alloc_use use, uint64_t *first);

/* alloc_may_have -- whether there are so many free blocks for such a use; others may take them meanwhile. */
bool alloc_may_have(struct nova_worker *worker, uint64_t count, enum alloc_use use);

/*
 * alloc_data -- allocate a run of up to `want` blocks for the file blocks of an inode from `file_block` on; returns its
 * length, or -ENOSPC. A file that is written in order gets adjacent runs, whatever else is written meanwhile.
 * `unfilled`: the last of these blocks is written in part, up to the end of the file, so it will be written again.
 */
int64_t alloc_data(struct nova_worker *worker, const struct alloc_file *file, uint64_t file_block, uint64_t want,
                   bool unfilled, enum alloc_use use, uint64_t *first);

/* alloc_reserve_run -- for alloc_data: take a run of `least` to `want` blocks from the zones, if possible from `goal`
 * on (0 = no goal). Returns its length, 0 if there is no such run beyond the reserve. */
uint64_t alloc_reserve_run(struct nova_worker *worker, uint64_t goal, uint64_t want, uint64_t least, uint64_t *first);

/* alloc_free -- give back a run. The commit that freed it is durable. */
void alloc_free(struct nova_worker *worker, uint64_t first, uint64_t count);

/* alloc_chunk -- a whole chunk for slots: returns its first block, or 0 if there is none. */
uint64_t alloc_chunk(struct nova_worker *worker);

/* alloc_drain -- return the worker's blocks to the zones. */
void alloc_drain(struct nova_worker *worker);

/*
 * alloc_find_free -- at unmount, while no operation runs: find at most `max` free runs with `need` blocks in all,
 * preferably long ones; they stay free. Returns the number of runs, 0 if there are not enough.
 */
uint32_t alloc_find_free(const struct nova *fs, uint64_t need, struct nova_checkpoint_run *runs, uint32_t max);

/* alloc_bytes -- memory of the zones and their maps. */
uint64_t alloc_bytes(const struct nova *fs);

/*
 * alloc_promise -- `lines` unwritten blocks are about to be allocated: reserve log space for their first writes.
 * -ENOSPC if there is no space for the blocks and the log lines. alloc_keep_promise -- end the promise for `lines`
 * blocks that were written, freed or never allocated.
 */
int alloc_promise(struct nova_worker *worker, uint64_t lines);
void alloc_keep_promise(struct nova_worker *worker, uint64_t lines);

/* alloc_free_total -- free blocks in zones and with workers. */
uint64_t alloc_free_total(struct nova *fs);

/* alloc_available_total -- the free blocks beyond the reserve. */
uint64_t alloc_available_total(struct nova *fs);

#endif
