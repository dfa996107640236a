/*
 * project.h -- what each project uses and may use: blocks and inodes, counted without a lock that its users share.
 *
 * A project is a number that inodes carry; 0 is none, costs nothing and has no limit. What a project may still take is
 * kept in `left` and, in small parts, with its shards, of which each thread uses its own: charging takes from the
 * thread's shard, and from `left` when that has too little. Before it refuses it gathers what all shards have. So the
 * limit is never passed, a shared word is touched once for many blocks, and used = limit - left - what shards have.
 *
 * Each in-core inode says what its project has been charged for it (`charged`). Whoever is about to give it blocks
 * charges them first (project_grow); whatever comes of it, inode_unlock makes `charged` what the inode then has.
 */
#ifndef FARNOVA_NOVA_PROJECT_H
#define FARNOVA_NOVA_PROJECT_H

#include "server/nova/core.h"
#include "server/nova/space/space_use.h"

enum project_kind { PROJECT_BLOCKS, PROJECT_INODES, PROJECT_KINDS };

/* project_find -- the project, made if there is none yet. NULL: no memory. It stays until unmount. */
struct project *project_find(struct nova *fs, uint32_t id);

/* project_next -- the known project with the lowest number from `id` on, or NULL. */
struct project *project_next(struct nova *fs, uint32_t id);

uint32_t project_id(const struct project *project);

/* project_used, project_limit -- now; a limit of 0 is none. */
uint64_t project_used(const struct project *project, enum project_kind kind);
uint64_t project_limit(const struct project *project, enum project_kind kind);

/* project_set_limits -- they hold from now on, also where more is used already. Callers take turns. */
void project_set_limits(struct project *project, const uint64_t limits[PROJECT_KINDS]);

/* project_charge -- -EDQUOT, and nothing is charged, if the limit does not allow it and `force` does not say so. */
int project_charge(struct project *project, enum project_kind kind, uint64_t count, bool force);
void project_refund(struct project *project, enum project_kind kind, uint64_t count);

/* project_grow -- the inode, locked, is about to get `more` blocks: -EDQUOT if its project may not. */
int project_grow(struct space_use *use, uint64_t more);

/* project_recharge -- charge or refund what the inode has more or less than was charged. Under the exclusive lock. */
void project_recharge(struct space_use *use);

/* project_move -- the locked inode belongs to `to` (NULL: to none) from now on; its limits do not stand in the way. */
void project_move(struct space_use *use, struct project *to);

/* project_begin -- a newborn is charged to its project, or to none if that is 0: -EDQUOT, -ENOMEM. */
int project_begin(struct nova *fs, struct space_use *use, uint32_t id);

/* project_end -- the inode is no more. */
void project_end(struct space_use *use);

/* project_line -- where the newest QUOTA entry of this project lies: offset in the pool / 64, 0 = nowhere. Under the
 * root directory's lock. */
uint64_t *project_line(struct project *project);

void project_fini(struct nova *fs);

#endif
