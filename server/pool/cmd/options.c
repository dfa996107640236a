/*
 * options.c -- shared by the command lines of mkfs, grow, new-uuid, fsck and dump.
 */
#include "server/pool/cmd/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pool_usage_error(const char *command, const char *format, const char *what)
{
	fprintf(stderr, "farnova %s: ", command);
	fprintf(stderr, format, what);
	fprintf(stderr, "\n`farnova %s --help` shows how it is used\n", command);
	return POOL_USAGE;
}

int pool_other_option(int c, const char *command, const char *usage)
{
	if (c == POOL_HELP_VALUE) {
		fputs(usage, stdout);
		return POOL_HELP_SHOWN;
	}
	fprintf(stderr, "`farnova %s --help` shows how it is used\n", command);
	return POOL_USAGE;
}

int pool_one_path(int argc, char **argv, const char *command, const char **path)
{
	if (optind + 1 != argc)
		return pool_usage_error(command, "%s", optind == argc ? "no POOL given" : "more than one POOL given");
	*path = argv[optind];
	return 0;
}

int pool_parse_result(int result)
{
	return result == POOL_HELP_SHOWN ? 0 : result;
}

bool pool_parse_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMGT";
	const char *unit;
	char *end;
	unsigned shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*size = strtoull(text, &end, 10);
	if (errno || *size == 0)
		return false;
	if (*end) {
		unit = strchr(units, *end & ~0x20);
		if (!unit || end[1])
			return false;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (*size > (uint64_t)INT64_MAX >> shift)
		return false;
	*size <<= shift;
	return true;
}
