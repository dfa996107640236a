/*
 * pm_device.h -- reads the ids and unsafe-shutdown counts of the devices of a pool.
 */
#ifndef FARNOVA_COMMON_PM_DEVICE_H
#define FARNOVA_COMMON_PM_DEVICE_H

#include <stdint.h>

/*
 * pm_device_ask -- for the devices of an open devdax device or file: a number that represents their ids, and the sum of
 * their unsafe-shutdown counts. Both are 0 if unknown.
 */
void pm_device_ask(int fd, uint64_t *id, uint64_t *unsafe_shutdowns);

#endif
