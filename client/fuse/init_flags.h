/*
 * init_flags.h -- negotiates features with the kernel that this version of libfuse does not know.
 *
 * The kernel offers features in its first request (INIT), and the reply accepts some. libfuse 3.14 knows only the first
 * 32 feature flags; this module adds others to its reply when the reply is sent.
 */
#ifndef FARNOVA_FUSE_INIT_FLAGS_H
#define FARNOVA_FUSE_INIT_FLAGS_H

#include <stdbool.h>

struct fuse_session;

/*
 * init_flags_map_shared -- request shared mappings of files opened with direct_io (Linux 6.6 and later). Call it
 * between fuse_session_mount and the session loop. 0 or -errno.
 */
int init_flags_map_shared(struct fuse_session *session);

/* init_flags_offered -- whether the kernel offers the feature; known after INIT has arrived. */
bool init_flags_offered(void);

#endif
