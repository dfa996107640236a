/*
 * check_tree.c -- checks the directory tree: names, link counts, parents, cycles, and inodes without a name.
 */
#include "server/pool/check/check_internal.h"

#include <stdlib.h>
#include <sys/stat.h>

#define PROGRESS_NAMES 65536u

static unsigned long long ull(uint64_t v)
{
	return v;
}

static bool is_directory(const struct check_inode *inode)
{
	return inode->readable && inode->type == S_IFDIR >> 12;
}

static void follow_name(struct check *check, const struct check_name *name)
{
	struct check_inode *dir = check_find(check, name->dir);
	struct check_inode *inode = check_find(check, name->ino);

	if (dir->orphan) {
		check_say(check, "name", name->dir, 0, "the removed directory still has a name for inode %llu",
		          ull(name->ino));
		check_fix(check, FIX_DROP_NAME, name->dir, name->cookie, name->ino, 0);
		return;
	}
	if (!inode || inode->orphan) {
		check_say(check, "name", name->dir, 0, "has a name for inode %llu, which is %s", ull(name->ino),
		          inode ? "an orphan" : "not in use");
		check_fix(check, FIX_DROP_NAME, name->dir, name->cookie, name->ino, 0);
		return;
	}
	if (inode->ino == check->clients) {
		check_say(check, "name", name->dir, 0, "has a name for the client table");
		check_fix(check, FIX_DROP_NAME, name->dir, name->cookie, name->ino, 0);
		return;
	}
	inode->links++;
	inode->named_type = name->file_type;
	if (!inode->readable)
		return;
	if (inode->type != name->file_type) {
		check_say(check, "name", name->dir, 0,
		          "has a name for inode %llu with type %#o, but the inode has type %#o", ull(name->ino),
		          name->file_type, inode->type);
		check_fix(check, FIX_RETYPE, name->dir, name->cookie, name->ino, inode->type);
	}
	if (!is_directory(inode))
		return;
	dir->subdirectories++;
	if (inode->ino == check->root) {
		check_say(check, "name", name->dir, 0, "has a name for the root directory");
		check_fix(check, FIX_DROP_NAME, name->dir, name->cookie, name->ino, 0);
	} else if (inode->named_by) {
		check_say(check, "name", inode->ino, 0, "the directory has names in directories %llu and %llu",
		          ull(inode->named_by), ull(name->dir));
		check_fix(check, FIX_DROP_NAME, name->dir, name->cookie, name->ino, 0);
	} else if (inode->parent != name->dir) {
		check_say(check, "name", inode->ino, 0,
		          "the directory says its parent is %llu, but its name is in %llu", ull(inode->parent),
		          ull(name->dir));
		check_fix(check, FIX_PARENT, inode->ino, name->dir, 0, 0);
	}
	inode->named_by = name->dir;
}

static void check_links(struct check *check, const struct check_inode *inode)
{
	uint32_t links = inode->links;

	if (inode->ino == check->clients && links == 0)
		return; /* check_clients.c */
	if (!inode->orphan && links == 0 && inode->ino != check->root) {
		check_say(check, "name", inode->ino, 0, "is in use but has no name");
		check_fix(check, FIX_ADOPT, inode->ino, 0, 0, 0);
		return;
	}
	/* The count of a directory follows from its names; that of an orphan is 0 whatever its log says. */
	if (!inode->readable || !inode->has_nlink || inode->orphan || is_directory(inode))
		return;
	if (inode->nlink != links) {
		check_say(check, "inode", inode->ino, 0, "has link count %u, but %u names", inode->nlink, links);
		check_fix(check, FIX_NLINK, inode->ino, links, 0, 0);
	}
}

/* Follow names upwards to the root, or to a directory from which the root was reached. */
static void check_way_up(struct check *check, struct check_inode *start)
{
	struct check_inode *inode = start;

	while (inode && inode->mark == 0 && inode->ino != check->root) {
		inode->mark = 1;
		inode = inode->named_by ? check_find(check, inode->named_by) : NULL;
	}
	if (inode && inode->mark == 1) {
		check_say(check, "name", inode->ino, 0, "the directory is its own ancestor and cannot be reached");
		check_fix(check, FIX_ADOPT, inode->ino, inode->named_by, 0, 0);
	}
	for (inode = start; inode && inode->mark == 1;
	     inode = inode->named_by ? check_find(check, inode->named_by) : NULL)
		inode->mark = 2;
}

static void check_root(struct check *check)
{
	const struct check_inode *root = check_find(check, check->root);

	if (!root) {
		check_say(check, "inode", check->root, 0, "the root directory is not in use");
		check_fix(check, FIX_ROOT, check->root, 0, 0, 0);
	} else if (root->readable && (!is_directory(root) || root->orphan)) {
		check_say(check, "inode", check->root, 0, "the root is not a directory in use");
		check_fix(check, FIX_ROOT, check->root, 0, 0, 0);
	}
}

void check_tree(struct check *check)
{
	check_root(check);
	for (size_t i = 0; i < check->name_count; i++) {
		if (i % PROGRESS_NAMES == 0)
			check_progress(check, "names", i, check->name_count);
		follow_name(check, &check->names[i]);
	}
	check->report->names = check->name_count;
	for (size_t i = 0; i < check->inode_count; i++) {
		check_links(check, &check->inodes[i]);
		if (is_directory(&check->inodes[i]))
			check_way_up(check, &check->inodes[i]);
	}
}
