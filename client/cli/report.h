/*
 * report.h -- how commands say what went wrong.
 */
#ifndef FARNOVA_CLI_REPORT_H
#define FARNOVA_CLI_REPORT_H

#include <stdio.h>

/* report_error -- "farnova COMMAND: text" on stderr, as one line that does not mix with a progress line. */
void report_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* report_remote -- the library's last error in words, or `what` and errno where it has none. */
void report_remote(const char *command, const char *what);

/* report_usage -- "farnova COMMAND: text" and where help is; returns EXIT_USAGE. */
int report_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
