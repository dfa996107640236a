/*
 * serve.h -- takes what has arrived from a worker's queues, and serves its connections in turn.
 *
 * For the worker's thread.
 */
#ifndef FARNOVA_SERVER_SERVE_H
#define FARNOVA_SERVER_SERVE_H

#include <stdbool.h>

struct deferred;
struct worker;

/* serve_poll -- poll all queues. True if anything arrived, also if it caused no event. */
bool serve_poll(struct worker *worker);

/* serve_turns -- serve connections in turn, for a short time, after which the queues are to be polled again. True if any
 * was served. */
bool serve_turns(struct worker *worker);

/* serve_resume -- run a request again that has waited; for struct state. */
void serve_resume(struct deferred *deferred);

/* serve_flush -- send what waits for credit. serve_close_broken -- close the connections that have failed. */
void serve_flush(struct worker *worker);
void serve_close_broken(struct worker *worker);

#endif
