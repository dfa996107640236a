/*
 * snapshot.c -- walks a file system through the core's API.
 */
#include "tests/crash/snapshot.h"

#include "server/nova/inode/nova_inode.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAMES_MAX 4096
#define DEPTH_MAX 64

struct names {
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
	struct names *found = context;

	if (found->count == NAMES_MAX)
		return false;
	if (found->count == found->room) {
		found->room = found->room * 2 + 16;
		found->names = reallocarray(found->names, found->room, sizeof(*found->names));
		if (!found->names)
			abort();
	}
	memcpy(found->names[found->count].name, entry->name, entry->length);
	found->names[found->count].name[entry->length] = '\0';
	found->names[found->count].length = entry->length;
	found->names[found->count].type = entry->type;
	found->names[found->count++].ino = entry->ino.n;
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int fail(struct listing *listing, const char *path, const char *what, int64_t rc)
{
	listing_failure(listing, path, what, rc);
	return (int)rc;
}

/* Read a piece that is no hole. */
static int digest_piece(struct listing *listing, const struct nova_call *call, const struct nova_attr *attr,
                        const char *path, uint64_t at, uint64_t end, struct listing_digest *digest)
{
	static _Thread_local uint8_t buffer[65536];

	while (at < end) {
		size_t length = end - at < sizeof(buffer) ? end - at : sizeof(buffer);
		ssize_t got = nova_read(call, attr->handle, at, buffer, length);

		if (got != (ssize_t)length)
			return fail(listing, path, "read", got < 0 ? got : -EIO);
		for (size_t i = 0; i < length; i += 4096)
			listing_digest_bytes(digest, (at + i) / 4096, buffer + i,
			                     length - i < 4096 ? length - i : 4096);
		at += length;
	}
	return 0;
}

/* Only the pieces that are no holes are read, so that a sparse file costs no more than what it holds. */
static int digest_contents(struct listing *listing, const struct nova_call *call, const struct nova_attr *attr,
                           const char *path, struct listing_digest *digest)
{
	struct nova_extent extents[64];
	int rc = 0;

	for (uint64_t at = 0; at < attr->size;) {
		int n = nova_map(call, attr->handle, at, attr->size - at, extents, 64, NULL);

		if (n <= 0)
			return fail(listing, path, "map", n ? n : -EIO);
		for (int i = 0; i < n && rc == 0; i++) {
			uint64_t end = extents[i].offset + extents[i].length;

			if (end > attr->size)
				end = attr->size;
			if (extents[i].block.n)
				rc = digest_piece(listing, call, attr, path, extents[i].offset, end, digest);
			at = end;
		}
		if (rc)
			return rc;
	}
	return 0;
}

static int digest_target(struct listing *listing, const struct nova_call *call, const struct nova_attr *attr,
                         const char *path, struct listing_digest *digest)
{
	char target[4096];
	ssize_t n = nova_readlink(call, attr->handle, target, sizeof(target));

	if (n < 0)
		return fail(listing, path, "readlink", n);
	if ((uint64_t)n != attr->size)
		return fail(listing, path, "agreement of readlink and getattr", -EIO);
	listing_digest_bytes(digest, 0, target, (size_t)n);
	return 0;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int digest_xattrs(struct listing *listing, const struct nova_call *call, const struct nova_attr *attr,
                         const char *path, struct listing_digest *digest)
{
	struct nova_handle handle = attr->handle;
	static uint8_t value[65536];
	static char list[65536];
	static const char *names[65536 / 6];
	ssize_t length = nova_listxattr(call, handle, list, sizeof(list), NULL);
	size_t count = 0;

	if (length < 0)
		return fail(listing, path, "listxattr", length);
	if (attr->has_xattrs != (length > 0))
		return fail(listing, path, "agreement of listxattr and getattr", -EIO);
	for (const char *name = list; name < list + length; name += strlen(name) + 1)
		names[count++] = name;
	qsort(names, count, sizeof(*names), compare_texts);
	for (size_t i = 0; i < count; i++) {
		ssize_t n = nova_getxattr(call, handle, names[i], strlen(names[i]), value, sizeof(value), NULL);

		if (n < 0)
			return fail(listing, path, names[i], n);
		listing_digest_xattr(digest, names[i], value, (size_t)n);
	}
	return 0;
}

static int add_inode(struct listing *listing, const struct nova_call *call, struct nova_handle handle, char *path,
                     size_t length, unsigned depth);

static int add_directory(struct listing *listing, const struct nova_call *call, struct nova_handle dir, char *path,
                         size_t length, unsigned depth)
{
	struct names found = {0};
	int rc = nova_readdir(call, dir, 0, NULL, list_name, &found);

	if (rc)
		return fail(listing, path, "readdir", rc);
	if (depth == DEPTH_MAX)
		return fail(listing, path, "descent", -ELOOP);
	if (found.count)
		qsort(found.names, found.count, sizeof(*found.names), compare_names);
	for (size_t i = 0; rc == 0 && i < found.count; i++) {
		struct nova_attr attr;

		path[length] = '/';
		memcpy(path + length + 1, found.names[i].name, found.names[i].length + 1);
		rc = nova_lookup(call, dir, found.names[i].name, found.names[i].length, &attr);
		if (rc)
			rc = fail(listing, path, "lookup", rc);
		else if (attr.handle.ino.n != found.names[i].ino || (attr.mode & S_IFMT) != found.names[i].type)
			rc = fail(listing, path, "agreement of lookup and readdir", -EIO);
		else
			rc = add_inode(listing, call, attr.handle, path, length + 1 + found.names[i].length, depth + 1);
	}
	path[length] = '\0';
	free(found.names);
	return rc;
}

static int add_inode(struct listing *listing, const struct nova_call *call, struct nova_handle handle, char *path,
                     size_t length, unsigned depth)
{
	struct nova_attr attr;
	struct listing_inode line;
	int rc = nova_getattr(call, handle, &attr);

	if (rc)
		return fail(listing, path, "getattr", rc);
	line = (struct listing_inode){
	    .number = attr.handle.ino.n,
	    .generation = attr.handle.generation,
	    .mode = attr.mode,
	    .nlink = attr.nlink,
	    .uid = attr.uid,
	    .gid = attr.gid,
	    .rdev = attr.rdev,
	    .flags = attr.flags,
	    .project = attr.project,
	    .size = attr.size,
	    .blocks = attr.blocks,
	    .atime_ns = attr.atime_ns,
	    .mtime_ns = attr.mtime_ns,
	    .ctime_ns = attr.ctime_ns,
	    .btime_ns = attr.btime_ns,
	};
	if (S_ISREG(attr.mode))
		rc = digest_contents(listing, call, &attr, path, &line.contents);
	else if (S_ISLNK(attr.mode))
		rc = digest_target(listing, call, &attr, path, &line.contents);
	if (rc == 0)
		rc = digest_xattrs(listing, call, &attr, path, &line.xattrs);
	if (rc)
		return rc;
	listing_add(listing, path, &line);
	return S_ISDIR(attr.mode) ? add_directory(listing, call, handle, path, length, depth) : 0;
}

int snapshot_take(struct listing *listing, const struct nova_call *call, struct nova_handle root)
{
	char path[(DEPTH_MAX + 1) * 256] = "";
	struct nova *fs = call->worker->fs;
	struct nova_quota quota;
	int rc;

	listing->length = 0;
	rc = add_inode(listing, call, root, path, 0, 0);
	/* Projects are of the whole file system. */
	for (uint32_t id = 1; root.ino.n == nova_root(fs).ino.n && nova_quota_get(fs, id, true, &quota) == 0;
	     id = quota.project + 1)
		listing_add_project(listing, &(struct listing_project){quota.project, quota.blocks, quota.block_limit,
		                                                       quota.inodes, quota.inode_limit});
	return rc;
}

int snapshot_nameless(struct listing *listing, const struct nova_call *call, struct nova_handle handle,
                      const char *path)
{
	char buffer[(DEPTH_MAX + 1) * 256];
	struct nova_attr attr;
	int rc = nova_getattr(call, handle, &attr);

	if (rc || attr.nlink)
		return rc == -ESTALE ? 0 : rc;
	snprintf(buffer, sizeof(buffer), "%s", path);
	return add_inode(listing, call, handle, buffer, strlen(buffer), 0);
}
