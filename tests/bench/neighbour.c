// neighbour.c -- how long a client of a server with one worker waits while another client's long requests are done.
//
//	neighbour --json FILE [--case NAME]... [--rounds N] [--quick]
//
// The neighbour asks for attributes, one request after the other, over TCP loopback; each round gives the 99th percentile
// of those requests that were under way while a long one was. `alone` is without any, `burner` beside a process that only
// burns a CPU. Client and server are one process.
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_BYTES (UINT64_C(1400) << 20)
#define COPY_BYTES (UINT64_C(16) << 20)
#define WIDE_BYTES (COPY_BYTES * 64) // 131,072 extents
#define SAMPLES    (1u << 20)
#define READ_WRITE (PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE)

static struct running_server *server;
static uint16_t port;
static struct raw_client *client;
static struct proto_reply reply;
static uint64_t opens[2];
static struct proto_handle files[2];
static unsigned extents = 20000;
static uint64_t wide;
static struct proto_handle wide_file;
static int64_t round_ns = 2000000000;

static struct {
	struct raw_client *client;
	pthread_t thread;
	atomic_bool stop, noting;
	atomic_uint count;
	double took_us[SAMPLES];
} neighbour;

static void die(const char *what, int rc)
{
	fprintf(stderr, "neighbour: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static void must(const char *what, int rc)
{
	if (rc < 0)
		die(what, rc);
}

// ---- requests

static void open_files(void)
{
	static const char *const names[2] = {"one", "two"};

	for (int i = 0; i < 2; i++) {
		must("open", raw_open(client, names[i], READ_WRITE, &reply));
		opens[i] = reply.open.open;
		files[i] = reply.open.attr.handle;
	}
}

static void write_at(uint64_t open, uint64_t offset, const void *data, uint32_t length)
{
	struct proto_request request = {.op = PROTO_WRITE};

	request.write.open = open;
	request.write.offset = offset;
	request.write.data = data;
	request.write.length = length;
	must("write", raw_call(client, &request, &reply));
}

static void fallocate(uint64_t open, uint64_t offset, uint64_t length, uint32_t mode)
{
	struct proto_request request = {.op = PROTO_FALLOCATE};

	request.fallocate.open = open;
	request.fallocate.offset = offset;
	request.fallocate.length = length;
	request.fallocate.mode = mode;
	must("fallocate", raw_call(client, &request, &reply));
}

static void truncate_to(struct proto_handle file, uint64_t size)
{
	struct proto_request request = {.op = PROTO_SETATTR};

	request.setattr.handle = file;
	request.setattr.mask = PROTO_SET_SIZE;
	request.setattr.size = size;
	must("truncate", raw_call(client, &request, &reply));
}

// A file in pieces, each of its blocks away from the last: blocks of two files are written in turns, with holes.
static void scatter(void)
{
	static const char byte = 'x';

	for (unsigned i = 0; i < extents; i++)
		for (int f = 0; f < 2; f++)
			write_at(opens[f], (uint64_t)i * 8192, &byte, 1);
}

// ---- cases

static void make_source(void)
{
	static uint8_t data[4096];

	memset(data, 's', sizeof(data));
	for (uint64_t at = 0; at < COPY_BYTES; at += sizeof(data))
		write_at(opens[0], at, data, sizeof(data));
}

static void copy_16m(void)
{
	struct proto_request request = {.op = PROTO_COPY};

	request.copy.from_open = opens[0];
	request.copy.to_open = opens[1];
	request.copy.from_offset = request.copy.to_offset = 0;
	request.copy.length = COPY_BYTES;
	must("copy", raw_call(client, &request, &reply));
}

static void reserve_600m(void)
{
	fallocate(opens[1], 0, UINT64_C(600) << 20, 0);
	truncate_to(files[1], 0);
}

// A file of very many extents, made of copies of the first part of the scattered one.
static void scatter_wide(void)
{
	struct proto_request request = {.op = PROTO_COPY};

	must("open", raw_open(client, "wide", READ_WRITE, &reply));
	wide = reply.open.open;
	wide_file = reply.open.attr.handle;
	for (uint64_t at = 0; at < WIDE_BYTES; at += reply.copy.count) {
		request.copy.from_open = opens[0];
		request.copy.to_open = wide;
		request.copy.from_offset = at % COPY_BYTES;
		request.copy.to_offset = at;
		request.copy.length = COPY_BYTES - at % COPY_BYTES;
		must("copy", raw_call(client, &request, &reply));
	}
}

static void punch_wide(void)
{
	fallocate(wide, 0, WIDE_BYTES, PROTO_FALLOCATE_PUNCH_HOLE | PROTO_FALLOCATE_KEEP_SIZE);
}

static void insert_wide(void)
{
	fallocate(wide, 0, 8192, PROTO_FALLOCATE_INSERT_RANGE);
	truncate_to(wide_file, 0);
}

static void truncate_wide(void)
{
	truncate_to(wide_file, 0);
}

// Closed and unlinked.
static void kill_wide(void)
{
	struct proto_request request = {.op = PROTO_UNLINK};

	request.unlink.dir = client->hello.hello.root;
	request.unlink.path = (struct proto_string){.data = "wide", .length = 4};
	must("unlink", raw_call(client, &request, &reply));
	request = (struct proto_request){.op = PROTO_CLOSE};
	request.close.open = wide;
	must("close", raw_call(client, &request, &reply));
	usleep(100000); // it is freed behind the reply
}

static void truncate_scattered(void)
{
	truncate_to(files[0], 0);
}

static void collapse_scattered(void)
{
	fallocate(opens[0], 0, 8192, PROTO_FALLOCATE_COLLAPSE_RANGE);
}

static void first_use(void)
{
	must("open", raw_open(client, "one", READ_WRITE, &reply));
}

static void idle(void)
{
	usleep(10000);
}

static const struct long_case {
	const char *name;
	void (*prepare)(void); // once
	void (*renew)(void);   // before each request, not counted
	void (*run)(void);
	bool restart, burn;
} cases[] = {
    {.name = "alone", .run = idle},
    {.name = "burner", .run = idle, .burn = true},
    {.name = "copy_16m", .prepare = make_source, .run = copy_16m},
    {.name = "reserve_600m", .run = reserve_600m},
    {.name = "first_use", .prepare = scatter, .run = first_use, .restart = true},
    {.name = "truncate_scattered", .renew = scatter, .run = truncate_scattered},
    {.name = "collapse_scattered", .renew = scatter, .run = collapse_scattered},
    {.name = "punch_wide", .prepare = scatter, .renew = scatter_wide, .run = punch_wide},
    {.name = "insert_wide", .prepare = scatter, .renew = scatter_wide, .run = insert_wide},
    {.name = "truncate_wide", .prepare = scatter, .renew = scatter_wide, .run = truncate_wide},
    {.name = "unlink_wide", .prepare = scatter, .renew = scatter_wide, .run = kill_wide},
};

// ---- the neighbour

static void *ask(void *argument)
{
	struct proto_request request = {.op = PROTO_GETATTR};
	struct proto_reply answer;

	request.getattr.handle = neighbour.client->hello.hello.root;
	while (!atomic_load(&neighbour.stop)) {
		bool noted = atomic_load(&neighbour.noting);
		int64_t before = clock_now_ns();

		must("the neighbour's request", raw_call(neighbour.client, &request, &answer));
		noted = noted || atomic_load(&neighbour.noting);
		if (noted && neighbour.count < SAMPLES)
			neighbour.took_us[neighbour.count++] = (double)(clock_now_ns() - before) / 1000;
	}
	return argument;
}

static void begin(void)
{
	client = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	raw_hello(client, NULL);
	neighbour.client = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	raw_hello(neighbour.client, NULL);
	atomic_store(&neighbour.stop, false);
	if (pthread_create(&neighbour.thread, NULL, ask, NULL))
		die("thread", -ENOMEM);
}

static void end(void)
{
	atomic_store(&neighbour.stop, true);
	pthread_join(neighbour.thread, NULL);
	raw_close(neighbour.client);
	raw_close(client);
}

// One round: requests for as long as a round is, and the neighbour's 99th percentile beside them.
static double measure(const struct long_case *c)
{
	int64_t until = clock_now_ns() + round_ns;

	neighbour.count = 0;
	do {
		if (c->restart) {
			end();
			server_restart(server, &port);
			begin();
		}
		if (c->renew)
			c->renew();
		atomic_store(&neighbour.noting, true);
		c->run();
		atomic_store(&neighbour.noting, false);
	} while (clock_now_ns() < until || atomic_load(&neighbour.count) == 0);
	end(); // so that the last sample is there
	return neighbour.count ? bench_quantile(neighbour.took_us, neighbour.count, 0.99) : 0;
}

static pid_t burn(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			atomic_signal_fence(memory_order_seq_cst);
	return pid;
}

static void run_case(const struct long_case *c, unsigned rounds, FILE *json)
{
	static const char *const flags[] = {"--workers", "1", NULL};
	double values[BENCH_MAX_ROUNDS];

	server = server_run_sized(&port, flags, POOL_BYTES);
	begin();
	open_files();
	if (c->prepare)
		c->prepare();
	for (unsigned i = 0; i < rounds; i++) {
		pid_t burner = c->burn ? burn() : 0;

		values[i] = measure(c);
		if (burner > 0) {
			kill(burner, SIGKILL);
			waitpid(burner, NULL, 0);
		}
		begin();
		open_files();
	}
	end();
	server_end(server);
	bench_result(json, "neighbour", c->name, "farnova", "us", values, rounds);
}

int main(int argc, char **argv)
{
	struct bench_options options;

	bench_options(&options, argc, argv, (const char *const[]){NULL});
	if (options.quick) {
		round_ns = 200000000;
		extents = 6000;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (bench_wanted(&options, cases[i].name))
			run_case(&cases[i], options.rounds, options.json);
	return bench_end(&options);
}
