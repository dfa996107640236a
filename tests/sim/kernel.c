/*
 * kernel.c -- the simulated machine: who runs next, and what time it is.
 */
#include "tests/sim/kernel_internal.h"

#include <inttypes.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS_MAX   512u
#define PROCESSES_MAX 128u
#define HELD_MAX      32u
#define SWITCH_NS     300 /* what a turn takes at least */
#define CLOCK_NS      25  /* what a look at the clock takes */
#define LOOKS_MOST    100 /* at the clock in a turn: a loop that waits by the clock must let others run */
#define LOOP_NS       20000
#define TURNS_MOST    3000000u
#define STACK_BYTES   (512u << 10)
#define LATEST        (INT64_C(3600) * SIM_NS_PER_S)

enum state { READY, WAITING, ENDED };

struct held {
	void *lock;
	void (*release)(void *lock);
};

struct thread {
	unsigned number;
	struct sim_process *process;
	enum state state;
	const void *on;
	const int *fds;
	unsigned fd_count;
	int64_t until;
	bool woken;
	uint32_t go; /* futex: it has the baton */
	pthread_t real;
	bool joined;
	void *(*run)(void *);
	void *argument;
	void *result;
	int64_t cpu_ns;
	struct held held[HELD_MAX];
	unsigned held_count;
};

struct timer {
	int64_t when;
	uint64_t serial;
	void (*function)(void *argument);
	void *argument;
};

static struct {
	bool running, verbose;
	uint64_t seed;
	uint64_t chance[SIM_STREAMS];
	int64_t now;
	struct thread *threads[THREADS_MAX];
	unsigned thread_count; /* of those that have not ended */
	unsigned thread_numbers;
	struct thread *current;
	struct sim_process *processes[PROCESSES_MAX];
	unsigned process_count;
	struct timer *timers; /* a heap */
	size_t timer_count, timer_room;
	uint64_t timer_serial;
	unsigned preemption;
	unsigned looks; /* at the clock in this turn */
	uint64_t hash, switches;
	pthread_key_t last_key;
} sim;

/* ---- chance ----------------------------------------------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea, Flood 2014): any state is good, so streams are made from the seed by adding a number. */
static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t sim_random(enum sim_stream stream)
{
	sim.chance[stream] += UINT64_C(0x9e3779b97f4a7c15);
	return mix(sim.chance[stream]);
}

uint64_t sim_below(enum sim_stream stream, uint64_t limit)
{
	return (uint64_t)(((unsigned __int128)sim_random(stream) * limit) >> 64);
}

int64_t sim_between(enum sim_stream stream, int64_t low, int64_t high)
{
	return low + (int64_t)sim_below(stream, (uint64_t)(high - low) + 1);
}

bool sim_chance(enum sim_stream stream, unsigned in_1024)
{
	return sim_below(stream, 1024) < in_1024;
}

/* ---- the run ---------------------------------------------------------------------------------------------------- */

void sim_note(const char *what, uint64_t a, uint64_t b)
{
	sim.hash = mix(sim.hash ^ mix(a + UINT64_C(0x9e3779b97f4a7c15)) ^ (b * UINT64_C(0xd1342543de82ef95)) ^
	               (uint64_t)sim.now);
	if (sim.verbose)
		fprintf(stderr, "%13.6f ms %-10s %3u  %s %" PRIu64 " %" PRIu64 "\n", (double)sim.now / 1e6,
		        sim.current ? sim.current->process->name : "", sim.current ? sim.current->number : 0, what, a,
		        b);
}

uint64_t sim_trace_hash(void)
{
	return sim.hash;
}

uint64_t sim_switches(void)
{
	return sim.switches;
}

void sim_set_verbose(bool verbose)
{
	sim.verbose = verbose;
}

static void print_threads(void)
{
	for (unsigned i = 0; i < sim.thread_count; i++) {
		const struct thread *thread = sim.threads[i];

		fprintf(stderr, "  thread %u of %s: %s%s%s on %p, %u descriptors, until %.3f ms\n", thread->number,
		        thread->process->name, thread->state == READY ? "ready" : "waits",
		        thread->process->dead ? ", killed" : "",
		        thread->process->frozen_until > sim.now ? ", frozen" : "", thread->on, thread->fd_count,
		        thread->until == SIM_FOREVER ? -1.0 : (double)thread->until / 1e6);
	}
}

void sim_failed(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "FAIL at %.6f ms: ", (double)sim.now / 1e6);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\nreplay: tests/sim/sim --seed %" PRIu64 "\n", sim.seed);
	if (sim.verbose)
		print_threads();
	fflush(NULL);
	_exit(1);
}

/* ---- processes -------------------------------------------------------------------------------------------------- */

struct sim_process *sim_process_create(const char *name)
{
	struct sim_process *process = calloc(1, sizeof(*process));

	if (!process || sim.process_count == PROCESSES_MAX)
		sim_failed("too many processes");
	snprintf(process->name, sizeof(process->name), "%s", name);
	process->number = sim.process_count;
	sim.processes[sim.process_count++] = process;
	return process;
}

struct sim_process *sim_process_current(void)
{
	return sim.current->process;
}

extern char __data_start[], _end[];

void sim_process_kill(struct sim_process *process)
{
	process->dead = true;
	for (unsigned i = 0; i < sim.thread_count; i++) {
		struct thread *thread = sim.threads[i];

		if (thread->process != process)
			continue;
		for (unsigned h = 0; h < thread->held_count; h++) {
			char *lock = thread->held[h].lock;

			if (lock >= __data_start && lock < _end)
				thread->held[h].release(lock);
		}
		thread->held_count = 0;
	}
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

int64_t sim_now(void)
{
	return sim.now;
}

void sim_pass(int64_t ns)
{
	sim.now += ns;
	if (sim.current)
		sim.current->cpu_ns += ns;
}

int64_t sim_clock(void)
{
	const struct sim_process *process;

	if (!sim.running)
		return SIM_NS_PER_S;
	if (++sim.looks > LOOKS_MOST)
		sim_sleep_until(sim.now + LOOP_NS);
	sim_pass(CLOCK_NS);
	process = sim.current->process;
	return 1000 * SIM_NS_PER_S + sim.now + sim.now / 1000000 * process->clock_drift + process->clock_offset;
}

int64_t sim_from_clock(int64_t ns)
{
	const struct sim_process *process = sim.current->process;
	int64_t since = ns - 1000 * SIM_NS_PER_S - process->clock_offset;

	/* A moment later than exactly, so that whoever looks at the clock then sees it at `ns`. */
	return since <= 0 ? 0 : (int64_t)((__int128)since * 1000000 / (1000000 + process->clock_drift)) + 2000;
}

int64_t sim_wall(void)
{
	if (!sim.running)
		return INT64_C(1700000000) * SIM_NS_PER_S;
	return sim_clock() + INT64_C(1700000000) * SIM_NS_PER_S + sim.current->process->wall_offset;
}

int64_t sim_cpu(void)
{
	return sim.running ? sim.current->cpu_ns : 0;
}

void sim_clock_jump(struct sim_process *process, int64_t ns)
{
	process->clock_offset += ns;
	for (unsigned i = 0; i < sim.thread_count; i++)
		if (sim.threads[i]->process == process && sim.threads[i]->until != SIM_FOREVER)
			sim.threads[i]->until -= ns;
}

static bool earlier(const struct timer *a, const struct timer *b)
{
	return a->when != b->when ? a->when < b->when : a->serial < b->serial;
}

void sim_at(int64_t when, void (*function)(void *argument), void *argument)
{
	struct timer timer = {when < sim.now ? sim.now : when, sim.timer_serial++, function, argument};
	size_t at = sim.timer_count++;

	if (at == sim.timer_room) {
		sim.timer_room = sim.timer_room ? 2 * sim.timer_room : 256;
		sim.timers = realloc(sim.timers, sim.timer_room * sizeof(*sim.timers));
		if (!sim.timers)
			sim_failed("out of memory");
	}
	for (; at > 0 && earlier(&timer, &sim.timers[(at - 1) / 2]); at = (at - 1) / 2)
		sim.timers[at] = sim.timers[(at - 1) / 2];
	sim.timers[at] = timer;
}

static struct timer take_timer(void)
{
	struct timer first = sim.timers[0], last = sim.timers[--sim.timer_count];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < sim.timer_count) {
		if (child + 1 < sim.timer_count && earlier(&sim.timers[child + 1], &sim.timers[child]))
			child++;
		if (!earlier(&sim.timers[child], &last))
			break;
		sim.timers[at] = sim.timers[child];
		at = child;
	}
	sim.timers[at] = last;
	return first;
}

/* ---- who runs next ---------------------------------------------------------------------------------------------- */

static void make_ready(struct thread *thread, bool woken)
{
	thread->state = READY;
	thread->woken = woken;
	thread->on = NULL;
	thread->fd_count = 0;
}

static int64_t next_moment(void)
{
	int64_t next = sim.timer_count > 0 ? sim.timers[0].when : SIM_FOREVER;

	for (unsigned i = 0; i < sim.thread_count; i++) {
		const struct thread *thread = sim.threads[i];
		int64_t when = thread->state == READY ? sim.now : thread->until;

		if (thread->process->dead || when == SIM_FOREVER)
			continue;
		if (when < thread->process->frozen_until)
			when = thread->process->frozen_until;
		if (when < next)
			next = when;
	}
	return next;
}

static struct thread *choose(void)
{
	struct thread *ready[THREADS_MAX];

	for (;;) {
		unsigned count = 0;

		while (sim.timer_count > 0 && sim.timers[0].when <= sim.now) {
			struct timer timer = take_timer();

			timer.function(timer.argument);
		}
		for (unsigned i = 0; i < sim.thread_count; i++) {
			struct thread *thread = sim.threads[i];

			if (thread->process->dead || thread->process->frozen_until > sim.now)
				continue;
			if (thread->state == WAITING && thread->until <= sim.now)
				make_ready(thread, false);
			if (thread->state == READY)
				ready[count++] = thread;
		}
		if (count > 0)
			return ready[count == 1 ? 0 : sim_below(SIM_SCHEDULE, count)];
		int64_t next = next_moment();

		if (next == SIM_FOREVER || next > LATEST) {
			print_threads();
			sim_failed(next == SIM_FOREVER ? "all threads wait for ever" : "the run does not end");
		}
		if (next > sim.now)
			sim.now = next;
	}
}

static void give_baton(struct thread *to)
{
	__atomic_store_n(&to->go, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &to->go, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void await_baton(struct thread *self)
{
	while (!__atomic_load_n(&self->go, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &self->go, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	self->go = 0;
}

static void switch_from(struct thread *self)
{
	struct thread *next = choose();

	if (sim.switches++ > TURNS_MOST)
		sim_failed("the run does not end: %u turns", TURNS_MOST);
	sim.looks = 0;
	sim_pass(SWITCH_NS);
	if (next != self) {
		sim.current = next;
		if (sim.verbose)
			sim_note("turn", next->number, 0);
		else
			sim.hash = mix(sim.hash ^ next->number ^ (uint64_t)sim.now << 8);
		give_baton(next);
		if (self->state != ENDED)
			await_baton(self);
	}
}

void sim_yield(void)
{
	if (!sim.running)
		return;
	sim_pass(SWITCH_NS);
	switch_from(sim.current);
}

void sim_point(void)
{
	if (sim.running && sim.preemption > 0 && sim_chance(SIM_SCHEDULE, sim.preemption))
		sim_yield();
}

void sim_set_preemption(unsigned in_1024)
{
	sim.preemption = in_1024;
}

static bool wait_with(const void *on, const int *fds, unsigned count, int64_t until)
{
	struct thread *self = sim.current;

	if (!sim.running)
		sim_failed("a wait before the simulation has begun");
	self->state = WAITING;
	self->on = on;
	self->fds = fds;
	self->fd_count = count;
	self->until = until;
	switch_from(self);
	self->until = SIM_FOREVER;
	return self->woken;
}

bool sim_wait(const void *on, int64_t until)
{
	return wait_with(on, NULL, 0, until);
}

bool kernel_wait_fds(const int *fds, unsigned count, int64_t until)
{
	return wait_with(NULL, fds, count, until);
}

void sim_sleep_until(int64_t until)
{
	wait_with(NULL, NULL, 0, until);
}

void sim_wake(const void *on)
{
	for (unsigned i = 0; i < sim.thread_count; i++)
		if (sim.threads[i]->state == WAITING && sim.threads[i]->on == on)
			make_ready(sim.threads[i], true);
}

void sim_wake_one(const void *on)
{
	struct thread *waiting[THREADS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < sim.thread_count; i++)
		if (sim.threads[i]->state == WAITING && sim.threads[i]->on == on && !sim.threads[i]->process->dead)
			waiting[count++] = sim.threads[i];
	if (count > 0)
		make_ready(waiting[sim_below(SIM_SCHEDULE, count)], true);
}

void kernel_fd_ready(int fd)
{
	for (unsigned i = 0; i < sim.thread_count; i++) {
		struct thread *thread = sim.threads[i];

		for (unsigned k = 0; thread->state == WAITING && k < thread->fd_count; k++)
			if (thread->fds[k] == fd)
				make_ready(thread, true);
	}
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

unsigned sim_self(void)
{
	return sim.running ? sim.current->number : 1;
}

void sim_hold(void *lock, void (*release)(void *lock))
{
	if (!sim.running)
		return;
	if (sim.current->held_count == HELD_MAX)
		sim_failed("a thread holds more than %u locks", HELD_MAX);
	sim.current->held[sim.current->held_count++] = (struct held){lock, release};
}

void sim_drop(void *lock)
{
	struct thread *self = sim.current;

	for (unsigned i = self ? self->held_count : 0; i-- > 0;) {
		if (self->held[i].lock == lock) {
			self->held[i] = self->held[--self->held_count];
			return;
		}
	}
}

static void leave(struct thread *self)
{
	unsigned at = 0;

	while (sim.threads[at] != self)
		at++;
	sim.threads[at] = sim.threads[--sim.thread_count];
	self->state = ENDED;
	sim_wake(self);
	switch_from(self);
}

/* The destructors of the product's thread-specific data run with the baton too: this one gives way to them until the
 * last round. */
static void last_destructor(void *argument)
{
	static _Thread_local unsigned rounds;

	if (++rounds < 4)
		pthread_setspecific(sim.last_key, argument);
	else
		leave(argument);
}

static void *thread_main(void *argument)
{
	struct thread *self = argument;

	await_baton(self);
	pthread_setspecific(sim.last_key, self);
	self->result = self->run(self->argument);
	return NULL;
}

static struct thread *new_thread(struct sim_process *process)
{
	struct thread *thread = calloc(1, sizeof(*thread));

	if (!thread || sim.thread_count == THREADS_MAX)
		sim_failed("too many threads");
	thread->number = ++sim.thread_numbers;
	thread->process = process;
	thread->until = SIM_FOREVER;
	sim.threads[sim.thread_count++] = thread;
	return thread;
}

static struct thread *all_threads[4096];

int kernel_create(struct sim_process *process, pthread_t *out, void *(*run)(void *), void *argument)
{
	struct thread *thread = new_thread(process);
	pthread_attr_t attributes;

	thread->run = run;
	thread->argument = argument;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	if (thread->number >= sizeof(all_threads) / sizeof(all_threads[0]) ||
	    __real_pthread_create(&thread->real, &attributes, thread_main, thread) != 0)
		sim_failed("the host gives no more threads");
	pthread_attr_destroy(&attributes);
	all_threads[thread->number] = thread;
	*out = thread->real;
	sim_point();
	return 0;
}

int kernel_join(pthread_t real, void **result)
{
	struct thread *thread = NULL;

	for (unsigned i = 1; i <= sim.thread_numbers; i++)
		if (all_threads[i] && !all_threads[i]->joined && pthread_equal(all_threads[i]->real, real))
			thread = all_threads[i];
	if (!thread)
		sim_failed("a thread is joined that nobody created");
	while (thread->state != ENDED)
		sim_wait(thread, SIM_FOREVER);
	__real_pthread_join(real, NULL);
	thread->joined = true;
	if (result)
		*result = thread->result;
	return 0;
}

void sim_start(struct sim_process *process, void *(*run)(void *), void *argument)
{
	pthread_t ignored;

	kernel_create(process, &ignored, run, argument);
}

bool sim_running(void)
{
	return sim.running;
}

void sim_begin(uint64_t seed)
{
	sim.seed = seed;
	for (unsigned i = 0; i < SIM_STREAMS; i++)
		sim.chance[i] = mix(seed * SIM_STREAMS + i + 1);
	sim.hash = seed;
	if (pthread_key_create(&sim.last_key, last_destructor) != 0)
		sim_failed("no key of thread-specific data is left");
	sim.current = new_thread(sim_process_create("world"));
	sim.running = true;
}
