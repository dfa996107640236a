// scale_once.c -- what exactly-once costs: a write and a create with an intent (subject farnova) and without (plain).
//
// The two take turns, a few calls at a time, and of each the median of its turns counts: so both see the same machine,
// also one that is busy.
#include "server/nova/clients.h"
#include "tests/bench/scale.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK       4096u
#define FILE_BLOCKS 4096u
#define TURN        16u // calls
#define TURNS       4000u

enum { OVERWRITE, CREATE, CASES };
enum { PLAIN, ONCE, SUBJECTS };

static const char *const once_cases[CASES + 1] = {"once_overwrite_4k", "once_create", NULL};

struct once {
	struct bench_pool pool;
	struct nova_handle file;
	struct nova_client *client;
	uint32_t sequence;
	uint64_t random;
};

static uint8_t data[BLOCK];

static void call_once(struct once *o, unsigned which, unsigned i, const struct nova_call *call)
{
	char name[16];

	if (which == OVERWRITE)
		must(nova_write(call, o->file, scale_random(&o->random, FILE_BLOCKS) * BLOCK, data, BLOCK, 0, NULL),
		     "write");
	else
		must(nova_create(call, o->pool.root, name, (size_t)snprintf(name, sizeof(name), "n%u", i),
		                 S_IFREG | 0644, 0, NULL),
		     "create");
}

// The seconds that it took, for one call.
static double turn(struct once *o, unsigned which, unsigned subject)
{
	double start = scale_seconds();

	for (unsigned i = 0; i < TURN; i++) {
		struct nova_call call = o->pool.call;
		struct nova_intent intent;

		if (subject == ONCE) {
			must(nova_intent_begin(call.worker, o->client, 0, ++o->sequence, 1, &intent), "intent");
			call.intent = &intent;
		}
		call_once(o, which, i, &call);
	}
	return (scale_seconds() - start) / TURN;
}

static void undo(struct once *o, unsigned which)
{
	char name[16];

	for (unsigned i = 0; which == CREATE && i < TURN; i++)
		must(nova_unlink(&o->pool.call, o->pool.root, name, (size_t)snprintf(name, sizeof(name), "n%u", i),
		                 NULL),
		     "unlink");
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static unsigned series(unsigned which, unsigned subject)
{
	return which * SUBJECTS + subject;
}

static void measure_round(struct scale *scale, struct once *o, unsigned which, unsigned round)
{
	static double taken[SUBJECTS][TURNS];

	for (unsigned i = 0; i < TURNS; i++)
		for (unsigned k = 0; k < SUBJECTS; k++) {
			unsigned subject = (i + k) % SUBJECTS;

			taken[subject][i] = turn(o, which, subject);
			undo(o, which);
		}
	for (unsigned subject = 0; subject < SUBJECTS; subject++) {
		qsort(taken[subject], TURNS, sizeof(double), compare);
		scale->values[series(which, subject)][round] = taken[subject][TURNS / 2] * 1e6;
	}
}

static void measure(struct scale *scale, unsigned round)
{
	static const uint8_t key[NOVA_CLIENT_KEY];
	static struct once o;
	struct nova_attr attr;

	o = (struct once){.random = round};
	must(bench_pool_make(&o.pool, scale->pool, UINT64_C(256) << 20), "make a pool");
	must(nova_client_new(o.pool.call.worker, 1, key, &o.client), "client");
	must(nova_create(&o.pool.call, o.pool.root, "file", 4, S_IFREG | 0644, 0, &attr), "create");
	o.file = attr.handle;
	for (uint64_t i = 0; i < FILE_BLOCKS; i++)
		must(nova_write(&o.pool.call, o.file, i * BLOCK, data, BLOCK, 0, NULL), "write");
	for (unsigned which = 0; which < CASES; which++)
		for (unsigned i = 0; i < scale->options.rounds; i++)
			measure_round(scale, &o, which, i);
	bench_pool_close(&o.pool);
}

static void run_once(struct scale *scale)
{
	scale_life(scale, measure, 0);
	for (unsigned which = 0; which < CASES; which++) {
		scale_result(scale, once_cases[which], "farnova", "us", series(which, ONCE), scale->options.rounds);
		scale_result(scale, once_cases[which], "plain", "us", series(which, PLAIN), scale->options.rounds);
	}
}

const struct scale_group scale_once = {once_cases, run_once};
