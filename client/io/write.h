/*
 * write.h -- writes of file data: through the staging ring, small writes in the message.
 */
#ifndef FARNOVA_CLIENT_WRITE_H
#define FARNOVA_CLIENT_WRITE_H

#include "client/session/call.h"
#include "client/session/open_files.h"

/* write_file -- write at `offset`, or with `append` at the end of the file; `*end` receives the offset behind the
 * data. */
ssize_t write_file(struct farnova_file *file, const void *data, size_t length, uint64_t offset, bool append,
                   uint64_t *end);

/* write_limit -- whether the file may be written at `offset`: -EBADF, -EFBIG; and limit `*length` to what a call can
 * write. write_most -- bytes of a write that is one atomic change. */
int write_limit(const struct farnova_file *file, uint64_t offset, size_t *length);
uint32_t write_most(const struct farnova *fs);

/* write_new -- a call that writes `length` bytes (1..write_most) in one atomic change; the caller copies the data to
 * call->memory and starts it. `*end` receives the offset behind the data. NULL without memory. */
struct call *write_new(struct farnova_file *file, uint32_t length, uint64_t offset, bool append, uint64_t *end);

#endif
