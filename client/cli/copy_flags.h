/*
 * copy_flags.h -- copies the flags of chattr: immutable, append-only, project-inherit.
 */
#ifndef FARNOVA_CLI_COPY_FLAGS_H
#define FARNOVA_CLI_COPY_FLAGS_H

#include "client/cli/fs_endpoint.h"

#include <stdbool.h>

/* Flags to set after everything is copied: an immutable file cannot get another name. */
struct late_flags;

struct copy_flags_failure {
	const struct endpoint *endpoint;
	const char *path;
	int error;
};

/*
 * copy_flags -- set the flags of `source` on `target`; with `late`, defer this to copy_flags_late. If the source has no
 * flags, the target is not changed. False with `failure` filled; its path is valid as long as the arguments.
 */
bool copy_flags(const struct endpoint *from, const char *source, const struct endpoint *to, const char *target,
                bool follow, struct late_flags **late, struct copy_flags_failure *failure);

/* copy_flags_late -- set the deferred flags of one file and remove it from the list. Returns 1, with its path in
 * `path`, which the caller frees, and 0 or -errno in `error`; 0 if the list is empty. */
int copy_flags_late(const struct endpoint *to, bool follow, struct late_flags **late, char **path, int *error);

#endif
