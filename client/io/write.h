/*
 * write.h -- writes of file data: through the staging ring, small writes in the message.
 */
#ifndef FARNOVA_CLIENT_WRITE_H
#define FARNOVA_CLIENT_WRITE_H

#include "client/session/open_files.h"

/* write_file -- write at `offset`, or with `append` at the end of the file; `*end` receives the offset behind the
 * data. */
ssize_t write_file(struct farnova_file *file, const void *data, size_t length, uint64_t offset, bool append,
                   uint64_t *end);

#endif
