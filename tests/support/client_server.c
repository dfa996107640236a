/*
 * client_server.c -- a real farnovad for tests of the client library.
 */
#include "tests/support/client_server.h"

#include "tests/support/guard.h"

#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

extern char **environ;

static pid_t run(char *const arguments[])
{
	pid_t pid;
	assert_int_equal(posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ), 0);
	return pid;
}

static int status_of(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) != pid)
		;
	return status;
}

void client_server_create(struct client_server *server)
{
	*server = (struct client_server){0};
	snprintf(server->pool, sizeof(server->pool), "/dev/shm/farnova-unit-%d", (int)getpid());
	unlink(server->pool);
	char *const mkfs[] = {FARNOVA_CLI, "mkfs", "--size", "64M", server->pool, NULL};
	assert_int_equal(status_of(run(mkfs)), 0);
	client_server_start(server);
}

void client_server_start(struct client_server *server)
{
	char listen[64], fd[16], line[256] = "";
	int ready[2], port;

	assert_int_equal(pipe(ready), 0);
	snprintf(listen, sizeof(listen), "127.0.0.1:%d", server->port);
	snprintf(fd, sizeof(fd), "%d", ready[1]);
	const char *arguments[20] = {FARNOVAD, "--pool",    server->pool, "--listen",    listen, "--transport",
	                             "tcp",    "--workers", "2",          "--log-level", "warn", "--ready-fd",
	                             fd};
	for (unsigned i = 0; i < sizeof(server->flags) / sizeof(server->flags[0]) && server->flags[i]; i++)
		arguments[13 + i] = server->flags[i];
	server->pid = run((char *const *)(uintptr_t)arguments);
	guard(server->pid, server->pool);
	close(ready[1]);
	FILE *in = fdopen(ready[0], "r");
	assert_non_null(in);
	assert_non_null(fgets(line, sizeof(line), in));
	fclose(in);
	assert_int_equal(sscanf(line, "ready: farnova://127.0.0.1:%d/", &port), 1);
	if (server->port == port) /* started again: other threads may be reading it */
		return;
	server->port = port;
	snprintf(server->url, sizeof(server->url), "farnova://127.0.0.1:%d/", port);
}

void client_server_kill(struct client_server *server)
{
	assert_int_equal(kill(server->pid, SIGKILL), 0);
	status_of(server->pid);
	server->pid = 0;
	guard(0, server->pool);
}

void client_server_freeze(struct client_server *server)
{
	int status;

	assert_int_equal(kill(server->pid, SIGSTOP), 0);
	assert_int_equal(waitpid(server->pid, &status, WUNTRACED), server->pid);
	assert_true(WIFSTOPPED(status));
}

void client_server_destroy(struct client_server *server)
{
	assert_int_equal(kill(server->pid, SIGTERM), 0);
	assert_int_equal(status_of(server->pid), 0);
	guard(0, server->pool);
	unlink(server->pool);
}
