/*
 * grow.c -- `farnova grow`: makes a pool larger.
 */
#include "server/pool/cmd/pool_commands.h"

#include "common/pm/pm.h"
#include "server/nova/nova.h"
#include "server/pool/cmd/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: farnova grow [OPTION]... POOL\n"
    "Give the file system on POOL, which no server may be using, more space. Its contents do not change. After a "
    "crash\n"
    "it has the old or the new size. A pool cannot shrink.\n"
    "\n"
    "  -s, --size=N[K|M|G|T]    the new size of a file; without it the file system takes all that the file has now.\n"
    "                           A devdax device is always taken whole\n"
    "      --help               show this\n"
    "\n"
    "Exit code: 0 grown, or as large already; 1 failed, 2 usage.\n";

struct options {
	const char *path;
	uint64_t size; /* 0 = not given */
};

static int parse(int argc, char **argv, struct options *options)
{
	static const struct option long_options[] = {
	    {"size", required_argument, NULL, 's'},
	    POOL_HELP_OPTION,
	    {NULL, 0, NULL, 0},
	};
	int c;

	*options = (struct options){0};
	optind = 0;
	while ((c = getopt_long(argc, argv, "s:", long_options, NULL)) != -1) {
		if (c != 's')
			return pool_other_option(c, "grow", usage);
		if (!pool_parse_size(optarg, &options->size))
			return pool_usage_error("grow", "'%s' is no size; write for instance 512M or 4G", optarg);
	}
	return pool_one_path(argc, argv, "grow", &options->path);
}

/* Check that the path holds a pool, before the file is made longer. */
static int look(const char *path, char *why, size_t why_size)
{
	struct pm pm;
	int rc = pm_open(path, true, &pm, why, why_size);

	if (rc)
		return rc;
	rc = nova_served(&pm, why, why_size);
	pm_close(&pm);
	return rc;
}

int pool_grow_main(int argc, char **argv)
{
	uint64_t old_bytes = 0, new_bytes = 0;
	struct options options;
	char why[512] = "";
	struct pm pm;
	int rc;

	rc = parse(argc, argv, &options);
	if (rc)
		return pool_parse_result(rc);
	rc = look(options.path, why, sizeof(why));
	if (!rc)
		rc = pm_open_grown(options.path, options.size, &pm, why, sizeof(why));
	if (!rc) {
		rc = nova_grow(&pm, &old_bytes, &new_bytes, why, sizeof(why));
		pm_close(&pm);
	}
	if (rc) {
		fprintf(stderr, "farnova grow: cannot grow '%s': %s\n", options.path, *why ? why : strerror(-rc));
		return 1;
	}
	if (new_bytes > old_bytes)
		printf("grew '%s' from %llu MiB to %llu MiB\n", options.path, (unsigned long long)(old_bytes >> 20),
		       (unsigned long long)(new_bytes >> 20));
	else
		printf("'%s' has %llu MiB already; give the new size with --size\n", options.path,
		       (unsigned long long)(old_bytes >> 20));
	return 0;
}
