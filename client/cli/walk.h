/*
 * walk.h -- do something with what a URL names, and if asked to with all below it.
 */
#ifndef FARNOVA_CLI_WALK_H
#define FARNOVA_CLI_WALK_H

#include "client/cli/remote.h"

struct walk {
	struct remote *remote;
	bool recursive;
	/*
	 * Called for the file itself, a symbolic link that the URL names being followed, and then for what is below it;
	 * a directory comes before its entries, in the order of their names, and links there are not followed. Returns
	 * an exit code; the walk goes on whatever it is.
	 */
	int (*visit)(struct walk *walk, struct farnova *fs, const char *path, const char *url, const struct stat *st);
	void *context;
};

/* walk_url -- the worst exit code of the visits and of the walk itself, which reports what it cannot look at. */
int walk_url(struct walk *walk, const char *url);

/* walk_urls -- the same for several. */
int walk_urls(struct walk *walk, char **urls, int count);

#endif
