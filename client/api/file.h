/*
 * file.h -- converts the flags of open, and makes its request.
 */
#ifndef FARNOVA_CLIENT_FILE_H
#define FARNOVA_CLIENT_FILE_H

#include "client/session/open_files.h"

/* file_flags -- convert the flags of open(2) to the protocol's; -EINVAL, -EOPNOTSUPP. */
int file_flags(int flags, uint32_t *out);

/* file_request -- the request that opens `path` with the flags of open(2), and the protocol's flags for it; the same
 * errors. */
int file_request(struct farnova *fs, struct proto_string path, int flags, mode_t mode, struct proto_request *request,
                 uint32_t *proto);

#endif
