/*
 * open_table.c -- the open files of a session, by open id and by inode.
 */
#include "server/state/open_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_BITS    20u /* limits are at most 2^20 */
#define FIRST_BUCKETS 16u
#define FIRST_OPENS   16u

void open_table_init(struct open_table *opens, size_t limit)
{
	*opens = (struct open_table){.limit = limit};
}

static struct nova_handle core_handle(struct proto_handle h)
{
	return (struct nova_handle){.ino = {h.ino}, .generation = h.generation};
}

/* ---- inodes ----------------------------------------------------------------------------------------------------- */

static struct open_file **place(const struct open_table *opens, struct proto_handle handle)
{
	struct open_file **link =
	    &opens->buckets[((handle.ino * 0x9e3779b97f4a7c15u) >> 32) & (opens->bucket_count - 1)];

	while (*link && ((*link)->handle.ino != handle.ino || (*link)->handle.generation != handle.generation))
		link = &(*link)->next;
	return link;
}

static int grow_buckets(struct open_table *opens)
{
	if (opens->bucket_count > opens->file_count)
		return 0;
	struct open_table larger = {.bucket_count = opens->bucket_count ? opens->bucket_count * 2 : FIRST_BUCKETS};
	larger.buckets = calloc(larger.bucket_count, sizeof(struct open_file *));
	if (!larger.buckets)
		return -ENOMEM;
	for (size_t i = 0; i < opens->bucket_count; i++) {
		for (struct open_file *file = opens->buckets[i], *next; file; file = next) {
			next = file->next;
			struct open_file **link = place(&larger, file->handle);
			file->next = NULL;
			*link = file;
		}
	}
	free(opens->buckets);
	opens->buckets = larger.buckets;
	opens->bucket_count = larger.bucket_count;
	return 0;
}

/* Room was reserved. */
static int file_get(struct open_table *opens, const struct nova_call *call, struct proto_handle handle, uint32_t mode,
                    struct open_file **out)
{
	struct open_file **link = place(opens, handle);

	if (!*link) {
		int rc = nova_open(call, core_handle(handle), NULL);
		if (rc < 0)
			return rc;
		*link = opens->spare;
		opens->spare = NULL;
		**link = (struct open_file){.handle = handle, .mode = mode};
		opens->file_count++;
	}
	(*link)->opens++;
	*out = *link;
	return 0;
}

static void file_put(struct open_table *opens, const struct nova_call *call, struct open_file *file)
{
	if (--file->opens > 0)
		return;
	struct open_file **link = place(opens, file->handle);
	*link = file->next;
	opens->file_count--;
	nova_close(call, core_handle(file->handle));
	free(file);
}

/* ---- opens ------------------------------------------------------------------------------------------------------ */

static int grow_items(struct open_table *opens)
{
	if (opens->first_free)
		return 0;
	if (opens->size >= opens->limit)
		return -EMFILE;
	size_t size = opens->size ? opens->size * 2 : FIRST_OPENS;
	if (size > opens->limit)
		size = opens->limit;
	struct open *items = realloc(opens->items, size * sizeof(*items));
	if (!items)
		return -ENOMEM;
	for (size_t i = size; i-- > opens->size;) {
		items[i] = (struct open){.next_free = opens->first_free};
		opens->first_free = (uint32_t)i + 1;
	}
	opens->items = items;
	opens->size = size;
	return 0;
}

int open_table_reserve(struct open_table *opens)
{
	int rc = grow_items(opens);
	if (rc == 0)
		rc = grow_buckets(opens);
	if (rc == 0 && !opens->spare)
		opens->spare = malloc(sizeof(*opens->spare));
	return rc == 0 && !opens->spare ? -ENOMEM : rc;
}

int open_table_add(struct open_table *opens, const struct nova_call *call, struct proto_handle handle, uint32_t flags,
                   uint32_t mode, uint64_t *id)
{
	struct open_file *file;

	assert(opens->first_free && opens->spare && opens->bucket_count > opens->file_count);
	int rc = file_get(opens, call, handle, mode, &file);
	if (rc < 0)
		return rc;
	uint32_t index = opens->first_free - 1;
	struct open *open = &opens->items[index];
	opens->first_free = open->next_free;
	opens->count++;
	*open = (struct open){.file = file, .id = ++opens->serial << INDEX_BITS | index, .flags = flags};
	*id = open->id;
	return 0;
}

const struct open *open_table_get(const struct open_table *opens, uint64_t id)
{
	size_t index = id & ((1u << INDEX_BITS) - 1);

	if (index >= opens->size || !opens->items[index].file || opens->items[index].id != id)
		return NULL;
	return &opens->items[index];
}

void open_table_remove(struct open_table *opens, const struct nova_call *call, uint64_t id)
{
	uint32_t index = (uint32_t)(id & ((1u << INDEX_BITS) - 1));
	struct open *open = &opens->items[index];
	struct open_file *file = open->file;

	*open = (struct open){.next_free = opens->first_free};
	opens->first_free = index + 1;
	opens->count--;
	file_put(opens, call, file);
}

void open_table_close_all(struct open_table *opens, const struct nova_call *call)
{
	for (size_t i = 0; i < opens->size; i++) {
		if (opens->items[i].file)
			open_table_remove(opens, call, opens->items[i].id);
	}
}

void open_table_free(struct open_table *opens)
{
	for (size_t i = 0; i < opens->bucket_count; i++) {
		while (opens->buckets[i]) {
			struct open_file *next = opens->buckets[i]->next;
			free(opens->buckets[i]);
			opens->buckets[i] = next;
		}
	}
	free(opens->buckets);
	free(opens->items);
	free(opens->spare);
	*opens = (struct open_table){0};
}
