/*
 * dump_tree.c -- shows the directory tree, and finds the inode of a path, from the directories' logs.
 */
#include "server/pool/dump/dump_view.h"

#include "common/file_type.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_LIMIT 2048

/* The live names of a directory: a name is live if no later entry removes its cookie. */
struct names {
	struct named {
		const struct nova_name_entry *entry;
		size_t number; /* of names before it in the log */
	} * list;
	size_t count, room;
};

static bool add_name(struct names *names, const struct nova_name_entry *name)
{
	if (names->count == names->room) {
		size_t room = names->room ? names->room * 2 : 64;
		void *grown = reallocarray(names->list, room, sizeof(*names->list));

		if (!grown)
			return false;
		names->list = grown;
		names->room = room;
	}
	names->list[names->count] = (struct named){name, names->count};
	names->count++;
	return true;
}

static int compare_cookies(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	uint64_t cookies[2] = {le64_get(x->entry->cookie), le64_get(y->entry->cookie)};

	if (cookies[0] != cookies[1])
		return cookies[0] < cookies[1] ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Of entries with the same cookie the last is valid: a rename has made the name refer to another inode. */
static void drop_replaced(struct names *names)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->count; i++)
		if (i + 1 == names->count ||
		    le64_get(names->list[i].entry->cookie) != le64_get(names->list[i + 1].entry->cookie))
			names->list[kept++] = names->list[i];
	names->count = kept;
}

static void drop_cookie(struct names *names, uint64_t cookie)
{
	size_t low = 0, high = names->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uint64_t at = le64_get(names->list[middle].entry->cookie);

		if (at == cookie) {
			memmove(&names->list[middle], &names->list[middle + 1],
			        (names->count - middle - 1) * sizeof(*names->list));
			names->count--;
			return;
		}
		if (at < cookie)
			low = middle + 1;
		else
			high = middle;
	}
}

static bool read_names(const struct image *image, uint64_t ino, struct names *names, bool *damaged)
{
	struct image_inode inode;
	enum image_step step;
	struct image_log log;

	*damaged = image_inode(image, ino, &inode) != 0 || inode.life != NOVA_LIFE_ALLOCATED;
	if (*damaged)
		return true;
	image_log_begin(&log, image, &inode);
	while ((step = image_log_next(&log)) != IMAGE_END) {
		if (step == IMAGE_BAD) {
			*damaged = true;
			break;
		}
		if (step == IMAGE_ENTRY && log.entry->type == NOVA_ENTRY_NAME &&
		    !add_name(names, (const struct nova_name_entry *)(const void *)log.entry->payload))
			return false;
	}
	if (names->count)
		qsort(names->list, names->count, sizeof(*names->list), compare_cookies);
	drop_replaced(names);
	image_log_begin(&log, image, &inode);
	while ((step = image_log_next(&log)) != IMAGE_END && step != IMAGE_BAD)
		if (step == IMAGE_ENTRY && log.entry->type == NOVA_ENTRY_NAME_GONE)
			drop_cookie(
			    names,
			    le64_get(((const struct nova_name_gone_entry *)(const void *)log.entry->payload)->cookie));
	return true;
}

static bool show_directory(struct dump_view *view, const struct image *image, uint64_t ino, unsigned depth)
{
	struct names names = {0};
	bool damaged, ok;

	ok = read_names(image, ino, &names, &damaged);
	dump_open(view, "names", '[');
	for (size_t i = 0; ok && i < names.count; i++) {
		const struct nova_name_entry *name = names.list[i].entry;

		dump_open(view, NULL, '{');
		dump_bytes(view, "name", name->name, name->name_length);
		dump_number(view, "inode", le64_get(name->ino));
		dump_text(view, "type", file_type_name((mode_t)name->file_type << 12));
		if (name->file_type == S_IFDIR >> 12) {
			if (depth < DEPTH_LIMIT)
				ok = show_directory(view, image, le64_get(name->ino), depth + 1);
			else
				dump_text(view, "names", "too deep to show, or the directory is its own ancestor");
		}
		dump_close(view, '}');
	}
	dump_close(view, ']');
	if (damaged)
		dump_text(view, "directory", "damaged");
	free(names.list);
	return ok;
}

bool dump_tree(struct dump_view *view, const struct image *image)
{
	uint64_t root = le64_get(image->super->root_ino);
	bool ok;

	dump_open(view, "tree", '{');
	dump_number(view, "inode", root);
	ok = show_directory(view, image, root, 0);
	dump_close(view, '}');
	return ok;
}

static int find_in(const struct image *image, uint64_t dir, const char *name, size_t length, uint64_t *ino)
{
	struct names names = {0};
	bool damaged;
	int rc = read_names(image, dir, &names, &damaged) ? -ENOENT : -ENOMEM;

	for (size_t i = 0; i < names.count && rc == -ENOENT; i++) {
		if (names.list[i].entry->name_length != length || memcmp(names.list[i].entry->name, name, length) != 0)
			continue;
		*ino = le64_get(names.list[i].entry->ino);
		rc = 0;
	}
	free(names.list);
	return rc;
}

int dump_find(const struct image *image, const char *path, uint64_t *ino)
{
	int rc = 0;

	*ino = le64_get(image->super->root_ino);
	while (rc == 0) {
		size_t length;

		path += strspn(path, "/");
		length = strcspn(path, "/");
		if (length == 0)
			break;
		rc = find_in(image, *ino, path, length, ino);
		path += length;
	}
	return rc;
}
