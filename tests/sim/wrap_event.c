/*
 * wrap_event.c -- the part of libevent that the server's loops use, on the simulated machine.
 */
#include "tests/sim/descriptors.h"
#include "tests/sim/kernel_internal.h"
#include "tests/sim/wrap.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/time.h>

#define WATCHED_MAX 32

struct event {
	LIST_ENTRY(event) entry;
	struct event_base *base;
	int fd;
	short what;
	void (*call)(int, short, void *);
	void *argument;
	bool pending;
	int64_t interval_ns; /* 0: no time */
	int64_t due;
};

struct event_base {
	LIST_HEAD(, event) events;
};

struct event_base *__wrap_event_base_new(void)
{
	struct event_base *base = calloc(1, sizeof(*base));

	if (base)
		LIST_INIT(&base->events);
	return base;
}

void __wrap_event_base_free(struct event_base *base)
{
	if (!LIST_EMPTY(&base->events))
		sim_failed("an event base is freed before its events");
	free(base);
}

struct event *__wrap_event_new(struct event_base *base, int fd, short what, void (*call)(int, short, void *),
                               void *argument)
{
	struct event *event = calloc(1, sizeof(*event));

	if (!event)
		return NULL;
	*event = (struct event){.base = base, .fd = fd, .what = what, .call = call, .argument = argument};
	LIST_INSERT_HEAD(&base->events, event, entry);
	return event;
}

void __wrap_event_free(struct event *event)
{
	LIST_REMOVE(event, entry);
	free(event);
}

int __wrap_event_add(struct event *event, const struct timeval *time)
{
	event->pending = true;
	event->interval_ns = 0;
	if (time) {
		event->interval_ns = time->tv_sec * SIM_NS_PER_S + time->tv_usec * SIM_NS_PER_US;
		event->due = sim_now() + event->interval_ns;
	}
	return 0;
}

int __wrap_event_del(struct event *event)
{
	event->pending = false;
	return 0;
}

static bool is_due(const struct event *event)
{
	if (!event->pending)
		return false;
	return (event->fd >= 0 && descriptor_readable(event->fd)) ||
	       (event->interval_ns > 0 && event->due <= sim_now());
}

static bool fire(struct event_base *base)
{
	bool any = false;

	for (struct event *event = LIST_FIRST(&base->events), *next; event; event = next) {
		next = LIST_NEXT(event, entry);
		if (!is_due(event))
			continue;
		any = true;
		if (!(event->what & EV_PERSIST))
			event->pending = false;
		else if (event->interval_ns > 0)
			event->due = sim_now() + event->interval_ns;
		event->call(event->fd, event->what, event->argument);
	}
	return any;
}

int __wrap_event_base_loop(struct event_base *base, int flags)
{
	if (flags != EVLOOP_ONCE)
		sim_failed("a loop of libevent that the simulator does not know");
	sim_point();
	while (!fire(base)) {
		int fds[WATCHED_MAX];
		int64_t until = SIM_FOREVER;
		unsigned count = 0;
		struct event *event;

		LIST_FOREACH(event, &base->events, entry)
		{
			if (!event->pending)
				continue;
			if (event->fd >= 0 && count < WATCHED_MAX)
				fds[count++] = event->fd;
			if (event->interval_ns > 0 && event->due < until)
				until = event->due;
		}
		kernel_wait_fds(fds, count, until);
	}
	return 0;
}
