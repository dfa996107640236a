/*
 * pages.h -- drops pages of files from the kernel's cache before they show old data.
 *
 * Without --cache=kernel, read(2) and write(2) pass the kernel's cache by. Pages get into it by mappings and by
 * splice(2) and sendfile(2). The kernel fills them with READ requests without a lock owner; a read(2) has one.
 *
 * - A page is filled under a layout, which the server recalls before another client changes the file. The recall is
 *   acknowledged when the pages are dropped (farnova_pread_kept), so who loads from a mapping sees every change that
 *   has returned. A page is locked from before its READ request until the reply, and dropping waits for that lock: so
 *   a fill that is under way during a recall leaves nothing either.
 * - If no layout is granted, because other clients change the file right now, the pages are dropped PAGES_KEEP_NS after
 *   the reply. (At once would be too early: the load that needs the page would never complete.) If the file is open
 *   for writing here, the fill waits for a layout, at most PAGES_WAIT_NS: the kernel writes whole pages, and a page that
 *   a mapping changes without a layout could overwrite what another client wrote beside the change meanwhile.
 * - A write(2) of this mount drops the pages of its range before it returns. The kernel drops them only before the
 *   write, and a page may have been filled again since. For changes other than writes the kernel drops the pages itself
 *   after the reply.
 *
 * To drop a page the kernel waits for the page's lock, and writes it first if a mapping has changed it: another thread
 * must answer these requests meanwhile. So threads of their own do it, which hold no lock and serve no requests.
 *
 * Thread safety: all functions.
 */
#ifndef FARNOVA_FUSE_PAGES_H
#define FARNOVA_FUSE_PAGES_H

#include "client/fuse/mount_state.h"

#define PAGES_KEEP_NS INT64_C(1000000)
#define PAGES_WAIT_NS INT64_C(5000000000)

/* Counters since the mount began: fills, those without a layout, and how often pages were dropped. */
struct pages_counts {
	uint64_t filled, filled_once, dropped;
};
struct pages_counts pages_count(void);

/* pages_start -- start the threads; the session is mounted. -errno. */
int pages_start(struct mount_state *state);

/*
 * pages_end -- drop nothing any more. Call it while requests are still served, before the session ends; returns false
 * while a thread is still dropping pages: call it again. pages_stop -- end the threads; after that.
 */
bool pages_end(void);
void pages_stop(void);

/* pages_are_filled -- whether the request fills pages of the kernel's cache. */
bool pages_are_filled(const struct mount_state *state, const struct fuse_file_info *info);

/* pages_reply_read -- answer a read that fills pages. */
void pages_reply_read(struct mount_state *state, fuse_req_t req, fuse_ino_t ino, struct farnova_file *file, void *data,
                      size_t size, off_t offset);

/* pages_reply_write -- answer a write(2) that has written `size` bytes. The pages are dropped first; `append`: the
 * range is not known. */
void pages_reply_write(struct mount_state *state, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                       bool append);

#endif
