/*
 * file.h -- the flags a program opens files with.
 */
#ifndef FARNOVA_CLIENT_FILE_H
#define FARNOVA_CLIENT_FILE_H

#include "client/session/open_files.h"

/* file_flags -- open(2)'s flags as the protocol's, or -EINVAL, -EOPNOTSUPP. */
int file_flags(int flags, uint32_t *out);

#endif
