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
#include "tests/crash/checklist.h"
#include "tests/crash/crash_case.h"
#include "tests/crash/format_case.h"
#include "tests/crash/grow_case.h"
#include "tests/crash/mutations.h"
#include "tests/crash/new_uuid_case.h"
#include "tests/crash/parallel.h"
#include "tests/crash/race.h"
#include "tests/crash/trios.h"

#include "common/log.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "Usage: crash_test [OPTION]...\n"
    "  --state=NAME       only in this state; --list names them\n"
    "  --operation=NAME   only this operation (of pairs: the first)\n"
    "  --then=NAME        of pairs: only this second operation\n"
    "  --singles          try single operations (what is tried if nothing else is asked for)\n"
    "  --pairs            try pairs of operations: those of the checklist, then all, in an order that the seed gives\n"
    "  --seconds=N        begin no further pair after so long (default 0: no limit)\n"
    "  --races            try operations beside each other in two threads, some in three, likewise\n"
    "  --race-seconds=N   begin no further race after so long (default 0: no limit)\n"
    "  --jobs=N           processes (default: one for each CPU)\n"
    "  --part=I/N         only the I-th of N parts of the operations, pairs and races; 0/N: the part that the seed "
    "gives\n"
    "  --progress=N       tell how far it is after each N seconds\n"
    "  --mutations        leave out each flush, fence and streaming store in turn: each must be missed\n"
    "  --seed=N           of the random subsets and of the order of pairs (default 1; 0: another each day)\n"
    "  --effort=PERCENT   so many images of the usual number (default 100)\n"
    "  --deep=N           crash the recovery of one image of N (default 100, 0 = never)\n"
    "  --kills=N          kill the process at one store of N, with a power failure later (default 4, 0 = never)\n"
    "  --keep=FILE        keep the first wrong image, for farnova fsck and dump\n"
    "  --list             list states and operations\n"
    "  --checklist        list what is tested for each fault found in other file systems\n"
    "  -v                 tell each case\n";

struct options {
	const char *state, *operation, *then, *keep;
	uint64_t seed, effort, deep, kills;
	unsigned jobs, seconds, race_seconds, part, parts, progress;
	bool singles, pairs, races, mutations, verbose;
};

static void list(void)
{
	for (size_t i = 0; i < world_state_count; i++)
		printf("state %s: %s\n", world_states[i].name, world_states[i].meaning);
	for (size_t i = 0; i < operation_count; i++)
		printf("operation %s\n", operations[i].name);
	printf("operation mkfs (in no state)\noperation grow (in no state)\noperation new-uuid (in no state)\n");
}

/* 0 go on, 1 done, 2 usage error. */
static int parse(int argc, char **argv, struct options *options)
{
	static const struct option long_options[] = {
	    {"state", required_argument, NULL, 's'},
	    {"operation", required_argument, NULL, 'o'},
	    {"then", required_argument, NULL, 't'},
	    {"singles", no_argument, NULL, '1'},
	    {"pairs", no_argument, NULL, '2'},
	    {"races", no_argument, NULL, '3'},
	    {"race-seconds", required_argument, NULL, 'N'},
	    {"seconds", required_argument, NULL, 'n'},
	    {"jobs", required_argument, NULL, 'j'},
	    {"part", required_argument, NULL, 'p'},
	    {"progress", required_argument, NULL, 'P'},
	    {"checklist", no_argument, NULL, 'c'},
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
		case 't':
			options->then = optarg;
			break;
		case '1':
			options->singles = true;
			break;
		case '2':
			options->pairs = true;
			break;
		case '3':
			options->races = true;
			break;
		case 'N':
			options->race_seconds = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'n':
			options->seconds = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'j':
			options->jobs = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'p':
			if (sscanf(optarg, "%u/%u", &options->part, &options->parts) == 2 && options->parts &&
			    options->part <= options->parts)
				break;
			fprintf(stderr, "crash_test: --part=%s is not of the form I/N\n", optarg);
			return 2;
		case 'P':
			options->progress = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'c':
			checklist_list(stdout);
			return 1;
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
	if (!options->pairs && !options->races)
		options->singles = true;
	if (!options->jobs)
		options->jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (!options->seed)
		options->seed = (uint64_t)(time(NULL) / 86400);
	if (options->parts && !options->part) {
		options->part = (unsigned)(options->seed % options->parts) + 1;
		printf("crash: part %u of %u, by seed %" PRIu64 "\n", options->part, options->parts, options->seed);
	}
	return 0;
}

/* ---- which cases -------------------------------------------------------------------------------- */

static bool named(const char *wanted, const char *name)
{
	return !wanted || strcmp(wanted, name) == 0;
}

/* What is tried in no state. */
static bool wanted_alone(const struct options *options, const char *name)
{
	return !options->state && !options->then && named(options->operation, name);
}

/* Rewriting a log and new slots need more space than such a pool has. */
static bool has_room(const struct world_state *state, const struct operation *operation)
{
	return !(state->nearly_full && operation->long_past) && !(operation->zones && !state->zones);
}

static bool may_follow(const struct world_state *state, const struct operation *first, const struct operation *second)
{
	return has_room(state, first) && has_room(state, second) && !first->ends &&
	       !(first->long_past && second->long_past);
}

static struct crash_settings settings_of(const struct options *options, uint64_t effort)
{
	return (struct crash_settings){
	    .limits =
	        {
	            .atoms = 40 * effort / 100,
	            .lines = 24 * effort / 100,
	            .atom_subsets = 16 * effort / 100,
	            .line_subsets = 8 * effort / 100,
	            .seed = options->seed,
	        },
	    .deep_every = options->deep,
	    .kill_every = options->kills,
	    .failures_max = 3,
	    .keep = options->keep,
	};
}

static unsigned ended(const struct options *options, struct crash_case *c, unsigned failures,
                      const struct crash_counts *before, const struct crash_counts *counts)
{
	if (options->verbose)
		printf("%s %s: %" PRIu64 " images\n", failures ? "FAIL" : "ok", crash_case_name(c),
		       counts->tried - before->tried);
	crash_case_end(c);
	return failures;
}

/* ---- one operation ------------------------------------------------------------------------------ */

static unsigned try_single(void *context, uint64_t i, struct crash_counts *counts)
{
	const struct options *options = context;
	const struct world_state *state = &world_states[i % world_state_count];
	const struct operation *operation = &operations[i / world_state_count];
	struct crash_settings settings = settings_of(options, options->effort);
	struct crash_counts before = *counts;
	struct crash_case c = {0};
	unsigned failures = 1;

	if (!named(options->state, state->name) || !named(options->operation, operation->name) ||
	    !has_room(state, operation))
		return 0;
	/* The mount that follows an unmount goes by what that saved. */
	if (operation->ends && settings.deep_every)
		settings.deep_every = 1;
	if (crash_case_record(&c, state, operation, NULL, CRASH_SAME)) {
		failures = crash_case_try(&c, &settings, counts);
		if (options->kills && !state->nearly_full)
			failures += crash_case_kill(&c, &settings, counts);
	}
	return ended(options, &c, failures, &before, counts);
}

/* ---- pairs -------------------------------------------------------------------------------------- */

static unsigned try_pair(const struct options *options, const struct world_state *state, const struct operation *first,
                         const struct operation *second, enum crash_actor actor, struct crash_counts *counts)
{
	struct crash_settings settings = settings_of(options, options->effort * 2 / 3);
	struct crash_counts before = *counts;
	struct crash_case c = {0};
	unsigned failures = 1;

	if (!named(options->state, state->name) || !named(options->operation, first->name) ||
	    !named(options->then, second->name) || !may_follow(state, first, second))
		return 0;
	if (crash_case_record(&c, state, first, second, actor))
		failures = crash_case_try(&c, &settings, counts);
	if (c.inapplicable) {
		counts->inapplicable++;
		failures = 0;
	}
	return ended(options, &c, failures, &before, counts);
}

/* Those that the checklist names, in every state. */
static unsigned try_listed_pair(void *context, uint64_t i, struct crash_counts *counts)
{
	const struct options *options = context;
	const struct world_state *state = &world_states[i % world_state_count];
	uint64_t pair = i / world_state_count;
	const char *const *names = checklist[pair / CHECKLIST_MAX].pairs[pair % CHECKLIST_MAX];

	if (!names[0])
		return 0;
	return try_pair(options, state, checklist_operation(names[0]), checklist_operation(names[1]), i % CRASH_ACTORS,
	                counts);
}

static uint64_t pair_count(void)
{
	return world_state_count * operation_count * operation_count * CRASH_ACTORS;
}

/* All of them, in an order that the seed gives. */
static unsigned try_any_pair(void *context, uint64_t i, struct crash_counts *counts)
{
	const struct options *options = context;
	const uint64_t stride = 1000003; /* a prime, so that each comes once */
	uint64_t n = ((i + options->seed % pair_count() * 7919) % pair_count()) * stride % pair_count();
	enum crash_actor actor = n % CRASH_ACTORS;
	const struct operation *second = &operations[n / CRASH_ACTORS % operation_count];
	const struct operation *first = &operations[n / CRASH_ACTORS / operation_count % operation_count];

	return try_pair(options, &world_states[n / CRASH_ACTORS / operation_count / operation_count], first, second,
	                actor, counts);
}

/* ---- races -------------------------------------------------------------------------------------- */

/* The stops that are tried for each race: more than any operation's stores, flushes and fences. */
#define RACE_STOPS 96u

static bool may_race(const struct options *options, const struct world_state *state, const struct operation *const *all,
                     unsigned count)
{
	if (!named(options->state, state->name) || !named(options->operation, all[0]->name) ||
	    !named(options->then, all[1]->name))
		return false;
	for (unsigned k = 0; k < count; k++) {
		if (all[k]->ends)
			return false;
		for (unsigned i = 0; i < k; i++)
			if (!may_follow(state, all[i], all[k]))
				return false;
	}
	return true;
}

static unsigned try_race(const struct options *options, const struct world_state *state,
                         const struct operation *const *all, unsigned count, const struct race_plan *plan,
                         struct crash_counts *counts, bool *past)
{
	struct crash_settings settings = settings_of(options, options->effort / 2);
	struct crash_counts before = *counts;
	struct crash_case c = {0};
	unsigned failures = 1;

	*past = true;
	if (!may_race(options, state, all, count))
		return 0;
	if (race_record(&c, state, all, count, plan, past))
		failures = crash_case_try(&c, &settings, counts);
	if (c.inapplicable) {
		counts->inapplicable++;
		*past = true;
		failures = 0;
	}
	return ended(options, &c, failures, &before, counts);
}

/* Those that the checklist names, each stopped before each of its stores, in some states. */
static const char *const race_states[] = {"fresh",       "slot-full",   "ring-wraps",
                                          "nearly-full", "last-blocks", "second-zone"};
#define RACE_STATES (sizeof(race_states) / sizeof(race_states[0]))

static const struct world_state *state_named(const char *name)
{
	for (size_t i = 0; i < world_state_count; i++)
		if (strcmp(world_states[i].name, name) == 0)
			return &world_states[i];
	abort();
}

static unsigned try_listed_race(void *context, uint64_t i, struct crash_counts *counts)
{
	const struct options *options = context;
	const struct world_state *state = state_named(race_states[i % RACE_STATES]);
	uint64_t race = i / RACE_STATES;
	const char *const *names = checklist[race / CHECKLIST_MAX].races[race % CHECKLIST_MAX];
	const struct operation *both[2];
	unsigned failures = 0;
	bool past = false;

	if (!names[0])
		return 0;
	for (unsigned k = 0; k < 2; k++)
		both[k] = checklist_operation(names[k]);
	for (unsigned stop = 0; !past && !failures && stop < RACE_STOPS; stop++) {
		/* The second stops too, at another place each time, but for every third time. */
		const struct race_plan plan = {
		    .stop = {stop, stop % 3 ? (unsigned)(stop * 5 + i) % 24 : RACE_NEVER},
		    .same_name = stop & 1,
		};

		failures = try_race(options, state, both, 2, &plan, counts, &past);
	}
	return failures;
}

static uint64_t race_count(void)
{
	return world_state_count * operation_count * operation_count * RACE_STOPS;
}

/* All of them, in an order that the seed gives; the second stops anywhere. */
static unsigned try_any_race(void *context, uint64_t i, struct crash_counts *counts)
{
	const struct options *options = context;
	const uint64_t stride = 15485863; /* a prime, so that each comes once */
	uint64_t n = ((i + options->seed % race_count() * 7919) % race_count()) * stride % race_count();
	const struct world_state *state = &world_states[n / RACE_STOPS / operation_count / operation_count];
	/* Most operations have few stores. */
	const struct race_plan plan = {
	    .stop = {n % 2 ? (unsigned)(n % RACE_STOPS) : (unsigned)(n % RACE_STOPS) / 4,
	             n % 3 ? (unsigned)(n / 3 % 24) : RACE_NEVER},
	    .same_name = n / 7 % 2,
	};
	const struct operation *const both[] = {&operations[n / RACE_STOPS / operation_count % operation_count],
	                                        &operations[n / RACE_STOPS % operation_count]};
	bool past;

	return try_race(options, state, both, 2, &plan, counts, &past);
}

/* Three at a time: each of them begins, and is stopped before each of its stores. */
static const char *const trio_states[] = {"fresh", "slot-full"};
#define TRIO_STATES (sizeof(trio_states) / sizeof(trio_states[0]))

static unsigned try_trio(void *context, uint64_t i, struct crash_counts *counts)
{
	const struct options *options = context;
	const struct world_state *state = state_named(trio_states[i % TRIO_STATES]);
	unsigned begins = (unsigned)(i / TRIO_STATES % 3);
	const char *const *names = trios[i / TRIO_STATES / 3].operations;
	const struct operation *all[3];
	unsigned failures = 0;
	bool past = false;

	for (unsigned k = 0; k < 3; k++)
		all[k] = checklist_operation(names[(begins + k) % 3]);
	for (unsigned stop = 0; !past && !failures && stop < RACE_STOPS; stop++) {
		const struct race_plan plan = {
		    .stop = {stop, stop % 4 ? (unsigned)(stop * 5 + i) % 20 : RACE_NEVER,
		             stop % 3 ? (unsigned)(stop * 7 + i) % 12 : RACE_NEVER},
		    .same_name = stop & 1,
		};

		failures = try_race(options, state, all, 3, &plan, counts, &past);
	}
	return failures;
}

/* ---- all ---------------------------------------------------------------------------------------- */

static unsigned tell(const char *what, const struct crash_counts *counts, unsigned failed)
{
	printf("crash: %s: %" PRIu64 " cases, %" PRIu64 " moments, %" PRIu64 " images made, %" PRIu64
	       " unique, %" PRIu64 " tried, %" PRIu64 " of a second crash during recovery, %" PRIu64
	       " processes killed; %u cases failed\n",
	       what, counts->cases, counts->fences, counts->made, counts->unique, counts->tried, counts->deep,
	       counts->kills, failed);
	return failed;
}

static struct parallel parallel_of(const struct options *options, const char *what, unsigned seconds)
{
	return (struct parallel){
	    .jobs = options->jobs,
	    .seconds = seconds,
	    .part = options->part,
	    .parts = options->parts,
	    .progress = options->progress,
	    .what = what,
	};
}

static unsigned try_singles(struct options *options, uint64_t *cases)
{
	const struct parallel parallel = parallel_of(options, "operations", 0);
	struct crash_settings settings = settings_of(options, options->effort);
	struct crash_counts counts = {0};
	uint64_t begun;
	unsigned failed =
	    parallel_each(&parallel, world_state_count * operation_count, try_single, options, &counts, &begun);

	if (options->part <= 1 && wanted_alone(options, "mkfs"))
		failed += format_case(&settings, &counts) != 0;
	if (options->part <= 1 && wanted_alone(options, "grow"))
		failed += grow_case(&settings, &counts) != 0;
	if (options->part <= 1 && wanted_alone(options, "new-uuid"))
		failed += new_uuid_case(&settings, &counts) != 0;
	*cases += counts.cases;
	return tell("operations", &counts, failed);
}

static unsigned try_pairs(struct options *options, uint64_t *cases)
{
	struct parallel parallel = parallel_of(options, "pairs of the checklist", 0);
	struct crash_counts listed = {0}, any = {0};
	uint64_t begun;
	unsigned failed = parallel_each(&parallel, world_state_count * checklist_count * CHECKLIST_MAX, try_listed_pair,
	                                options, &listed, &begun);

	tell("pairs of the checklist", &listed, failed);
	parallel = parallel_of(options, "pairs", options->seconds);
	failed += parallel_each(&parallel, pair_count(), try_any_pair, options, &any, &begun);
	*cases += listed.cases + any.cases;
	tell("pairs", &any, failed);
	printf("crash: pairs %" PRIu64 " of %" PRIu64 " with seed %" PRIu64 "; %" PRIu64
	       " need what excludes each other\n",
	       begun, pair_count(), options->seed, any.inapplicable);
	return failed;
}

static unsigned try_races(struct options *options, uint64_t *cases)
{
	struct parallel parallel = parallel_of(options, "listed races", 0);
	struct crash_counts listed = {0}, three = {0}, any = {0};
	uint64_t begun;
	unsigned failed = parallel_each(&parallel, RACE_STATES * checklist_count * CHECKLIST_MAX, try_listed_race,
	                                options, &listed, &begun);

	tell("races of the checklist", &listed, failed);
	failed += parallel_each(&parallel, TRIO_STATES * trio_count * 3, try_trio, options, &three, &begun);
	tell("races of three threads", &three, failed);
	parallel = parallel_of(options, "races", options->race_seconds);
	failed += parallel_each(&parallel, race_count(), try_any_race, options, &any, &begun);
	*cases += listed.cases + three.cases + any.cases;
	tell("races", &any, failed);
	printf("crash: races %" PRIu64 " of %" PRIu64 " with seed %" PRIu64 "\n", begun, race_count(), options->seed);
	return failed;
}

static int try_all(struct options *options)
{
	uint64_t cases = 0;
	unsigned failed = checklist_check() | trios_check();

	if (failed)
		return 1;
	parallel_share();
	if (options->singles)
		failed += try_singles(options, &cases);
	if (options->pairs)
		failed += try_pairs(options, &cases);
	if (options->races)
		failed += try_races(options, &cases);
	if (cases == 0 && !failed) {
		printf("crash: nothing was tried: see --list\n");
		return 2;
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
