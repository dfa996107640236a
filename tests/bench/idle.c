// idle.c -- what clients that do nothing cost the server and the other clients.
//
//	idle --json FILE [--case NAME]... [--rounds N] [--quick]
//
// memory_kib: the server's resident memory for each idle client that has read a file. memory_written_kib: the same for
// clients that have also written 1 MiB at once and have given the staging ring back. read_4k: a client's time to read
// 4 KiB by message beside 1,000 idle clients, each of which sends a ping every 5 s; the subject `alone` is the same
// without them. The server is a process of its own with one worker, over TCP loopback.
#include "common/clock.h"
#include "tests/bench/options.h"
#include "tests/bench/results.h"
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS       1000u
#define PING_EVERY_US 5000u // 1,000 clients, each 5 s
#define WRITE_BYTES   (1u << 20)
#define MAX_READS     1000000u

static struct raw_client *idle[CLIENTS];
static struct raw_client *reader;
static struct proto_reply reply;
static uint16_t port;
static pid_t server;
static uint8_t data[WRITE_BYTES];
static int64_t round_ns = 1000000000;

static void must(const char *what, int rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "idle: %s: %s\n", what, strerror(-rc));
	exit(1);
}

// ---- the server, in a process of its own

static void start_server(void)
{
	static const char *const flags[] = {"--workers", "1", NULL};
	int ends[2];

	must("pipe", pipe(ends) < 0 ? -errno : 0);
	sigset_t usr1;
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	server = fork();
	must("fork", server < 0 ? -errno : 0);
	if (server == 0) {
		struct running_server *running = server_run_sized(&port, flags, UINT64_C(512) << 20);
		sigset_t set;
		int which;

		close(ends[0]);
		if (write(ends[1], &port, sizeof(port)) != sizeof(port))
			_exit(1);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigwait(&set, &which);
		server_end(running);
		_exit(0);
	}
	close(ends[1]);
	must("the server", read(ends[0], &port, sizeof(port)) == sizeof(port) ? 0 : -EIO);
	close(ends[0]);
}

static void stop_server(void)
{
	kill(server, SIGUSR1);
	waitpid(server, NULL, 0);
}

static double resident_kib(void)
{
	char path[64], line[256];
	unsigned long kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", server);
	FILE *file = fopen(path, "re");
	must("smaps", file ? 0 : -errno);
	while (fgets(line, sizeof(line), file) && sscanf(line, "Anonymous: %lu kB", &kib) != 1)
		;
	fclose(file);
	return (double)kib;
}

// ---- clients

static uint64_t open_file(struct raw_client *client)
{
	must("open", raw_open(client, "file", PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE, &reply));
	return reply.open.open;
}

static void read_4k(struct raw_client *client, uint64_t open)
{
	struct proto_request request = {.op = PROTO_READ};

	request.read.open = open;
	request.read.length = 4096;
	must("read", raw_call(client, &request, &reply));
}

static void write_small(struct raw_client *client, uint64_t open)
{
	struct proto_request request = {.op = PROTO_WRITE};

	request.write.open = open;
	request.write.data = data;
	request.write.length = 4096;
	must("write", raw_call(client, &request, &reply));
}

static void write_staged(struct raw_client *client, uint64_t open)
{
	struct proto_request request = {.op = PROTO_WRITE_COMMIT};

	must("get the staging ring", raw_staging(client, true));
	must("write into the staging ring", transport_write(client->conn, data, NULL, client->staging_address,
	                                                    client->staging_key, WRITE_BYTES, NULL, TRANSPORT_MORE));
	request.write_commit.open = open;
	request.write_commit.length = WRITE_BYTES;
	must("staged write", raw_call(client, &request, &reply));
	// As the library does when it has not used the ring for a lease.
	must("give the staging ring back", raw_staging(client, false));
}

static void connect_idle(bool writes)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		idle[i] = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
		raw_hello(idle[i], NULL);
		uint64_t open = open_file(idle[i]);
		read_4k(idle[i], open);
		if (writes)
			write_staged(idle[i], open);
	}
}

static void leave(void)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		raw_close(idle[i]);
}

// ---- cases

static double memory(bool writes)
{
	double before, after;

	start_server();
	before = resident_kib();
	connect_idle(writes);
	after = resident_kib();
	leave();
	stop_server();
	return (after - before) / CLIENTS;
}

static void *ping_in_turn(void *argument)
{
	atomic_bool *stop = argument;
	struct proto_request request = {.op = PROTO_PING};
	struct proto_reply answer;

	for (unsigned i = 0; !atomic_load(stop); i = (i + 1) % CLIENTS) {
		must("ping", raw_call(idle[i], &request, &answer));
		usleep(PING_EVERY_US);
	}
	return NULL;
}

// The median of reads for as long as a round is.
static double read_round(uint64_t open)
{
	static double took_us[MAX_READS];
	int64_t until = clock_now_ns() + round_ns;
	unsigned count = 0;

	while (count < MAX_READS) {
		int64_t before = clock_now_ns();

		if (before >= until)
			break;
		read_4k(reader, open);
		took_us[count++] = (double)(clock_now_ns() - before) / 1000;
	}
	return bench_median(took_us, count);
}

static void run_read(unsigned rounds, FILE *json)
{
	double beside[BENCH_MAX_ROUNDS], alone[BENCH_MAX_ROUNDS];
	uint64_t open;

	start_server();
	reader = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	raw_hello(reader, NULL);
	open = open_file(reader);
	write_small(reader, open);
	read_round(open);
	for (unsigned i = 0; i < rounds; i++) {
		atomic_bool stop = false;
		pthread_t thread;

		alone[i] = read_round(open);
		connect_idle(false);
		must("thread", -pthread_create(&thread, NULL, ping_in_turn, &stop));
		beside[i] = read_round(open);
		atomic_store(&stop, true);
		pthread_join(thread, NULL);
		leave();
	}
	raw_close(reader);
	stop_server();
	bench_result(json, "idle", "read_4k", "farnova", "us", beside, rounds);
	bench_result(json, "idle", "read_4k", "alone", "us", alone, rounds);
}

static void run_memory(bool writes, FILE *json)
{
	double value = memory(writes);

	bench_result(json, "idle", writes ? "memory_written_kib" : "memory_kib", "farnova", "KiB", &value, 1);
}

int main(int argc, char **argv)
{
	struct bench_options options;

	bench_options(&options, argc, argv, (const char *const[]){NULL});
	if (options.quick)
		round_ns = 200000000;
	// Each client of this process has a socket and two descriptors to wait with.
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){16384, 16384});
	memset(data, 'd', sizeof(data));
	if (bench_wanted(&options, "memory_kib"))
		run_memory(false, options.json);
	if (bench_wanted(&options, "memory_written_kib"))
		run_memory(true, options.json);
	if (bench_wanted(&options, "read_4k"))
		run_read(options.rounds, options.json);
	return bench_end(&options);
}
