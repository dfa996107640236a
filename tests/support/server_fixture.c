/*
 * server_fixture.c -- a whole server in the test's own process, on a small pool in memory, over TCP on loopback.
 */
#include "tests/support/server_fixture.h"

#include "common/log.h"
#include "server/server.h"
#include "tests/support/guard.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOL_BYTES (64u << 20)
#define MAX_FLAGS  16

struct running_server {
	struct server server;
	struct event_base *base;
	pthread_t thread;
	char pool[64];
	const char *const *flags;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "server fixture: %s: %s\n", what, why);
	exit(1);
}

static void *let_in(void *argument)
{
	struct running_server *running = argument;

	event_base_dispatch(running->base);
	return NULL;
}

static void make_pool(struct running_server *running, uint64_t bytes)
{
	const struct nova_format_options options = {.root_mode = 0777};
	char why[512] = "";
	struct pm pm;

	strcpy(running->pool, "/dev/shm/farnova-unit.XXXXXX");
	int fd = mkstemp(running->pool);
	if (fd < 0) {
		strcpy(running->pool, "/tmp/farnova-unit.XXXXXX");
		fd = mkstemp(running->pool);
	}
	close(fd);
	guard(0, running->pool);
	if (pm_create(running->pool, bytes, true, &pm, why, sizeof(why)) < 0)
		die("pool", why);
	if (nova_format(&pm, &options) < 0)
		die("pool", "cannot be formatted");
	pm_close(&pm);
}

static void serve(struct running_server *running, uint16_t *port)
{
	const char *const *flags = running->flags;
	char why[4096] = "";

	memset(&running->server, 0, sizeof(running->server));
	const char *argv[MAX_FLAGS + 8] = {"farnovad", "--listen",    "127.0.0.1:0", "--transport",
	                                   "tcp",      "--log-level", "error",       "--pool"};
	int argc = 8;
	argv[argc++] = running->pool;
	while (*flags)
		argv[argc++] = *flags++;
	if (config_read(&running->server.config, argc, (char **)(uintptr_t)argv, why, sizeof(why)) != CONFIG_OK)
		die("flags", why);
	log_set_level((enum log_level)log_level_from_name(running->server.config.log_level));
	if (server_open(&running->server, why, sizeof(why)) < 0)
		die("start", why);
	running->base = event_base_new();
	if (!running->base || listeners_watch(&running->server.listeners, running->base) < 0)
		die("start", "no event loop");
	*port = running->server.listeners.port;
	pthread_create(&running->thread, NULL, let_in, running);
}

struct running_server *server_run_sized(uint16_t *port, const char *const *flags, uint64_t bytes)
{
	struct running_server *running = calloc(1, sizeof(*running));

	signal(SIGPIPE, SIG_IGN);
	evthread_use_pthreads();
	running->flags = flags;
	make_pool(running, bytes);
	serve(running, port);
	return running;
}

struct running_server *server_run(uint16_t *port, const char *const *flags)
{
	return server_run_sized(port, flags, POOL_BYTES);
}

static void leave(evutil_socket_t fd, short what, void *base)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(base);
}

static void stop(struct running_server *running)
{
	/* From within the loop: a break from outside is lost if the loop has not begun yet. */
	const struct timeval now = {0};
	event_base_once(running->base, -1, EV_TIMEOUT, leave, running->base, &now);
	pthread_join(running->thread, NULL);
	listeners_close(&running->server.listeners);
	event_base_free(running->base);
	server_close(&running->server);
}

void server_restart(struct running_server *running, uint16_t *port)
{
	stop(running);
	serve(running, port);
}

void server_end(struct running_server *running)
{
	stop(running);
	unlink(running->pool);
	free(running);
}
