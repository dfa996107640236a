/*
 * dump_image.h -- writes an image of a pool without the contents of its files.
 */
#ifndef FARNOVA_SERVER_POOL_DUMP_IMAGE_H
#define FARNOVA_SERVER_POOL_DUMP_IMAGE_H

#include "server/pool/image/image.h"

/*
 * dump_image -- write an image that fsck, dump and a mount accept to a new file at `path`. `hide_names` -- hide names,
 * symlink targets and the values of extended attributes, except for ACLs. *bytes receives the number of bytes written;
 * the rest of the file is holes. -errno; then the file was removed.
 */
int dump_image(const struct image *image, const char *path, bool hide_names, uint64_t *bytes);

#endif
