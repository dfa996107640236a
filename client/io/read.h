/*
 * read.h -- reads of file data: by RDMA READ under a layout, else by message.
 */
#ifndef FARNOVA_CLIENT_READ_H
#define FARNOVA_CLIENT_READ_H

#include "client/session/open_files.h"

/* read_file -- read up to `length` bytes at `offset`; fewer only at the end of the file or after an error. */
ssize_t read_file(struct farnova_file *file, void *buffer, size_t length, uint64_t offset);

#endif
