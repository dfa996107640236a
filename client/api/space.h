/*
 * space.h -- seek for data and holes of a file.
 */
#ifndef FARNOVA_CLIENT_SPACE_H
#define FARNOVA_CLIENT_SPACE_H

#include "client/session/open_files.h"

/* space_seek -- the offset of the next data (SEEK_DATA) or hole (SEEK_HOLE) at or after `offset`; -ENXIO as for
 * lseek(2). */
int64_t space_seek(struct farnova_file *file, int64_t offset, int whence);

/* The calls of fallocate and of a copy, to be started by others: 0 or -errno. A copy of nothing has none. `*count`
 * receives what was copied. */
int space_allocate_call(struct farnova_file *file, int mode, off_t offset, off_t length, struct call **out);
int space_copy_call(struct farnova_file *in, uint64_t in_offset, struct farnova_file *out, uint64_t out_offset,
                    uint64_t length, ssize_t *count, struct call **made);

#endif
