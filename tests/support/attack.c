/*
 * attack.c -- runs attacks on a server, each beside an honest client that must not feel them.
 */
#include "tests/support/attack.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define ALONE_MS     250
#define BESIDE_MS    500
#define SETTLE_MS    50
#define ROUNDS_LEAST 3
#define ROUNDS_MOST  9 /* a host that is busy itself needs more before the median is right */
#define CALM_CALLS   200
#define BEGIN_MS     20000
#define NEWCOMER_MS  10000

#define HONEST_BLOCK  2048u
#define HONEST_BLOCKS 64u

static atomic_bool begun, going_on;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static void sleep_ms(int ms)
{
	const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&pause, NULL);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the honest client ------------------------------------------------------------------------------------------- */

static struct {
	pthread_t thread;
	atomic_bool stop;
	atomic_ulong calls;
	struct raw_client *client;
	uint64_t open;
	struct proto_handle handle;
} honest;

static void honest_call(struct proto_request *request, struct proto_reply *reply, const char *what)
{
	int rc = raw_call(honest.client, request, reply);

	if (rc < 0) {
		fprintf(stderr, "the honest client's %s failed: %s\n", what, strerror(-rc));
		exit(1);
	}
	atomic_fetch_add(&honest.calls, 1);
}

static void fill(uint8_t *data, uint64_t round)
{
	uint64_t state = round * 0x9e3779b97f4a7c15u + 1;

	for (size_t i = 0; i < HONEST_BLOCK; i += sizeof(state)) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(data + i, &state, sizeof(state));
	}
}

static void honest_round(uint64_t round)
{
	uint8_t data[HONEST_BLOCK];
	struct proto_reply reply;
	uint64_t before = round - round % HONEST_BLOCKS + (round * 7 + 3) % (round % HONEST_BLOCKS + 1);

	fill(data, round);
	struct proto_request request = {.op = PROTO_WRITE};
	request.write.open = honest.open;
	request.write.offset = round % HONEST_BLOCKS * HONEST_BLOCK;
	request.write.data = data;
	request.write.length = HONEST_BLOCK;
	honest_call(&request, &reply, "write");
	request = (struct proto_request){.op = PROTO_READ};
	request.read.open = honest.open;
	request.read.offset = before % HONEST_BLOCKS * HONEST_BLOCK;
	request.read.length = HONEST_BLOCK;
	honest_call(&request, &reply, "read");
	fill(data, before);
	if (reply.read.length != HONEST_BLOCK || memcmp(reply.read.data, data, HONEST_BLOCK) != 0)
		die("the honest client", "it read what it has not written");
	request = (struct proto_request){.op = PROTO_GETATTR};
	request.getattr.handle = honest.handle;
	honest_call(&request, &reply, "getattr");
}

static void *honest_main(void *argument)
{
	(void)argument;
	for (uint64_t round = 0; !atomic_load(&honest.stop); round++)
		honest_round(round);
	return NULL;
}

static void honest_begin(const struct attack_server *server)
{
	struct proto_reply reply;

	honest.client = raw_connect(server->kind, server->host, server->port);
	raw_hello(honest.client, NULL);
	int rc = raw_open(honest.client, "honest", PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE, &reply);
	if (rc < 0)
		die("the honest client cannot open its file", strerror(-rc));
	honest.open = reply.open.open;
	honest.handle = reply.open.attr.handle;
	if (pthread_create(&honest.thread, NULL, honest_main, NULL) != 0)
		die("the honest client", "no thread");
}

static void honest_end(void)
{
	atomic_store(&honest.stop, true);
	pthread_join(honest.thread, NULL);
	raw_close(honest.client);
}

/* Calls a second. */
static double honest_rate(int ms)
{
	int64_t from_ms = now_ms();
	unsigned long from = atomic_load(&honest.calls);

	sleep_ms(ms);
	return (double)(atomic_load(&honest.calls) - from) * 1000 / (double)(now_ms() - from_ms);
}

/* ---- who comes meanwhile ----------------------------------------------------------------------------------------- */

static bool newcomer_is_let_in(const struct attack_server *server)
{
	struct proto_request request = {.op = PROTO_GETATTR};
	struct proto_reply reply;
	struct raw_client *client;
	char why[512] = "";
	int64_t from = now_ms();

	int rc = raw_try_connect(server->kind, server->host, server->port, &client, why, sizeof(why));
	if (rc < 0) {
		fprintf(stderr, "a client that came meanwhile cannot connect: %s\n", why);
		return false;
	}
	rc = raw_try_hello(client, 0, NULL);
	request.getattr.handle = client->hello.hello.root;
	if (rc == 0)
		rc = raw_call(client, &request, &reply);
	raw_close(client);
	if (rc < 0)
		fprintf(stderr, "a client that came meanwhile is not served: %s\n", strerror(-rc));
	else if (now_ms() - from > NEWCOMER_MS)
		fprintf(stderr, "a client that came meanwhile waited %lld ms\n", (long long)(now_ms() - from));
	return rc == 0 && now_ms() - from <= NEWCOMER_MS;
}

/* ---- attacks ----------------------------------------------------------------------------------------------------- */

struct running {
	pthread_t thread;
	const struct attack *attack;
	const struct attack_server *server;
};

void attack_begun(void)
{
	atomic_store(&begun, true);
}

bool attack_goes_on(void)
{
	return atomic_load(&going_on);
}

static void *attack_main(void *argument)
{
	const struct running *running = argument;

	running->attack->run(running->server);
	return NULL;
}

static void start(struct running *running)
{
	int64_t until = now_ms() + BEGIN_MS;

	atomic_store(&begun, false);
	atomic_store(&going_on, true);
	if (pthread_create(&running->thread, NULL, attack_main, running) != 0)
		die(running->attack->name, "no thread");
	while (!atomic_load(&begun)) {
		if (now_ms() > until)
			die(running->attack->name, "the attack has not begun");
		sleep_ms(5);
	}
	sleep_ms(SETTLE_MS);
}

static void stop(struct running *running)
{
	atomic_store(&going_on, false);
	pthread_join(running->thread, NULL);
	/* What it has left behind is not to count as the honest client's speed alone. */
	unsigned long from = atomic_load(&honest.calls);
	for (int64_t until = now_ms() + BEGIN_MS; atomic_load(&honest.calls) - from < CALM_CALLS;) {
		if (now_ms() > until)
			die(running->attack->name, "the server does not recover from it");
		sleep_ms(5);
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, int count)
{
	double sorted[ROUNDS_MOST];

	memcpy(sorted, values, (size_t)count * sizeof(*values));
	qsort(sorted, (size_t)count, sizeof(*sorted), ascending);
	return sorted[count / 2];
}

/* Sanitizers slow down some work ten times and other work hardly at all, so there only errors count. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) ||               \
    __has_feature(thread_sanitizer)
#define SPEED_COUNTS false
#else
#define SPEED_COUNTS true
#endif

/* An attacker on this host takes CPU time from the honest client, whatever the server does: so does this process. */
static pid_t burn(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("burner", "no process");
	if (pid == 0)
		for (;;)
			atomic_signal_fence(memory_order_seq_cst);
	return pid;
}

static double rate_beside_burner(void)
{
	pid_t pid = burn();
	double rate = honest_rate(ALONE_MS);

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return rate;
}

static bool did_harm(const struct attack_server *server, const struct attack *attack)
{
	double alone[ROUNDS_MOST], burner[ROUNDS_MOST], beside[ROUNDS_MOST], share = 0;
	int rounds = 0;
	bool let_in = true;

	while (let_in && (rounds < ROUNDS_LEAST || (rounds < ROUNDS_MOST && SPEED_COUNTS && share < 0.5))) {
		struct running running = {.attack = attack, .server = server};
		alone[rounds] = honest_rate(ALONE_MS);
		burner[rounds] = rate_beside_burner();
		start(&running);
		beside[rounds] = honest_rate(BESIDE_MS);
		let_in = newcomer_is_let_in(server);
		stop(&running);
		rounds++;
		share = median(beside, rounds) / median(burner, rounds);
	}
	bool harm = !let_in || (SPEED_COUNTS && share < 0.5);
	printf("%s: %s: %.0f calls/s, %.0f beside a burner (%.2f), %.0f alone (%.2f), %d rounds\n",
	       harm ? "HARM" : "ok", attack->name, median(beside, rounds), median(burner, rounds), share,
	       median(alone, rounds), median(beside, rounds) / median(alone, rounds), rounds);
	return harm;
}

int attack_all(const struct attack_server *server, const struct attack *attacks, size_t count, const char *only,
               bool nightly)
{
	int harmful = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	honest_begin(server);
	for (size_t i = 0; i < count; i++) {
		if (only ? strstr(attacks[i].name, only) != NULL : nightly || !attacks[i].nightly)
			harmful += did_harm(server, &attacks[i]);
	}
	honest_end();
	return harmful;
}
