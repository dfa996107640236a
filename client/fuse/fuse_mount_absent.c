/*
 * fuse_mount_absent.c -- refuses `farnova mount` in a build without FUSE (-DFARNOVA_FUSE=OFF), with the reason.
 */
#include "client/fuse/fuse_mount.h"

#include <errno.h>

int fuse_mount_run(const struct fuse_mount_options *options, void (*report)(const char *text))
{
	report("this build has no FUSE (FARNOVA_FUSE=OFF); install one that has, or use farnova get, put and cp");
	return -EOPNOTSUPP;
}
