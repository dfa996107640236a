/*
 * checklist.h -- the crash faults that others have found in NOVA and its kin, and what here would find them.
 */
#ifndef FARNOVA_TESTS_CRASH_CHECKLIST_H
#define FARNOVA_TESTS_CRASH_CHECKLIST_H

#include "tests/crash/operations.h"

#include <stdio.h>

#define CHECKLIST_MAX 12u

struct checklist_row {
	const char *where;                     /* the operation that was at fault */
	const char *symptom;                   /* what was found */
	const char *operations[CHECKLIST_MAX]; /* tried in every state */
	const char *pairs[CHECKLIST_MAX][2];   /* likewise, one after the other */
	const char *races[CHECKLIST_MAX][2];   /* beside each other, in two threads */
	const char *also;                      /* what else looks for it */
};

extern const struct checklist_row checklist[];
extern const size_t checklist_count;

/* checklist_operation -- by name; NULL if there is none. */
const struct operation *checklist_operation(const char *name);

/* checklist_check -- 0 if each row names something and all names exist; else 1, and what is wrong is told. */
int checklist_check(void);

/* checklist_list -- write it as a list in Markdown, an item a line. */
void checklist_list(FILE *out);

#endif
