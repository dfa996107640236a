/*
 * read.h -- reads of file data: by READs under a layout, else by message.
 */
#ifndef FARNOVA_CLIENT_READ_H
#define FARNOVA_CLIENT_READ_H

#include "client/session/open_files.h"

/* read_file -- up to `length` bytes at `offset`; less only at the end of the file. */
ssize_t read_file(struct farnova_file *file, void *buffer, size_t length, uint64_t offset);

#endif
