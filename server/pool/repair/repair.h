/*
 * repair.h -- repairs a pool that nobody has mounted, as `fsck --repair` does.
 *
 * It repairs the findings of the checker, round by round, and shares no code with the file system's own mount. Each
 * step is reported. Each step may be repeated, so after a crash another repair finishes the work.
 */
#ifndef FARNOVA_SERVER_POOL_REPAIR_H
#define FARNOVA_SERVER_POOL_REPAIR_H

#include "common/pm/pm.h"
#include "server/pool/check/check.h"

struct repair_report {
	/* Set by the caller: called for the errors found at first, for each repair, and for the errors that are left. */
	void (*found)(struct repair_report *report, const struct check_finding *finding);
	void (*repaired)(struct repair_report *report, const struct check_finding *step);
	void (*left)(struct repair_report *report, const struct check_finding *finding);
	void (*progress)(struct repair_report *report, const char *what, uint64_t done,
	                 uint64_t total); /* of each check; may be NULL */
	void *context;

	/* Set by pool_repair. */
	uint64_t errors;           /* found at first */
	uint64_t repairs;          /* steps taken */
	uint64_t unsolved;         /* errors that are left */
	struct check_report check; /* of the last check */
};

/*
 * pool_repair -- check the pool and repair what can be repaired. 0 if it was consistent and is untouched, 1 if all
 * errors were repaired, 2 if some are left, -ENOMEM. A pool of a newer version, or with features that this program
 * cannot write, is not changed: -EPROTONOSUPPORT. Durable on return.
 */
int pool_repair(struct pm *pm, struct repair_report *report);

#endif
