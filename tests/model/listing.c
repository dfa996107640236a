/*
 * listing.c -- writes down what a file system holds.
 */
#include "tests/model/listing.h"

#include "common/crc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_MAX_BYTES (512u + 64u * 256u)

__attribute__((format(printf, 2, 3))) static void add(struct listing *listing, const char *format, ...)
{
	va_list args;
	int n;

	if (listing->room - listing->length < LINE_MAX_BYTES) {
		listing->room = listing->room * 2 + LINE_MAX_BYTES;
		listing->text = realloc(listing->text, listing->room);
		if (!listing->text)
			abort();
	}
	va_start(args, format);
	n = vsnprintf(listing->text + listing->length, listing->room - listing->length, format, args);
	va_end(args);
	listing->length += (size_t)n;
}

void listing_digest_bytes(struct listing_digest *digest, uint64_t index, const void *bytes, size_t length)
{
	static const uint8_t zeros[4096];

	if (memcmp(bytes, zeros, length) == 0)
		return;
	digest->crc = crc32c(crc32c_u64(digest->crc, index), bytes, length);
	digest->blocks++;
}

void listing_digest_xattr(struct listing_digest *digest, const char *name, const void *value, size_t length)
{
	digest->crc = crc32c(crc32c(digest->crc, name, strlen(name) + 1), value, length);
	digest->blocks++;
}

void listing_add(struct listing *listing, const char *path, const struct listing_inode *inode)
{
	add(listing, "%s: inode %" PRIu64 ".%u mode %o links %u owner %u:%u rdev %x size %" PRIu64, path, inode->number,
	    inode->generation, inode->mode, inode->nlink, inode->uid, inode->gid, inode->rdev, inode->size);
	if (S_ISREG(inode->mode))
		add(listing, " blocks %" PRIu64, inode->blocks);
	add(listing, " times %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, inode->atime_ns, inode->mtime_ns,
	    inode->ctime_ns, inode->btime_ns);
	if (inode->flags)
		add(listing, " flags %x", inode->flags);
	if (inode->project)
		add(listing, " project %u", inode->project);
	if (inode->contents.blocks)
		add(listing, " contents %08x in %" PRIu64, inode->contents.crc, inode->contents.blocks);
	if (inode->xattrs.blocks)
		add(listing, " xattrs %08x in %" PRIu64, inode->xattrs.crc, inode->xattrs.blocks);
	add(listing, "\n");
}

void listing_add_project(struct listing *listing, const struct listing_project *project)
{
	if (project->blocks || project->inodes || project->block_limit || project->inode_limit)
		add(listing, "project %u: blocks %" PRIu64 " of %" PRIu64 " inodes %" PRIu64 " of %" PRIu64 "\n",
		    project->id, project->blocks, project->block_limit, project->inodes, project->inode_limit);
}

void listing_failure(struct listing *listing, const char *path, const char *what, int64_t rc)
{
	add(listing, "%s: %s fails: %s\n", path, what, strerror((int)-rc));
}

void listing_copy(struct listing *copy, const struct listing *listing)
{
	copy->length = 0;
	if (copy->room < listing->length + 1) {
		copy->room = listing->length + 1;
		copy->text = realloc(copy->text, copy->room);
		if (!copy->text)
			abort();
	}
	if (listing->text)
		memcpy(copy->text, listing->text, listing->length + 1);
	else
		copy->text[0] = '\0';
	copy->length = listing->length;
}

bool listing_equal(const struct listing *a, const struct listing *b)
{
	return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static bool has_line(const struct listing *listing, const char *line, size_t length)
{
	const char *at = listing->text;

	while ((at = memmem(at, listing->length - (size_t)(at - listing->text), line, length)) != NULL) {
		if (at == listing->text || at[-1] == '\n')
			return true;
		at++;
	}
	return false;
}

static void print_own_lines(FILE *out, const char *name, const struct listing *a, const struct listing *b)
{
	const char *end = a->text + a->length;

	for (const char *line = a->text; line < end;) {
		size_t length = strcspn(line, "\n") + 1;

		if (!has_line(b, line, length))
			fprintf(out, "    only %s: %.*s", name, (int)length, line);
		line += length;
	}
}

void listing_print_difference(FILE *out, const char *a_name, const struct listing *a, const char *b_name,
                              const struct listing *b)
{
	print_own_lines(out, a_name, a, b);
	print_own_lines(out, b_name, b, a);
}

void listing_free(struct listing *listing)
{
	free(listing->text);
	*listing = (struct listing){0};
}
