/*
 * ticks.h -- what a worker does from time to time: deadlines of its connections and sessions, leases, orphans.
 *
 * For the worker's thread.
 */
#ifndef FARNOVA_SERVER_TICKS_H
#define FARNOVA_SERVER_TICKS_H

#define TICK_MS 100

struct worker;

/* ticks_begin -- the thread begins. ticks_run -- do what is due, if a tick is. */
void ticks_begin(struct worker *worker);
void ticks_run(struct worker *worker);

#endif
