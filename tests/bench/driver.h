// driver.h -- the contract between a driver (one API: POSIX, libnfs, NOVA core, ...) and the cases every subject runs.
//
// A driver is a program of its own: it fills one struct bench_api and calls bench_driver_main(). The cases, the random
// pattern, the timing and the conversation with the conductor are shared, so that subjects differ in their API alone.
#ifndef TESTS_BENCH_DRIVER_H
#define TESTS_BENCH_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_BLOCK 4096u
#define BENCH_BIG   (1024u * 1024u)
#define BENCH_MOST  512u // operations in flight at a time, at most

// What one run of a case does. Every subject of a suite is given the same numbers.
struct bench_scale {
	uint32_t files;     // files of create, stat, rename, unlink
	uint64_t file_size; // bytes of the data file, a multiple of BENCH_BIG
	uint32_t ops;       // 4 KiB operations
	uint32_t big_ops;   // 1 MiB operations
	uint32_t budget_ms; // a subject too slow for the count stops here; the sequence up to there is the same
};

// Where the subject is and how to use it; `durable` is false while files are made and removed outside the measured
// time.
struct bench_place {
	const char *where;
	bool fsync;  // follow each change by an fsync
	bool osync;  // open for writing with O_SYNC
	bool direct; // open with O_DIRECT
	bool durable;
};

// One API. Functions return 0 or -errno; NULL marks what the API cannot do, and its cases are reported as not
// supported. A read or write moves all `n` bytes or fails. `name` is a single path component.
struct bench_api {
	const char *usage; // what WHERE means to this driver
	bool keeps_data;   // false: nothing is stored (a ping-pong), so the contents read are not checked
	int (*connect)(struct bench_place *place, const struct bench_scale *scale, void **subject);
	void (*disconnect)(void *subject);
	int (*create)(void *subject, const char *name); // and close
	int (*stat)(void *subject, const char *name);
	int (*rename)(void *subject, const char *from, const char *to);
	int (*unlink)(void *subject, const char *name);
	int (*mkdir)(void *subject, const char *name);
	int (*rmdir)(void *subject, const char *name);
	int (*open)(void *subject, const char *name, bool create, void **file);
	int (*close)(void *subject, void *file);
	int (*read)(void *subject, void *file, void *to, size_t n, uint64_t offset);
	int (*write)(void *subject, void *file, const void *from, size_t n, uint64_t offset);
	// Reads `n` bytes at each of `count` offsets, up to BENCH_MOST, all in flight at a time, one behind the other in `to`.
	int (*read_many)(void *subject, void *file, void *to, size_t n, unsigned count, const uint64_t *offsets);
	// Two readers at once, of `ops` blocks each; the driver has a file of its own for them. `*ns` for all.
	int (*read_by_two)(void *subject, uint64_t file_size, uint32_t ops, uint32_t round, uint64_t *ns);
};

// What one run of a case measured.
struct bench_sample {
	uint64_t ns;
	uint64_t ops;
	uint64_t bytes;
};

struct bench_cases;

// Prepares to run cases on a connected subject. Ends with bench_cases_free(). -ENOMEM.
int bench_cases_new(const struct bench_api *api, void *subject, struct bench_place *place,
                    const struct bench_scale *scale, struct bench_cases **out);
void bench_cases_free(struct bench_cases *cases);

// Runs case `name` once. The random pattern depends on (name, round) only. -ENOSYS: no such case; -EOPNOTSUPP: the API
// lacks an operation it needs; -EILSEQ: a read returned other data than was written; others are the API's.
int bench_cases_run(struct bench_cases *cases, const char *name, uint32_t round, struct bench_sample *sample);

// main() of every driver: DRIVER [options] WHERE; see driver.c for the conversation on standard input and output.
int bench_driver_main(const struct bench_api *api, int argc, char **argv);

#endif
