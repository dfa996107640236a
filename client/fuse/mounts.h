/*
 * mounts.h -- what is mounted where, and a sign of life of the process that serves a farnova mount.
 *
 * A mount is gone before the process that served it has said goodbye to the server. Whoever takes a mount down and
 * wants to wait for both connects to the process's sign of life first, and afterwards waits for that connection to end.
 * Nothing here touches the mounted file system itself, which hangs when its server is gone.
 */
#ifndef FARNOVA_FUSE_MOUNTS_H
#define FARNOVA_FUSE_MOUNTS_H

#include <limits.h>

enum mount_kind { MOUNT_NONE, MOUNT_OTHER, MOUNT_FARNOVA };

#define MOUNT_DEVICE_SIZE  32
#define MOUNT_OPTIONS_SIZE 1024

/*
 * mounts_resolve -- the absolute path of a mount point: only the directory above it is resolved and the mount itself is
 * not touched. -errno.
 */
int mounts_resolve(const char *directory, char path[PATH_MAX]);

/* mounts_find -- what is mounted on top at `path`, absolute and resolved; `device` receives its "major:minor". */
enum mount_kind mounts_find(const char *path, char device[MOUNT_DEVICE_SIZE]);

/* mounts_options -- the same, with the mount's options as the kernel tells them, comma-separated. */
enum mount_kind mounts_options(const char *path, char options[MOUNT_OPTIONS_SIZE]);

/* mounts_announce -- in the serving process, once mounted: a descriptor to keep until the process ends, or -errno. */
int mounts_announce(const char *device);

/* mounts_watch -- a descriptor that becomes readable when the process serving `device` has ended, or -errno. */
int mounts_watch(const char *device);

#endif
