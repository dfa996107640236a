/*
 * error.h -- how the library's edge reports a failure: errno, and the thread's last error in words.
 */
#ifndef FARNOVA_CLIENT_ERROR_H
#define FARNOVA_CLIENT_ERROR_H

struct farnova;
struct farnova_file;

/*
 * error_set -- remember the words for farnova_last_error() and set errno to `error` (an errno, positive). Returns -1,
 * so that a call can end with it. The text says what was asked and of whom; why it failed and what to do are appended.
 */
int error_set(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* error_explained -- the same for a text that says why it failed, too. */
int error_explained(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* error_path -- error_set for `operation` on `path` of `fs`; `error` is negative, as inside the library. */
int error_path(struct farnova *fs, int error, const char *operation, const char *path);

/* error_handle -- the same for an operation on an inode known by number. */
int error_handle(struct farnova *fs, int error, const char *operation, unsigned long long ino);

#endif
