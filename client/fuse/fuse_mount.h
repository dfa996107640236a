/*
 * fuse_mount.h -- serves a FUSE mount of a remote file system through the client library.
 */
#ifndef FARNOVA_FUSE_FUSE_MOUNT_H
#define FARNOVA_FUSE_FUSE_MOUNT_H

#include "client/include/farnova.h"

#include <stdbool.h>

struct fuse_mount_options {
	const char *url;
	const char *directory;
	struct farnova_options connect;
	bool foreground;      /* stay in the foreground; else go to the background when the mount works */
	bool allow_other;     /* let other users access the mount; the server checks their permissions */
	bool kernel_cache;    /* let the kernel cache data, names and attributes: only for a single client */
	bool local_locks;     /* grant locks among programs of this host; other clients do not see them */
	bool local_maps;      /* fail if the kernel does not map files shared (Linux 6.6) */
	unsigned long flags;  /* MS_RDONLY, MS_NOSUID, MS_NODEV and MS_NOEXEC of <sys/mount.h> */
	bool debug;           /* print each request */
	unsigned threads;     /* maximum number of concurrent requests; 0 = 16 */
	const char *log_path; /* file for stderr in the background; NULL = none */
};

/*
 * fuse_mount_run -- connect, mount, and serve until an unmount or until SIGTERM, SIGINT or SIGHUP. In background mode a
 * child serves the mount, and the calling process returns as soon as it works. Returns 0, or -errno after passing the
 * reason to `report` in one sentence. Call it before the process has created a thread.
 */
int fuse_mount_run(const struct fuse_mount_options *options, void (*report)(const char *text));

#endif
