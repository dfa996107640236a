/*
 * verify.h -- whether an image that a crash left holds what it must.
 */
#ifndef FARNOVA_TESTS_CRASH_VERIFY_H
#define FARNOVA_TESTS_CRASH_VERIFY_H

#include "tests/crash/images.h"
#include "tests/crash/snapshot.h"
#include "tests/crash/world.h"

#define ORACLE_TREES_MAX 24u

/* What is right: one of these. */
struct oracle {
	struct oracle_tree {
		const struct listing *tree;
		uint64_t orphans; /* inodes without a name */
		unsigned done;    /* bit k: what requests[k] asked for is there */
	} right[ORACLE_TREES_MAX];
	unsigned count;
	/* Of each operation, NULL = there are no more: what the client must be told of it after the crash. */
	const struct world_request *requests[WORLD_CLIENT_SLOTS];
	bool known;                  /* the clients of all requests must be there, whether these were executed or not */
	const uint32_t *generations; /* by inode number: lives that are known to somebody; may be NULL */
	bool full;                   /* the pool may have no space for a new file */
};

struct verdict {
	char text[512]; /* why the image is wrong; empty if it is right */
};

/*
 * verify_image -- `image`, the work of `images`, must be consistent for fsck, mount, hold one of the oracle's trees, be
 * consistent again with nothing lost from its free space, and work: create, write, rename, unlink. With `deep` a crash
 * during that mount is tried too. What it changes is told by images_touched. Takes a scratch set of images of its own
 * for `deep` (may be NULL otherwise).
 */
bool verify_image(struct images *images, uint8_t *image, const struct oracle *oracle, struct images *deep,
                  struct verdict *verdict, uint64_t *deep_images);

/* verify_show -- print how the tree of `image` differs from each of the oracle's. */
void verify_show(const struct sparse *image, const struct oracle *oracle);

#endif
