/*
 * long.h -- operations that take long, for threads that also serve others.
 *
 * The first use of an inode reads its log. To change or free a file of hundreds of thousands of extents takes up to a
 * microsecond for each extent. A worker that serves others leaves such operations to a worker that has time:
 *
 *     an operation fails: NOVA_DEFER_LOAD --> nova_load by the other worker --> the operation again
 *     an operation fails: NOVA_DEFER_LONG --> nova_occupy, the operation, nova_vacate by the other worker
 *     an operation fails: NOVA_DEFER_BUSY --> when the other worker has done either of these: the operation again
 *     a large file has lost its last name or its last open --> nova_free_dead by the other worker
 *
 * How long an operation takes is estimated from counts that exist anyway: the extents, blocks and index nodes that the
 * file can have in the range, and the lines of its log.
 *
 * Thread safety: as nova.h.
 */
#ifndef FARNOVA_NOVA_LONG_H
#define FARNOVA_NOVA_LONG_H

#include "server/nova/nova.h"

/*
 * nova_hurried -- with `hurried`, the worker serves others. If its operations end the life of a large file, the file's
 * blocks stay allocated until nova_free_dead; they count as free, and a crash or an unmount frees them. If it closes an
 * inode that another worker occupies, the other worker completes the close.
 */
void nova_hurried(struct nova_worker *worker, bool hurried);

/*
 * nova_may_defer -- with `may`, until the worker's next commit, operations that would take more than some 200
 * microseconds for one of the reasons above fail with -EBUSY and change nothing, as do those that would have to wait
 * for an occupied inode. nova_deferred -- why an operation since then failed with -EBUSY, and at which inode;
 * NOVA_DEFER_NONE: it failed for another reason.
 */
enum nova_deferral { NOVA_DEFER_NONE, NOVA_DEFER_LOAD, NOVA_DEFER_LONG, NOVA_DEFER_BUSY };
void nova_may_defer(struct nova_worker *worker, bool may);
enum nova_deferral nova_deferred(const struct nova_worker *worker, nova_ino *ino);

/* nova_load -- read the log of an inode. */
void nova_load(struct nova_worker *worker, nova_ino ino);

/* nova_occupy -- this worker's next operations will hold the inode for long; it may occupy two inodes at a time.
 * nova_vacate -- those operations have ended: occupy no inode, and complete the closes that others have left to it. */
void nova_occupy(struct nova_worker *worker, nova_ino ino);
void nova_vacate(struct nova_worker *worker);

/*
 * nova_returned -- to be noted before an operation. nova_space_returns -- the operation has failed with -ENOSPC: whether
 * space has returned since then, or may soon (space/returning.h), so that it should be tried again.
 */
uint64_t nova_returned(const struct nova_worker *worker);
bool nova_space_returns(const struct nova_worker *worker, uint64_t since);

/* nova_has_dead -- whether there are dead files. nova_free_dead -- free the blocks of one of them; false: there is
 * none. nova_dead_blocks -- how many blocks they have. */
bool nova_has_dead(const struct nova *fs);
bool nova_free_dead(struct nova_worker *worker);
uint64_t nova_dead_blocks(const struct nova *fs);

#endif
