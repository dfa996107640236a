/*
 * check_tree.c -- checks the directory tree: where names lead, link counts, parents, cycles, what has no name.
 */
#include "server/pool/check_internal.h"

#include <stdlib.h>
#include <sys/stat.h>

static unsigned long long ull(uint64_t v)
{
	return v;
}

static struct check_inode *find(const struct check *check, uint64_t ino)
{
	size_t low = 0, high = check->inode_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (check->inodes[middle].ino < ino)
			low = middle + 1;
		else
			high = middle;
	}
	return low < check->inode_count && check->inodes[low].ino == ino ? &check->inodes[low] : NULL;
}

static bool is_directory(const struct check_inode *inode)
{
	return inode->readable && inode->type == S_IFDIR >> 12;
}

static void follow_name(struct check *check, const struct check_name *name)
{
	struct check_inode *dir = find(check, name->dir);
	struct check_inode *inode = find(check, name->ino);

	if (dir->orphan) {
		check_say(check, "name", name->dir, 0, "the removed directory still has a name for inode %llu",
		          ull(name->ino));
		return;
	}
	if (!inode || inode->orphan) {
		check_say(check, "name", name->dir, 0, "has a name for inode %llu, which is %s", ull(name->ino),
		          inode ? "an orphan" : "not in use");
		return;
	}
	inode->links++;
	if (!inode->readable)
		return;
	if (inode->type != name->file_type)
		check_say(check, "name", name->dir, 0, "names inode %llu as type %#o, but it is of type %#o",
		          ull(name->ino), name->file_type, inode->type);
	if (!is_directory(inode))
		return;
	dir->subdirectories++;
	if (inode->ino == check->root)
		check_say(check, "name", name->dir, 0, "has a name for the root directory");
	else if (inode->named_by)
		check_say(check, "name", inode->ino, 0, "the directory has names in directories %llu and %llu",
		          ull(inode->named_by), ull(name->dir));
	else if (inode->parent != name->dir)
		check_say(check, "name", inode->ino, 0,
		          "the directory says its parent is %llu, but its name is in %llu", ull(inode->parent),
		          ull(name->dir));
	inode->named_by = name->dir;
}

static void check_links(struct check *check, const struct check_inode *inode)
{
	uint32_t links = inode->links;

	if (!inode->orphan && links == 0 && inode->ino != check->root) {
		check_say(check, "name", inode->ino, 0, "is in use but no name leads to it");
		return;
	}
	/* A directory's count follows from its names, and an orphan's is 0 whatever its log says. */
	if (!inode->readable || !inode->nlink_told || inode->orphan || is_directory(inode))
		return;
	if (inode->nlink != links)
		check_say(check, "inode", inode->ino, 0, "has link count %u, but %u names", inode->nlink, links);
}

/* Follow names upwards until the root or something already known to lead there. */
static void check_way_up(struct check *check, struct check_inode *start)
{
	struct check_inode *inode = start;

	while (inode && inode->mark == 0 && inode->ino != check->root) {
		inode->mark = 1;
		inode = inode->named_by ? find(check, inode->named_by) : NULL;
	}
	if (inode && inode->mark == 1)
		check_say(check, "name", inode->ino, 0, "the directory is its own ancestor and cannot be reached");
	for (inode = start; inode && inode->mark == 1; inode = inode->named_by ? find(check, inode->named_by) : NULL)
		inode->mark = 2;
}

static void check_root(struct check *check)
{
	const struct check_inode *root = find(check, check->root);

	if (!root)
		check_say(check, "inode", check->root, 0, "the root directory is not in use");
	else if (root->readable && (!is_directory(root) || root->orphan))
		check_say(check, "inode", check->root, 0, "the root is not a directory in use");
}

void check_tree(struct check *check)
{
	check_root(check);
	for (size_t i = 0; i < check->name_count; i++)
		follow_name(check, &check->names[i]);
	check->report->names = check->name_count;
	for (size_t i = 0; i < check->inode_count; i++) {
		check_links(check, &check->inodes[i]);
		if (is_directory(&check->inodes[i]))
			check_way_up(check, &check->inodes[i]);
	}
}
