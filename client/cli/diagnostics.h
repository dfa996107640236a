/*
 * diagnostics.h -- the findings of `farnova doctor`: each has a level, a sentence and advice.
 */
#ifndef FARNOVA_CLI_DIAGNOSTICS_H
#define FARNOVA_CLI_DIAGNOSTICS_H

#include "common/json.h"

#include <stdbool.h>

enum finding_level {
	FINDING_OK,
	FINDING_NOTE, /* works, but not optimally or not as expected */
	FINDING_BAD,  /* something requested does not work */
};

struct findings {
	bool as_json;
	struct json json;
	unsigned count;
	unsigned bad;
};

/* finding -- print one finding. `check` is a fixed word for scripts; `advice` says what to do, or is NULL. */
void finding(struct findings *findings, const char *check, enum finding_level level, const char *advice,
             const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The checks, by file. `doctor_pool` checks a pool, or the place of a future one; doctor.c has the check of URLs. */
void doctor_host(struct findings *findings);
void doctor_rdma(struct findings *findings);
void doctor_pool(struct findings *findings, const char *path);

/*
 * doctor_register -- register memory with the first active RDMA device. 0, -ENODEV if there is none, or -errno;
 * `device` receives its name.
 */
int doctor_register(void *memory, unsigned long length, char device[64]);

#endif
