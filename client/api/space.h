/*
 * space.h -- where a file has data.
 */
#ifndef FARNOVA_CLIENT_SPACE_H
#define FARNOVA_CLIENT_SPACE_H

#include "client/session/open_files.h"

/* space_seek -- where the next data (SEEK_DATA) or hole (SEEK_HOLE) begins at or after `offset`; -ENXIO as lseek(2). */
int64_t space_seek(struct farnova_file *file, int64_t offset, int whence);

#endif
