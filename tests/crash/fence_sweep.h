/*
 * fence_sweep.h -- crash a recorded command at each of its fences and after its return.
 *
 * For commands on a whole pool, of which there is one case each; operations of a mounted pool have crash_case.h.
 */
#ifndef FARNOVA_TESTS_CRASH_FENCE_SWEEP_H
#define FARNOVA_TESTS_CRASH_FENCE_SWEEP_H

#include "tests/crash/crash_case.h"

struct fence_sweep {
	const struct crash_settings *settings;
	struct crash_counts *counts;
	const char *what; /* the command, for messages */
	/* judge -- what is wrong with an image that a crash may leave, or NULL. It may store to the image, as seen by
	 * images_watch(&sweep->images). */
	const char *(*judge)(struct fence_sweep *sweep, uint8_t *image);

	struct images images; /* owned; images_init comes before the command, which fence_sweep_run follows */
	bool returned;        /* the crash comes after the command's return: it must have been done */
	unsigned failures;    /* wrong images */
};

/* fence_sweep_run -- try all crashes. */
void fence_sweep_run(struct fence_sweep *sweep, const struct trace *trace);

#endif
