/*
 * fence_sweep.c -- crash a recorded command at each of its fences and after its return.
 */
#include "tests/crash/fence_sweep.h"

#include <stdio.h>

static bool try_image(void *context, uint8_t *image, const char *family)
{
	struct fence_sweep *sweep = context;
	const char *wrong = sweep->judge(sweep, image);

	sweep->counts->unique++;
	sweep->counts->tried++;
	if (!wrong)
		return true;
	sweep->failures++;
	if (!sweep->settings->quiet)
		printf("FAIL %s%s, image '%s': %s\n", sweep->what, sweep->returned ? ", after its return" : "", family,
		       wrong);
	return !sweep->settings->quiet && sweep->failures < sweep->settings->failures_max;
}

static bool crash_here(struct fence_sweep *sweep)
{
	sweep->counts->fences++;
	return images_each(&sweep->images, &sweep->settings->limits, try_image, sweep, &sweep->counts->made);
}

void fence_sweep_run(struct fence_sweep *sweep, const struct trace *trace)
{
	sweep->counts->cases++;
	for (size_t i = 0; i < trace->count; i++) {
		if (trace->events[i].type == PM_EV_FENCE && !crash_here(sweep))
			return;
		images_step(&sweep->images, trace, &trace->events[i]);
	}
	sweep->returned = true;
	images_forget(&sweep->images);
	crash_here(sweep);
}
