/*
 * random_test.c -- long random runs against the model, by seed; what fails is cut down to the operations it takes.
 */
#include "common/log.h"
#include "tests/model/random_run.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES_MAX 600u

static int usage(const char *program)
{
	fprintf(
	    stderr,
	    "usage: %s [--seed N] [--runs N] [--ops N] [--threads N [--shared]] [--size MIB]\n"
	    "          [--crash-every N] [--remount-every N] [--check-every N] [--ballast MIB] [--kinds] [--whole]\n"
	    "          [--save FILE]\n"
	    "       %s --replay FILE [--size MIB] [--crash-every N] [--remount-every N] [--check-every N]\n"
	    "\n"
	    "Does random operations in a pool in memory and in a model of POSIX and compares them; remounts, and\n"
	    "crashes at random stores, going on from what the crash left. --threads N: N threads at once, each in a\n"
	    "directory of its own, in rounds of --ops operations. --shared: 2 to 4 threads on the same files, --ops\n"
	    "rounds of a few operations each, for which there must be an order that explains them. --ballast MIB: a\n"
	    "file of that size first, so that the pool is nearly full. --kinds: tell how often each kind of operation\n"
	    "was done. A run of one thread that fails is cut down and saved to FILE (random.ops), which --replay\n"
	    "takes, unless --whole says not to. Give it the same sizes and intervals.\n",
	    program, program);
	return 2;
}

struct wish {
	struct random_settings settings;
	uint64_t seed;
	unsigned runs, threads;
	size_t ops;
	const char *save, *replay;
	bool kinds, shared, whole;
};

/* ---- cutting down ----------------------------------------------------------------------------------------------- */

/* In a process of its own: what is wrong may be a crash of the program. */
static bool fails(const struct wish *wish, const struct random_op *ops, size_t count)
{
	struct random_settings settings = wish->settings;
	struct random_counts counts = {0};
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child < 0)
		abort();
	if (child == 0) {
		settings.quiet = true;
		_exit(random_run(&settings, ops, count, &counts) ? 0 : 1);
	}
	if (waitpid(child, &status, 0) != child)
		abort();
	return status != 0;
}

/* The shortest beginning that fails. */
static size_t first_failure(const struct wish *wish, const struct random_op *ops, size_t count)
{
	size_t low = 0, high = count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (fails(wish, ops, middle))
			high = middle;
		else
			low = middle;
	}
	return high;
}

static size_t cut_down(const struct wish *wish, struct random_op *ops, size_t count)
{
	struct random_op *fewer = calloc(count, sizeof(*fewer));
	unsigned tries = 0;

	if (!fewer)
		abort();
	count = first_failure(wish, ops, count);
	for (size_t part = count / 2; part > 0; part = part > 1 ? (part + 1) / 2 : 0)
		for (size_t at = 0; at + part <= count && tries < TRIES_MAX; tries++) {
			memcpy(fewer, ops, at * sizeof(*ops));
			memcpy(fewer + at, ops + at + part, (count - at - part) * sizeof(*ops));
			if (fails(wish, fewer, count - part)) {
				count -= part;
				memcpy(ops, fewer, count * sizeof(*ops));
			} else {
				at += part;
			}
		}
	free(fewer);
	return count;
}

static void save(const struct wish *wish, const struct random_op *ops, size_t count)
{
	FILE *out = fopen(wish->save, "we");

	printf("cut down to %zu operations, in %s:\n", count, wish->save);
	for (size_t i = 0; i < count; i++) {
		random_op_print(stdout, &ops[i]);
		if (out)
			random_op_print(out, &ops[i]);
	}
	if (!out || fclose(out))
		perror(wish->save);
}

/* ---- running ---------------------------------------------------------------------------------------------------- */

static bool run_seed(const struct wish *wish, uint64_t seed, struct random_counts *counts)
{
	struct random_op *ops = calloc(wish->ops, sizeof(*ops));
	uint64_t state = seed;
	bool ok;

	if (!ops)
		abort();
	if (wish->threads > 1 && wish->shared) {
		free(ops);
		return random_run_shared(&wish->settings, seed, wish->threads, wish->ops, counts);
	}
	if (wish->threads > 1) {
		free(ops);
		return random_run_threads(&wish->settings, seed, wish->threads, 6, wish->ops, counts);
	}
	for (size_t i = 0; i < wish->ops; i++)
		ops[i] = random_op_make(&state);
	ok = random_run(&wish->settings, ops, wish->ops, counts);
	if (!ok && !wish->whole)
		save(wish, ops, cut_down(wish, ops, wish->ops));
	free(ops);
	return ok;
}

static int replay(const struct wish *wish)
{
	struct random_op *ops = NULL;
	struct random_counts counts = {0};
	size_t count = 0, room = 0;
	char line[256];
	FILE *in = fopen(wish->replay, "re");

	if (!in) {
		fprintf(stderr, "%s: %s\n", wish->replay, strerror(errno));
		return 2;
	}
	while (fgets(line, sizeof(line), in)) {
		if (count == room) {
			room = room * 2 + 64;
			ops = reallocarray(ops, room, sizeof(*ops));
			if (!ops)
				abort();
		}
		if (!random_op_parse(line, &ops[count++])) {
			fprintf(stderr, "%s: not an operation: %s", wish->replay, line);
			return 2;
		}
	}
	fclose(in);
	bool ok = random_run(&wish->settings, ops, count, &counts);
	free(ops);
	printf("%zu operations replayed: %s\n", count, ok ? "right" : "wrong");
	return ok ? 0 : 1;
}

static bool parse(int argc, char **argv, struct wish *wish)
{
	static const struct option options[] = {
	    {"seed", required_argument, NULL, 's'},
	    {"runs", required_argument, NULL, 'r'},
	    {"ops", required_argument, NULL, 'o'},
	    {"threads", required_argument, NULL, 't'},
	    {"size", required_argument, NULL, 'm'},
	    {"crash-every", required_argument, NULL, 'c'},
	    {"remount-every", required_argument, NULL, 'u'},
	    {"check-every", required_argument, NULL, 'k'},
	    {"ballast", required_argument, NULL, 'b'},
	    {"save", required_argument, NULL, 'f'},
	    {"replay", required_argument, NULL, 'p'},
	    {"kinds", no_argument, NULL, 'i'},
	    {"shared", no_argument, NULL, 'h'},
	    {"whole", no_argument, NULL, 'w'},
	    {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		uint64_t number = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (option) {
		case 's':
			wish->seed = number;
			break;
		case 'r':
			wish->runs = (unsigned)number;
			break;
		case 'o':
			wish->ops = (size_t)number;
			break;
		case 't':
			wish->threads = (unsigned)number;
			break;
		case 'm':
			wish->settings.pool_size = number << 20;
			break;
		case 'c':
			wish->settings.crash_every = (uint32_t)number;
			break;
		case 'u':
			wish->settings.remount_every = (uint32_t)number;
			break;
		case 'k':
			wish->settings.check_every = (uint32_t)number;
			break;
		case 'b':
			wish->settings.ballast = (uint32_t)number;
			break;
		case 'f':
			wish->save = optarg;
			break;
		case 'w':
			wish->whole = true;
			break;
		case 'h':
			wish->shared = true;
			break;
		case 'i':
			wish->kinds = true;
			break;
		case 'p':
			wish->replay = optarg;
			break;
		default:
			return false;
		}
	}
	return optind == argc && wish->ops > 0 && wish->threads <= (wish->shared ? 4 : 16) &&
	       wish->threads > wish->shared && wish->settings.pool_size >= 10u << 20;
}

static void tell(const struct wish *wish, const struct random_counts *counts)
{
	const struct random_tally *tally = &counts->tally;

	for (uint8_t i = 0; i < RANDOM_KINDS && wish->kinds; i++)
		printf("%12s: %" PRIu64 " of %" PRIu64 " succeed\n", random_kind_name(i), tally->done[i],
		       tally->tried[i]);
	printf("%" PRIu64 " operations (refused: %" PRIu64 " ENOSPC, %" PRIu64 " EDQUOT, %" PRIu64 " EXDEV, %" PRIu64
	       " EPERM, %" PRIu64 " EACCES), %" PRIu64 " comparisons, %" PRIu64 " remounts, %" PRIu64
	       " crashes, %" PRIu64 " images tried\n",
	       random_tally_all(tally), tally->no_space, tally->over_limit, tally->across_projects,
	       tally->not_permitted, tally->no_access, counts->checks, counts->remounts, counts->crashes,
	       counts->images);
	if (counts->rounds)
		printf("%" PRIu64 " rounds of threads on the same files, in %" PRIu64 " of them at the same time\n",
		       counts->rounds, counts->overlaps);
}

int main(int argc, char **argv)
{
	struct wish wish = {
	    .settings = {.pool_size = 16u << 20, .check_every = 100, .remount_every = 150, .crash_every = 60},
	    .seed = 1,
	    .runs = 1,
	    .threads = 1,
	    .ops = 3000,
	    .save = "random.ops",
	};
	struct random_counts counts = {0};
	unsigned wrong = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_set_level(LOG_LEVEL_ERROR);
	if (!parse(argc, argv, &wish))
		return usage(argv[0]);
	if (wish.replay)
		return replay(&wish);
	for (unsigned i = 0; i < wish.runs && !wrong; i++)
		if (!run_seed(&wish, wish.seed + i, &counts)) {
			printf("FAIL seed %" PRIu64 "\n", wish.seed + i);
			wrong++;
		}
	tell(&wish, &counts);
	return wrong ? 1 : 0;
}
