/*
 * channel_read.h -- reads by the channel of the calling thread.
 */
#ifndef FARNOVA_CLIENT_CHANNEL_READ_H
#define FARNOVA_CLIENT_CHANNEL_READ_H

#include "client/session/open_files.h"

/*
 * channel_read -- read up to `length` bytes (1..READING_MAX) at `offset` into the program's memory, by READ under the
 * layout. No lock is held. Returns the bytes read, with `*end` as in a reading; -EFAULT; -ETIMEDOUT. -EAGAIN: the
 * connection has no channel, or this cannot be read by it now: read otherwise.
 */
ssize_t channel_read(struct farnova_file *file, uint8_t *to, size_t length, uint64_t offset, bool *end);

#endif
