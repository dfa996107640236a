/*
 * pm_device.h -- who the devices beneath a pool are, and how often they lost power unsafely.
 */
#ifndef FARNOVA_COMMON_PM_DEVICE_H
#define FARNOVA_COMMON_PM_DEVICE_H

#include <stdint.h>

/*
 * pm_device_ask -- of the devices beneath an open devdax device or file: a number that stands for their ids, and the
 * sum of their unsafe-shutdown counts. Both 0 where they do not tell.
 */
void pm_device_ask(int fd, uint64_t *id, uint64_t *unsafe_shutdowns);

#endif
