/*
 * kernel_internal.h -- what the parts of the simulated machine know of each other: threads that wait for descriptors.
 */
#ifndef FARNOVA_TESTS_SIM_KERNEL_INTERNAL_H
#define FARNOVA_TESTS_SIM_KERNEL_INTERNAL_H

#include "tests/sim/kernel.h"

#include <pthread.h>

/* The functions of the host, which the wrapped ones stand before. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __real_pthread_join(pthread_t thread, void **result);

/* kernel_create, kernel_join -- pthread_create and pthread_join. */
int kernel_create(struct sim_process *process, pthread_t *thread, void *(*run)(void *), void *argument);
int kernel_join(pthread_t thread, void **result);

/* kernel_wait_fds -- wait until kernel_fd_ready for one of the descriptors, or until `until`. */
bool kernel_wait_fds(const int *fds, unsigned count, int64_t until);
void kernel_fd_ready(int fd);

#endif
