// options.h -- the command line of a program that measures its own cases, and its end.
//
//	bench-NAME --json FILE [--case NAME]... [--rounds N] [--quick] OPERAND...
#ifndef TESTS_BENCH_OPTIONS_H
#define TESTS_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#define BENCH_MAX_ROUNDS 32u
#define BENCH_MAX_CASES  32u

struct bench_options {
	FILE *json;      // results are appended
	unsigned rounds; // 1 to BENCH_MAX_ROUNDS
	bool quick;      // the smallest sizes
	char **operands; // in argv, as many as bench_options() was given names of
	const char *cases[BENCH_MAX_CASES];
	unsigned case_count; // 0 = all cases
	bool any_wanted;     // bench_wanted() has said yes
};

// bench_options -- read the command line. `operands` names the operands, all required, for the usage message; NULL ends
// it. A wrong command line ends the program with status 2.
void bench_options(struct bench_options *options, int argc, char **argv, const char *const operands[]);

// bench_wanted -- was this case asked for?
bool bench_wanted(struct bench_options *options, const char *name);

// bench_end -- close the file of results. The program's exit status: 0, 1 if results could not be written, 2 if no case
// was wanted.
int bench_end(struct bench_options *options);

#endif
