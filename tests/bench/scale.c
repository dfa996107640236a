// scale.c -- suite core-scale: the core with a million files, names and extents, ten million rewrites, and two threads.
//
//	scale --json FILE [--case NAME]... [--rounds N] [--quick] DIRECTORY
//
// DIRECTORY lies in memory (tmpfs); the pools are made in it one after the other, the largest of about 6 GiB.
#include "tests/bench/scale.h"

#include "common/log.h"
#include "tests/bench/results.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct scale_group *const groups[] = {
    &scale_files, &scale_names, &scale_extents, &scale_rewrite, &scale_threads, &scale_policies, &scale_once,
};

void must(int64_t rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "bench: core-scale: %s: %s\n", what, strerror((int)-rc));
	exit(1);
}

double scale_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// splitmix64: any state starts a full-period sequence.
uint64_t scale_random(uint64_t *state, uint64_t limit)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (uint64_t)(((unsigned __int128)(z ^ (z >> 31)) * limit) >> 64);
}

uint64_t scale_free_bytes(const struct bench_pool *pool)
{
	struct nova_statfs st;

	nova_statfs(pool->fs, &st);
	return st.free_blocks * 4096;
}

void scale_life(struct scale *scale, void (*part)(struct scale *scale, unsigned round), unsigned round)
{
	int status;
	pid_t pid = fork();

	must(pid < 0 ? -errno : 0, "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		part(scale, round);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "bench: core-scale: a part ended with status %d\n", status);
		exit(1);
	}
}

void scale_result(struct scale *scale, const char *name, const char *subject, const char *unit, unsigned series,
                  unsigned n)
{
	if (bench_wanted(&scale->options, name))
		bench_result(scale->options.json, "core-scale", name, subject, unit, scale->values[series], n);
}

static bool group_wanted(struct scale *scale, const struct scale_group *group)
{
	for (const char *const *name = group->cases; *name; name++)
		if (bench_wanted(&scale->options, *name))
			return true;
	return false;
}

static char *path_in(const char *directory, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		must(-ENOMEM, "path");
	return path;
}

static void run_groups(struct scale *scale)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (!group_wanted(scale, groups[i]))
			continue;
		fprintf(stderr, "bench: core-scale %s ...\n", groups[i]->cases[0]);
		groups[i]->run(scale);
		unlink(scale->pool);
		unlink(scale->raw);
	}
}

int main(int argc, char **argv)
{
	struct scale *scale = mmap(NULL, sizeof(*scale), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(scale == MAP_FAILED ? -errno : 0, "memory");
	bench_options(&scale->options, argc, argv, (const char *const[]){"DIRECTORY", NULL});
	scale->million = scale->options.quick ? 20000 : 1000000;
	scale->rewrites = scale->options.quick ? 200000 : 10000000;
	scale->ops = scale->options.quick ? 5000 : 20000;
	scale->pool = path_in(scale->options.operands[0], "pool");
	scale->raw = path_in(scale->options.operands[0], "raw");
	log_set_level(LOG_LEVEL_WARN);
	run_groups(scale);
	free(scale->pool);
	free(scale->raw);
	return bench_end(&scale->options);
}
