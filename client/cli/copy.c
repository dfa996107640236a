/*
 * A tree is copied depth first. Nobody else can access a copy until it is complete: files start with mode 0600 and
 * directories with 0700, and get their own mode and times last (each new entry would change those of a directory).
 */
#include "client/cli/copy.h"

#include "client/cli/copy_flags.h"
#include "client/cli/copy_xattrs.h"
#include "client/cli/progress_bar.h"
#include "client/cli/report.h"
#include "client/cli/text.h"
#include "common/file_type.h"

#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (1024 * 1024) /* what the server writes as one atomic change */
#define BLOCK 4096

/* A source inode with several names, and the path of its first copy. */
struct linked {
	dev_t dev;
	ino_t ino;
	char *target;
};

struct copy {
	struct copy_options options;
	struct endpoint from, to;
	void *links;   /* a tsearch tree of struct linked */
	bool inherits; /* new inodes in the current directory inherit ACLs */
	bool have_top;
	dev_t top_dev; /* the directory created for the current source: not to be copied into itself */
	ino_t top_ino;
	struct late_flags *late_flags; /* flags of files that may still get another name */
	char *buffer;
};

struct copy *copy_start(const struct copy_options *options, const struct endpoint *from, const struct endpoint *to)
{
	struct copy *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	copy->options = *options;
	copy->from = *from;
	copy->to = *to;
	copy->buffer = malloc(CHUNK);
	if (copy->buffer)
		return copy;
	free(copy);
	return NULL;
}

static void free_linked(void *node)
{
	struct linked *linked = node;

	free(linked->target);
	free(linked);
}

char *copy_join(const char *directory, const char *name)
{
	char *path;
	size_t length = strlen(directory);

	return asprintf(&path, "%s%s%s", directory, length && directory[length - 1] == '/' ? "" : "/", name) < 0 ? NULL
	                                                                                                         : path;
}

static int by_inode(const void *a, const void *b)
{
	const struct linked *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static bool failed(const struct copy *copy, const struct endpoint *endpoint, const char *doing, const char *path,
                   int error)
{
	report_error(copy->options.command, "%s %s", doing, endpoint_why(endpoint, path, error));
	return false;
}

static bool is_zero(const char *data, size_t length)
{
	return length == 0 || (data[0] == 0 && !memcmp(data, data + 1, length - 1));
}

/* Write the blocks that are not zero, in runs: zeros of a source with holes become holes. */
static int write_sparse(struct copy *copy, struct endpoint_file *file, const char *data, size_t length, off_t offset)
{
	size_t start = 0;

	while (start < length) {
		size_t end = start;
		while (end < length && !is_zero(data + end, length - end < BLOCK ? length - end : BLOCK))
			end += BLOCK;
		if (end > length)
			end = length;
		if (end > start) {
			int error = endpoint_write(&copy->to, file, data + start, end - start, offset + (off_t)start);
			if (error)
				return error;
			start = end;
		} else {
			start += BLOCK;
		}
	}
	return 0;
}

/* Both files are on one server: the server copies and keeps the holes. */
static bool copy_inside(struct copy *copy, const char *source, struct endpoint_file *in, const char *target,
                        struct endpoint_file *out, const struct stat *st)
{
	for (off_t position = 0; position < st->st_size;) {
		ssize_t n = endpoint_copy(in, out, (size_t)(st->st_size - position), position);
		if (n < 0) {
			report_error(copy->options.command, "copying '%s' to %s", source,
			             endpoint_why(&copy->to, target, (int)n));
			return false;
		}
		if (n == 0)
			break; /* the source was shortened meanwhile */
		position += n;
		progress_bar_bytes((uint64_t)n);
	}
	return true;
}

static bool copy_data(struct copy *copy, const char *source, struct endpoint_file *in, const char *target,
                      struct endpoint_file *out, const struct stat *st, bool holes)
{
	bool sparse = holes && (uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size;
	off_t position = 0, start, end;
	bool shorter = false;

	if (copy->from.fs && copy->from.fs == copy->to.fs)
		return copy_inside(copy, source, in, target, out, st);
	while (!shorter && endpoint_next_data(&copy->from, in, position, st->st_size, &start, &end) == 0) {
		for (position = start; position < end;) {
			size_t want = end - position < CHUNK ? (size_t)(end - position) : CHUNK;
			ssize_t n = endpoint_read(&copy->from, in, copy->buffer, want, position);
			if (n < 0)
				return failed(copy, &copy->from, "reading", source, (int)n);
			if (n == 0) {
				shorter = true;
				break;
			}
			int error = sparse ? write_sparse(copy, out, copy->buffer, (size_t)n, position)
			                   : endpoint_write(&copy->to, out, copy->buffer, (size_t)n, position);
			if (error)
				return failed(copy, &copy->to, "writing", target, error);
			position += n;
			progress_bar_bytes((uint64_t)n);
		}
	}
	/* Setting the size creates a hole, or reserved and unwritten space, at the end. */
	bool ends_in_hole = holes && !shorter && (sparse || position < st->st_size);
	int error = ends_in_hole ? endpoint_truncate(&copy->to, out, st->st_size) : 0;
	return error ? failed(copy, &copy->to, "writing", target, error) : true;
}

static bool keep_flags(struct copy *copy, const char *source, const char *target, const struct stat *st)
{
	struct late_flags **late = S_ISREG(st->st_mode) && st->st_nlink > 1 ? &copy->late_flags : NULL;
	struct copy_flags_failure why;

	return copy_flags(&copy->from, source, &copy->to, target, !copy->options.recursive, late, &why) ||
	       failed(copy, why.endpoint, "copying flags:", why.path, why.error);
}

/* `bare`: the target may have ACLs that do not come from the source. */
static bool keep_attributes(struct copy *copy, const char *source, const char *target, const struct stat *st, bool bare)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	struct copy_xattrs_failure why;
	int error;

	/* The owner first, since a change of owner clears set-ID bits and capabilities. The mode after the attributes,
	 * since it may forbid setting them. */
	if (copy->options.owners && (error = endpoint_chown(&copy->to, target, st->st_uid, st->st_gid)))
		return failed(copy, &copy->to, "setting the owner of", target, error);
	if (!copy_xattrs(&copy->from, source, &copy->to, target, !copy->options.recursive,
	                 bare ? st->st_mode & S_IFMT : 0, &why))
		return failed(copy, why.endpoint, "copying extended attributes:", why.path, why.error);
	if (!S_ISLNK(st->st_mode) && (error = endpoint_chmod(&copy->to, target, st->st_mode & 07777)))
		return failed(copy, &copy->to, "setting the mode of", target, error);
	if ((error = endpoint_set_times(&copy->to, target, times, !copy->options.recursive)))
		return failed(copy, &copy->to, "setting the times of", target, error);
	/* Last, since flags may forbid all further changes. */
	if (copy->options.flags && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)))
		return keep_flags(copy, source, target, st);
	return true;
}

/* `made` false: the target is an existing device or FIFO, which keeps its attributes. */
static bool copy_file(struct copy *copy, const char *source, const char *target, const struct stat *st, bool made,
                      bool existed)
{
	struct endpoint_file in, out;

	int error = endpoint_open_read(&copy->from, source, !copy->options.recursive, &in);
	if (error)
		return failed(copy, &copy->from, "opening", source, error);
	error = endpoint_create(&copy->to, target, &out);
	if (error) {
		failed(copy, &copy->to, "creating", target, error);
		endpoint_close(&copy->from, &in);
		return false;
	}
	progress_bar_file(source, (uint64_t)st->st_size);
	bool good = copy_data(copy, source, &in, target, &out, st, made);
	endpoint_close(&copy->from, &in);
	error = endpoint_close(&copy->to, &out);
	if (error && good)
		good = failed(copy, &copy->to, "closing", target, error);
	return good && (!made || keep_attributes(copy, source, target, st, existed || copy->inherits));
}

static bool copy_symlink(struct copy *copy, const char *source, const char *target, const struct stat *st)
{
	char text[PATH_MAX];

	ssize_t length = endpoint_readlink(&copy->from, source, text, sizeof(text) - 1);
	if (length < 0)
		return failed(copy, &copy->from, "reading the link", source, (int)length);
	text[length] = 0;
	int error = endpoint_symlink(&copy->to, text, target);
	if (error)
		return failed(copy, &copy->to, "making the link", target, error);
	return keep_attributes(copy, source, target, st, false);
}

static bool copy_special(struct copy *copy, const char *source, const char *target, const struct stat *st)
{
	int error = endpoint_mknod(&copy->to, target, (st->st_mode & S_IFMT) | 0600, st->st_rdev);
	if (error)
		return failed(copy, &copy->to, "making", target, error);
	return keep_attributes(copy, source, target, st, copy->inherits);
}

static bool copy_any(struct copy *copy, const char *source, const char *target, bool top);

static bool copy_entries(struct copy *copy, const char *source, const char *target)
{
	char **names;
	size_t count;
	bool good = true;

	int error = endpoint_list(&copy->from, source, &names, &count);
	if (error)
		return failed(copy, &copy->from, "reading the directory", source, error);
	for (size_t i = 0; i < count; i++) {
		char *from = copy_join(source, names[i]);
		char *to = copy_join(target, names[i]);
		if (!from || !to) {
			report_error(copy->options.command, "out of memory");
			good = false;
		} else if (!copy_any(copy, from, to, false)) {
			good = false;
		}
		free(from);
		free(to);
		free(names[i]);
	}
	free(names);
	return good;
}

static bool copy_directory(struct copy *copy, const char *source, const char *target, const struct stat *st,
                           const struct stat *existing, bool top)
{
	if (copy->have_top && st->st_dev == copy->top_dev && st->st_ino == copy->top_ino) {
		report_error(copy->options.command, "'%s' is the copy itself: not copied into itself", source);
		return false;
	}
	if (!existing) {
		int error = endpoint_mkdir(&copy->to, target, 0700);
		if (error)
			return failed(copy, &copy->to, "making the directory", target, error);
	}
	struct stat made;
	if (top && copy->from.id == copy->to.id && endpoint_lstat(&copy->to, target, &made) == 0) {
		copy->have_top = true;
		copy->top_dev = made.st_dev;
		copy->top_ino = made.st_ino;
	}
	/* A new directory passes on the ACLs that it inherited, until its own attributes are set. */
	bool inherited = copy->inherits;
	if (existing)
		copy->inherits = copy_xattrs_inherited(&copy->to, target);
	bool good = copy_entries(copy, source, target);
	copy->inherits = inherited;
	return keep_attributes(copy, source, target, st, existing || inherited) && good;
}

/* Link `target` to the first copy of the same inode. 1 if done, 0 if this is the first, -1 on failure. */
static int copy_as_link(struct copy *copy, const char *target, const struct stat *st)
{
	struct linked key = {.dev = st->st_dev, .ino = st->st_ino};
	struct linked **found = tfind(&key, &copy->links, by_inode);

	if (!found)
		return 0;
	int error = endpoint_link(&copy->to, (*found)->target, target);
	if (error) {
		failed(copy, &copy->to, "linking", target, error);
		return -1;
	}
	return 1;
}

static void remember_link(struct copy *copy, const char *target, const struct stat *st)
{
	struct linked *linked = calloc(1, sizeof(*linked));
	char *name = strdup(target);

	if (linked && name) {
		*linked = (struct linked){.dev = st->st_dev, .ino = st->st_ino, .target = name};
		if (tsearch(linked, &copy->links, by_inode))
			return;
	}
	/* Without memory, further names become separate files: the data are still right. */
	free(name);
	free(linked);
}

/* Remove what is in the way; `existing` is NULL if there is nothing. True if the copy may continue. */
static bool make_way(struct copy *copy, const char *source, const char *target, const struct stat *st,
                     const struct stat *existing)
{
	if (!existing)
		return true;
	bool same_endpoint = copy->from.id == copy->to.id;
	if (same_endpoint && st->st_dev == existing->st_dev && st->st_ino == existing->st_ino) {
		report_error(copy->options.command, "'%s' and '%s' are the same file", source, target);
		return false;
	}
	if (S_ISDIR(st->st_mode) != S_ISDIR(existing->st_mode)) {
		report_error(copy->options.command, "'%s' is %s directory and '%s' is %s: not replaced", source,
		             S_ISDIR(st->st_mode) ? "a" : "no", target, S_ISDIR(existing->st_mode) ? "one" : "none");
		return false;
	}
	/* A single file is copied as by cp: into the existing target, which may be reached by a link or be a device or
	 * FIFO. */
	if (S_ISDIR(st->st_mode) || !copy->options.recursive)
		return true;
	if (S_ISBLK(existing->st_mode) || S_ISCHR(existing->st_mode)) {
		report_error(copy->options.command, "'%s' is a %s: not replaced", target,
		             file_type_name(existing->st_mode));
		return false;
	}
	if (S_ISREG(st->st_mode) && S_ISREG(existing->st_mode) && existing->st_nlink == 1 && st->st_nlink == 1)
		return true;
	int error = endpoint_unlink(&copy->to, target);
	return error ? failed(copy, &copy->to, "replacing", target, error) : true;
}

static bool copy_any(struct copy *copy, const char *source, const char *target, bool top)
{
	struct stat st, there;

	int error = copy->options.recursive ? endpoint_lstat(&copy->from, source, &st)
	                                    : endpoint_stat(&copy->from, source, &st);
	if (error)
		return failed(copy, &copy->from, "looking at", source, error);
	if (!copy->options.recursive && !S_ISREG(st.st_mode)) {
		report_error(copy->options.command, "'%s' is a %s: copied only with -r", source,
		             file_type_name(st.st_mode));
		return false;
	}
	bool exists = (copy->options.recursive ? endpoint_lstat(&copy->to, target, &there)
	                                       : endpoint_stat(&copy->to, target, &there)) == 0;
	if (!make_way(copy, source, target, &st, exists ? &there : NULL))
		return false;
	if (copy->options.verbose) {
		progress_bar_clear();
		print_name(stdout, source);
		printf(" -> ");
		print_name(stdout, target);
		putchar('\n');
	}

	if (S_ISDIR(st.st_mode))
		return copy_directory(copy, source, target, &st, exists ? &there : NULL, top);
	bool linked = copy->options.recursive && st.st_nlink > 1;
	int done = linked ? copy_as_link(copy, target, &st) : 0;
	if (done)
		return done > 0;
	bool good = S_ISREG(st.st_mode)
	                ? copy_file(copy, source, target, &st, !exists || S_ISREG(there.st_mode), exists)
	            : S_ISLNK(st.st_mode) ? copy_symlink(copy, source, target, &st)
	                                  : copy_special(copy, source, target, &st);
	if (good && linked)
		remember_link(copy, target, &st);
	return good;
}

/* Whether the parent directory of `target` passes ACLs on. */
static bool parent_passes_on(const struct copy *copy, const char *target)
{
	const char *slash = strrchr(target, '/');
	char *parent = slash == target ? strdup("/") : slash ? strndup(target, (size_t)(slash - target)) : strdup(".");
	bool passes_on = parent && copy_xattrs_inherited(&copy->to, parent);

	free(parent);
	return passes_on;
}

bool copy_end(struct copy *copy)
{
	bool good = true;
	char *path;
	int error;

	if (!copy)
		return true;
	while (copy_flags_late(&copy->to, !copy->options.recursive, &copy->late_flags, &path, &error)) {
		if (error)
			good = failed(copy, &copy->to, "setting the flags of", path ? path : "a file", error);
		free(path);
	}
	tdestroy(copy->links, free_linked);
	free(copy->buffer);
	free(copy);
	return good;
}

bool copy_path(struct copy *copy, const char *source, const char *target)
{
	copy->have_top = false;
	copy->inherits = parent_passes_on(copy, target);
	return copy_any(copy, source, target, true);
}
