/*
 * file.h -- converts the flags of open.
 */
#ifndef FARNOVA_CLIENT_FILE_H
#define FARNOVA_CLIENT_FILE_H

#include "client/session/open_files.h"

/* file_flags -- convert the flags of open(2) to the protocol's; -EINVAL, -EOPNOTSUPP. */
int file_flags(int flags, uint32_t *out);

#endif
