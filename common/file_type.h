/*
 * file_type.h -- names of file types in output for people and scripts.
 */
#ifndef FARNOVA_COMMON_FILE_TYPE_H
#define FARNOVA_COMMON_FILE_TYPE_H

#include <sys/types.h>

/* file_type_name -- the name for the S_IFMT bits of `mode`: "file", "directory", "symlink", "fifo", "socket", "block
 * device", "character device" or "unknown". */
const char *file_type_name(mode_t mode);

#endif
