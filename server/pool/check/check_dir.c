/*
 * check_dir.c -- the names of one directory while its log is read: found by cookie, sorted at the end.
 */
#include "server/pool/check/check_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct check_dir {
	struct check_dir_name *slots; /* open addressing by cookie; holds cookie + 1, 0 = unused */
	size_t mask;
	size_t used;
	size_t live;
};

struct check_dir *check_dir_new(void)
{
	struct check_dir *dir = calloc(1, sizeof(*dir));

	if (!dir)
		return NULL;
	dir->mask = 15;
	dir->slots = calloc(dir->mask + 1, sizeof(*dir->slots));
	if (!dir->slots) {
		free(dir);
		return NULL;
	}
	return dir;
}

void check_dir_free(struct check_dir *dir)
{
	if (!dir)
		return;
	free(dir->slots);
	free(dir);
}

static struct check_dir_name *find(struct check_dir_name *slots, size_t mask, uint64_t key)
{
	size_t i = (size_t)(key * 0x9e3779b97f4a7c15ULL >> 32) & mask;

	while (slots[i].cookie != 0 && slots[i].cookie != key)
		i = (i + 1) & mask;
	return &slots[i];
}

static int grow(struct check_dir *dir)
{
	size_t mask = dir->mask * 2 + 1;
	struct check_dir_name *slots = calloc(mask + 1, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i <= dir->mask; i++)
		if (dir->slots[i].cookie)
			*find(slots, mask, dir->slots[i].cookie) = dir->slots[i];
	free(dir->slots);
	dir->slots = slots;
	dir->mask = mask;
	return 0;
}

int check_name_compare(const struct nova_name_entry *a, const struct nova_name_entry *b)
{
	if (a->name_length != b->name_length)
		return a->name_length < b->name_length ? -1 : 1;
	return memcmp(a->name, b->name, a->name_length);
}

int check_dir_add(struct check_dir *dir, uint64_t cookie, const struct nova_name_entry *entry)
{
	struct check_dir_name *slot;

	if (dir->used * 2 > dir->mask && grow(dir))
		return -ENOMEM;
	slot = find(dir->slots, dir->mask, cookie + 1);
	if (slot->cookie) {
		if (!slot->entry || check_name_compare(slot->entry, entry) != 0)
			return -EEXIST;
		slot->entry = entry;
		return 0;
	}
	*slot = (struct check_dir_name){cookie + 1, entry};
	dir->used++;
	dir->live++;
	return 0;
}

const struct nova_name_entry *check_dir_remove(struct check_dir *dir, uint64_t cookie)
{
	struct check_dir_name *slot = find(dir->slots, dir->mask, cookie + 1);
	const struct nova_name_entry *entry = slot->entry;

	if (entry)
		dir->live--;
	slot->entry = NULL;
	return entry;
}

static int compare_pointers(const void *a, const void *b)
{
	return check_name_compare(*(const struct nova_name_entry *const *)a, *(const struct nova_name_entry *const *)b);
}

int check_dir_live(const struct check_dir *dir, const struct nova_name_entry ***names, size_t *count)
{
	size_t n = 0;

	*names = malloc((dir->live + 1) * sizeof(**names));
	if (!*names)
		return -ENOMEM;
	for (size_t i = 0; i <= dir->mask; i++)
		if (dir->slots[i].cookie && dir->slots[i].entry)
			(*names)[n++] = dir->slots[i].entry;
	qsort(*names, n, sizeof(**names), compare_pointers);
	*count = n;
	return 0;
}
