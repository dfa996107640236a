/*
 * kill_sweep.h -- calls that a second execution would falsify, and what must have come of them.
 */
#ifndef FARNOVA_TESTS_KILL_SWEEP_H
#define FARNOVA_TESTS_KILL_SWEEP_H

#include "client/include/farnova.h"

/* How a script's calls went. */
struct script_result {
	unsigned wrong;  /* calls that did not return what they must, and objects that are not as they must be */
	unsigned reset;  /* calls that failed with ECONNRESET */
	char first[200]; /* the first of them */
};

/* script_prepare -- make the directory `dir` and the files that the script needs in it. Ends the program on errors. */
void script_prepare(struct farnova *fs, const char *dir);

/* script_run -- make the calls, each once, whatever the ones before returned. */
void script_run(struct farnova *fs, const char *dir, struct script_result *result);

/* script_verify -- whether the directory is as it must be when each call was executed once. */
void script_verify(struct farnova *fs, const char *dir, struct script_result *result);

#endif
