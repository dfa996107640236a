/*
 * pages.h -- drops stale pages of files from the kernel's page cache.
 *
 * Without --cache=kernel, read(2) and write(2) bypass the page cache. Mappings, splice(2) and sendfile(2) use it. The
 * kernel fills its pages with READ requests that have no lock owner; those of read(2) have one.
 *
 * - Pages are filled under a layout. The server recalls the layout before another client changes the file, and the
 *   mount acknowledges the recall after it has dropped the pages (farnova_pread_kept). So a load from a mapping sees
 *   every change that has returned. A fill in progress during a recall leaves no page either: the page is locked from
 *   before the READ request until after the reply, and dropping it waits for the lock.
 * - If the server grants no layout, because other clients are changing the file, the pages are dropped PAGES_KEEP_NS
 *   after the reply. If they were dropped at once, the load that needs them might never complete.
 * - The kernel writes whole pages. A page that a mapping changed without a layout could overwrite what another client
 *   wrote to the same page. So in a file that is open for writing here, a fill waits for a layout, for at most
 *   PAGES_WAIT_NS. It does not wait while an invalidation of the file is carried out: that waits for the page's lock.
 * - A write(2) of this mount drops the pages of its range before it returns. Some kernels drop them only before they
 *   send the WRITE request, and the page may have been filled again since. For other changes the kernel drops the pages
 *   after the reply.
 *
 * To drop a page the kernel waits for the page's lock, and first writes a page that a mapping has changed. Both need
 * requests to be answered. So separate threads drop pages; they hold no lock and serve no requests.
 *
 * Thread safety: all functions.
 */
#ifndef FARNOVA_FUSE_PAGES_H
#define FARNOVA_FUSE_PAGES_H

#include "client/fuse/mount_state.h"

#define PAGES_KEEP_NS INT64_C(1000000)
#define PAGES_WAIT_NS INT64_C(1000000000)

/* Counters since the mount began: fills, those without a layout, and how often pages were dropped. */
struct pages_counts {
	uint64_t filled, filled_once, dropped;
};
struct pages_counts pages_count(void);

/* pages_start -- start the threads; the session is mounted. -errno. */
int pages_start(struct mount_state *state);

/*
 * pages_end -- stop dropping pages. Call it while requests are still served, before the session ends, until it returns
 * true: then no thread is dropping pages. pages_stop -- end the threads; call it afterwards.
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
