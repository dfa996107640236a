/*
 * main.c -- farnovad: starts, serves until a signal, and stops cleanly.
 */
#include "common/log.h"
#include "server/server.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2

/* ---- readiness -------------------------------------------------------------------------------------------------- */

static void ready_line(const struct server *server, char *line, size_t size)
{
	const char *host = server->config.host;
	const struct listeners *listeners = &server->listeners;
	bool bracket = strchr(host, ':') && host[0] != '/';
	char address[1100];

	if (host[0] == '/')
		snprintf(address, sizeof(address), "%s", host);
	else
		snprintf(address, sizeof(address), "farnova://%s%s%s:%u/", bracket ? "[" : "", host, bracket ? "]" : "",
		         listeners->port);
	snprintf(line, size, "ready: %s transport %s%s%s pool %s%s\n", address,
	         listeners->by_kind[TRANSPORT_VERBS].transport ? "verbs" : "",
	         listeners->by_kind[TRANSPORT_VERBS].transport && listeners->by_kind[TRANSPORT_TCP].transport ? ","
	                                                                                                      : "",
	         listeners->by_kind[TRANSPORT_TCP].transport ? "tcp" : "", server->config.pool,
	         nova_read_only(server->shared.nova) ? " read-only" : "");
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

static void say_ready(const struct server *server)
{
	char line[6000];

	ready_line(server, line, sizeof(line));
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

static int serve(struct server *server, char *why, size_t why_size)
{
	struct event_base *base = event_base_new();
	struct event *term = base ? evsignal_new(base, SIGTERM, on_signal, base) : NULL;
	struct event *interrupt = base ? evsignal_new(base, SIGINT, on_signal, base) : NULL;
	int rc = -ENOMEM;

	snprintf(why, why_size, "cannot set up the event loop");
	if (term && interrupt && event_add(term, NULL) == 0 && event_add(interrupt, NULL) == 0)
		rc = listeners_watch(&server->listeners, base);
	if (rc == 0)
		rc = write_pid_file(&server->config, why, why_size);
	if (rc == 0) {
		say_ready(server);
		event_base_dispatch(base);
		if (server->config.pid_file[0])
			unlink(server->config.pid_file);
	}
	listeners_close(&server->listeners); /* before the base, which their events use */
	if (term)
		event_free(term);
	if (interrupt)
		event_free(interrupt);
	if (base)
		event_base_free(base);
	return rc;
}

/* A full disk or a closed pipe is noticed only when the buffer is flushed. */
static int finish_stdout(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_SUCCESS;
	fprintf(stderr, "farnovad: writing to standard output failed: %m\n");
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static struct server server;
	char why[5000] = "";

	switch (config_read(&server.config, argc, argv, why, sizeof(why))) {
	case CONFIG_HELP:
		config_help(stdout);
		return finish_stdout();
	case CONFIG_VERSION:
		puts("farnovad " FARNOVA_VERSION);
		return finish_stdout();
	case CONFIG_BAD:
		fprintf(stderr, "farnovad: %s\n", why);
		return EXIT_USAGE;
	case CONFIG_OK:
		break;
	}
	log_set_level((enum log_level)log_level_from_name(server.config.log_level));
	signal(SIGPIPE, SIG_IGN);
	int rc = server_open(&server, why, sizeof(why));
	if (rc == 0)
		rc = serve(&server, why, sizeof(why));
	server_close(&server);
	if (rc < 0) {
		fprintf(stderr, "farnovad: %s\n", why);
		return EXIT_FAILURE;
	}
	log_info("main", "stopped; the pool is %s", server.config.read_only ? "unchanged" : "clean");
	return EXIT_SUCCESS;
}
