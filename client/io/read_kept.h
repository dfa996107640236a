/*
 * read_kept.h -- reads of data that the program keeps until the file's layout ends.
 */
#ifndef FARNOVA_CLIENT_READ_KEPT_H
#define FARNOVA_CLIENT_READ_KEPT_H

#include "client/session/open_files.h"

/*
 * read_file_kept -- read_file, and `*kept`: whether the data were read under a layout that is still held. When that
 * ends, the program gets an invalidation; it may get one that it does not need. The lock is not held.
 */
ssize_t read_file_kept(struct farnova_file *file, void *buffer, size_t length, uint64_t offset, bool *kept);

#endif
