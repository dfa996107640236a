/*
 * data.h -- the way of the data: READs under a layout, writes through the staging ring, and both by message.
 */
#ifndef FARNOVA_CLIENT_DATA_H
#define FARNOVA_CLIENT_DATA_H

#include "client/api/file.h"

/* data_read -- up to `length` bytes at `offset`; less only at the end of the file. */
ssize_t data_read(struct farnova_file *file, void *buffer, size_t length, uint64_t offset);

/* data_write -- at `offset`, or with `append` at the end of the file; `*end` is where the data end. */
ssize_t data_write(struct farnova_file *file, const void *data, size_t length, uint64_t offset, bool append,
                   uint64_t *end);

#endif
