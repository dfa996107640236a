/*
 * walk.c -- resolves a path to an inode, or to the directory and the name of its last component.
 */
#include "server/ops/walk.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* The rest of the path is at the end of the buffer, so that a symlink's target can be put in front of it. */
#define ROOM 16384u

struct rest {
	char buffer[ROOM];
	size_t at; /* the rest is buffer[at, ROOM) */
	unsigned links, components;
};

static int put_in_front(struct rest *rest, const char *text, size_t length)
{
	if (length > rest->at)
		return -ENAMETOOLONG;
	rest->at -= length;
	memcpy(rest->buffer + rest->at, text, length);
	return 0;
}

static void skip_slashes(struct rest *rest)
{
	while (rest->at < ROOM && rest->buffer[rest->at] == '/')
		rest->at++;
}

/* Take the next component. *last: no other component follows. *slash: a slash follows. */
static int next_component(struct rest *rest, const char **name, size_t *length, bool *last, bool *slash)
{
	if (++rest->components > WALK_MAX_COMPONENTS)
		return -ENAMETOOLONG;
	*name = rest->buffer + rest->at;
	const char *end = memchr(*name, '/', ROOM - rest->at);
	*length = end ? (size_t)(end - *name) : ROOM - rest->at;
	if (*length > WALK_NAME_MAX)
		return -ENAMETOOLONG;
	rest->at += *length;
	*slash = rest->at < ROOM;
	skip_slashes(rest);
	*last = rest->at == ROOM;
	return 0;
}

static bool is_dot(const char *name, size_t length)
{
	return length == 1 && name[0] == '.';
}

/* Put the target of a symlink in front of the rest; *dir becomes the directory from which the walk continues. */
static int follow(const struct nova_call *call, struct nova_handle root, const struct nova_attr *link, bool slash,
                  struct rest *rest, struct nova_handle *dir)
{
	char target[PROTO_MAX_LINK];

	if (++rest->links > WALK_MAX_LINKS)
		return -ELOOP;
	ssize_t length = nova_readlink(call, link->handle, target, sizeof(target));
	if (length < 0)
		return (int)length;
	if (length == 0 || (size_t)length > sizeof(target))
		return -EIO;
	int rc = slash ? put_in_front(rest, "/", 1) : 0;
	if (rc == 0)
		rc = put_in_front(rest, target, (size_t)length);
	if (rc < 0)
		return rc;
	if (target[0] == '/')
		*dir = root;
	skip_slashes(rest);
	return 0;
}

static void remember_name(struct walk *walk, struct nova_handle dir, const char *name, size_t length, bool slash)
{
	walk->dir = dir;
	walk->length = length;
	walk->slash = slash;
	memcpy(walk->name, name, length);
}

enum how { TO_INODE, TO_INODE_OR_MISSING, TO_PARENT };

static int walk_on(const struct nova_call *call, struct nova_handle root, struct nova_handle dir, bool nofollow,
                   enum how how, struct rest *rest, struct walk *walk)
{
	while (rest->at < ROOM) {
		const char *name;
		size_t length;
		bool last, slash;

		int rc = next_component(rest, &name, &length, &last, &slash);
		if (rc < 0)
			return rc;
		if (last) {
			remember_name(walk, dir, name, length, slash);
			if (how == TO_PARENT)
				return 0;
		}
		rc = nova_lookup(call, dir, name, length, &walk->attr);
		if (rc == -ENOENT && last && how == TO_INODE_OR_MISSING && !is_dot(name, length)) {
			walk->found = false;
			return 0;
		}
		if (rc < 0)
			return rc;
		if (S_ISLNK(walk->attr.mode) && (!last || slash || !nofollow)) {
			rc = follow(call, root, &walk->attr, slash, rest, &dir);
			if (rc < 0)
				return rc;
			walk->length = 0;
			walk->found = false;
			continue;
		}
		if (slash && !S_ISDIR(walk->attr.mode))
			return -ENOTDIR;
		walk->found = true;
		dir = walk->attr.handle;
	}
	if (how == TO_PARENT)
		return 0;
	/* There was no component since the start, or since a symlink to "/". */
	if (!walk->found) {
		int rc = nova_getattr(call, dir, &walk->attr);
		if (rc < 0)
			return rc;
		walk->dir = dir;
		walk->found = true;
	}
	return 0;
}

static int begin(struct proto_string path, struct rest *rest, struct walk *walk)
{
	rest->at = ROOM;
	rest->links = rest->components = 0;
	walk->length = 0;
	walk->slash = false;
	walk->found = false;
	int rc = put_in_front(rest, path.data, path.length);
	if (rc == 0)
		skip_slashes(rest);
	return rc;
}

int walk_path(const struct nova_call *call, struct nova_handle root, struct nova_handle start, struct proto_string path,
              bool nofollow, bool may_miss, struct walk *walk)
{
	struct rest rest;

	int rc = begin(path, &rest, walk);
	if (rc < 0)
		return rc;
	return walk_on(call, root, start, nofollow, may_miss ? TO_INODE_OR_MISSING : TO_INODE, &rest, walk);
}

int walk_parent(const struct nova_call *call, struct nova_handle root, struct nova_handle start,
                struct proto_string path, struct walk *walk)
{
	struct rest rest;

	int rc = begin(path, &rest, walk);
	if (rc < 0)
		return rc;
	walk->dir = start;
	return walk_on(call, root, start, true, TO_PARENT, &rest, walk);
}
