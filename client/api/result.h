/*
 * result.h -- how a public call reports that the server or the connection failed it.
 */
#ifndef FARNOVA_CLIENT_RESULT_H
#define FARNOVA_CLIENT_RESULT_H

#include "client/link/error.h"
#include "client/session/session.h"

#define ERROR_TEXT 201u

/* error_text -- what can be read of a string of the program, and has room in `out`. */
const char *error_text(char out[ERROR_TEXT], const char *text);

/* error_path -- error_set for `operation` on `path` of `fs`; `error` is negative, as inside the library. */
int error_path(struct farnova *fs, int error, const char *operation, const char *path);

/* error_handle -- the same for an operation on an inode known by number. */
int error_handle(struct farnova *fs, int error, const char *operation, unsigned long long ino);

#endif
