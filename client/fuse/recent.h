/*
 * recent.h -- replies that answer the kernel's next question as well.
 *
 * The kernel asks in small steps: LOOKUP a name, then GETATTR for permission to go on, and after an OPEN GETATTR again
 * for fstat(2). The server's reply to the first has told the second. So what a reply to LOOKUP, OPEN, CREATE or SETATTR told of
 * an inode answers one GETATTR (of a directory two: where a name is made the kernel checks it twice) and one question
 * for extended attributes that are not there, and a read that came to the end of a file answers the next read beyond
 * it: for the same thread, within a millisecond, and only while this mount has changed nothing that it depends on. Of
 * what other clients change in that millisecond a thread may so learn a millisecond late.
 *
 * The order between changes and replies is kept by moments: a number that grows with each change. A reply counts from
 * the moment before its request was sent, so one that was under way beside a change is not used.
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

/* recent_new -- NULL if memory is short. */
struct recent *recent_new(void);
void recent_free(struct recent *recent);

/* recent_moment -- now: to be taken before a request is sent. */
uint64_t recent_moment(const struct recent *recent);

/* recent_told -- a reply told thread `tid` (0: none, nothing is kept) what `node` is like. */
void recent_told(struct recent *recent, pid_t tid, uint64_t node, uint64_t moment, const struct stat *st,
                 bool no_xattrs);

/*
 * recent_set -- a change of this thread was made, and its reply told what the node is like now: as recent_changed, and
 * recent_told unless another change came in between.
 */
void recent_set(struct recent *recent, pid_t tid, uint64_t node, uint64_t moment, const struct stat *st,
                bool no_xattrs);

/* recent_ended -- a read of `tid` found the end of the file at `end`. */
void recent_ended(struct recent *recent, pid_t tid, uint64_t node, uint64_t moment, off_t end);

/* recent_attr, recent_no_xattrs, recent_beyond_end -- whether that is known to this thread and not used yet: the
 * attributes; that there are no extended attributes, and the mode; that `offset` is not before the end of the file. */
bool recent_attr(struct recent *recent, pid_t tid, uint64_t node, struct stat *st);
bool recent_no_xattrs(struct recent *recent, pid_t tid, uint64_t node, mode_t *mode);
/* recent_size -- the file's size, if that is known, used or not. */
bool recent_size(struct recent *recent, pid_t tid, uint64_t node, off_t *size);
bool recent_beyond_end(struct recent *recent, pid_t tid, uint64_t node, off_t offset);

/*
 * After the server's reply and before the kernel's: recent_accessed -- its access time may have changed, nothing else.
 * recent_changed -- the inode has changed. recent_name_gone -- a file's
 * name has gone from this directory: no file's link count is known. recent_names_moved -- any inode may have changed.
 */
void recent_accessed(struct recent *recent, uint64_t node);
void recent_changed(struct recent *recent, uint64_t node);
void recent_name_gone(struct recent *recent, uint64_t directory);
void recent_names_moved(struct recent *recent);

#endif
