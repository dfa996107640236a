/*
 * statvfs.h -- statistics of a file system.
 */
#ifndef FARNOVA_CLIENT_STATVFS_H
#define FARNOVA_CLIENT_STATVFS_H

#include "client/api/action.h"

#include <sys/statvfs.h>

/* statvfs_action -- give an action the call that gets the statistics for a file; -ENOMEM. */
int statvfs_action(struct action *action, struct statvfs *st);

#endif
