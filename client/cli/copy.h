/*
 * copy.h -- copy files and trees between two places, keeping modes, times, extended attributes, ACLs, links
 * and holes.
 */
#ifndef FARNOVA_CLI_COPY_H
#define FARNOVA_CLI_COPY_H

#include "client/cli/fs_endpoint.h"

#include <stdbool.h>

struct copy_options {
	const char *command; /* for messages */
	bool recursive;      /* directories; symbolic links and special files as such */
	bool owners;         /* keep uid and gid; a refusal is an error */
	bool flags;          /* keep what chattr sets; a refusal is an error */
	bool verbose;        /* each name on stdout */
};

struct copy;

/* copy_start -- NULL if memory is short. */
struct copy *copy_start(const struct copy_options *options, const struct endpoint *from, const struct endpoint *to);

/*
 * copy_path -- copy `source`, a file or with `recursive` a tree, to be `target` itself (an existing directory is
 * filled, an existing file replaced). Failures are reported and passed over. Hard links among all sources of one struct
 * copy are kept. False if anything failed.
 */
bool copy_path(struct copy *copy, const char *source, const char *target);

/* copy_join -- "directory/name", to be freed; NULL if memory is short. */
char *copy_join(const char *directory, const char *name);

/* copy_end -- set what could only be set when all is copied, and free it. False if that failed. */
bool copy_end(struct copy *copy);

#endif
