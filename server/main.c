/*
 * main.c -- farnovad: start, serve until told to stop, stop cleanly.
 */
#include "common/log.h"
#include "server/listen.h"
#include "server/server.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define SPIN_US    50

/* ---- the pool --------------------------------------------------------------------------------------------------- */

static const char *durability(enum pm_kind kind)
{
	switch (kind) {
	case PM_DEVDAX:
		return "durable";
	case PM_FSDAX:
		return "durable";
	case PM_MEMORY:
		return "in memory: it survives the process, not the host";
	case PM_FILE:
		return "an ordinary file: it survives the process, not power failure";
	}
	return "";
}

static int open_pool(struct server *server, char *why, size_t why_size)
{
	const struct config *config = &server->config;

	int rc = pm_open(config->pool, config->read_only, &server->pm, why, why_size);
	if (rc < 0)
		return rc;
	log_info("pool", "%s is %s, %llu MiB, %s", config->pool, pm_kind_name(server->pm.kind),
	         (unsigned long long)(server->pm.size >> 20), durability(server->pm.kind));
	server->layouts = layout_table_create((unsigned)config->share_ms);
	if (!server->layouts) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	const struct nova_mount_options options = {
	    .read_only = config->read_only,
	    .keep_blocks = layout_keep_blocks,
	    .keep_context = server->layouts,
	};
	rc = nova_mount(&server->pm, &options, &server->nova, why, why_size);
	if (rc < 0)
		return rc;
	struct nova_statfs st;
	nova_statfs(server->nova, &st);
	memcpy(server->pool, st.uuid, sizeof(server->pool));
	struct nova_handle root = nova_root(server->nova);
	server->root = (struct proto_handle){.ino = root.ino.n, .generation = root.generation};
	return 0;
}

static void close_pool(struct server *server)
{
	if (server->nova)
		nova_unmount(server->nova);
	if (server->layouts)
		layout_table_destroy(server->layouts);
	if (server->pm.base)
		pm_close(&server->pm);
}

/* ---- workers ---------------------------------------------------------------------------------------------------- */

static void choose_threads(struct config *config)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t cpus = online > 0 ? (uint64_t)online : 1;

	if (config->workers == 0)
		config->workers = cpus / 2 > CONFIG_MAX_WORKERS ? CONFIG_MAX_WORKERS : cpus / 2;
	if (config->workers == 0)
		config->workers = 1;
	/* A worker that polls while its client waits for a CPU makes both slower. */
	if (config->spin_us == UINT64_MAX)
		config->spin_us = cpus < config->workers + 1 ? 0 : SPIN_US;
}

static int make_workers(struct server *server, const struct gates *gates, char *why, size_t why_size)
{
	bool kinds[TRANSPORT_KINDS];

	for (unsigned i = 0; i < TRANSPORT_KINDS; i++)
		kinds[i] = gates->gates[i].listener;
	server->worker_count = (unsigned)server->config.workers;
	server->workers = calloc(server->worker_count, sizeof(*server->workers));
	int rc = server->workers ? 0 : -ENOMEM;
	if (rc < 0) {
		snprintf(why, why_size, "out of memory for %u workers", server->worker_count);
		server->worker_count = 0;
	}
	for (unsigned i = 0; i < server->worker_count && rc == 0; i++)
		rc = worker_init(&server->workers[i], server, i, kinds, why, why_size);
	for (unsigned i = 0; i < server->worker_count && rc == 0; i++) {
		rc = worker_start(&server->workers[i]);
		if (rc < 0)
			snprintf(why, why_size, "cannot start worker %u: %s", i, strerror(-rc));
	}
	return rc;
}

static void end_workers(struct server *server)
{
	atomic_store(&server->stopping, true);
	for (unsigned i = 0; i < server->worker_count; i++)
		worker_join(&server->workers[i]);
	/* Mail that was on its way between workers when they ended: nobody waits for it, but it is owned by nobody
	 * else. */
	int delivered;
	do {
		delivered = 0;
		for (unsigned i = 0; i < server->worker_count; i++) {
			if (server->workers[i].mailbox.fd > 0)
				delivered += mailbox_deliver(&server->workers[i].mailbox);
		}
	} while (delivered > 0);
	for (unsigned i = 0; i < server->worker_count; i++)
		worker_destroy(&server->workers[i]);
	free(server->workers);
	server->workers = NULL;
	server->worker_count = 0;
}

/* ---- readiness -------------------------------------------------------------------------------------------------- */

static void ready_line(const struct server *server, const struct gates *gates, char *line, size_t size)
{
	const char *host = server->config.host;
	bool bracket = strchr(host, ':') && host[0] != '/';
	char address[1100];

	if (host[0] == '/')
		snprintf(address, sizeof(address), "%s", host);
	else
		snprintf(address, sizeof(address), "farnova://%s%s%s:%u/", bracket ? "[" : "", host, bracket ? "]" : "",
		         gates->port);
	snprintf(line, size, "ready: %s transport %s%s%s pool %s\n", address,
	         gates->gates[TRANSPORT_VERBS].listener ? "verbs" : "",
	         gates->gates[TRANSPORT_VERBS].listener && gates->gates[TRANSPORT_TCP].listener ? "," : "",
	         gates->gates[TRANSPORT_TCP].listener ? "tcp" : "", server->config.pool);
}

static int write_pid_file(const struct config *config, char *why, size_t why_size)
{
	if (!config->pid_file[0])
		return 0;
	FILE *file = fopen(config->pid_file, "we");
	if (!file || fprintf(file, "%ld\n", (long)getpid()) < 0 || fflush(file) != 0) {
		int error = errno;
		snprintf(why, why_size, "cannot write the pid file %s: %s", config->pid_file, strerror(error));
		if (file)
			fclose(file);
		return -error;
	}
	fclose(file);
	return 0;
}

static void say_ready(const struct server *server, const struct gates *gates)
{
	char line[6000];

	ready_line(server, gates, line, sizeof(line));
	fputs(line, stderr);
	if (server->config.ready_fd == UINT64_MAX)
		return;
	int fd = (int)server->config.ready_fd;
	if (write(fd, line, strlen(line)) < 0)
		log_warn("main", "cannot write to ready-fd %d: %s", fd, strerror(errno));
	close(fd);
}

/* ---- the main loop ---------------------------------------------------------------------------------------------- */

static void on_signal(evutil_socket_t number, short what, void *argument)
{
	(void)what;
	log_info("main", "signal %d: stopping", (int)number);
	event_base_loopbreak(argument);
}

static int serve(struct server *server, struct gates *gates, char *why, size_t why_size)
{
	struct event_base *base = event_base_new();
	struct event *term = base ? evsignal_new(base, SIGTERM, on_signal, base) : NULL;
	struct event *interrupt = base ? evsignal_new(base, SIGINT, on_signal, base) : NULL;
	int rc = -ENOMEM;

	snprintf(why, why_size, "cannot set up the event loop");
	if (term && interrupt && event_add(term, NULL) == 0 && event_add(interrupt, NULL) == 0)
		rc = gates_watch(gates, base);
	if (rc == 0)
		rc = write_pid_file(&server->config, why, why_size);
	if (rc == 0) {
		say_ready(server, gates);
		event_base_dispatch(base);
		if (server->config.pid_file[0])
			unlink(server->config.pid_file);
	}
	gates_close(gates); /* their events belong to the base */
	if (term)
		event_free(term);
	if (interrupt)
		event_free(interrupt);
	if (base)
		event_base_free(base);
	return rc;
}

static int run(struct server *server, char *why, size_t why_size)
{
	struct gates gates = {0};

	registry_init(&server->registry, server->config.max_clients);
	int rc = open_pool(server, why, why_size);
	if (rc == 0)
		rc = gates_open(&gates, server, why, why_size);
	if (rc == 0)
		rc = make_workers(server, &gates, why, why_size);
	if (rc == 0)
		rc = serve(server, &gates, why, why_size);
	gates_close(&gates);
	end_workers(server);
	close_pool(server);
	registry_destroy(&server->registry);
	return rc;
}

int main(int argc, char **argv)
{
	static struct server server;
	char why[5000] = "";

	switch (config_read(&server.config, argc, argv, why, sizeof(why))) {
	case CONFIG_HELP:
		config_help(stdout);
		return EXIT_SUCCESS;
	case CONFIG_VERSION:
		puts("farnovad " FARNOVA_VERSION);
		return EXIT_SUCCESS;
	case CONFIG_BAD:
		fprintf(stderr, "farnovad: %s\n", why);
		return EXIT_USAGE;
	case CONFIG_OK:
		break;
	}
	log_set_level((enum log_level)log_level_from_name(server.config.log_level));
	choose_threads(&server.config);
	signal(SIGPIPE, SIG_IGN);
	if (getrandom(&server.instance, sizeof(server.instance), 0) != (ssize_t)sizeof(server.instance)) {
		fprintf(stderr, "farnovad: no random numbers: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	if (run(&server, why, sizeof(why)) < 0) {
		fprintf(stderr, "farnovad: %s\n", why);
		return EXIT_FAILURE;
	}
	log_info("main", "stopped; the pool is clean");
	return EXIT_SUCCESS;
}
