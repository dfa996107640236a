/*
 * options.h -- shared by the command lines of mkfs, grow, new-uuid, fsck and dump.
 *
 * A parser returns 0 to continue, POOL_HELP_SHOWN if nothing is left to do, or POOL_USAGE after it has printed what is
 * wrong.
 */
#ifndef FARNOVA_SERVER_POOL_OPTIONS_H
#define FARNOVA_SERVER_POOL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { POOL_HELP_SHOWN = 1, POOL_USAGE = 2 };

/* The last long option of every command; its value is greater than that of any letter. */
#define POOL_HELP_VALUE 256
#define POOL_HELP_OPTION                                                                                               \
	{                                                                                                              \
		"help", no_argument, NULL, POOL_HELP_VALUE                                                             \
	}

/* pool_usage_error -- print what is wrong with the command line; `what` is the format's argument. Returns POOL_USAGE.
 */
int pool_usage_error(const char *command, const char *format, const char *what) __attribute__((format(printf, 2, 0)));

/* pool_other_option -- show the usage for --help; the result is to be returned. Also for options that getopt_long has
 * rejected. */
int pool_other_option(int c, const char *command, const char *usage);

/* pool_one_path -- take the POOL argument; an error if there is none or more than one. */
int pool_one_path(int argc, char **argv, const char *command, const char **path);

/* pool_parse_result -- the exit code for a parser's result other than 0. */
int pool_parse_result(int result);

/* pool_parse_size -- N[K|M|G|T], at least 1. */
bool pool_parse_size(const char *text, uint64_t *size);

#endif
