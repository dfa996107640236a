/*
 * random.h -- the one source of random numbers: keys, identities, seeds.
 *
 * They come from the kernel, so they can be secrets. Everything that needs random numbers calls this function: then the
 * simulator (docs/simulation.md), which replaces the source, repeats a run exactly.
 */
#ifndef FARNOVA_COMMON_RANDOM_H
#define FARNOVA_COMMON_RANDOM_H

#include <stddef.h>

/* random_fill -- fill `size` bytes; 0, or -errno if the kernel has none. Thread safe. */
int random_fill(void *out, size_t size);

#endif
