/*
 * options.h -- what the command lines of mkfs, grow, fsck and dump have in common.
 *
 * A parser returns 0 to go on, POOL_HELP_SHOWN when there is nothing left to do, or POOL_USAGE after it said what is
 * wrong.
 */
#ifndef FARNOVA_SERVER_POOL_OPTIONS_H
#define FARNOVA_SERVER_POOL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { POOL_HELP_SHOWN = 1, POOL_USAGE = 2 };

/* The last long option of every command; its value lies above all letters. */
#define POOL_HELP_VALUE 256
#define POOL_HELP_OPTION                                                                                               \
	{                                                                                                              \
		"help", no_argument, NULL, POOL_HELP_VALUE                                                             \
	}

/* pool_usage_error -- say what is wrong with the command line; `what` is the format's argument. Returns POOL_USAGE. */
int pool_usage_error(const char *command, const char *format, const char *what) __attribute__((format(printf, 2, 0)));

/* pool_other_option -- what to return for --help (shown here) and for what getopt_long has complained about. */
int pool_other_option(int c, const char *command, const char *usage);

/* pool_one_path -- the one argument that is no option. */
int pool_one_path(int argc, char **argv, const char *command, const char **path);

/* pool_parse_result -- the exit code for a parser's result other than 0. */
int pool_parse_result(int result);

/* pool_parse_size -- N[K|M|G|T], at least 1. */
bool pool_parse_size(const char *text, uint64_t *size);

#endif
