/*
 * new_uuid.c -- `farnova new-uuid`: makes a copy of a pool a pool of its own.
 */
#include "server/pool/cmd/pool_commands.h"

#include "common/json.h"
#include "common/log.h"
#include "common/pm/pm.h"
#include "common/uuid.h"
#include "server/nova/nova.h"
#include "server/pool/cmd/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: farnova new-uuid [OPTION]... POOL\n"
    "Give the copy POOL of a pool, which no server may be using, a UUID of its own, so that it can be served beside "
    "the\n"
    "original. Files do not change. Clients of the original are not known to the copy, and it takes no handles of the\n"
    "original. POOL must have been unmounted cleanly. The next server on it reads all logs once. After a crash the "
    "pool\n"
    "has the old UUID or the new one.\n"
    "\n"
    "      --json       write one JSON object\n"
    "      --help       show this\n"
    "\n"
    "Exit code: 0 changed, 1 failed, 2 usage.\n";

struct options {
	const char *path;
	bool as_json;
};

static int parse(int argc, char **argv, struct options *options)
{
	static const struct option long_options[] = {
	    {"json", no_argument, NULL, 'j'},
	    POOL_HELP_OPTION,
	    {NULL, 0, NULL, 0},
	};
	int c;

	*options = (struct options){0};
	optind = 0;
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c != 'j')
			return pool_other_option(c, "new-uuid", usage);
		options->as_json = true;
	}
	return pool_one_path(argc, argv, "new-uuid", &options->path);
}

static void tell(const struct options *options, const char *old_text, const char *new_text)
{
	struct json json = {stdout, true};

	if (!options->as_json) {
		printf("'%s' has the UUID %s now; it was %s\n", options->path, new_text, old_text);
		return;
	}
	json_open(&json, NULL, '{');
	json_text(&json, "pool", options->path);
	json_text(&json, "uuid", new_text);
	json_text(&json, "old_uuid", old_text);
	json_close(&json, '}');
	putchar('\n');
}

int pool_new_uuid_main(int argc, char **argv)
{
	uint8_t old_uuid[UUID_BYTES], new_uuid[UUID_BYTES];
	char old_text[UUID_TEXT], new_text[UUID_TEXT], why[512] = "";
	struct options options;
	struct pm pm;
	int rc;

	rc = parse(argc, argv, &options);
	if (rc)
		return pool_parse_result(rc);
	log_set_level(LOG_LEVEL_WARN); /* what a mount tells is of no use here */
	rc = pm_open(options.path, false, &pm, why, sizeof(why));
	if (rc) {
		fprintf(stderr, "farnova new-uuid: %s\n", why);
		return 1;
	}
	rc = nova_new_uuid(&pm, old_uuid, new_uuid, why, sizeof(why));
	pm_close(&pm);
	if (rc) {
		fprintf(stderr, "farnova new-uuid: cannot change '%s': %s%s\n", options.path,
		        *why ? why : strerror(-rc), rc == -EIO ? "; check it with `farnova fsck`" : "");
		return 1;
	}
	uuid_text(old_uuid, old_text);
	uuid_text(new_uuid, new_text);
	tell(&options, old_text, new_text);
	return 0;
}
