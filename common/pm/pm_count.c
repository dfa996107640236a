/*
 * pm_count.c -- counts what an operation costs in persistent stores.
 */
#include "common/pm/pm_count.h"

#include <string.h>

static uint64_t lines_touched(const struct pm_event *event)
{
	if (event->length == 0)
		return 0;
	return (event->offset + event->length - 1) / PM_LINE - event->offset / PM_LINE + 1;
}

static void count_event(struct pm_observer *self, const struct pm_event *event)
{
	struct pm_count *count = (struct pm_count *)self;

	switch (event->type) {
	case PM_EV_COPY:
	case PM_EV_ZERO:
		count->nt_lines += lines_touched(event);
		count->bytes += event->length;
		break;
	case PM_EV_SET8:
		count->words++;
		count->bytes += event->length;
		break;
	case PM_EV_FLUSH:
		count->flushed_lines += lines_touched(event);
		break;
	case PM_EV_FENCE:
		count->fences++;
		break;
	}
}

_Static_assert(offsetof(struct pm_count, observer) == 0, "the observer leads, so that it can be cast back");

void pm_count_init(struct pm_count *count)
{
	memset(count, 0, sizeof(*count));
	count->observer.event = count_event;
}
