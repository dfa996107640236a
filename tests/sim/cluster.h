/*
 * cluster.h -- the simulated server: started, closed, killed, with or without its host's power.
 */
#ifndef FARNOVA_TESTS_SIM_CLUSTER_H
#define FARNOVA_TESTS_SIM_CLUSTER_H

#include "tests/sim/kernel.h"

#define CLUSTER_URL "farnova://server:7777/"

struct cluster_options {
	unsigned workers;
	unsigned lease_ms, recall_ms, share_ms;
	unsigned staging_kib;
	int64_t drift; /* of the server's clock, in ppm */
};

/* cluster_start -- a server on the pool as it is; returns when clients are let in. Any thread of the world. */
void cluster_start(const struct cluster_options *options);
/* cluster_close -- as with SIGTERM; returns when it has ended. */
void cluster_close(void);
/* cluster_kill -- as with SIGKILL; `power`: what is not durable may be lost. */
void cluster_kill(bool power);
/* cluster_server -- the server's process; NULL while there is none. */
struct sim_process *cluster_server(void);

#endif
