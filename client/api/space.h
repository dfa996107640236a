/*
 * space.h -- seek for data and holes of a file.
 */
#ifndef FARNOVA_CLIENT_SPACE_H
#define FARNOVA_CLIENT_SPACE_H

#include "client/session/open_files.h"

/* space_seek -- the offset of the next data (SEEK_DATA) or hole (SEEK_HOLE) at or after `offset`; -ENXIO as for
 * lseek(2). */
int64_t space_seek(struct farnova_file *file, int64_t offset, int whence);

#endif
