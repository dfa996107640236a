/*
 * guard.c -- the process that outlives a test program to clean up after it.
 */
#include "tests/support/guard.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct guarded {
	pid_t pid;
	char path[64];
};

static int to_guard = -1;

/* Stays until no process has the other end of the pipe. */
static void keep_guard(int from)
{
	struct guarded last = {0}, next;

	setsid(); /* what ends the test's process group does not end it */
	if (from != 3 && dup2(from, 3) < 0)
		_exit(1);
	close_range(4, ~0u, 0);
	close_range(0, 2, 0);
	while (read(3, &next, sizeof(next)) == (ssize_t)sizeof(next))
		last = next;
	if (last.pid > 0)
		kill(last.pid, SIGKILL);
	if (last.path[0])
		unlink(last.path);
	_exit(0);
}

static void start_guard(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		abort();
	pid_t child = fork();
	if (child == 0 && fork() == 0) /* init waits for it */
		keep_guard(ends[0]);
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	close(ends[0]);
	to_guard = ends[1];
}

void guard(pid_t pid, const char *path)
{
	struct guarded guarded = {.pid = pid};

	if (to_guard < 0)
		start_guard();
	snprintf(guarded.path, sizeof(guarded.path), "%s", path);
	if (write(to_guard, &guarded, sizeof(guarded)) != (ssize_t)sizeof(guarded))
		abort();
}
