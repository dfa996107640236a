/*
 * cluster.c -- the simulated server.
 */
#include "tests/sim/cluster.h"

#include "common/log.h"
#include "server/server.h"
#include "tests/sim/descriptors.h"
#include "tests/sim/medium.h"
#include "tests/sim/transport.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

struct instance {
	struct server server;
	struct sim_process *process;
	struct cluster_options options;
	int stop_fd;
	bool up, stopping, down;
};

static struct instance *instance;
static unsigned generation;

static void on_stop(int fd, short what, void *argument)
{
	(void)fd, (void)what, (void)argument;
}

static void configure(struct config *config, const struct cluster_options *options)
{
	char workers[16], lease[16], recall[16], share[16], staging[24], why[4096];
	char *argv[] = {
	    "farnovad", "--pool",     "/pool", "--listen",    "server:7777", "--transport", "auto", "--workers",
	    workers,    "--lease-ms", lease,   "--recall-ms", recall,        "--share-ms",  share,  "--staging-size",
	    staging,    "--spin-us",  "0",     "--log-level", "info",        NULL};

	snprintf(workers, sizeof(workers), "%u", options->workers);
	snprintf(lease, sizeof(lease), "%u", options->lease_ms);
	snprintf(recall, sizeof(recall), "%u", options->recall_ms);
	snprintf(share, sizeof(share), "%u", options->share_ms);
	snprintf(staging, sizeof(staging), "%uK", options->staging_kib);
	if (config_read(config, sizeof(argv) / sizeof(argv[0]) - 1, argv, why, sizeof(why)) != CONFIG_OK)
		sim_failed("the server does not take its flags: %s", why);
}

static void *server_main(void *argument)
{
	struct instance *self = argument;
	struct event_base *base = event_base_new();
	struct event *stop;
	char why[4096] = "";

	configure(&self->server.config, &self->options);
	if (server_open(&self->server, why, sizeof(why)) < 0)
		sim_failed("the server does not start: %s", why);
	self->stop_fd = descriptor_open();
	stop = event_new(base, self->stop_fd, EV_READ | EV_PERSIST, on_stop, NULL);
	event_add(stop, NULL);
	if (listeners_watch(&self->server.listeners, base) < 0)
		sim_failed("the server cannot watch its listeners");
	self->up = true;
	sim_wake(self);
	while (!self->stopping)
		event_base_loop(base, EVLOOP_ONCE);
	listeners_close(&self->server.listeners);
	event_free(stop);
	event_base_free(base);
	server_close(&self->server);
	self->down = true;
	sim_wake(self);
	return NULL;
}

void cluster_start(const struct cluster_options *options)
{
	instance = calloc(1, sizeof(*instance));
	if (!instance)
		sim_failed("out of memory");
	instance->options = *options;
	instance->process = sim_process_create("server");
	instance->process->clock_drift = options->drift;
	sim_note("server starts", generation, 0);
	sim_start(instance->process, server_main, instance);
	while (!instance->up)
		sim_wait(instance, SIM_FOREVER);
}

void cluster_close(void)
{
	struct instance *closing = instance;

	sim_note("server closes", generation, 0);
	generation++;
	closing->stopping = true;
	descriptor_set(closing->stop_fd, true);
	while (!closing->down)
		sim_wait(closing, SIM_FOREVER);
	instance = NULL;
	network_died(closing->process);
}

void cluster_kill(bool power)
{
	sim_note("server killed", generation, power);
	generation++;
	sim_process_kill(instance->process);
	network_died(instance->process);
	instance = NULL;
	if (power)
		medium_fail_power();
}

struct sim_process *cluster_server(void)
{
	return instance ? instance->process : NULL;
}
