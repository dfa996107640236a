/*
 * trace.c -- records persistent stores.
 */
#include "tests/crash/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *grown(void *array, size_t needed, size_t *room, size_t size)
{
	if (needed <= *room)
		return array;
	*room = needed > *room * 2 ? needed : *room * 2;
	array = reallocarray(array, *room, size);
	if (!array) {
		fprintf(stderr, "trace: out of memory\n");
		abort();
	}
	return array;
}

/* A number that no other thread of the process ever has: pthread_t is used again when a thread has ended. */
static uint64_t this_thread(void)
{
	static _Thread_local uint64_t number;
	static uint64_t last;

	if (!number)
		number = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
	return number;
}

static unsigned thread_number(struct trace *trace)
{
	uint64_t self = this_thread();

	for (unsigned i = 0; i < trace->thread_count; i++)
		if (trace->threads[i] == self)
			return i;
	if (trace->thread_count == sizeof(trace->threads) / sizeof(trace->threads[0])) {
		fprintf(stderr, "trace: more than 64 threads\n");
		abort();
	}
	trace->threads[trace->thread_count] = self;
	return trace->thread_count++;
}

void trace_add(struct trace *trace, const struct pm_event *event)
{
	struct trace_event *e;

	if (trace->memory && event->type <= PM_EV_SET8)
		sparse_note(trace->memory, event->offset, event->length);
	trace->events = grown(trace->events, trace->count + 1, &trace->room, sizeof(*trace->events));
	e = &trace->events[trace->count++];
	*e = (struct trace_event){
	    .type = event->type,
	    .thread = thread_number(trace),
	    .offset = event->offset,
	    .length = event->length,
	    .site = event->site,
	};
	if (event->data) {
		trace->data = grown(trace->data, trace->data_count + event->length, &trace->data_room, 1);
		memcpy(trace->data + trace->data_count, event->data, event->length);
		e->data = trace->data_count;
		trace->data_count += event->length;
	}
}

static void record(struct pm_observer *self, const struct pm_event *event)
{
	struct trace *trace = (struct trace *)(void *)self;

	pthread_mutex_lock(&trace->lock);
	trace_add(trace, event);
	pthread_mutex_unlock(&trace->lock);
}

_Static_assert(offsetof(struct trace, observer) == 0, "the observer leads, so that it can be cast back");

void trace_init(struct trace *trace, struct sparse *memory)
{
	memset(trace, 0, sizeof(*trace));
	trace->memory = memory;
	trace->observer.event = record;
	pthread_mutex_init(&trace->lock, NULL);
}

void trace_clear(struct trace *trace)
{
	trace->count = 0;
	trace->data_count = 0;
}

void trace_free(struct trace *trace)
{
	pthread_mutex_destroy(&trace->lock);
	free(trace->events);
	free(trace->data);
	memset(trace, 0, sizeof(*trace));
}
