// restart.c -- how soon clients are served again when a server under load is killed and started again at once.
//
//	restart --json FILE [--case NAME]... [--rounds N] [--quick] FARNOVAD DIRECTORY
//
// FARNOVAD is the path of the server's program. The pool, a file in DIRECTORY, has a million files of 4 KiB (20,000 with --quick). Eight clients append, make and
// remove files when the server gets SIGKILL; a new one is started as soon as it has ended. Times are from that start:
// restart_first_call, until a new client that tries all the time has its first answer; restart_call_in_flight, until the
// first call that was in flight has its result. restart_longest_call is the longest that a client waited for a call, of
// which the end of the old process is a part. No call may fail.
#include "client/include/farnova.h"
#include "common/clock.h"
#include "tests/bench/options.h"
#include "tests/bench/pool.h"
#include "tests/bench/results.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOADERS      8u
#define FILE_BYTES   4096u
#define IN_ONE       1000u // files of a directory
#define BYTES_APIECE (FILE_BYTES + 1024u)
#define POOL_SPARE   (UINT64_C(512) << 20)
#define LOAD_US      500000

extern char **environ;

enum { FIRST, IN_FLIGHT, LONGEST, CASES };

static const char *const cases[CASES] = {"restart_first_call", "restart_call_in_flight", "restart_longest_call"};

static const char *farnovad;
static char pool[512], url[64];
static unsigned files = 1000000;
static pid_t server;
static atomic_bool stop;
static atomic_uint loading;        // clients that make calls
static _Atomic int64_t started_ns; // the new server; 0 = not yet
static _Atomic int64_t result_ns;  // of the first call that had begun before
static _Atomic int64_t longest_ns;

static void must(const char *what, bool right)
{
	if (right)
		return;
	fprintf(stderr, "restart: %s: %s (%s)\n", what, strerror(errno), farnova_last_error());
	if (server > 0)
		kill(server, SIGKILL);
	exit(1);
}

// ---- the pool

static void make_pool(void)
{
	static uint8_t data[FILE_BYTES];
	struct bench_pool made;
	struct nova_attr dir, file;
	char name[80];

	must("make a pool", bench_pool_make(&made, pool, (uint64_t)files * BYTES_APIECE + POOL_SPARE) == 0);
	for (unsigned i = 0; i < files; i++) {
		if (i % IN_ONE == 0) {
			int length = snprintf(name, sizeof(name), "d%u", i / IN_ONE);
			must("mkdir",
			     nova_create(&made.call, made.root, name, (size_t)length, S_IFDIR | 0755, 0, &dir) == 0);
		}
		int length = snprintf(name, sizeof(name), "f%063u", i);
		must("create",
		     nova_create(&made.call, dir.handle, name, (size_t)length, S_IFREG | 0644, 0, &file) == 0);
		must("write", nova_write(&made.call, file.handle, 0, data, sizeof(data), 0, NULL) == FILE_BYTES);
	}
	bench_pool_close(&made);
}

// ---- the server

static void start_server(int port, int ready_fd)
{
	char listen[64], fd[16];

	snprintf(listen, sizeof(listen), "127.0.0.1:%d", port);
	snprintf(fd, sizeof(fd), "%d", ready_fd);
	const char *const arguments[] = {farnovad, "--pool",      pool,   "--listen",   listen, "--transport",
	                                 "tcp",    "--log-level", "warn", "--ready-fd", fd,     NULL};
	errno = posix_spawn(&server, farnovad, NULL, NULL, (char *const *)(uintptr_t)arguments, environ);
	must("start farnovad", errno == 0);
}

static int start_first_server(void)
{
	char line[128] = "";
	int ready[2], port = 0;

	must("pipe", pipe(ready) == 0);
	start_server(0, ready[1]);
	close(ready[1]);
	FILE *in = fdopen(ready[0], "r");
	must("ready",
	     in && fgets(line, sizeof(line), in) && sscanf(line, "ready: farnova://127.0.0.1:%d/", &port) == 1);
	fclose(in);
	snprintf(url, sizeof(url), "farnova://127.0.0.1:%d/", port);
	return port;
}

// ---- load

static void count(int64_t begun_ns)
{
	int64_t now_ns = clock_now_ns(), started = atomic_load(&started_ns), none = 0;
	int64_t longest = atomic_load(&longest_ns);

	if (started && begun_ns < started)
		atomic_compare_exchange_strong(&result_ns, &none, now_ns);
	while (now_ns - begun_ns > longest && !atomic_compare_exchange_weak(&longest_ns, &longest, now_ns - begun_ns))
		;
}

static void *load(void *argument)
{
	static atomic_uint next;
	/* However slow the host is, a call only waits. */
	const struct farnova_options patient = {.size = sizeof(patient), .timeout_ms = -1};
	struct farnova *fs = farnova_connect(url, &patient);
	char log_name[32], name[32];
	unsigned number = atomic_fetch_add(&next, 1);

	must("connect", fs != NULL);
	snprintf(log_name, sizeof(log_name), "log-%u", number);
	snprintf(name, sizeof(name), "new-%u", number);
	struct farnova_file *log = farnova_open(fs, log_name, O_WRONLY | O_CREAT | O_APPEND, 0600);
	must("open", log != NULL);
	atomic_fetch_add(&loading, 1);
	while (!atomic_load(&stop)) {
		int64_t begun_ns = clock_now_ns();
		must("append", farnova_write(log, name, sizeof(name)) == sizeof(name));
		count(begun_ns);
		begun_ns = clock_now_ns();
		struct farnova_file *made = farnova_open(fs, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		must("create", made != NULL);
		count(begun_ns);
		must("close", farnova_close(made) == 0);
		begun_ns = clock_now_ns();
		must("unlink", farnova_unlink(fs, name) == 0);
		count(begun_ns);
	}
	farnova_close(log);
	farnova_disconnect(fs);
	return argument;
}

// ---- a round

static void run_round(double *values[CASES], unsigned round)
{
	int nowhere = open("/dev/null", O_WRONLY);
	pthread_t threads[LOADERS];
	struct farnova *fs;
	struct stat st;

	int port = start_first_server();
	atomic_store(&stop, false);
	atomic_store(&loading, 0);
	atomic_store(&started_ns, 0);
	atomic_store(&result_ns, 0);
	atomic_store(&longest_ns, 0);
	for (unsigned i = 0; i < LOADERS; i++)
		must("thread", pthread_create(&threads[i], NULL, load, NULL) == 0);
	while (atomic_load(&loading) < LOADERS)
		usleep(1000);
	usleep(LOAD_US);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	int64_t start_ns = clock_now_ns();
	atomic_store(&started_ns, start_ns);
	start_server(port, nowhere);
	while (!(fs = farnova_connect(url, NULL)))
		usleep(1000);
	must("stat", farnova_stat(fs, "d7", &st) == 0);
	values[FIRST][round] = (double)(clock_now_ns() - start_ns) / 1e6;
	while (atomic_load(&result_ns) == 0)
		usleep(1000);
	values[IN_FLIGHT][round] = (double)(atomic_load(&result_ns) - start_ns) / 1e6;
	usleep(LOAD_US); // all have come back by then, or wait for longer
	atomic_store(&stop, true);
	for (unsigned i = 0; i < LOADERS; i++)
		pthread_join(threads[i], NULL);
	values[LONGEST][round] = (double)atomic_load(&longest_ns) / 1e6;
	farnova_disconnect(fs);
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	close(nowhere);
}

int main(int argc, char **argv)
{
	static double results[CASES][BENCH_MAX_ROUNDS];
	struct bench_options options;
	double *values[CASES];

	bench_options(&options, argc, argv, (const char *const[]){"FARNOVAD", "DIRECTORY", NULL});
	if (options.quick)
		files = 20000;
	farnovad = options.operands[0];
	snprintf(pool, sizeof(pool), "%s/pool", options.operands[1]);
	make_pool();
	for (unsigned i = 0; i < CASES; i++)
		values[i] = results[i];
	for (unsigned round = 0; round < options.rounds; round++)
		run_round(values, round);
	unlink(pool);
	for (unsigned i = 0; i < CASES; i++)
		if (bench_wanted(&options, cases[i]))
			bench_result(options.json, "restart", cases[i], "farnova", "ms", results[i], options.rounds);
	return bench_end(&options);
}
