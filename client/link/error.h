/*
 * error.h -- how the library's edge reports a failure: errno, and the thread's last error in words.
 */
#ifndef FARNOVA_CLIENT_ERROR_H
#define FARNOVA_CLIENT_ERROR_H

/*
 * error_set -- remember the words for farnova_last_error() and set errno to `error` (an errno, positive). Returns -1,
 * so that a call can end with it. The text says what was asked and of whom; why it failed and what to do are appended.
 */
int error_set(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* error_explained -- the same for a text that says why it failed, too. */
int error_explained(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
