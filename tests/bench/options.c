// options.c -- the command line of a program that measures its own cases.
#include "tests/bench/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void bad_usage(const char *program, const char *const operands[])
{
	fprintf(stderr, "usage: %s --json FILE [--case NAME]... [--rounds N (1 to %u)] [--quick]", program,
	        BENCH_MAX_ROUNDS);
	for (; *operands; operands++)
		fprintf(stderr, " %s", *operands);
	fprintf(stderr, "\n");
	exit(2);
}

static FILE *open_results(const char *path)
{
	FILE *json = fopen(path, "ae");

	if (!json) {
		fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return json;
}

void bench_options(struct bench_options *options, int argc, char **argv, const char *const operands[])
{
	static const struct option known[] = {
	    {"json", required_argument, NULL, 'j'},
	    {"case", required_argument, NULL, 'c'},
	    {"rounds", required_argument, NULL, 'r'},
	    {"quick", no_argument, NULL, 'q'},
	    {NULL, 0, NULL, 0},
	};
	int option, operand_count = 0;

	*options = (struct bench_options){.rounds = 9};
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'j' && !options->json)
			options->json = open_results(optarg);
		else if (option == 'c' && options->case_count < BENCH_MAX_CASES)
			options->cases[options->case_count++] = optarg;
		else if (option == 'r')
			options->rounds = (unsigned)atoi(optarg);
		else if (option == 'q')
			options->quick = true;
		else
			bad_usage(argv[0], operands);
	}
	while (operands[operand_count])
		operand_count++;
	if (!options->json || options->rounds < 1 || options->rounds > BENCH_MAX_ROUNDS ||
	    argc - optind != operand_count)
		bad_usage(argv[0], operands);
	options->operands = argv + optind;
}

bool bench_wanted(struct bench_options *options, const char *name)
{
	bool wanted = options->case_count == 0;

	for (unsigned i = 0; i < options->case_count && !wanted; i++)
		wanted = strcmp(options->cases[i], name) == 0;
	options->any_wanted |= wanted;
	return wanted;
}

int bench_end(struct bench_options *options)
{
	if (fclose(options->json)) {
		fprintf(stderr, "bench: the results cannot be written: %s\n", strerror(errno));
		return 1;
	}
	if (!options->any_wanted) {
		fprintf(stderr, "bench: none of the cases that were asked for is one of this suite's\n");
		return 2;
	}
	return 0;
}
