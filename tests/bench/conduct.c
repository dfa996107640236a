// conduct.c -- the conductor: starts every subject's driver, runs them in turn round after round, and writes the
// results.
//
//	conduct --suite NAME --json FILE [--rounds N] [--case NAME]... SUBJECT=COMMAND...
//
// One round of a case runs each subject once; the order is rotated from round to round, so that drift of the host meets
// all alike. The first round of each case warms up and is not counted. The value is the median over the rounds,
// `spread` the distance between the quartiles divided by the median, `n` the rounds. A subject that fails is reported
// and left out of what follows; the exit status is then 1.
#include "tests/bench/results.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// The longest a driver may take over one round, filling the data file included.
#define ANSWER_SECONDS 120

#define MAX_SUBJECTS 16
#define MAX_CASES    16
#define MAX_ROUNDS   101

struct subject {
	char name[32];
	const char *command;
	pid_t pid;
	FILE *to;
	FILE *from;
	bool alive;
	bool supported; // the present case
	double values[MAX_ROUNDS];
};

struct run {
	const char *suite;
	FILE *json;
	unsigned rounds;
	const char *cases[MAX_CASES];
	unsigned case_count;
	struct subject subjects[MAX_SUBJECTS];
	unsigned subject_count;
	bool failed;
};

static int start(struct subject *s)
{
	int to[2], from[2];

	if (pipe(to))
		return -errno;
	if (pipe(from)) {
		int rc = -errno;
		close(to[0]);
		close(to[1]);
		return rc;
	}
	s->pid = fork();
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		// Ends of earlier drivers' pipes were inherited; a driver that holds them would outlive its input's
		// end.
		closefrom(STDERR_FILENO + 1);
		execl("/bin/sh", "sh", "-c", s->command, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	s->to = fdopen(to[1], "w");
	s->from = fdopen(from[0], "r");
	return s->pid > 0 && s->to && s->from ? 0 : -ENOMEM;
}

static void give_up(struct run *run, struct subject *s, const char *during, const char *why)
{
	fprintf(stderr, "bench: %s: %s: %s; left out from here on\n", s->name, during, why);
	s->alive = false;
	run->failed = true;
}

// Reads one line of the driver's, without its newline; false where the driver has ended, or is stopped because it
// hangs.
static bool hear(struct subject *s, char *line, int size)
{
	struct pollfd answer = {.fd = fileno(s->from), .events = POLLIN};

	// A driver says one line at a time, so nothing waits in the stream's buffer.
	if (poll(&answer, 1, ANSWER_SECONDS * 1000) == 0) {
		fprintf(stderr, "bench: %s: no answer within %d s; stopped\n", s->name, ANSWER_SECONDS);
		kill(s->pid, SIGKILL);
		return false;
	}
	if (!fgets(line, size, s->from))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static void start_all(struct run *run)
{
	char line[512];

	for (unsigned i = 0; i < run->subject_count; i++) {
		struct subject *s = &run->subjects[i];

		s->alive = true;
		if (start(s))
			give_up(run, s, "start", strerror(errno));
		else if (!hear(s, line, sizeof(line)))
			give_up(run, s, "start", "the driver ended");
		else if (strcmp(line, "ready") != 0)
			give_up(run, s, "start", line);
	}
}

static void stop_all(struct run *run)
{
	for (unsigned i = 0; i < run->subject_count; i++) {
		struct subject *s = &run->subjects[i];
		int status;

		if (s->to)
			fclose(s->to);
		if (s->pid > 0)
			waitpid(s->pid, &status, 0);
		if (s->from)
			fclose(s->from);
	}
}

static bool is_bandwidth(const char *name)
{
	return strstr(name, "_1m") != NULL;
}

// Runs one round on one subject. False: no value (not supported, or the subject was given up).
static bool one_round(struct run *run, struct subject *s, const char *name, unsigned round, double *value)
{
	char line[512];
	uint64_t ns, ops, bytes;

	fprintf(s->to, "%s %u\n", name, round);
	if (fflush(s->to) || !hear(s, line, sizeof(line))) {
		give_up(run, s, name, "the driver died");
		return false;
	}
	if (strcmp(line, "unsupported") == 0) {
		s->supported = false;
		return false;
	}
	if (sscanf(line, "ok %" SCNu64 " %" SCNu64 " %" SCNu64, &ns, &ops, &bytes) != 3 || !ns || !ops) {
		give_up(run, s, name, line);
		return false;
	}
	*value = is_bandwidth(name) ? (double)bytes * 1000.0 / (double)ns : (double)ns / 1000.0 / (double)ops;
	return true;
}

static void write_result(struct run *run, struct subject *s, const char *name)
{
	bench_result(run->json, run->suite, name, s->name, is_bandwidth(name) ? "MB/s" : "us", s->values, run->rounds);
}

static void run_case(struct run *run, const char *name)
{
	for (unsigned i = 0; i < run->subject_count; i++)
		run->subjects[i].supported = true;
	for (unsigned round = 0; round <= run->rounds; round++) {
		for (unsigned turn = 0; turn < run->subject_count; turn++) {
			struct subject *s = &run->subjects[(turn + round) % run->subject_count];
			double value;

			if (s->alive && s->supported && one_round(run, s, name, round, &value) && round)
				s->values[round - 1] = value;
		}
	}
	for (unsigned i = 0; i < run->subject_count; i++) {
		struct subject *s = &run->subjects[i];

		if (s->alive && s->supported)
			write_result(run, s, name);
	}
}

static bool add_subject(struct run *run, const char *argument)
{
	const char *equals = strchr(argument, '=');

	if (run->subject_count == MAX_SUBJECTS || !equals || equals == argument ||
	    (size_t)(equals - argument) >= sizeof(run->subjects[0].name))
		return false;
	struct subject *s = &run->subjects[run->subject_count++];
	memcpy(s->name, argument, (size_t)(equals - argument));
	s->command = equals + 1;
	return true;
}

static bool parse(int argc, char **argv, struct run *run)
{
	static const struct option options[] = {
	    {"suite", required_argument, NULL, 's'},
	    {"json", required_argument, NULL, 'j'},
	    {"rounds", required_argument, NULL, 'r'},
	    {"case", required_argument, NULL, 'c'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			run->suite = optarg;
		else if (option == 'j')
			run->json = strcmp(optarg, "-") ? fopen(optarg, "we") : stdout;
		else if (option == 'r')
			run->rounds = (unsigned)atoi(optarg);
		else if (option == 'c' && run->case_count < MAX_CASES)
			run->cases[run->case_count++] = optarg;
		else
			return false;
		if (option == 'j' && !run->json) {
			fprintf(stderr, "%s: %s\n", optarg, strerror(errno));
			return false;
		}
	}
	for (int i = optind; i < argc; i++) {
		if (!add_subject(run, argv[i]))
			return false;
	}
	return run->suite && run->json && run->rounds && run->rounds <= MAX_ROUNDS && run->case_count &&
	       run->subject_count;
}

int main(int argc, char **argv)
{
	static struct run run = {.rounds = 9};

	if (!parse(argc, argv, &run)) {
		fprintf(stderr, "usage: %s --suite NAME --json FILE [--rounds N] --case NAME... SUBJECT=COMMAND...\n",
		        argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	start_all(&run);
	for (unsigned i = 0; i < run.case_count; i++) {
		fprintf(stderr, "bench: %s %s\n", run.suite, run.cases[i]);
		run_case(&run, run.cases[i]);
	}
	stop_all(&run);
	return run.failed ? 1 : 0;
}
