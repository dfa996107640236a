/*
 * walk.h -- visits the file that a URL names and, if requested, everything below it.
 */
#ifndef FARNOVA_CLI_WALK_H
#define FARNOVA_CLI_WALK_H

#include "client/cli/remote.h"

struct walk {
	struct remote *remote;
	bool recursive;
	/*
	 * Called for the file itself (a symbolic link in the URL is followed), then for everything below it: a
	 * directory before its entries, entries in the order of their names, links not followed. Returns an exit code,
	 * which does not stop the walk.
	 */
	int (*visit)(struct walk *walk, struct farnova *fs, const char *path, const char *url, const struct stat *st);
	void *context;
};

/* walk_url -- walk one URL; returns the worst exit code of the visits and of the walk, which reports what it cannot
 * access. */
int walk_url(struct walk *walk, const char *url);

/* walk_urls -- the same for several URLs. */
int walk_urls(struct walk *walk, char **urls, int count);

#endif
