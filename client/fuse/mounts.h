/*
 * mounts.h -- finds mounts, and tells when the process that serves a farnova mount has ended.
 *
 * A mount disappears before its process has sent BYE to the server and ended. To wait for both, connect to the
 * process's socket (mounts_watch) before the unmount, and wait for the end of that connection afterwards. These
 * functions do not access the mounted file system, which blocks while its server is unreachable.
 */
#ifndef FARNOVA_FUSE_MOUNTS_H
#define FARNOVA_FUSE_MOUNTS_H

#include <limits.h>

enum mount_kind { MOUNT_NONE, MOUNT_OTHER, MOUNT_FARNOVA };

#define MOUNT_DEVICE_SIZE  32
#define MOUNT_OPTIONS_SIZE 1024

/*
 * mounts_resolve -- the absolute path of a mount point. Resolves only the parent directory and does not access the
 * mount. -errno.
 */
int mounts_resolve(const char *directory, char path[PATH_MAX]);

/* mounts_find -- the kind of the topmost mount at `path`, absolute and resolved; `device` receives its
 * "major:minor". */
enum mount_kind mounts_find(const char *path, char device[MOUNT_DEVICE_SIZE]);

/* mounts_options -- the same, with the mount's options as the kernel lists them, comma-separated. */
enum mount_kind mounts_options(const char *path, char options[MOUNT_OPTIONS_SIZE]);

/* mounts_announce -- in the serving process, once mounted: returns a descriptor to keep open until the process ends, or
 * -errno. */
int mounts_announce(const char *device);

/* mounts_watch -- a descriptor that becomes readable when the process that serves `device` has ended, or -errno. */
int mounts_watch(const char *device);

#endif
