// scale_policies.c -- what a project's limit costs a write, an append and a create, and access times a read.
//
// Each case alternates between the policy (subject farnova) and none (subject plain) within every round.
#include "tests/bench/scale.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define BLOCK       4096u
#define FILE_BLOCKS 16384u
#define PROJECT     7u

enum { OVERWRITE, APPEND, CREATE, RELATIME, STRICTATIME, CASES };
enum { PLAIN, POLICY, SUBJECTS };

static const char *const policy_cases[CASES + 1] = {
    "quota_overwrite_4k", "quota_append_4k", "quota_create", "relatime_read_4k", "strictatime_read_4k", NULL,
};

struct place {
	struct nova_handle dir, file, log;
};

struct policies {
	struct scale *scale;
	struct bench_pool pool;
	struct place places[SUBJECTS]; // [POLICY] is of a project with a limit
	uint64_t random;
};

static uint8_t data[BLOCK];

static struct nova_handle make(struct policies *p, struct nova_handle dir, const char *name, uint32_t mode)
{
	struct nova_attr attr;

	must(nova_create(&p->pool.call, dir, name, strlen(name), mode, 0, &attr), "create");
	return attr.handle;
}

static void make_place(struct policies *p, unsigned subject)
{
	const struct nova_attr project = {.project = PROJECT, .flags = NOVA_FILE_PROJECT_INHERIT};
	struct place *place = &p->places[subject];

	place->dir = make(p, p->pool.root, subject == PLAIN ? "plain" : "limited", S_IFDIR | 0755);
	if (subject == POLICY)
		must(nova_setattr(&p->pool.call, place->dir, NOVA_SET_PROJECT | NOVA_SET_FLAGS, &project, NULL),
		     "project");
	place->file = make(p, place->dir, "file", S_IFREG | 0644);
	place->log = make(p, place->dir, "log", S_IFREG | 0644);
	for (uint64_t i = 0; i < FILE_BLOCKS; i++)
		must(nova_write(&p->pool.call, place->file, i * BLOCK, data, BLOCK, 0, NULL), "write");
}

static void names(struct policies *p, const struct place *place, bool there)
{
	char name[16];

	for (uint32_t i = 0; i < p->scale->ops; i++) {
		int length = snprintf(name, sizeof(name), "n%07u", i);
		if (there)
			make(p, place->dir, name, S_IFREG | 0644);
		else
			must(nova_unlink(&p->pool.call, place->dir, name, (size_t)length, NULL), "unlink");
	}
}

// As the server reads for a client: attributes go with the data.
static void read_one(struct policies *p, unsigned which, unsigned subject)
{
	struct nova_handle file = p->places[PLAIN].file;
	struct timespec now;
	struct nova_attr attr;
	bool due = false;

	must(nova_read(&p->pool.call, file, scale_random(&p->random, FILE_BLOCKS) * BLOCK, data, BLOCK), "read");
	must(nova_getattr(&p->pool.call, file, &attr), "attributes");
	if (subject == PLAIN)
		return;
	if (which == RELATIME) {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		due = nova_atime_due(&attr, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
	}
	if (due || which == STRICTATIME)
		must(nova_accessed(&p->pool.call, file, which == RELATIME ? NOVA_ATIME_RELATIVE : NOVA_ATIME_STRICT),
		     "access time");
}

static void act(struct policies *p, unsigned which, unsigned subject)
{
	struct place *place = &p->places[subject];

	if (which == CREATE) {
		names(p, place, true);
		return;
	}
	for (uint32_t i = 0; i < p->scale->ops; i++) {
		if (which == OVERWRITE)
			must(nova_write(&p->pool.call, place->file, scale_random(&p->random, FILE_BLOCKS) * BLOCK, data,
			                BLOCK, 0, NULL),
			     "write");
		else if (which == APPEND)
			must(nova_write(&p->pool.call, place->log, 0, data, BLOCK, NOVA_WRITE_APPEND, NULL), "append");
		else
			read_one(p, which, subject);
	}
}

// Each round begins with the same blocks and names.
static void undo(struct policies *p, unsigned which, unsigned subject)
{
	const struct nova_attr empty = {.size = 0};

	if (which == APPEND)
		must(nova_setattr(&p->pool.call, p->places[subject].log, NOVA_SET_SIZE, &empty, NULL), "truncate");
	if (which == CREATE)
		names(p, &p->places[subject], false);
}

static unsigned series(unsigned which, unsigned subject)
{
	return which * SUBJECTS + subject;
}

static void measure(struct scale *scale, unsigned round)
{
	static struct policies p;

	p = (struct policies){.scale = scale, .random = round};
	must(bench_pool_make(&p.pool, scale->pool, UINT64_C(512) << 20), "make a pool");
	must(nova_quota_set(&p.pool.call, PROJECT, UINT64_C(1) << 30, UINT64_C(1) << 30), "limits");
	make_place(&p, PLAIN);
	make_place(&p, POLICY);
	p.pool.call.opened = true;
	for (unsigned which = 0; which < CASES; which++)
		for (unsigned i = 0; i < scale->options.rounds + 1; i++)
			for (unsigned subject = 0; subject < SUBJECTS; subject++) {
				double start = scale_seconds();

				act(&p, which, subject);
				// The first round makes things warm.
				if (i > 0)
					scale->values[series(which, subject)][i - 1] =
					    (scale_seconds() - start) * 1e6 / scale->ops;
				undo(&p, which, subject);
			}
	bench_pool_close(&p.pool);
}

static void run_policies(struct scale *scale)
{
	scale_life(scale, measure, 0);
	for (unsigned which = 0; which < CASES; which++) {
		scale_result(scale, policy_cases[which], "farnova", "us", series(which, POLICY), scale->options.rounds);
		scale_result(scale, policy_cases[which], "plain", "us", series(which, PLAIN), scale->options.rounds);
	}
}

const struct scale_group scale_policies = {policy_cases, run_policies};
