/*
 * faults.c -- what goes wrong in a run, and when.
 */
#include "tests/sim/faults.h"

#include "tests/sim/medium.h"
#include "tests/sim/transport.h"
#include "tests/sim/workload.h"

#include <stdlib.h>

#define DOWN_NS (3 * SIM_NS_PER_S) /* a server is away up to */
#define TRAP_NS SIM_NS_PER_S
#define FENCES  12u
#define STORES  60u

struct fault {
	int64_t when;
	enum fault_kind kind;
	unsigned client;
	int64_t duration;
	uint64_t choice;
};

static unsigned happened[FAULT_KINDS];

const unsigned *faults_happened(void)
{
	return happened;
}

const char *faults_name(enum fault_kind kind)
{
	static const char *const names[FAULT_KINDS] = {
	    [FAULT_CUT] = "connections cut",        [FAULT_STALL] = "stalls",
	    [FAULT_FREEZE] = "clients frozen",      [FAULT_FREEZE_SERVER] = "servers frozen",
	    [FAULT_KILL_CLIENT] = "clients killed", [FAULT_KILL_SERVER] = "servers killed",
	    [FAULT_POWER] = "power failures",       [FAULT_RESTART] = "restarts",
	    [FAULT_CLOCK] = "leaps of clocks"};

	return names[kind];
}

static int by_time(const void *a, const void *b)
{
	const struct fault *first = a, *second = b;

	return first->when < second->when ? -1 : first->when > second->when;
}

static enum fault_kind choose_kind(unsigned kinds)
{
	unsigned kind;

	do
		kind = (unsigned)sim_below(SIM_FAULTS, FAULT_KINDS);
	while (!(kinds & 1u << kind));
	return (enum fault_kind)kind;
}

/* Short ones are as likely as long ones. */
static int64_t choose_duration(int64_t longest)
{
	return (longest >> sim_below(SIM_FAULTS, 12)) + 1;
}

static void freeze(struct sim_process *process, int64_t duration)
{
	sim_note("frozen", process->number, (uint64_t)duration);
	process->frozen_until = sim_now() + duration;
}

static void replace_server(const struct fault *fault, const struct faults_options *options)
{
	/* Half of those that kill do so at a fence, where most is under way, or at a store. */
	if (fault->kind != FAULT_RESTART && fault->choice & 8) {
		if (fault->choice & 16)
			medium_trap(MEDIUM_FENCE, 1 + (unsigned)(fault->choice >> 8) % FENCES);
		else
			medium_trap(MEDIUM_STORE, 1 + (unsigned)(fault->choice >> 8) % STORES);
		medium_trapped(sim_now() + TRAP_NS);
	}
	if (fault->kind == FAULT_RESTART)
		cluster_close();
	else
		cluster_kill(fault->kind == FAULT_POWER);
	sim_sleep_until(sim_now() + (int64_t)(fault->choice % (uint64_t)(DOWN_NS >> (fault->choice >> 60))));
	cluster_start(&options->server);
}

static void leap(struct sim_process *process, const struct fault *fault)
{
	sim_note("leap", process->number, fault->choice);
	if (fault->choice & 1)
		process->wall_offset += (fault->choice & 2 ? 1 : -1) * fault->duration * 100;
	else
		sim_clock_jump(process, fault->duration);
}

/* Whether there was anybody to whom it could happen. */
static bool happen(const struct fault *fault, const struct faults_options *options)
{
	struct sim_process *client = workload_client(fault->client), *other;

	switch (fault->kind) {
	case FAULT_CUT:
		return client && network_cut(client);
	case FAULT_STALL:
		if (client)
			network_stall(client, sim_now() + fault->duration);
		return client;
	case FAULT_FREEZE:
	case FAULT_FREEZE_SERVER:
		other = fault->kind == FAULT_FREEZE ? client : cluster_server();
		if (other)
			freeze(other, fault->duration);
		return other;
	case FAULT_KILL_CLIENT:
		if (client)
			workload_kill(fault->client);
		return client;
	case FAULT_KILL_SERVER:
	case FAULT_POWER:
	case FAULT_RESTART:
		replace_server(fault, options);
		return true;
	case FAULT_CLOCK:
		other = fault->choice & 4 ? client : cluster_server();
		if (other)
			leap(other, fault);
		return other;
	case FAULT_KINDS:
		break;
	}
	return false;
}

void faults_run(const struct faults_options *options)
{
	struct fault faults[FAULTS_MAX] = {0};
	int64_t start = sim_now();

	for (unsigned i = 0; i < options->count; i++)
		faults[i] = (struct fault){
		    .when = start + (int64_t)sim_below(SIM_FAULTS, (uint64_t)options->within_ns),
		    .kind = choose_kind(options->kinds),
		    .client = (unsigned)sim_below(SIM_FAULTS, options->clients),
		    .duration = choose_duration(options->longest_ns),
		    .choice = sim_random(SIM_FAULTS),
		};
	/* Those left out are chosen all the same, so that the others stay what they are. */
	for (unsigned i = 0; i < options->count; i++)
		if (options->left_out & UINT64_C(1) << i)
			faults[i].when = SIM_FOREVER;
	qsort(faults, options->count, sizeof(faults[0]), by_time);
	for (unsigned i = 0; i < options->count && faults[i].when != SIM_FOREVER; i++) {
		if (faults[i].when > sim_now())
			sim_sleep_until(faults[i].when);
		happened[faults[i].kind] += happen(&faults[i], options);
	}
}
