/*
 * project.h -- usage and limits of projects: blocks and inodes, counted without a shared lock.
 *
 * A project is a number stored in inodes; 0 is no project, costs nothing and has no limit. The rest of a project's
 * limit is in `left` and, in small parts, in its shards, of which each thread uses its own. A charge takes from the
 * thread's shard, and from `left` if the shard has too little. Before a charge is refused, all shards are returned to
 * `left`. So usage never exceeds the limit, a shared word is touched once for many blocks, and usage = limit - left -
 * the sum of the shards.
 *
 * `charged` of each in-core inode is the number of blocks charged to its project. project_grow charges blocks before
 * the inode gets them; whatever follows, inode_unlock adjusts the charge to the blocks that the inode then has.
 */
#ifndef FARNOVA_NOVA_PROJECT_H
#define FARNOVA_NOVA_PROJECT_H

#include "server/nova/core.h"
#include "server/nova/space/space_use.h"

enum project_kind { PROJECT_BLOCKS, PROJECT_INODES, PROJECT_KINDS };

/* project_find -- find or create the project. NULL: no memory. It stays until unmount. */
struct project *project_find(struct nova *fs, uint32_t id);

/* project_next -- the known project with the lowest number from `id` on, or NULL. */
struct project *project_next(struct nova *fs, uint32_t id);

uint32_t project_id(const struct project *project);

/* project_used, project_limit -- the present values; a limit of 0 is none. */
uint64_t project_used(const struct project *project, enum project_kind kind);
uint64_t project_limit(const struct project *project, enum project_kind kind);

/* project_set_limits -- set the limits; they may be lower than the usage. Callers serialise their calls. */
void project_set_limits(struct project *project, const uint64_t limits[PROJECT_KINDS]);

/* project_charge -- charge `count`. -EDQUOT, and nothing is charged, if that exceeds the limit, unless `force`. */
int project_charge(struct project *project, enum project_kind kind, uint64_t count, bool force);
void project_refund(struct project *project, enum project_kind kind, uint64_t count);

/* project_grow -- the locked inode is about to get `more` blocks: charge them. -EDQUOT. */
int project_grow(struct space_use *use, uint64_t more);

/* project_recharge -- adjust the charge to the inode's present blocks. Under the exclusive lock. */
void project_recharge(struct space_use *use);

/* project_move -- move the locked inode to the project `to` (NULL: to none), ignoring limits. */
void project_move(struct space_use *use, struct project *to);

/* project_begin -- charge a new inode to its project, or to none if `id` is 0: -EDQUOT, -ENOMEM. */
int project_begin(struct nova *fs, struct space_use *use, uint32_t id);

/* project_end -- the inode was freed: refund its charge. */
void project_end(struct space_use *use);

/* project_line -- the line of the project's newest QUOTA entry: offset in the pool / 64, 0 = none. Under the root
 * directory's lock. */
uint64_t *project_line(struct project *project);

void project_fini(struct nova *fs);

#endif
