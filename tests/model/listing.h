/*
 * listing.h -- what a file system holds, as text: a line for each name with its inode's attributes and a digest of its
 * contents, in a canonical order. Two file systems are the same for their users if and only if their listings are
 * equal.
 *
 * The model and the walk of a file system under test both write it with these functions, directories before what is in
 * them and names in byte order.
 */
#ifndef FARNOVA_TESTS_MODEL_LISTING_H
#define FARNOVA_TESTS_MODEL_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct listing {
	char *text; /* lines, NUL-terminated */
	size_t length, room;
};

/* Digest of contents: what reads as zero, be it stored or a hole, does not count. */
struct listing_digest {
	uint32_t crc;
	uint64_t blocks; /* that are not all zero */
};

struct listing_inode {
	uint64_t number; /* as the file system under test calls it */
	uint32_t generation;
	uint32_t mode, nlink, uid, gid, rdev;
	uint32_t flags, project;
	uint64_t size, blocks;
	int64_t atime_ns, mtime_ns, ctime_ns, btime_ns;
	struct listing_digest contents; /* regular files, and the target of symlinks */
	struct listing_digest xattrs;
};

/* listing_digest_bytes -- up to 4096 bytes of contents at block `index`. */
void listing_digest_bytes(struct listing_digest *digest, uint64_t index, const void *bytes, size_t length);
/* listing_digest_xattr -- one extended attribute; call it in the byte order of names. */
void listing_digest_xattr(struct listing_digest *digest, const char *name, const void *value, size_t length);

void listing_add(struct listing *listing, const char *path, const struct listing_inode *inode);
/* listing_add_project -- a project that has inodes or limits; after the inodes, in order of numbers. */
struct listing_project {
	uint32_t id;
	uint64_t blocks, block_limit, inodes, inode_limit;
};
void listing_add_project(struct listing *listing, const struct listing_project *project);
/* listing_failure -- a line that no other listing has. */
void listing_failure(struct listing *listing, const char *path, const char *what, int64_t rc);

void listing_copy(struct listing *copy, const struct listing *listing);
bool listing_equal(const struct listing *a, const struct listing *b);
/* listing_print_difference -- the lines that only one of the two has. */
void listing_print_difference(FILE *out, const char *a_name, const struct listing *a, const char *b_name,
                              const struct listing *b);
void listing_free(struct listing *listing);

#endif
