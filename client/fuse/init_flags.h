/*
 * init_flags.h -- what the mount agrees on with the kernel beyond what this version of libfuse knows.
 *
 * The kernel offers features in its first request (INIT) and the reply takes some. libfuse 3.14 has no names for those
 * behind the first 32; its reply is amended on its way out.
 */
#ifndef FARNOVA_FUSE_INIT_FLAGS_H
#define FARNOVA_FUSE_INIT_FLAGS_H

#include <stdbool.h>

struct fuse_session;

/*
 * init_flags_map_shared -- ask for shared mappings of files opened with direct_io (Linux 6.6 and later). To be called
 * between fuse_session_mount and the loop. -errno.
 */
int init_flags_map_shared(struct fuse_session *session);

/* init_flags_offered -- whether the kernel has it; known once INIT has come. */
bool init_flags_offered(void);

#endif
