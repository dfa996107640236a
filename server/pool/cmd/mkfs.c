/*
 * mkfs.c -- `farnova mkfs`: makes an empty file system on a pool path.
 */
#include "server/pool/cmd/pool_commands.h"

#include "common/pm/pm.h"
#include "server/nova/media/format.h"
#include "server/nova/nova.h"
#include "server/pool/cmd/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIN_BYTES ((uint64_t)NOVA_MIN_POOL_BLOCKS * NOVA_BLOCK_SIZE)

static const char usage[] =
    "Usage: farnova mkfs [OPTION]... POOL\n"
    "Make an empty farnova file system on POOL: a devdax device, or a file on fsdax, tmpfs or any file system.\n"
    "\n"
    "  -s, --size=N[K|M|G|T]    size of the pool, at least 10M; needed for a new file; a devdax device is taken whole\n"
    "  -L, --label=LABEL        name of the pool, up to 64 bytes\n"
    "  -m, --mode=MODE          permission bits of the root directory, octal (default 0755)\n"
    "  -o, --owner=UID[:GID]    owner of the root directory (default 0:0)\n"
    "  -f, --force              overwrite an existing file or pool; everything in it is lost\n"
    "      --help               show this\n"
    "\n"
    "Exit code: 0 made, 1 failed, 2 usage.\n";

struct options {
	const char *path;
	const char *label;
	uint64_t size; /* 0 = not given */
	uint32_t mode;
	uint32_t uid, gid;
	bool force;
};

static bool parse_u32(const char *text, int base, uint32_t max, const char *ends, uint32_t *value, const char **rest)
{
	unsigned long long v;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, base);
	if (errno || v > max || (*end && !strchr(ends, *end)))
		return false;
	*value = (uint32_t)v;
	*rest = end;
	return true;
}

static bool parse_owner(const char *text, struct options *options)
{
	const char *rest;

	if (!parse_u32(text, 10, UINT32_MAX - 1, ":", &options->uid, &rest))
		return false;
	options->gid = options->uid;
	return *rest == '\0' || parse_u32(rest + 1, 10, UINT32_MAX - 1, "", &options->gid, &rest);
}

/* 0 go on, 1 help was shown, 2 usage error. */
static int parse(int argc, char **argv, struct options *options)
{
	static const struct option long_options[] = {
	    {"size", required_argument, NULL, 's'},
	    {"label", required_argument, NULL, 'L'},
	    {"mode", required_argument, NULL, 'm'},
	    {"owner", required_argument, NULL, 'o'},
	    {"force", no_argument, NULL, 'f'},
	    POOL_HELP_OPTION,
	    {NULL, 0, NULL, 0},
	};
	const char *rest;
	int c;

	*options = (struct options){.mode = 0755};
	optind = 0;
	while ((c = getopt_long(argc, argv, "s:L:m:o:f", long_options, NULL)) != -1) {
		switch (c) {
		case 's':
			if (!pool_parse_size(optarg, &options->size))
				return pool_usage_error("mkfs", "'%s' is no size; write for instance 512M or 4G",
				                        optarg);
			break;
		case 'L':
			if (strlen(optarg) > 64)
				return pool_usage_error("mkfs", "the label '%s' is longer than 64 bytes", optarg);
			options->label = optarg;
			break;
		case 'm':
			if (!parse_u32(optarg, 8, 07777, "", &options->mode, &rest))
				return pool_usage_error(
				    "mkfs", "'%s' is no mode; write octal permission bits such as 1777", optarg);
			break;
		case 'o':
			if (!parse_owner(optarg, options))
				return pool_usage_error("mkfs", "'%s' is no owner; write UID or UID:GID as numbers",
				                        optarg);
			break;
		case 'f':
			options->force = true;
			break;
		default:
			return pool_other_option(c, "mkfs", usage);
		}
	}
	return pool_one_path(argc, argv, "mkfs", &options->path);
}

static int refuse(const char *format, const char *path)
{
	fprintf(stderr, "farnova mkfs: ");
	fprintf(stderr, format, path);
	fputc('\n', stderr);
	return 1;
}

/* Examine PATH without changing it: determine the size, and refuse to overwrite a pool without --force. */
static int look(struct options *options)
{
	struct stat st;
	struct pm pm;
	char why[512];
	bool pool;
	int rc;

	if (stat(options->path, &st) != 0) {
		if (errno != ENOENT)
			return 0; /* pm_create says what is wrong */
		if (options->size == 0)
			return refuse("'%s' does not exist: give the size of the new pool, for instance --size=1G",
			              options->path);
		return 0;
	}
	if (S_ISREG(st.st_mode)) {
		if (options->size == 0)
			options->size = (uint64_t)st.st_size;
		if (options->size == 0)
			return refuse("'%s' is empty: give the size of the pool, for instance --size=1G",
			              options->path);
	}
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return 0;
	rc = pm_open(options->path, true, &pm, why, sizeof(why));
	if (rc == -EBUSY)
		return refuse("%s", why);
	if (rc)
		return 0;
	if (options->force) {
		rc = nova_served(&pm, why, sizeof(why));
		pm_close(&pm);
		return rc == -EBUSY ? refuse("%s", why) : 0;
	}
	/* This includes pools of a newer version and damaged pools. */
	pool = nova_probe(&pm, why, sizeof(why)) != -EINVAL;
	pm_close(&pm);
	if (pool)
		return refuse(
		    "'%s' holds a farnova file system already; use --force to overwrite it and lose its contents",
		    options->path);
	return 0;
}

static void announce(const struct options *options, const struct pm *pm)
{
	static const char *const promise[] = {
	    [PM_DEVDAX] = "devdax: survives power failure; can be registered for RDMA",
	    [PM_FSDAX] = "fsdax: survives power failure; RDMA devices cannot pin it without on-demand paging",
	    [PM_MEMORY] = "memory: survives the end of the server but not of the host; can be registered for RDMA",
	    [PM_FILE] =
	        "file in the page cache: survives the end of the server but not power failure; RDMA cannot pin it",
	};

	printf("made a pool of %llu MiB at '%s'%s%s\n", (unsigned long long)(pm->size >> 20), options->path,
	       options->label ? ", label " : "", options->label ? options->label : "");
	printf("kind: %s\n", promise[pm->kind]);
}

int pool_mkfs_main(int argc, char **argv)
{
	struct nova_format_options format;
	struct options options;
	struct stat st;
	char why[512];
	struct pm pm;
	bool existed;
	int rc;

	rc = parse(argc, argv, &options);
	if (rc)
		return pool_parse_result(rc);
	rc = look(&options);
	if (rc)
		return rc;
	if (options.size && options.size < MIN_BYTES)
		return refuse("cannot make a pool at '%s': too small; a pool needs at least 10M", options.path);
	existed = stat(options.path, &st) == 0;
	rc = pm_create(options.path, options.size, options.force || (existed && S_ISREG(st.st_mode) && st.st_size == 0),
	               &pm, why, sizeof(why));
	if (rc)
		return refuse("%s", why);
	format = (struct nova_format_options){
	    .label = options.label,
	    .root_mode = options.mode,
	    .root_uid = options.uid,
	    .root_gid = options.gid,
	};
	rc = nova_format(&pm, &format);
	if (rc == 0)
		announce(&options, &pm);
	pm_close(&pm);
	if (rc == 0)
		return 0;
	fprintf(stderr, "farnova mkfs: cannot format '%s': %s\n", options.path,
	        rc == -ENOSPC ? "too small; a pool needs at least 10M" : strerror(-rc));
	if (!existed)
		unlink(options.path);
	return 1;
}
