/*
 * descriptors.h -- the simulated machine's descriptors: numbers that poll(2) and libevent of the product can wait for.
 *
 * They begin far above those of the host. The lowest free one is given out, as by a kernel.
 */
#ifndef FARNOVA_TESTS_SIM_DESCRIPTORS_H
#define FARNOVA_TESTS_SIM_DESCRIPTORS_H

#include <stdbool.h>

int descriptor_open(void);
void descriptor_close(int fd);
bool descriptor_is(int fd);
/* descriptor_set -- readable or not; who waits for it is woken. */
void descriptor_set(int fd, bool readable);
bool descriptor_readable(int fd);

#endif
