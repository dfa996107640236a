/*
 * error.h -- how the public calls report a failure: errno, and the text of the thread's last error.
 */
#ifndef FARNOVA_CLIENT_ERROR_H
#define FARNOVA_CLIENT_ERROR_H

/*
 * error_set -- store a text for farnova_last_error() and set errno to `error` (positive). Returns -1, so that a call
 * can return the result. The text says what was asked and of which server; error_set appends the reason and the advice.
 */
int error_set(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* error_explained -- the same for a text that contains the reason. */
int error_explained(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
