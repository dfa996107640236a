// readers.h -- two readers of a file at once: threads of one connection with two channels, or two processes with a
// connection each.
#ifndef TESTS_BENCH_READERS_H
#define TESTS_BENCH_READERS_H

#include <stdbool.h>
#include <stdint.h>

#define READERS 2u

// Has READERS readers read `ops` random blocks each of a file of `file_size` bytes, which is made on the server at `url`
// if it is not there yet; the sequence depends on `round` only. `*ns`: from the first one's start to the last one's end,
// connections made and layouts known. 0 or -errno.
int readers_run(const char *url, bool processes, uint64_t file_size, uint32_t ops, uint32_t round, uint64_t *ns);

#endif
