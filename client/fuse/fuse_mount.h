/*
 * fuse_mount.h -- serve a FUSE mount of a remote file system through the client library.
 */
#ifndef FARNOVA_FUSE_FUSE_MOUNT_H
#define FARNOVA_FUSE_FUSE_MOUNT_H

#include "client/include/farnova.h"

#include <stdbool.h>

struct fuse_mount_options {
	const char *url;
	const char *directory;
	struct farnova_options connect;
	bool foreground;      /* stay in the foreground instead of going to the background once the mount is live */
	bool allow_other;     /* let other users in; the server checks what each may do */
	bool kernel_cache;    /* let the kernel cache data, names and attributes: for a single client only */
	bool local_locks;     /* grant locks among this host's programs, of which other clients know nothing */
	bool local_maps;      /* shared mappings, whose pages other clients' changes do not reach (Linux 6.6) */
	unsigned long flags;  /* MS_RDONLY, MS_NOSUID, MS_NODEV and MS_NOEXEC of <sys/mount.h> */
	bool debug;           /* print each request */
	unsigned threads;     /* at most so many requests at once; 0 = 16 */
	const char *log_path; /* where stderr goes in the background; NULL = nowhere */
};

/*
 * fuse_mount_run -- connect, mount, and serve until the mount is taken down or SIGTERM, SIGINT or SIGHUP comes. In the
 * background mode the calling process returns as soon as the mount is live and a child serves it. 0, or -errno after
 * `report` was told why in one sentence. To be called before the process has any thread.
 */
int fuse_mount_run(const struct fuse_mount_options *options, void (*report)(const char *text));

#endif
