/*
 * dump_image.h -- writes an image of a pool without the contents of its files.
 */
#ifndef FARNOVA_SERVER_POOL_DUMP_IMAGE_H
#define FARNOVA_SERVER_POOL_DUMP_IMAGE_H

#include "server/pool/image/image.h"

/*
 * dump_image -- make the file at `path`, which must not exist, an image that fsck, dump and a mount accept.
 * `hide_names`: names, targets of symlinks and values of extended attributes but ACLs are not in it. `bytes` receives
 * what was written; the rest is holes. -errno; then the file is gone.
 */
int dump_image(const struct image *image, const char *path, bool hide_names, uint64_t *bytes);

#endif
