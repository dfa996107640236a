/*
 * run.c -- one run: what the seed chooses, and the order of things.
 */
#include "tests/sim/run.h"

#include "common/log.h"
#include "tests/sim/cluster.h"
#include "tests/sim/faults.h"
#include "tests/sim/medium.h"
#include "tests/sim/transport.h"
#include "tests/sim/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURNS_OF_CALL 2000u /* more is a loop that waits without sleeping */

static uint64_t below(uint64_t limit)
{
	return sim_below(SIM_FAULTS, limit);
}

static unsigned one_of(const unsigned *values, unsigned count)
{
	return values[below(count)];
}

static int64_t choose_drift(void)
{
	return below(2) ? 0 : sim_between(SIM_FAULTS, -20000, 20000);
}

/* Whether some items come late. */
static bool choose_weather(void)
{
	static const int64_t spreads[] = {1000, 20000, 200000, 5000000};
	struct network_weather weather = {.least_ns = 1000 + (int64_t)below(20000),
	                                  .spread_ns = spreads[below(4)],
	                                  .refuse_in_1024 = below(3) ? 0 : 20};

	if (below(2)) {
		weather.late_in_1024 = 10;
		weather.late_ns = 300 * SIM_NS_PER_MS;
	}
	network_set_weather(&weather);
	return weather.late_in_1024 > 0;
}

static void choose_server(struct cluster_options *server)
{
	static const unsigned leases[] = {1000, 3000, 10000}, recalls[] = {200, 1000, 2000}, shares[] = {1, 20, 200},
	                      rings[] = {1024, 4096};

	*server = (struct cluster_options){.workers = 1 + (unsigned)below(3),
	                                   .lease_ms = one_of(leases, 3),
	                                   .recall_ms = one_of(recalls, 3),
	                                   .share_ms = one_of(shares, 3),
	                                   .staging_kib = one_of(rings, 2),
	                                   .drift = choose_drift()};
}

static void choose_workload(struct workload_options *work, const struct run_options *options)
{
	static const unsigned units[] = {64, 512, 1000, 4096}, reads[] = {200, 500, 800}, names[] = {0, 200, 1024},
	                      trees[] = {0, 0, 200, 600};

	*work = (struct workload_options){.clients = 2 + (unsigned)below(3),
	                                  .threads = 1 + (unsigned)below(2),
	                                  .calls = 8 + (unsigned)below(17),
	                                  .files = 1 + (unsigned)below(2),
	                                  .names = 3 + (unsigned)below(3),
	                                  .unit = one_of(units, 4),
	                                  .of_trees = one_of(trees, 4),
	                                  .of_names = one_of(names, 3),
	                                  .of_reads = one_of(reads, 3),
	                                  .room_kib = below(3) ? 0 : 16u << below(7),
	                                  .pause_ns = below(2) ? 0 : (int64_t)below(50) * SIM_NS_PER_MS,
	                                  .timeout_ms = 60000};
	for (unsigned i = 0; i < work->clients; i++) {
		work->verbs[i] = below(2);
		work->drift[i] = choose_drift();
	}
	/* Where each client has a file of its own, layouts are held for long. */
	if (below(2)) {
		work->files = work->clients;
		work->of_own = 950;
	}
	/* Half of the runs are without channels. */
	for (unsigned i = 0, most = below(2) ? 3 : 1; i < work->clients; i++)
		work->channels[i] = (unsigned)below(most);
	if (options->calls && options->calls < work->calls)
		work->calls = options->calls;
	if (options->clients && options->clients < work->clients)
		work->clients = options->clients;
}

/* Faults after which nobody has what was taken back from him: connections end, and all that belonged to them. */
#define CLEAN_ENDS                                                                                                     \
	(1u << FAULT_CUT | 1u << FAULT_KILL_CLIENT | 1u << FAULT_KILL_SERVER | 1u << FAULT_POWER | 1u << FAULT_RESTART)

static void choose_faults(struct faults_options *faults, const struct run_options *options)
{
	*faults = (struct faults_options){.left_out = options->left_out,
	                                  .count = below(4) == 0 ? 0 : 1 + (unsigned)below(5),
	                                  .within_ns = SIM_NS_PER_MS << below(12),
	                                  .longest_ns = 8 * SIM_NS_PER_S};
	/* Each kind in two of three runs, so that all mixtures occur; but clean ends alone in some. */
	unsigned among = below(4) == 0 ? CLEAN_ENDS : ~0u;
	do {
		faults->kinds = 0;
		for (unsigned i = 0; i < FAULT_KINDS; i++)
			faults->kinds |= below(3) ? 1u << i & among : 0;
	} while (!faults->kinds);
}

static void drop_line(enum log_level level, const char *component, const char *text)
{
}

static void print_line(enum log_level level, const char *component, const char *text)
{
	fprintf(stderr, "%13.6f ms %-10s log: %s: %s\n", (double)sim_now() / 1e6, sim_process_current()->name,
	        component, text);
}

static unsigned drifting(const struct workload_options *work, const struct cluster_options *server)
{
	unsigned count = server->drift != 0;

	for (unsigned i = 0; i < work->clients; i++)
		count += work->drift[i] != 0;
	return count;
}

void run(const struct run_options *options, struct run_result *result)
{
	static const unsigned preemptions[] = {0, 4, 64};
	struct cluster_options server;
	struct workload_options work;
	struct faults_options faults;
	char text[256];

	log_set_sink(options->verbose ? print_line : drop_line);
	sim_set_verbose(options->verbose);
	sim_begin(options->seed);
	bool late = choose_weather();
	choose_server(&server);
	choose_workload(&work, options);
	choose_faults(&faults, options);
	faults.clients = work.clients;
	faults.server = server;
	sim_set_preemption(one_of(preemptions, 3));
	if ((faults.count == 0 || !(faults.kinds & ~CLEAN_ENDS)) && !late)
		network_forbid_refusals();

	cluster_start(&server);
	workload_prepare(&work);
	workload_start();
	faults_run(&faults);
	workload_wait();
	workload_look();
	cluster_close();
	if (medium_check() != 0)
		sim_failed("the pool is not sound");
	*result = (struct run_result){.hash = sim_trace_hash(),
	                              .switches = sim_switches(),
	                              .calls = workload_count(),
	                              .virtual_ns = sim_now(),
	                              .faults = faults.count,
	                              .no_space = workload_refused(),
	                              .drifting = drifting(&work, &server)};
	memcpy(result->happened, faults_happened(), sizeof(result->happened));
	if (result->switches > (result->calls + 100) * TURNS_OF_CALL)
		sim_failed("%llu turns for %llu calls: somebody waits in a loop", (unsigned long long)result->switches,
		           (unsigned long long)result->calls);
	const char *fault = history_check(workload_history(), text, sizeof(text), &result->undecided);
	if (fault)
		sim_failed("%s", fault);
}
