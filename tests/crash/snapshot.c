/*
 * snapshot.c -- writes down what a file system holds.
 */
#include "tests/crash/snapshot.h"

#include "common/crc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAMES_MAX 4096
#define DEPTH_MAX 64

__attribute__((format(printf, 2, 3))) static void add(struct snapshot *snapshot, const char *format, ...)
{
	va_list args;
	int n;

	if (snapshot->room - snapshot->length < 1024) {
		snapshot->room = snapshot->room * 2 + 4096;
		snapshot->text = realloc(snapshot->text, snapshot->room);
		if (!snapshot->text)
			abort();
	}
	va_start(args, format);
	n = vsnprintf(snapshot->text + snapshot->length, snapshot->room - snapshot->length, format, args);
	va_end(args);
	snapshot->length += (size_t)n;
}

struct listing {
	struct {
		char name[256];
		size_t length;
		uint32_t type;
		uint64_t ino;
	} * names;
	size_t count, room;
};

static bool list_name(void *context, const struct nova_dirent *entry)
{
	struct listing *listing = context;

	if (listing->count == NAMES_MAX)
		return false;
	if (listing->count == listing->room) {
		listing->room = listing->room * 2 + 16;
		listing->names = reallocarray(listing->names, listing->room, sizeof(*listing->names));
		if (!listing->names)
			abort();
	}
	memcpy(listing->names[listing->count].name, entry->name, entry->length);
	listing->names[listing->count].name[entry->length] = '\0';
	listing->names[listing->count].length = entry->length;
	listing->names[listing->count].type = entry->type;
	listing->names[listing->count++].ino = entry->ino.n;
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int fail(struct snapshot *snapshot, const char *path, const char *what, int64_t rc)
{
	add(snapshot, "%s: %s fails: %s\n", path, what, strerror((int)-rc));
	return (int)rc;
}

/* Only the pieces that are no holes are read, so that a sparse file costs no more than what it holds. */
static int add_contents(struct snapshot *snapshot, const struct nova_call *call, const struct nova_attr *attr,
                        const char *path)
{
	static _Thread_local uint8_t buffer[65536];
	struct nova_extent extents[64];
	uint32_t crc = 0xffffffffu;
	uint64_t at = 0, first = UINT64_MAX;

	while (at < attr->size) {
		int n = nova_map(call, attr->handle, at, attr->size - at, extents, 64, NULL);

		if (n <= 0)
			return fail(snapshot, path, "map", n ? n : -EIO);
		for (int i = 0; i < n; i++) {
			uint64_t end = extents[i].offset + extents[i].length;

			if (end > attr->size)
				end = attr->size;
			if (extents[i].block.n == 0) {
				at = end;
				continue;
			}
			for (at = extents[i].offset; at < end;) {
				size_t length = end - at < sizeof(buffer) ? end - at : sizeof(buffer);
				ssize_t got = nova_read(call, attr->handle, at, buffer, length);

				if (got != (ssize_t)length)
					return fail(snapshot, path, "read", got < 0 ? got : -EIO);
				if (first == UINT64_MAX)
					first = at;
				crc = crc32c(crc32c_u64(crc, at), buffer, length);
				at += length;
			}
		}
	}
	add(snapshot, " contents %08x from %" PRIu64 "\n", crc, first == UINT64_MAX ? 0 : first);
	return 0;
}

static int add_inode(struct snapshot *snapshot, const struct nova_call *call, struct nova_handle handle, char *path,
                     size_t length, unsigned depth);

static int add_directory(struct snapshot *snapshot, const struct nova_call *call, struct nova_handle dir, char *path,
                         size_t length, unsigned depth)
{
	struct listing listing = {0};
	int rc = nova_readdir(call, dir, 0, list_name, &listing);

	if (rc)
		return fail(snapshot, path, "readdir", rc);
	if (depth == DEPTH_MAX)
		return fail(snapshot, path, "descent", -ELOOP);
	if (listing.count)
		qsort(listing.names, listing.count, sizeof(*listing.names), compare_names);
	for (size_t i = 0; rc == 0 && i < listing.count; i++) {
		struct nova_attr attr;

		path[length] = '/';
		memcpy(path + length + 1, listing.names[i].name, listing.names[i].length + 1);
		rc = nova_lookup(call, dir, listing.names[i].name, listing.names[i].length, &attr);
		if (rc)
			rc = fail(snapshot, path, "lookup", rc);
		else if (attr.handle.ino.n != listing.names[i].ino || (attr.mode & S_IFMT) != listing.names[i].type)
			rc = fail(snapshot, path, "agreement of lookup and readdir", -EIO);
		else
			rc = add_inode(snapshot, call, attr.handle, path, length + 1 + listing.names[i].length,
			               depth + 1);
	}
	path[length] = '\0';
	free(listing.names);
	return rc;
}

static int add_inode(struct snapshot *snapshot, const struct nova_call *call, struct nova_handle handle, char *path,
                     size_t length, unsigned depth)
{
	struct nova_attr attr;
	int rc = nova_getattr(call, handle, &attr);

	if (rc)
		return fail(snapshot, path, "getattr", rc);
	add(snapshot, "%s: inode %" PRIu64 ".%u mode %o links %u owner %u:%u rdev %x size %" PRIu64 " blocks %" PRIu64,
	    path, attr.handle.ino.n, attr.handle.generation, attr.mode, attr.nlink, attr.uid, attr.gid, attr.rdev,
	    attr.size, attr.blocks);
	add(snapshot, " times %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, attr.atime_ns, attr.mtime_ns,
	    attr.ctime_ns, attr.btime_ns);
	if (S_ISREG(attr.mode))
		return add_contents(snapshot, call, &attr, path);
	if (S_ISLNK(attr.mode)) {
		char target[4096];
		ssize_t n = nova_readlink(call, handle, target, sizeof(target));

		if (n < 0)
			return fail(snapshot, path, "readlink", n);
		add(snapshot, " target of %zd bytes, %08x\n", n, crc32c(0xffffffffu, target, (size_t)n));
		return 0;
	}
	add(snapshot, "\n");
	return S_ISDIR(attr.mode) ? add_directory(snapshot, call, handle, path, length, depth) : 0;
}

int snapshot_take(struct snapshot *snapshot, const struct nova_call *call, struct nova_handle root)
{
	char path[(DEPTH_MAX + 1) * 256] = "";

	snapshot->length = 0;
	return add_inode(snapshot, call, root, path, 0, 0);
}

int snapshot_copy(struct snapshot *copy, const struct snapshot *snapshot)
{
	char *text = malloc(snapshot->length + 1);

	if (!text)
		return -ENOMEM;
	memcpy(text, snapshot->text, snapshot->length + 1);
	free(copy->text);
	copy->text = text;
	copy->length = snapshot->length;
	copy->room = snapshot->length + 1;
	return 0;
}

bool snapshot_equal(const struct snapshot *a, const struct snapshot *b)
{
	return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static bool has_line(const struct snapshot *snapshot, const char *line, size_t length)
{
	const char *at = snapshot->text;

	while ((at = memmem(at, snapshot->length - (size_t)(at - snapshot->text), line, length)) != NULL) {
		if (at == snapshot->text || at[-1] == '\n')
			return true;
		at++;
	}
	return false;
}

static void print_own_lines(FILE *out, const char *name, const struct snapshot *a, const struct snapshot *b)
{
	const char *end = a->text + a->length;

	for (const char *line = a->text; line < end;) {
		size_t length = strcspn(line, "\n") + 1;

		if (!has_line(b, line, length))
			fprintf(out, "    only %s: %.*s", name, (int)length, line[0] == '\n' ? "/\n" : line);
		line += length;
	}
}

void snapshot_print_difference(FILE *out, const char *a_name, const struct snapshot *a, const char *b_name,
                               const struct snapshot *b)
{
	print_own_lines(out, a_name, a, b);
	print_own_lines(out, b_name, b, a);
}

void snapshot_free(struct snapshot *snapshot)
{
	free(snapshot->text);
	*snapshot = (struct snapshot){0};
}
