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
	bool recursive;      /* copy directories, and symbolic links and special files as such */
	bool owners;         /* keep uid and gid; failure is an error */
	bool flags;          /* keep the flags of chattr; failure is an error */
	bool verbose;        /* print each name on stdout */
};

struct copy;

/* copy_start -- NULL without memory. */
struct copy *copy_start(const struct copy_options *options, const struct endpoint *from, const struct endpoint *to);

/*
 * copy_path -- copy `source`, a file or with `recursive` a tree, to `target` itself (an existing directory is filled,
 * an existing file replaced). Failures are reported, and the copy continues. Hard links among all sources of one struct
 * copy are kept. False if anything failed.
 */
bool copy_path(struct copy *copy, const char *source, const char *target);

/* copy_join -- "directory/name", which the caller frees; NULL without memory. */
char *copy_join(const char *directory, const char *name);

/* copy_end -- set the attributes that can only be set after everything is copied, and free `copy`. False if that
 * failed. */
bool copy_end(struct copy *copy);

#endif
