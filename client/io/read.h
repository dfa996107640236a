/*
 * read.h -- reads of file data that wait.
 */
#ifndef FARNOVA_CLIENT_READ_H
#define FARNOVA_CLIENT_READ_H

#include "client/session/open_files.h"

/* read_file -- read up to `length` bytes at `offset`; fewer only at the end of the file or after an error. */
ssize_t read_file(struct farnova_file *file, void *buffer, size_t length, uint64_t offset);

/* read_ask_layout -- request a layout that covers `offset`, if a request is allowed now; lock held, released meanwhile.
 * True if the lookup of `offset` in the layout should be repeated. */
bool read_ask_layout(struct farnova_file *file, uint64_t offset);

/* read_limit -- whether the file may be read: -EBADF, -EISDIR; and limit `*length` to what a call can read. */
int read_limit(const struct farnova_file *file, uint64_t offset, size_t *length);

#endif
