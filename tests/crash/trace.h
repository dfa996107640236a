/*
 * trace.h -- records every store, flush and fence on a pool, in order, with what was stored, by whom and from where.
 *
 * Thread safe while recording: events of several threads are put into one order, the order in which the observer was
 * called.
 */
#ifndef FARNOVA_TESTS_CRASH_TRACE_H
#define FARNOVA_TESTS_CRASH_TRACE_H

#include "common/pm/pm.h"
#include "tests/crash/sparse.h"

#include <pthread.h>

struct trace_event {
	enum pm_event_type type;
	unsigned thread; /* small number, by order of first appearance */
	uint64_t offset;
	uint64_t length;
	size_t data; /* PM_EV_COPY, PM_EV_SET8: where in trace->data the bytes are */
	const char *site;
};

struct trace {
	struct pm_observer observer;
	pthread_mutex_t lock;
	struct trace_event *events;
	size_t count, room;
	uint8_t *data;
	size_t data_count, data_room;
	struct sparse *memory; /* what is stored to; noted there. May be NULL */
	uint64_t threads[64];
	unsigned thread_count;
};

/* trace_init -- an empty trace; attach it with `pm.observer = &trace.observer`. Aborts without memory. */
void trace_init(struct trace *trace, struct sparse *memory);
/* trace_add -- what the observer does, for one that has no other thread beside it. */
void trace_add(struct trace *trace, const struct pm_event *event);
/* trace_clear -- forget the events, not the threads' numbers. */
void trace_clear(struct trace *trace);
void trace_free(struct trace *trace);

#endif
