/*
 * transport.h -- the simulated network beneath the transport's contract, and its faults.
 *
 * It stands in the table of transports for tcp and for verbs; as verbs it wants registered memory, and answers to
 * one-sided operations may overtake messages or be overtaken. One-sided operations take no part of the peer's program:
 * they are executed when they arrive, in pieces, at moments between which others run.
 */
#ifndef FARNOVA_TESTS_SIM_TRANSPORT_H
#define FARNOVA_TESTS_SIM_TRANSPORT_H

#include "tests/sim/kernel.h"

/* How far apart hosts are: each item takes `least_ns` and up to `spread_ns` more. */
struct network_weather {
	int64_t least_ns, spread_ns;
	unsigned late_in_1024; /* of items that take up to `late_ns` more */
	int64_t late_ns;
	unsigned refuse_in_1024; /* of posts that get -EAGAIN though there is room */
};

void network_set_weather(const struct network_weather *weather);

/* network_forbid_refusals -- nobody is late in this run: a one-sided operation outside what its key allows, which
 * costs the connection, fails it. */
void network_forbid_refusals(void);

/* network_cut -- end a connection of `process`, chosen by SIM_FAULTS; both ends see it, sooner or later. False: it has
 * none. */
bool network_cut(struct sim_process *process);
/* network_stall -- nothing passes between `process` and others until `until`; then all comes, in order. */
void network_stall(struct sim_process *process, int64_t until);
/* network_died -- `process` was killed: its listeners are gone and its connections end. */
void network_died(struct sim_process *process);

#endif
