// driver.c -- main() of every driver: options, and the conversation with the conductor.
//
// Standard output says "ready" once connected, then answers each line "CASE ROUND" of standard input with one of
//	ok NANOSECONDS OPERATIONS BYTES
//	unsupported
//	error TEXT
// and ends with the input. Whatever else a driver has to say goes to standard error.
#include "tests/bench/driver.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_FILES = 1, OPT_SIZE, OPT_OPS, OPT_BIG_OPS, OPT_BUDGET, OPT_FSYNC, OPT_OSYNC, OPT_DIRECT };

static const struct option options[] = {
    {"files", required_argument, NULL, OPT_FILES},
    {"size", required_argument, NULL, OPT_SIZE},
    {"ops", required_argument, NULL, OPT_OPS},
    {"big-ops", required_argument, NULL, OPT_BIG_OPS},
    {"budget-ms", required_argument, NULL, OPT_BUDGET},
    {"fsync", no_argument, NULL, OPT_FSYNC},
    {"osync", no_argument, NULL, OPT_OSYNC},
    {"direct", no_argument, NULL, OPT_DIRECT},
    {NULL, 0, NULL, 0},
};

static int usage(const struct bench_api *api, const char *program)
{
	fprintf(stderr,
	        "usage: %s [--files N] [--size BYTES] [--ops N] [--big-ops N] [--budget-ms N]\n"
	        "          [--fsync] [--osync] [--direct] WHERE\n"
	        "WHERE is %s.\n",
	        program, api->usage);
	return 2;
}

// A whole positive number of at most `most`, or 0.
static uint64_t parse_count(const char *text, uint64_t most)
{
	char *end;

	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (errno || end == text || *end || text[0] == '-' || value > most) {
		fprintf(stderr, "%s: not a number from 1 to %" PRIu64 "\n", text, most);
		return 0;
	}
	return value;
}

static bool parse(int argc, char **argv, struct bench_place *place, struct bench_scale *scale)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case OPT_FILES:
			scale->files = (uint32_t)parse_count(optarg, 9999999);
			break;
		case OPT_SIZE:
			scale->file_size = parse_count(optarg, UINT64_C(1) << 50) / BENCH_BIG * BENCH_BIG;
			break;
		case OPT_OPS:
			scale->ops = (uint32_t)parse_count(optarg, UINT32_MAX);
			break;
		case OPT_BIG_OPS:
			scale->big_ops = (uint32_t)parse_count(optarg, UINT32_MAX);
			break;
		case OPT_BUDGET:
			scale->budget_ms = (uint32_t)parse_count(optarg, 3600000);
			break;
		case OPT_FSYNC:
			place->fsync = true;
			break;
		case OPT_OSYNC:
			place->osync = true;
			break;
		case OPT_DIRECT:
			place->direct = true;
			break;
		default:
			return false;
		}
	}
	if (optind + 1 != argc)
		return false;
	place->where = argv[optind];
	return scale->files && scale->file_size && scale->ops && scale->big_ops && scale->budget_ms;
}

static void answer(struct bench_cases *cases, char *request)
{
	char name[32];
	uint32_t round;
	struct bench_sample sample;

	if (sscanf(request, "%31s %" SCNu32, name, &round) != 2) {
		printf("error request not understood: %s", request);
		return;
	}
	int rc = bench_cases_run(cases, name, round, &sample);
	if (rc == -EOPNOTSUPP)
		printf("unsupported\n");
	else if (rc == -EILSEQ)
		printf("error a read returned other data than was written\n");
	else if (rc)
		printf("error %s\n", strerror(-rc));
	else
		printf("ok %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", sample.ns, sample.ops, sample.bytes);
}

int bench_driver_main(const struct bench_api *api, int argc, char **argv)
{
	struct bench_place place = {.durable = true};
	struct bench_scale scale = {
	    .files = 10000, .file_size = UINT64_C(1) << 30, .ops = 20000, .big_ops = 128, .budget_ms = 250};
	struct bench_cases *cases;
	void *subject;
	char request[128];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!parse(argc, argv, &place, &scale))
		return usage(api, argv[0]);
	int rc = api->connect(&place, &scale, &subject);
	if (rc) {
		printf("error cannot use %s: %s\n", place.where, strerror(-rc));
		return 1;
	}
	rc = bench_cases_new(api, subject, &place, &scale, &cases);
	if (rc) {
		printf("error %s\n", strerror(-rc));
		api->disconnect(subject);
		return 1;
	}
	printf("ready\n");
	while (fgets(request, sizeof(request), stdin))
		answer(cases, request);
	bench_cases_free(cases);
	api->disconnect(subject);
	return 0;
}
