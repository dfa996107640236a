/*
 * crash_test.c -- every operation, in every state, crashed at every fence.
 *
 * For each image that a crash could leave: fsck finds nothing, it mounts, the tree is the one before or the one after
 * the operation (after its return: the one after), nothing is lost from the free space, and files can be made, written,
 * renamed and removed again. For some, a second crash hits the recovery itself.
 *
 * With --mutations the test tests itself: each flush, each fence and each streaming store by which the operations make
 * something durable is left out in turn, and some image must then be wrong.
 */
#include "tests/crash/crash_case.h"
#include "tests/crash/grow_case.h"
#include "tests/crash/mutations.h"

#include "common/log.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: crash_test [OPTION]...\n"
    "  --state=NAME       only in this state; --list names them\n"
    "  --operation=NAME   only this operation\n"
    "  --mutations        leave out each flush, fence and streaming store in turn: each must be missed\n"
    "  --seed=N           of the random subsets (default 1)\n"
    "  --effort=PERCENT   so many images of the usual number (default 100)\n"
    "  --deep=N           crash the recovery of one image of N (default 100, 0 = never)\n"
    "  --kills=N          kill the process at one store of N, with a power failure later (default 4, 0 = never)\n"
    "  --keep=FILE        keep the first wrong image, for farnova fsck and dump\n"
    "  --list             list states and operations\n"
    "  -v                 tell each case\n";

struct options {
	const char *state, *operation, *keep;
	uint64_t seed, effort, deep, kills;
	bool mutations, verbose;
};

static void list(void)
{
	for (size_t i = 0; i < world_state_count; i++)
		printf("state %s: %s\n", world_states[i].name, world_states[i].meaning);
	for (size_t i = 0; i < operation_count; i++)
		printf("operation %s\n", operations[i].name);
	printf("operation mkfs (in no state)\noperation grow (in no state)\n");
}

/* 0 go on, 1 done, 2 usage error. */
static int parse(int argc, char **argv, struct options *options)
{
	static const struct option long_options[] = {
	    {"state", required_argument, NULL, 's'},
	    {"operation", required_argument, NULL, 'o'},
	    {"mutations", no_argument, NULL, 'm'},
	    {"seed", required_argument, NULL, 'S'},
	    {"effort", required_argument, NULL, 'e'},
	    {"deep", required_argument, NULL, 'd'},
	    {"keep", required_argument, NULL, 'k'},
	    {"list", no_argument, NULL, 'l'},
	    {"kills", required_argument, NULL, 'K'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	*options = (struct options){.seed = 1, .effort = 100, .deep = 100, .kills = 4};
	while ((c = getopt_long(argc, argv, "v", long_options, NULL)) != -1) {
		switch (c) {
		case 's':
			options->state = optarg;
			break;
		case 'o':
			options->operation = optarg;
			break;
		case 'm':
			options->mutations = true;
			break;
		case 'S':
			options->seed = strtoull(optarg, NULL, 0);
			break;
		case 'e':
			options->effort = strtoull(optarg, NULL, 0);
			break;
		case 'd':
			options->deep = strtoull(optarg, NULL, 0);
			break;
		case 'k':
			options->keep = optarg;
			break;
		case 'K':
			options->kills = strtoull(optarg, NULL, 0);
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'l':
			list();
			return 1;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	return 0;
}

static bool wanted(const struct options *options, const struct world_state *state, const struct operation *operation)
{
	if (options->state && strcmp(options->state, state->name) != 0)
		return false;
	if (options->operation && strcmp(options->operation, operation->name) != 0)
		return false;
	/* Rewriting a log and new slots need more space than such a pool has. */
	return !(state->nearly_full && operation->long_past);
}

/* What is tried in no state. */
static bool wanted_alone(const struct options *options, const char *name)
{
	return !options->state && (!options->operation || strcmp(options->operation, name) == 0);
}

static struct crash_settings settings_of(const struct options *options)
{
	return (struct crash_settings){
	    .limits =
	        {
	            .atoms = 40 * options->effort / 100,
	            .lines = 24 * options->effort / 100,
	            .atom_subsets = 16 * options->effort / 100,
	            .line_subsets = 8 * options->effort / 100,
	            .seed = options->seed,
	        },
	    .deep_every = options->deep,
	    .kill_every = options->kills,
	    .failures_max = 3,
	    .keep = options->keep,
	};
}

static unsigned try_case(const struct options *options, const struct world_state *state,
                         const struct operation *operation, struct crash_counts *counts)
{
	struct crash_settings settings = settings_of(options);
	struct crash_counts before = *counts;
	struct crash_case c = {0};
	unsigned failures = 1;

	if (crash_case_record(&c, state, operation, NULL, CRASH_SAME)) {
		failures = crash_case_try(&c, &settings, counts);
		if (options->kills && !state->nearly_full)
			failures += crash_case_kill(&c, &settings, counts);
	}
	crash_case_end(&c);
	if (options->verbose)
		printf("%s %s in %s: %" PRIu64 " images\n", failures ? "FAIL" : "ok", operation->name, state->name,
		       counts->tried - before.tried);
	return failures;
}

static int try_all(const struct options *options)
{
	struct crash_settings settings = settings_of(options);
	struct crash_counts counts = {0};
	unsigned failed = 0;

	for (size_t s = 0; s < world_state_count; s++)
		for (size_t o = 0; o < operation_count; o++)
			if (wanted(options, &world_states[s], &operations[o]))
				failed += try_case(options, &world_states[s], &operations[o], &counts) != 0;
	if (wanted_alone(options, "mkfs"))
		failed += crash_case_format(&settings, &counts) != 0;
	if (wanted_alone(options, "grow"))
		failed += grow_case(&settings, &counts) != 0;
	printf("crash: %" PRIu64 " cases, %" PRIu64 " moments, %" PRIu64 " images made, %" PRIu64
	       " different ones tried, %" PRIu64 " of a second crash during recovery, %" PRIu64
	       " processes killed; %u cases failed\n",
	       counts.cases, counts.fences, counts.made, counts.tried, counts.deep, counts.kills, failed);
	if (counts.cases == 0) {
		printf("crash: nothing was tried: see --list\n");
		return 1;
	}
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct options options;
	int rc = parse(argc, argv, &options);

	if (rc)
		return rc == 1 ? 0 : rc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_set_level(LOG_LEVEL_ERROR);
	return options.mutations ? mutations_try(options.state, options.operation, options.verbose) : try_all(&options);
}
