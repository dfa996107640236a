/*
 * report.h -- prints the errors of commands.
 */
#ifndef FARNOVA_CLI_REPORT_H
#define FARNOVA_CLI_REPORT_H

#include <stdio.h>

/* report_error -- print "farnova COMMAND: text" on stderr, as one line that does not mix with a progress line. */
void report_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* report_remote -- print the library's last error, or `what` and errno if there is none. */
void report_remote(const char *command, const char *what);

/* report_usage -- print "farnova COMMAND: text" and how to get help; returns EXIT_USAGE. */
int report_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
