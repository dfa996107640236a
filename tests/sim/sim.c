/*
 * sim.c -- runs seeds side by side, each in a process of the host of its own, and cuts a run that fails down.
 */
#include "tests/sim/medium.h"
#include "tests/sim/run.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POOL_BYTES  (16u << 20)
#define HUNG_CPU_S  20  /* a run takes milliseconds */
#define HUNG_S      300 /* without taking CPU time; the host may be busy */
#define CUT_TRIES   64u
#define FAILED_MOST 10u

int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __real_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int __real_sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set);

struct plan {
	uint64_t first, count;
	unsigned seconds; /* 0: no limit */
	unsigned jobs;
	bool print, cut, stop;
	struct run_options run;
};

struct totals {
	uint64_t runs, failed, calls, switches, faults, undecided, no_space, drifting;
	uint64_t happened[FAULT_KINDS];
	uint64_t hash;
};

static struct run_result *shared_result;

static double seconds_now(void)
{
	struct timespec now;

	__real_clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A run in a child; what it prints goes to `out` (-1: where this process prints). Whether it was good. */
static bool try(const struct run_options *options, int out, struct run_result *result)
{
	const struct rlimit cpu = {.rlim_cur = HUNG_CPU_S, .rlim_max = HUNG_CPU_S + 5};
	int status;
	pid_t child;

	memset(shared_result, 0, sizeof(*shared_result));
	fflush(NULL);
	child = fork();
	if (child == 0) {
		if (out >= 0)
			dup2(out, STDERR_FILENO);
		setrlimit(RLIMIT_CPU, &cpu);
		alarm(HUNG_S);
		run(options, shared_result);
		fflush(NULL);
		_exit(0);
	}
	while (child < 0 || waitpid(child, &status, 0) != child)
		if (child < 0 || errno != EINTR)
			return false;
	*result = *shared_result;
	if (WIFSIGNALED(status) && out < 0)
		fprintf(stderr, "the run ended by signal %d%s\nreplay: tests/sim/sim --seed %" PRIu64 "\n",
		        WTERMSIG(status),
		        WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGXCPU ? ": it did not come to an end" : "",
		        options->seed);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- cutting down ----------------------------------------------------------------------------------------------- */

static bool still_fails(const struct run_options *options, int null)
{
	struct run_result result;

	return !try(options, null, &result);
}

/* Fewer faults, then fewer clients, then fewer calls; what still fails is kept. */
static void cut_down(struct run_options *options, unsigned faults)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	for (unsigned i = 0; i < faults; i++) {
		struct run_options less = *options;

		less.left_out |= UINT64_C(1) << i;
		if (still_fails(&less, null))
			*options = less;
	}
	for (unsigned clients = 1; clients < 4; clients++) {
		struct run_options less = *options;

		less.clients = clients;
		if (still_fails(&less, null)) {
			*options = less;
			break;
		}
	}
	for (unsigned calls = 1; calls < CUT_TRIES; calls += 1 + calls / 4) {
		struct run_options less = *options;

		less.calls = calls;
		if (still_fails(&less, null)) {
			*options = less;
			break;
		}
	}
	close(null);
}

static void print_replay(const struct run_options *options)
{
	printf("cut down: tests/sim/sim --seed %" PRIu64, options->seed);
	if (options->left_out)
		printf(" --without %#" PRIx64, options->left_out);
	if (options->clients)
		printf(" --clients %u", options->clients);
	if (options->calls)
		printf(" --calls %u", options->calls);
	printf("\n");
}

/* ---- many seeds ------------------------------------------------------------------------------------------------- */

static void pin(unsigned job)
{
	cpu_set_t allowed, one;
	unsigned count = 0;

	/* The threads of a run hand over to each other: on one CPU that takes a tenth of the time. */
	if (__real_sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return;
	job %= (unsigned)CPU_COUNT(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed) && count++ == job) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			__real_sched_setaffinity(0, sizeof(one), &one);
			return;
		}
	}
}

static struct totals job_main(const struct plan *plan, unsigned job)
{
	double end = seconds_now() + plan->seconds;
	struct totals totals = {0};

	pin(job);
	for (uint64_t i = job; i < plan->count; i += plan->jobs) {
		struct run_options options = plan->run;
		struct run_result result;

		if ((plan->seconds > 0 && seconds_now() >= end) || totals.failed >= (plan->stop ? 1 : FAILED_MOST))
			break;
		options.seed = plan->first + i;
		bool good = try(&options, -1, &result);
		totals.runs++;
		totals.failed += !good;
		totals.calls += result.calls;
		totals.switches += result.switches;
		totals.faults += result.faults;
		totals.undecided += result.undecided > 0;
		totals.no_space += result.no_space;
		totals.drifting += result.drifting;
		for (unsigned kind = 0; kind < FAULT_KINDS; kind++)
			totals.happened[kind] += result.happened[kind];
		totals.hash ^= result.hash;
		if (plan->print && good)
			printf("seed %" PRIu64 ": hash %016" PRIx64 ", %" PRIu64 " calls, %u faults, %" PRIu64
			       " turns, %.3f s of its time\n",
			       options.seed, result.hash, result.calls, result.faults, result.switches,
			       (double)result.virtual_ns / 1e9);
		if (!good && plan->cut) {
			cut_down(&options, 6);
			print_replay(&options);
		}
		fflush(stdout);
	}
	return totals;
}

static struct totals *start_jobs(const struct plan *plan)
{
	struct totals *totals =
	    mmap(NULL, plan->jobs * sizeof(*totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (unsigned job = 0; job < plan->jobs; job++) {
		pid_t child = fork();

		if (child != 0)
			continue;
		shared_result =
		    mmap(NULL, sizeof(*shared_result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		totals[job] = job_main(plan, job);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	return totals;
}

/* ---- the program ------------------------------------------------------------------------------------------------ */

static void usage(void)
{
	puts("usage: sim [OPTION]...\n"
	     "\n"
	     "Runs the server and its clients in simulated time, once for each seed; docs/simulation.md.\n"
	     "\n"
	     "  --seed N      this seed alone, with its trace hash\n"
	     "  --first N     seeds from N on (1); 0: from a number that the day gives\n"
	     "  --count N     so many (100)\n"
	     "  --seconds N   stop after so long\n"
	     "  --jobs N      runs side by side (one for each CPU)\n"
	     "  --stop        at the first run that fails\n"
	     "  --print       print each run's hash\n"
	     "  --cut         cut runs that fail down: fewer faults, clients, calls\n"
	     "  --calls N, --clients N, --without MASK\n"
	     "                at most so many calls of a thread, clients; without some faults, by bit\n"
	     "  --verbose     print every turn and everything that arrives");
}

static int read_flags(int argc, char **argv, struct plan *plan)
{
	static const struct option flags[] = {
	    {"seed", 1, NULL, 's'},  {"first", 1, NULL, 'f'},   {"count", 1, NULL, 'n'},   {"seconds", 1, NULL, 't'},
	    {"stop", 0, NULL, 'o'},  {"jobs", 1, NULL, 'j'},    {"print", 0, NULL, 'p'},   {"cut", 0, NULL, 'c'},
	    {"calls", 1, NULL, 'a'}, {"clients", 1, NULL, 'l'}, {"without", 1, NULL, 'w'}, {"verbose", 0, NULL, 'v'},
	    {"help", 0, NULL, 'h'},  {NULL, 0, NULL, 0}};
	int flag;

	while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
		uint64_t value = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (flag) {
		case 's':
			plan->first = value;
			plan->count = plan->jobs = 1;
			plan->print = true;
			break;
		case 'f':
			plan->first = value;
			break;
		case 'n':
			plan->count = value;
			break;
		case 't':
			plan->seconds = (unsigned)value;
			break;
		case 'j':
			plan->jobs = value ? (unsigned)value : 1;
			break;
		case 'o':
			plan->stop = true;
			break;
		case 'p':
			plan->print = true;
			break;
		case 'c':
			plan->cut = true;
			break;
		case 'a':
			plan->run.calls = (unsigned)value;
			break;
		case 'l':
			plan->run.clients = (unsigned)value;
			break;
		case 'w':
			plan->run.left_out = value;
			break;
		case 'v':
			plan->run.verbose = true;
			break;
		case 'h':
			usage();
			exit(0);
		default:
			return -1;
		}
	}
	return optind == argc ? 0 : -1;
}

static void print_played(const struct totals *sum)
{
	printf("played:");
	for (enum fault_kind kind = 0; kind < FAULT_KINDS; kind++)
		printf(" %" PRIu64 " %s,", sum->happened[kind], faults_name(kind));
	printf(" %" PRIu64 " clocks that drift, %" PRIu64 " calls without room\n", sum->drifting, sum->no_space);
}

int main(int argc, char **argv)
{
	struct plan plan = {.first = 1, .count = 100, .jobs = 2};
	struct totals sum = {0};
	double start;

	if (read_flags(argc, argv, &plan) != 0) {
		usage();
		return 2;
	}
	if (plan.first == 0)
		plan.first = (uint64_t)time(NULL) / 86400 * 1000000;
	setenv("FARNOVA_SPIN_US", "0", 1);
	/* Memory must not depend on how many CPUs the host has. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	medium_make(POOL_BYTES);
	start = seconds_now();
	struct totals *totals = start_jobs(&plan);
	for (unsigned i = 0; i < plan.jobs; i++) {
		sum.runs += totals[i].runs;
		sum.failed += totals[i].failed;
		sum.calls += totals[i].calls;
		sum.switches += totals[i].switches;
		sum.faults += totals[i].faults;
		sum.undecided += totals[i].undecided;
		sum.no_space += totals[i].no_space;
		sum.drifting += totals[i].drifting;
		for (unsigned kind = 0; kind < FAULT_KINDS; kind++)
			sum.happened[kind] += totals[i].happened[kind];
		sum.hash ^= totals[i].hash;
	}
	printf("%" PRIu64 " runs, %" PRIu64 " failed, %" PRIu64 " undecided; %" PRIu64 " calls, %" PRIu64
	       " faults, %" PRIu64 " turns in %.1f s; hash of all %016" PRIx64 "\n",
	       sum.runs, sum.failed, sum.undecided, sum.calls, sum.faults, sum.switches, seconds_now() - start,
	       sum.hash);
	print_played(&sum);
	return sum.failed > 0 || sum.runs == 0;
}
