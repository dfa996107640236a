/*
 * recent.h -- answers the kernel's next question from a recent reply of the server.
 *
 * The kernel asks in small steps: LOOKUP of a name, then GETATTR to check permission, and after OPEN another GETATTR
 * for fstat(2). The server's reply to the first request already has the answer to the second. So the attributes in a
 * reply to LOOKUP, OPEN, CREATE or SETATTR answer one later GETATTR (two of a directory: the kernel checks it twice
 * when it creates a name) and one query for extended attributes, if the inode has none. A read that reached the end of
 * a file answers the next read beyond it. This holds for the same thread, within a millisecond, and only if this mount
 * has changed nothing that the answer depends on. A thread may therefore see changes by other clients up to a
 * millisecond late.
 *
 * Moments order changes and replies: a moment is a number that grows with each change. A reply has the moment before
 * its request was sent, so a reply that was in flight during a change is not used.
 *
 * Thread safety: all functions.
 */
#ifndef FARNOVA_FUSE_RECENT_H
#define FARNOVA_FUSE_RECENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct recent;

/* recent_new -- NULL without memory. */
struct recent *recent_new(void);
void recent_free(struct recent *recent);

/* recent_moment -- the current moment, to be taken before a request is sent. */
uint64_t recent_moment(const struct recent *recent);

/* recent_told -- store the attributes of `node` from a reply for thread `tid` (0: store nothing). */
void recent_told(struct recent *recent, pid_t tid, uint64_t node, uint64_t moment, const struct stat *st,
                 bool no_xattrs);

/*
 * recent_set -- this thread has changed the node, and the reply has its new attributes: as recent_changed, then
 * recent_told unless another change came in between.
 */
void recent_set(struct recent *recent, pid_t tid, uint64_t node, uint64_t moment, const struct stat *st,
                bool no_xattrs);

/* recent_ended -- a read of `tid` found the end of the file at `end`. */
void recent_ended(struct recent *recent, pid_t tid, uint64_t node, uint64_t moment, off_t end);

/* recent_attr, recent_no_xattrs, recent_beyond_end -- whether this is known to the thread and not used yet: the
 * attributes; that there are no extended attributes, and the mode; that `offset` is not before the end of the file. */
bool recent_attr(struct recent *recent, pid_t tid, uint64_t node, struct stat *st);
bool recent_no_xattrs(struct recent *recent, pid_t tid, uint64_t node, mode_t *mode);
/* recent_size -- the file's size, if known, used or not. */
bool recent_size(struct recent *recent, pid_t tid, uint64_t node, off_t *size);
bool recent_beyond_end(struct recent *recent, pid_t tid, uint64_t node, off_t offset);

/*
 * Call these after the server's reply and before answering the kernel. recent_accessed -- only the access time may have
 * changed. recent_changed -- the inode has changed. recent_name_gone -- a file's name was removed from this directory:
 * the link counts of all files are unknown. recent_names_moved -- any inode may have changed.
 */
void recent_accessed(struct recent *recent, uint64_t node);
void recent_changed(struct recent *recent, uint64_t node);
void recent_name_gone(struct recent *recent, uint64_t directory);
void recent_names_moved(struct recent *recent);

#endif
