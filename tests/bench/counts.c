// counts.c -- what an operation of the core costs in persistent stores, by the counting observer of common/pm/pm.h.
//
//	counts --json FILE [--case NAME]... [--rounds N] [--quick] POOL
//
// The figures are averages over many operations, so that what happens once in a while (a new log page, a new chunk of
// slots, GC) has its share. The places are the steady state's: slots and blocks that were freed before are used again.
// Nothing is timed, so --rounds and --quick change nothing.
#include "common/log.h"
#include "common/pm/pm_count.h"
#include "server/nova/clients.h"
#include "tests/bench/options.h"
#include "tests/bench/pool.h"
#include "tests/bench/results.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPS        10000u
#define BLOCK      4096u
#define BIG        (1u << 20)
#define POOL_BYTES (UINT64_C(512) << 20)
#define DATA_BYTES (UINT64_C(64) << 20)
#define PROJECT    7u

struct counting {
	struct bench_pool pool;
	struct nova_handle data;
	struct nova_handle append;
	struct nova_handle other;   // a directory
	struct nova_handle limited; // a directory of a project with a limit, with a file in it
	struct nova_handle limited_data;
	struct nova_client *client; // whose requests have intents
};

struct operation {
	const char *name;
	void (*prepare)(struct counting *c, uint32_t i); // not counted, NULL = nothing
	void (*run)(struct counting *c, uint32_t i);
	void (*undo)(struct counting *c, uint32_t i); // not counted
};

static uint8_t bytes[BIG];

static void must(int64_t rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "bench: counts: %s: %s\n", what, strerror((int)-rc));
	exit(1);
}

static struct nova_handle make_in(struct counting *c, struct nova_handle dir, char kind, uint32_t i, uint32_t mode)
{
	struct nova_attr attr;
	char name[16];

	snprintf(name, sizeof(name), "%c%07" PRIu32, kind, i);
	must(nova_create(&c->pool.call, dir, name, strlen(name), mode, 0, &attr), "create");
	return attr.handle;
}

static void remove_from(struct counting *c, struct nova_handle dir, char kind, uint32_t i)
{
	char name[16];

	snprintf(name, sizeof(name), "%c%07" PRIu32, kind, i);
	must(nova_unlink(&c->pool.call, dir, name, strlen(name), NULL), "unlink");
}

static void rename_to(struct counting *c, struct nova_handle dir, uint32_t i)
{
	char from[16], to[16];

	snprintf(from, sizeof(from), "f%07" PRIu32, i);
	snprintf(to, sizeof(to), "g%07" PRIu32, i);
	must(nova_rename(&c->pool.call, c->pool.root, from, strlen(from), dir, to, strlen(to), 0, NULL), "rename");
}

static void put(struct counting *c, struct nova_handle file, uint64_t offset, size_t length, unsigned flags)
{
	must(nova_write(&c->pool.call, file, offset, bytes, length, flags, NULL), "write");
}

static void run_create(struct counting *c, uint32_t i)
{
	make_in(c, c->pool.root, 'f', i, S_IFREG | 0644);
}

static void run_unlink(struct counting *c, uint32_t i)
{
	remove_from(c, c->pool.root, 'f', i);
}

static void run_mkdir(struct counting *c, uint32_t i)
{
	make_in(c, c->pool.root, 'm', i, S_IFDIR | 0755);
}

static void undo_mkdir(struct counting *c, uint32_t i)
{
	char name[16];

	snprintf(name, sizeof(name), "m%07" PRIu32, i);
	must(nova_rmdir(&c->pool.call, c->pool.root, name, strlen(name), NULL), "rmdir");
}

static void run_rename(struct counting *c, uint32_t i)
{
	rename_to(c, c->pool.root, i);
}

static void undo_rename(struct counting *c, uint32_t i)
{
	remove_from(c, c->pool.root, 'g', i);
}

static void run_rename_across(struct counting *c, uint32_t i)
{
	rename_to(c, c->other, i);
}

static void undo_rename_across(struct counting *c, uint32_t i)
{
	remove_from(c, c->other, 'g', i);
}

static void run_overwrite(struct counting *c, uint32_t i)
{
	put(c, c->data, (uint64_t)i * 7919 % (DATA_BYTES / BLOCK) * BLOCK, BLOCK, 0);
}

static void run_append(struct counting *c, uint32_t i)
{
	put(c, c->append, 0, BLOCK, NOVA_WRITE_APPEND);
}

static void run_small_write(struct counting *c, uint32_t i)
{
	put(c, c->data, (uint64_t)i * 7919 % (DATA_BYTES / BLOCK) * BLOCK + 100, 64, 0);
}

static void run_big_write(struct counting *c, uint32_t i)
{
	put(c, c->data, (uint64_t)i * 37 % (DATA_BYTES / BIG) * BIG, BIG, 0);
}

static void run_create_quota(struct counting *c, uint32_t i)
{
	make_in(c, c->limited, 'f', i, S_IFREG | 0644);
}

static void undo_create_quota(struct counting *c, uint32_t i)
{
	remove_from(c, c->limited, 'f', i);
}

static void run_overwrite_quota(struct counting *c, uint32_t i)
{
	put(c, c->limited_data, (uint64_t)i * 7919 % (DATA_BYTES / BLOCK) * BLOCK, BLOCK, 0);
}

static void run_read(struct counting *c, uint32_t i)
{
	must(nova_read(&c->pool.call, c->data, (uint64_t)i * 7919 % (DATA_BYTES / BLOCK) * BLOCK, bytes, BLOCK),
	     "read");
}

static void run_read_relatime(struct counting *c, uint32_t i)
{
	run_read(c, i);
	must(nova_accessed(&c->pool.call, c->data, NOVA_ATIME_RELATIVE), "access time");
}

static void run_read_strictatime(struct counting *c, uint32_t i)
{
	run_read(c, i);
	must(nova_accessed(&c->pool.call, c->data, NOVA_ATIME_STRICT), "access time");
}

// The call has this intent.
static void with_intent(struct counting *c, uint32_t i)
{
	static struct nova_intent intent;

	must(nova_intent_begin(c->pool.call.worker, c->client, 0, i + 1, 1, &intent), "intent");
	c->pool.call.intent = &intent;
}

static void run_overwrite_intent(struct counting *c, uint32_t i)
{
	with_intent(c, i);
	run_overwrite(c, i);
	c->pool.call.intent = NULL;
}

static void run_create_intent(struct counting *c, uint32_t i)
{
	with_intent(c, i);
	run_create(c, i);
	c->pool.call.intent = NULL;
}

static const struct operation operations[] = {
    {"create", NULL, run_create, run_unlink},
    {"mkdir", NULL, run_mkdir, undo_mkdir},
    {"rename", run_create, run_rename, undo_rename},
    {"rename_across", run_create, run_rename_across, undo_rename_across},
    {"unlink", run_create, run_unlink, NULL},
    {"overwrite_4k", NULL, run_overwrite, NULL},
    {"append_4k", NULL, run_append, NULL},
    {"write_64b", NULL, run_small_write, NULL},
    {"write_1m", NULL, run_big_write, NULL},
    {"create_quota", NULL, run_create_quota, undo_create_quota},
    {"create_intent", NULL, run_create_intent, run_unlink},
    {"overwrite_4k_intent", NULL, run_overwrite_intent, NULL},
    {"overwrite_4k_quota", NULL, run_overwrite_quota, NULL},
    {"read_4k_relatime", NULL, run_read_relatime, NULL},
    {"read_4k_strictatime", NULL, run_read_strictatime, NULL},
};

// All that comes before is done for all, then all are counted, then all are undone: as when many files are made.
static void count(struct counting *c, const struct operation *operation, FILE *json)
{
	uint32_t ops = strcmp(operation->name, "write_1m") == 0 ? OPS / 50 : OPS;
	struct pm_count counted;

	for (uint32_t i = 0; operation->prepare && i < ops; i++)
		operation->prepare(c, i);
	pm_count_init(&counted);
	c->pool.pm.observer = &counted.observer;
	for (uint32_t i = 0; i < ops; i++)
		operation->run(c, i);
	c->pool.pm.observer = NULL;
	for (uint32_t i = 0; operation->undo && i < ops; i++)
		operation->undo(c, i);

	const struct {
		const char *subject;
		uint64_t total;
	} columns[] = {
	    {"nt-lines", counted.nt_lines}, {"flushed-lines", counted.flushed_lines},
	    {"words", counted.words},       {"fences", counted.fences},
	    {"bytes", counted.bytes},
	};
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		double value = (double)columns[i].total / ops;

		bench_result(json, "counts", operation->name, columns[i].subject, "per op", &value, 1);
	}
}

static void make_limited(struct counting *c)
{
	const struct nova_attr project = {.project = PROJECT, .flags = NOVA_FILE_PROJECT_INHERIT};

	must(nova_quota_set(&c->pool.call, PROJECT, POOL_BYTES / BLOCK, OPS * 2), "limits");
	c->limited = make_in(c, c->pool.root, 'x', 3, S_IFDIR | 0755);
	must(nova_setattr(&c->pool.call, c->limited, NOVA_SET_PROJECT | NOVA_SET_FLAGS, &project, NULL), "project");
	c->limited_data = make_in(c, c->limited, 'x', 0, S_IFREG | 0644);
}

static void prepare(struct counting *c, const char *path)
{
	must(bench_pool_make(&c->pool, path, POOL_BYTES), "make a pool");
	c->data = make_in(c, c->pool.root, 'x', 0, S_IFREG | 0644);
	c->append = make_in(c, c->pool.root, 'x', 1, S_IFREG | 0644);
	c->other = make_in(c, c->pool.root, 'x', 2, S_IFDIR | 0755);
	make_limited(c);
	must(nova_client_new(c->pool.call.worker, 1, (const uint8_t[NOVA_CLIENT_KEY]){0}, &c->client), "client");
	with_intent(c, 0);
	c->pool.call.intent = NULL;
	for (uint64_t at = 0; at < DATA_BYTES; at += BIG) {
		put(c, c->data, at, BIG, 0);
		put(c, c->limited_data, at, BIG, 0);
	}
	/* The steady state: slots, blocks and log pages have been used before. */
	for (uint32_t i = 0; i < OPS; i++)
		run_create(c, i);
	for (uint32_t i = 0; i < OPS; i++)
		run_unlink(c, i);
	for (uint32_t i = 0; i < OPS; i++)
		run_overwrite(c, i);
	for (uint32_t i = 0; i < OPS; i++)
		run_overwrite_quota(c, i);
}

int main(int argc, char **argv)
{
	struct bench_options options;
	struct counting c;

	bench_options(&options, argc, argv, (const char *const[]){"POOL", NULL});
	log_set_level(LOG_LEVEL_WARN);
	prepare(&c, options.operands[0]);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (bench_wanted(&options, operations[i].name))
			count(&c, &operations[i], options.json);
	bench_pool_close(&c.pool);
	unlink(options.operands[0]);
	return bench_end(&options);
}
