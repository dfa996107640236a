/*
 * tree_walk.c -- compares a directory and all that is in it with the model: names, inodes, attributes but for times,
 * contents, targets, extended attributes.
 */
#include "tests/sim/trees.h"

#include "tests/sim/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE     16384u
#define VALUES    65536u
#define NAMES_MAX 32u

static char text[768];

static const char *differs(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

static const char *differs(const char *path, const char *format, ...)
{
	size_t length = (size_t)snprintf(text, sizeof(text), "%.256s: ", path);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + length, sizeof(text) - length, format, arguments);
	va_end(arguments);
	return text;
}

static const char *cannot(const char *path, const char *what)
{
	return differs(path, "%s: %s", what, farnova_last_error());
}

static const char *compare_attr(const char *path, const struct farnova_statx *is, const struct posix_attr *right)
{
	const struct {
		const char *name;
		uint64_t is, right;
	} fields[] = {
	    {"mode", is->stat.st_mode, right->mode},
	    {"links", is->stat.st_nlink, right->nlink},
	    {"uid", is->stat.st_uid, right->uid},
	    {"gid", is->stat.st_gid, right->gid},
	    {"device", is->stat.st_rdev, right->rdev},
	    {"flags", is->flags, right->flags},
	    {"project", is->project, right->project},
	    {"size", (uint64_t)is->stat.st_size, right->size},
	    {"blocks", S_ISREG(right->mode) ? (uint64_t)is->stat.st_blocks / 8 : right->blocks, right->blocks},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].is != fields[i].right)
			return differs(path, "%s %" PRIu64 ", in the model %" PRIu64, fields[i].name, fields[i].is,
			               fields[i].right);
	return NULL;
}

static const char *compare_contents(struct farnova *fs, const char *path, struct farnova_handle handle,
                                    const struct posix_model *model, posix_ino ino, uint64_t size)
{
	static uint8_t is[PIECE], right[PIECE];
	struct farnova_file *file = farnova_open_at(fs, handle, O_RDONLY);
	const char *fault = NULL;

	if (!file)
		return cannot(path, "open");
	for (uint64_t at = 0; at < size && !fault; at += PIECE) {
		ssize_t got = farnova_pread(file, is, PIECE, (off_t)at);

		if (got < 0)
			fault = cannot(path, "read");
		else if (got != posix_read(model, ino, at, right, PIECE) || memcmp(is, right, (size_t)got) != 0)
			fault = differs(path, "other bytes from %" PRIu64 " on", at);
	}
	farnova_close(file);
	return fault;
}

static const char *compare_target(struct farnova *fs, const char *path, struct farnova_handle handle,
                                  const struct posix_model *model, posix_ino ino)
{
	char is[4096], right[4096];
	ssize_t got = farnova_readlink_at(fs, handle, is, sizeof(is));

	if (got < 0)
		return cannot(path, "readlink");
	if (got != posix_readlink(model, ino, right, sizeof(right)) || memcmp(is, right, (size_t)got) != 0)
		return differs(path, "another target");
	return NULL;
}

static const char *compare_xattrs(struct farnova *fs, const char *path, struct farnova_handle handle,
                                  const struct posix_model *model, posix_ino ino)
{
	static char names[VALUES];
	static uint8_t is[VALUES], right[VALUES];
	ssize_t length = farnova_listxattr_at(fs, handle, names, sizeof(names));

	if (length < 0)
		return cannot(path, "listxattr");
	if (length != posix_listxattr(model, ino, NULL, 0))
		return differs(path, "other extended attributes");
	for (const char *name = names; name < names + length; name += strlen(name) + 1) {
		ssize_t got = farnova_getxattr_at(fs, handle, name, is, sizeof(is));

		if (got < 0)
			return cannot(path, name);
		if (got != posix_getxattr(model, ino, name, right, sizeof(right)) ||
		    memcmp(is, right, (size_t)got) != 0)
			return differs(path, "another value of %s", name);
	}
	return NULL;
}

static const char *compare(struct farnova *fs, const char *path, struct farnova_handle handle,
                           struct posix_model *model, posix_ino ino);

struct names {
	char names[NAMES_MAX][NAME_MAX + 1];
	unsigned count;
};

/* False: there are more than any directory of a run has. */
static bool list(struct farnova *fs, struct farnova_handle handle, struct names *names)
{
	struct farnova_dir *dir = farnova_opendir_at(fs, handle);
	struct dirent *entry;

	if (!dir)
		return false;
	while ((entry = farnova_readdir(dir)) != NULL && names->count < NAMES_MAX)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			memcpy(names->names[names->count++], entry->d_name, strlen(entry->d_name) + 1);
	farnova_closedir(dir);
	return names->count < NAMES_MAX;
}

static bool count_name(void *context, const char *name, size_t length, posix_ino ino)
{
	(void)name, (void)length, (void)ino;
	++*(unsigned *)context;
	return true;
}

static const char *compare_names(struct farnova *fs, const char *path, struct farnova_handle handle,
                                 struct posix_model *model, posix_ino ino, const struct names *names)
{
	const char *fault = NULL;
	unsigned right = 0;

	posix_each_name(model, ino, count_name, &right);
	if (names->count != right)
		return differs(path, "%u names, in the model %u", names->count, right);
	for (unsigned i = 0; i < names->count && !fault; i++) {
		const char *name = names->names[i];
		struct farnova_handle found;
		posix_ino child;
		char below[512];
		struct stat st;

		snprintf(below, sizeof(below), "%.200s/%.255s", path, name);
		if (posix_lookup(model, ino, name, strlen(name), &child) != 0)
			return differs(below, "the model has no such name");
		if (farnova_lookup_at(fs, handle, name, &found, &st) != 0)
			return cannot(below, "lookup");
		fault = compare(fs, below, found, model, child);
	}
	return fault;
}

static const char *compare_directory(struct farnova *fs, const char *path, struct farnova_handle handle,
                                     struct posix_model *model, posix_ino ino)
{
	struct names *names = calloc(1, sizeof(*names));
	const char *fault;

	if (!names)
		sim_failed("out of memory");
	fault = list(fs, handle, names) ? compare_names(fs, path, handle, model, ino, names)
	                                : differs(path, "readdir: an error, or too many names");
	free(names);
	return fault;
}

static const char *compare(struct farnova *fs, const char *path, struct farnova_handle handle,
                           struct posix_model *model, posix_ino ino)
{
	struct farnova_statx is = {.size = sizeof(is)};
	struct posix_attr right;
	uint64_t number;
	uint32_t generation;
	const char *fault;

	posix_inode_name(model, ino, &number, &generation);
	if (number == 0)
		posix_name_inode(model, ino, handle.ino, handle.generation);
	else if (number != handle.ino || generation != handle.generation)
		return differs(path, "inode %" PRIu64 " of generation %u, in the model %" PRIu64 " of %u", handle.ino,
		               handle.generation, number, generation);
	if (farnova_statx_at(fs, handle, &is) != 0)
		return cannot(path, "stat");
	posix_getattr(model, ino, &right);
	fault = compare_attr(path, &is, &right);
	if (!fault)
		fault = compare_xattrs(fs, path, handle, model, ino);
	if (!fault && S_ISREG(right.mode))
		fault = compare_contents(fs, path, handle, model, ino, right.size);
	if (!fault && S_ISLNK(right.mode))
		fault = compare_target(fs, path, handle, model, ino);
	if (!fault && S_ISDIR(right.mode))
		fault = compare_directory(fs, path, handle, model, ino);
	return fault;
}

const char *tree_differs(struct farnova *fs, const struct tree *tree, struct posix_model *model)
{
	struct farnova_handle handle;
	struct stat st;

	if (farnova_lookup_at(fs, farnova_root(fs), tree->name, &handle, &st) != 0)
		return cannot(tree->name, "lookup");
	return compare(fs, tree->name, handle, model, posix_root(model));
}
