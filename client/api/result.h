/*
 * result.h -- how a public call reports a failure of the server or the connection.
 */
#ifndef FARNOVA_CLIENT_RESULT_H
#define FARNOVA_CLIENT_RESULT_H

#include "client/link/error.h"
#include "client/session/session.h"

#define ERROR_TEXT 201u

/* error_text -- copy the readable part of a string of the program, as much as `out` can hold. */
const char *error_text(char out[ERROR_TEXT], const char *text);

/* error_path -- set the error of `operation` on `path` of `fs`; `error` is negative, as inside the library. */
int error_path(struct farnova *fs, int error, const char *operation, const char *path);

/* error_handle -- the same for an operation on an inode, given by number. */
int error_handle(struct farnova *fs, int error, const char *operation, unsigned long long ino);

#endif
