/*
 * kernel.h -- the simulated machine: threads that take turns, virtual time, and the processes that threads belong to.
 *
 * One thread runs at a time, the one with the baton; so nothing here needs a lock. A thread gives the baton up in
 * sim_wait, sim_yield and sim_point. What runs in sim_at's functions runs between two turns and must not wait.
 *
 * All choices come from the seed, by streams of their own, so that to leave out a fault does not change the others.
 */
#ifndef FARNOVA_TESTS_SIM_KERNEL_H
#define FARNOVA_TESTS_SIM_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_NS_PER_US INT64_C(1000)
#define SIM_NS_PER_MS INT64_C(1000000)
#define SIM_NS_PER_S  INT64_C(1000000000)
#define SIM_FOREVER   INT64_MAX

/* ---- chance ----------------------------------------------------------------------------------------------------- */

enum sim_stream { SIM_SCHEDULE, SIM_NETWORK, SIM_FAULTS, SIM_WORKLOAD, SIM_SECRETS, SIM_MEDIUM, SIM_STREAMS };

uint64_t sim_random(enum sim_stream stream);
/* sim_below -- uniform in [0, limit); sim_between -- in [low, high]. */
uint64_t sim_below(enum sim_stream stream, uint64_t limit);
int64_t sim_between(enum sim_stream stream, int64_t low, int64_t high);
/* sim_chance -- true with a probability of `in_1024` / 1024. */
bool sim_chance(enum sim_stream stream, unsigned in_1024);

/* ---- processes -------------------------------------------------------------------------------------------------- */

struct sim_process {
	char name[24];
	unsigned number;
	bool dead;
	int64_t frozen_until; /* none of its threads runs before */
	int64_t clock_offset; /* of its CLOCK_MONOTONIC */
	int64_t clock_drift;  /* in ppm */
	int64_t wall_offset;  /* of its CLOCK_REALTIME, beyond that */
};

struct sim_process *sim_process_create(const char *name);
struct sim_process *sim_process_current(void);
/* sim_process_kill -- its threads never run again. Locks in global variables that they held are released, as the
 * variables of a new process would be. */
void sim_process_kill(struct sim_process *process);

/* ---- threads ---------------------------------------------------------------------------------------------------- */

/* sim_begin -- the calling thread becomes the first, in a process named "world" that nobody kills. Before this call the
 * wrapped functions act as for a program with one thread, with time 0. */
void sim_begin(uint64_t seed);
bool sim_running(void);

/* sim_start -- a thread in `process`. */
void sim_start(struct sim_process *process, void *(*run)(void *), void *argument);

/* sim_set_preemption -- how often, in 1024, sim_point gives the baton to another thread. */
void sim_set_preemption(unsigned in_1024);

/* sim_point -- another thread may run now. sim_yield -- one does, if any can. */
void sim_point(void);
void sim_yield(void);

/* sim_wait -- wait until sim_wake(on), or until `until` (SIM_FOREVER: without limit). False: the time has come. */
bool sim_wait(const void *on, int64_t until);
/* sim_wake -- wake those that wait for `on`: all, or one by choice of the seed. */
void sim_wake(const void *on);
void sim_wake_one(const void *on);

/* sim_sleep_until -- by the time of the machine. */
void sim_sleep_until(int64_t until);

/* sim_self -- a number that is the current thread's own, from 1. */
unsigned sim_self(void);
/* sim_hold, sim_drop -- the current thread takes or releases the lock at `lock`; for sim_process_kill. */
void sim_hold(void *lock, void (*release)(void *lock));
void sim_drop(void *lock);

/* ---- time ------------------------------------------------------------------------------------------------------- */

/* sim_now -- nanoseconds since sim_begin, which no process sees. sim_pass -- the current thread works so long. */
int64_t sim_now(void);
void sim_pass(int64_t ns);
/* sim_clock -- CLOCK_MONOTONIC of the current process; sim_from_clock -- when it will be at `ns`. */
int64_t sim_clock(void);
int64_t sim_from_clock(int64_t ns);
int64_t sim_wall(void);
int64_t sim_cpu(void);
/* sim_clock_jump -- the process's CLOCK_MONOTONIC leaps ahead, as if it had been suspended. */
void sim_clock_jump(struct sim_process *process, int64_t ns);

/* sim_at -- call `function` at `when`. */
void sim_at(int64_t when, void (*function)(void *argument), void *argument);

/* ---- the run ---------------------------------------------------------------------------------------------------- */

/* sim_note -- mix something that happened into the trace hash, and print it where SIM_VERBOSE is set. */
void sim_note(const char *what, uint64_t a, uint64_t b);
uint64_t sim_trace_hash(void);
uint64_t sim_switches(void);
void sim_set_verbose(bool verbose);

/* sim_failed -- the run has found a fault: print it, with the seed, and end this process of the host. */
void sim_failed(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
