// cases.c -- the benchmark's cases, written once over struct bench_api: preparation, measured part, clean-up.
#include "tests/bench/driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define NAME_MAX_LEN 16
#define BUFFER_SIZE  (BENCH_MOST * BENCH_BLOCK)
_Static_assert(BUFFER_SIZE >= BENCH_BIG, "the buffer is also for one large operation");
// The clock is read once in so many operations, so that reading it costs nothing beside the fastest of them.
#define BUDGET_STRIDE 32

struct bench_cases {
	const struct bench_api *api;
	void *subject;
	struct bench_place *place;
	struct bench_scale scale;
	char (*names)[NAME_MAX_LEN];   // f0000000 ...
	char (*renamed)[NAME_MAX_LEN]; // g0000000 ...
	uint32_t *order;               // a permutation of the files, new each round
	uint8_t *buffer;               // BUFFER_SIZE bytes, page aligned
	void *data;                    // the data file, open once filled
	uint64_t random;
};

struct bench_case {
	const char *name;
	int (*run)(struct bench_cases *c, uint32_t round, struct bench_sample *sample);
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// splitmix64: any seed gives a full-period sequence, so (case, round) can be the seed as it is.
static uint64_t next_random(struct bench_cases *c)
{
	uint64_t z = c->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t random_below(struct bench_cases *c, uint64_t limit)
{
	return (uint64_t)(((unsigned __int128)next_random(c) * limit) >> 64);
}

static void shuffle(struct bench_cases *c)
{
	for (uint32_t i = 0; i < c->scale.files; i++)
		c->order[i] = i;
	for (uint32_t i = c->scale.files - 1; i > 0; i--) {
		uint32_t j = (uint32_t)random_below(c, i + 1);
		uint32_t held = c->order[i];

		c->order[i] = c->order[j];
		c->order[j] = held;
	}
}

// True where the budget is used up; looked at every BUDGET_STRIDE operations only.
static bool out_of_time(const struct bench_cases *c, uint64_t start, uint64_t done)
{
	return done % BUDGET_STRIDE == 0 && now_ns() - start > (uint64_t)c->scale.budget_ms * 1000000u;
}

// Every block carries its own number, so that reading the wrong block, or stale zeros, is noticed.
static void stamp(struct bench_cases *c, uint64_t offset, size_t n)
{
	for (size_t at = 0; at < n; at += BENCH_BLOCK) {
		uint64_t block = (offset + at) / BENCH_BLOCK + 1;

		memcpy(c->buffer + at, &block, sizeof(block));
	}
}

static bool stamped(const struct bench_cases *c, uint64_t offset, size_t n)
{
	for (size_t at = 0; at < n; at += BENCH_BLOCK) {
		uint64_t block;

		memcpy(&block, c->buffer + at, sizeof(block));
		if (block != (offset + at) / BENCH_BLOCK + 1)
			return false;
	}
	return true;
}

// Calls `one` for [from, to), unmeasured: nothing of it needs to be durable.
static int each(struct bench_cases *c, int (*one)(struct bench_cases *c, uint32_t i), uint32_t from, uint32_t to)
{
	c->place->durable = false;
	for (uint32_t i = from; i < to; i++) {
		int rc = one(c, i);

		if (rc)
			return rc;
	}
	c->place->durable = true;
	return 0;
}

// Calls `one` for each file, or for as many as there is time for. Inlined, so that the call in `one` is all there is.
static inline __attribute__((always_inline)) int
measure(struct bench_cases *c, int (*one)(struct bench_cases *c, uint32_t i), struct bench_sample *sample)
{
	uint64_t start = now_ns();
	uint32_t done = 0;

	do {
		int rc = one(c, done);

		if (rc)
			return rc;
		done++;
	} while (done < c->scale.files && !out_of_time(c, start, done));
	sample->ns = now_ns() - start;
	sample->ops = done;
	return 0;
}

static inline int create_one(struct bench_cases *c, uint32_t i)
{
	return c->api->create(c->subject, c->names[i]);
}

static inline int mkdir_one(struct bench_cases *c, uint32_t i)
{
	return c->api->mkdir(c->subject, c->names[i]);
}

static inline int rmdir_one(struct bench_cases *c, uint32_t i)
{
	return c->api->rmdir(c->subject, c->names[i]);
}

static inline int stat_one(struct bench_cases *c, uint32_t i)
{
	return c->api->stat(c->subject, c->names[c->order[i]]);
}

static inline int rename_one(struct bench_cases *c, uint32_t i)
{
	return c->api->rename(c->subject, c->names[i], c->renamed[i]);
}

static inline int unlink_one(struct bench_cases *c, uint32_t i)
{
	return c->api->unlink(c->subject, c->names[i]);
}

static inline int unlink_renamed(struct bench_cases *c, uint32_t i)
{
	return c->api->unlink(c->subject, c->renamed[i]);
}

static int make_files(struct bench_cases *c)
{
	if (!c->api->create || !c->api->unlink)
		return -EOPNOTSUPP;
	return each(c, create_one, 0, c->scale.files);
}

static int run_create(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	if (!c->api->create)
		return -EOPNOTSUPP;
	int rc = measure(c, create_one, sample);
	return rc || !c->api->unlink ? rc : each(c, unlink_one, 0, (uint32_t)sample->ops);
}

static int run_mkdir(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	if (!c->api->mkdir || !c->api->rmdir)
		return -EOPNOTSUPP;
	int rc = measure(c, mkdir_one, sample);
	return rc ? rc : each(c, rmdir_one, 0, (uint32_t)sample->ops);
}

static int run_stat(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	if (!c->api->stat)
		return -EOPNOTSUPP;
	int rc = make_files(c);
	if (!rc)
		rc = measure(c, stat_one, sample);
	return rc ? rc : each(c, unlink_one, 0, c->scale.files);
}

static int run_rename(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	if (!c->api->rename)
		return -EOPNOTSUPP;
	int rc = make_files(c);
	if (!rc)
		rc = measure(c, rename_one, sample);
	if (!rc)
		rc = each(c, unlink_renamed, 0, (uint32_t)sample->ops);
	return rc ? rc : each(c, unlink_one, (uint32_t)sample->ops, c->scale.files);
}

static int run_unlink(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	if (!c->api->unlink)
		return -EOPNOTSUPP;
	int rc = make_files(c);
	if (!rc)
		rc = measure(c, unlink_one, sample);
	return rc ? rc : each(c, unlink_one, (uint32_t)sample->ops, c->scale.files);
}

// Opens the data file, filled with stamped blocks; the first data case of a subject pays for it, in its warm-up.
static int open_data(struct bench_cases *c)
{
	if (c->data)
		return 0;
	if (!c->api->open || !c->api->read || !c->api->write)
		return -EOPNOTSUPP;
	int rc = c->api->open(c->subject, "data", true, &c->data);
	if (rc)
		return rc;
	c->place->durable = false;
	for (uint64_t offset = 0; c->api->keeps_data && offset < c->scale.file_size; offset += BENCH_BIG) {
		stamp(c, offset, BENCH_BIG);
		rc = c->api->write(c->subject, c->data, c->buffer, BENCH_BIG, offset);
		if (rc)
			return rc;
	}
	c->place->durable = true;
	return 0;
}

// Random aligned pieces of `n` bytes over the whole data file, read or overwritten.
static int run_data(struct bench_cases *c, size_t n, uint32_t count, bool write, struct bench_sample *sample)
{
	int rc = open_data(c);
	if (rc)
		return rc;
	bool check = c->api->keeps_data;

	uint64_t start = now_ns();
	uint64_t done = 0;
	do {
		uint64_t offset = random_below(c, c->scale.file_size / n) * n;
		if (write) {
			stamp(c, offset, n);
			rc = c->api->write(c->subject, c->data, c->buffer, n, offset);
		} else {
			rc = c->api->read(c->subject, c->data, c->buffer, n, offset);
			if (!rc && check && !stamped(c, offset, n))
				rc = -EILSEQ;
		}
		if (rc)
			return rc;
		done++;
	} while (done < count && !out_of_time(c, start, done));
	sample->ns = now_ns() - start;
	sample->ops = done;
	sample->bytes = done * n;
	return 0;
}

static int run_overwrite_4k(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	return run_data(c, BENCH_BLOCK, c->scale.ops, true, sample);
}

static int run_read_4k(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	return run_data(c, BENCH_BLOCK, c->scale.ops, false, sample);
}

// So many reads in flight at a time; the time is that of one.
static int run_read_many(struct bench_cases *c, unsigned many, struct bench_sample *sample)
{
	uint64_t offsets[BENCH_MOST], start, done = 0;
	int rc = c->api->read_many ? open_data(c) : -EOPNOTSUPP;

	if (rc)
		return rc;
	start = now_ns();
	do {
		for (unsigned i = 0; i < many; i++)
			offsets[i] = random_below(c, c->scale.file_size / BENCH_BLOCK) * BENCH_BLOCK;
		rc = c->api->read_many(c->subject, c->data, c->buffer, BENCH_BLOCK, many, offsets);
		for (unsigned i = 0; i < many && rc == 0 && c->api->keeps_data; i++) {
			uint64_t block;
			memcpy(&block, c->buffer + i * BENCH_BLOCK, sizeof(block));
			rc = block == offsets[i] / BENCH_BLOCK + 1 ? 0 : -EILSEQ;
		}
		if (rc)
			return rc;
		done += many;
	} while (done < c->scale.ops && !out_of_time(c, start, done));
	sample->ns = now_ns() - start;
	sample->ops = done;
	sample->bytes = done * BENCH_BLOCK;
	return 0;
}

static int run_read_4k_many(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	return run_read_many(c, 32, sample);
}

static int run_read_4k_128(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	return run_read_many(c, 128, sample);
}

static int run_read_4k_512(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	return run_read_many(c, 512, sample);
}

// Two readers at once: threads of one mount, or whatever the driver compares them with.
static int run_read_4k_2threads(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	if (!c->api->read_by_two)
		return -EOPNOTSUPP;
	sample->ops = 2 * (uint64_t)c->scale.ops;
	sample->bytes = sample->ops * BENCH_BLOCK;
	return c->api->read_by_two(c->subject, c->scale.file_size, c->scale.ops, round, &sample->ns);
}

static int run_write_1m(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	return run_data(c, BENCH_BIG, c->scale.big_ops, true, sample);
}

static int run_read_1m(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	return run_data(c, BENCH_BIG, c->scale.big_ops, false, sample);
}

static int append_blocks(struct bench_cases *c, void *file, struct bench_sample *sample)
{
	uint64_t start = now_ns();
	uint64_t done = 0;
	do {
		stamp(c, done * BENCH_BLOCK, BENCH_BLOCK);
		int rc = c->api->write(c->subject, file, c->buffer, BENCH_BLOCK, done * BENCH_BLOCK);
		if (rc)
			return rc;
		done++;
	} while (done < c->scale.ops && !out_of_time(c, start, done));
	sample->ns = now_ns() - start;
	sample->ops = done;
	sample->bytes = done * BENCH_BLOCK;
	return 0;
}

static int run_append_4k(struct bench_cases *c, uint32_t round, struct bench_sample *sample)
{
	void *file;

	if (!c->api->open || !c->api->close || !c->api->write)
		return -EOPNOTSUPP;
	int rc = c->api->open(c->subject, "append", true, &file);
	if (rc)
		return rc;
	int failed = append_blocks(c, file, sample);
	rc = c->api->close(c->subject, file);
	if (failed || rc)
		return failed ? failed : rc;
	if (!c->api->unlink)
		return 0;
	c->place->durable = false;
	rc = c->api->unlink(c->subject, "append");
	c->place->durable = true;
	return rc;
}

static const struct bench_case all_cases[] = {
    {"create", run_create},
    {"mkdir", run_mkdir},
    {"stat", run_stat},
    {"rename", run_rename},
    {"unlink", run_unlink},
    {"read_4k", run_read_4k},
    {"read_4k_many", run_read_4k_many},
    {"read_4k_128", run_read_4k_128},
    {"read_4k_512", run_read_4k_512},
    {"read_4k_2threads", run_read_4k_2threads},
    {"overwrite_4k", run_overwrite_4k},
    {"write_4k", run_overwrite_4k},
    {"append_4k", run_append_4k},
    {"read_1m", run_read_1m},
    {"write_1m", run_write_1m},
};

int bench_cases_run(struct bench_cases *cases, const char *name, uint32_t round, struct bench_sample *sample)
{
	for (size_t i = 0; i < sizeof(all_cases) / sizeof(all_cases[0]); i++) {
		if (strcmp(name, all_cases[i].name) != 0)
			continue;
		*sample = (struct bench_sample){0};
		cases->random = ((uint64_t)i << 32) + round;
		cases->place->durable = true;
		shuffle(cases);
		return all_cases[i].run(cases, round, sample);
	}
	return -ENOSYS;
}

int bench_cases_new(const struct bench_api *api, void *subject, struct bench_place *place,
                    const struct bench_scale *scale, struct bench_cases **out)
{
	struct bench_cases *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct bench_cases){.api = api, .subject = subject, .place = place, .scale = *scale};
	c->names = calloc(scale->files, sizeof(*c->names));
	c->renamed = calloc(scale->files, sizeof(*c->renamed));
	c->order = calloc(scale->files, sizeof(*c->order));
	c->buffer = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (!c->names || !c->renamed || !c->order || c->buffer == MAP_FAILED) {
		bench_cases_free(c);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < scale->files; i++) {
		snprintf(c->names[i], NAME_MAX_LEN, "f%07u", i);
		snprintf(c->renamed[i], NAME_MAX_LEN, "g%07u", i);
	}
	for (size_t i = 0; i < BUFFER_SIZE; i++)
		c->buffer[i] = (uint8_t)next_random(c);
	*out = c;
	return 0;
}

void bench_cases_free(struct bench_cases *cases)
{
	if (!cases)
		return;
	if (cases->data && cases->api->close)
		cases->api->close(cases->subject, cases->data);
	if (cases->buffer && cases->buffer != MAP_FAILED)
		munmap(cases->buffer, BUFFER_SIZE);
	free(cases->names);
	free(cases->renamed);
	free(cases->order);
	free(cases);
}
