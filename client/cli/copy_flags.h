/*
 * copy_flags.h -- copy the flags that chattr sets: immutable, append-only, project-inherit.
 */
#ifndef FARNOVA_CLI_COPY_FLAGS_H
#define FARNOVA_CLI_COPY_FLAGS_H

#include "client/cli/fs_endpoint.h"

#include <stdbool.h>

/* Flags to be set when all is copied: an immutable file gets no further name. */
struct late_flags;

struct copy_flags_failure {
	const struct endpoint *endpoint;
	const char *path;
	int error;
};

/*
 * copy_flags -- give `target` the flags of `source`; `late` not NULL: not now, but in copy_flags_late. A target that
 * should have none is let be. False with `failure` filled, whose path lives as long as the arguments.
 */
bool copy_flags(const struct endpoint *from, const char *source, const struct endpoint *to, const char *target,
                bool follow, struct late_flags **late, struct copy_flags_failure *failure);

/* copy_flags_late -- set the flags of one and forget it; 1 with its path in `path`, to be freed, and 0 or -errno in
 * `error`. 0 if there is none left. */
int copy_flags_late(const struct endpoint *to, bool follow, struct late_flags **late, char **path, int *error);

#endif
