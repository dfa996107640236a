/*
 * clients.c -- creates, finds and ends identities, and allocates pages for their intents.
 */
#include "server/nova/clients.h"

#include "server/nova/change/client_table.h"
#include "server/nova/change/extent_map.h"
#include "server/nova/inode/inode.h"
#include "server/nova/media/client_format.h"
#include "server/nova/media/words.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One block of the table's file. */
struct table_block {
	uint8_t bytes[NOVA_BLOCK_SIZE];
} __attribute__((aligned(NOVA_LINE_SIZE)));

/* ---- the file ------------------------------------------------------------------------------------------------- */

/* Map a new block with this content at `file_block` of the table's file. Durable on return. */
static int add_block(struct nova_worker *worker, uint64_t file_block, const struct table_block *content,
                     enum alloc_use use, uint64_t *block)
{
	struct nova *fs = worker->fs;
	const struct nova_call call = {.worker = worker};
	uint64_t end = (file_block + 1) << NOVA_BLOCK_SHIFT;
	CLEANUP_UNLOCK struct nova_inode *inode = NULL;
	struct extent_map_change map;
	struct txn txn;
	int rc = inode_write(worker, fs->clients->file, true, &inode);

	if (rc)
		return rc;
	if (end < inode->size)
		end = inode->size;
	extent_map_init(&map, &call, inode);
	rc = extent_map_fresh(&map, file_block, 1, 0, use);
	if (rc) {
		extent_map_drop(&map);
		return rc;
	}
	*block = map.pieces[0].value;
	txn_start(&txn, &call);
	rc = extent_map_log(&map, &txn, txn_log(&txn, inode, use), end);
	if (rc) {
		txn_drop(&txn);
		extent_map_drop(&map);
		return rc;
	}
	pm_copy(fs->pm, block_at(fs, *block), content, sizeof *content);
	txn_commit(&txn);
	extent_map_show(&map);
	inode->size = end;
	inode->mtime_ns = inode->ctime_ns = txn.now;
	return 0;
}

/* In a full pool the table may use up to half of the reserve: a client needs an identity and a page to remove names. */
static int grow_file(struct nova_worker *worker, uint64_t file_block, const struct table_block *content,
                     uint64_t *block)
{
	bool may_defer = worker->may_defer;
	int rc;

	worker->may_defer = false; /* the caller cannot suspend the request here */
	rc = add_block(worker, file_block, content, ALLOC_GROWS, block);
	if (rc == -ENOSPC && alloc_free_total(worker->fs) > worker->fs->removal_reserve / 2)
		rc = add_block(worker, file_block, content, ALLOC_FREES, block);
	worker->may_defer = may_defer;
	return rc;
}

/* ---- records -------------------------------------------------------------------------------------------------- */

static void store_number(struct nova *fs, uint32_t place, uint64_t number)
{
	struct nova_client_record *record = client_table_record(fs, place);

	pm_set8(fs->pm, &record->number, number);
	pm_flush(fs->pm, &record->number, sizeof record->number);
	pm_fence(fs->pm);
}

/* Free the client's record durably, and only then release the record and the pages for reuse: so no page on the medium
 * can belong to two clients. */
static void forget(struct nova *fs, struct nova_client *client)
{
	store_number(fs, client->place, 0);
	client_table_remove(fs->clients, client);
}

/* Drop the least recently used idle client; with `pages` only one that has pages. False: there is none. */
static bool give_up(struct nova *fs, bool pages)
{
	struct nova_client *client;

	TAILQ_FOREACH(client, &fs->clients->idle, idle)
	{
		bool has_pages = false;

		for (unsigned i = 0; i < NOVA_CLIENT_GROUPS; i++)
			has_pages |= client->pages[i] != NULL;
		if (pages && !has_pages)
			continue;
		log_info(NOVA_LOG_NAME,
		         "the client table is full: client %llx, which was used longest ago, is given up",
		         (unsigned long long)client->number);
		forget(fs, client);
		return true;
	}
	return false;
}

/* A free place in a record block that exists. */
static bool find_place(const struct client_table *table, uint32_t *place)
{
	static_assert(NOVA_CLIENT_BLOCK_RECORDS == 64, "one word of the bitmap covers one block");
	for (uint32_t i = 0; i < NOVA_CLIENT_RECORD_BLOCKS; i++)
		if (table->record_blocks[i] && ~table->places[i]) {
			*place = i * 64 + (uint32_t)__builtin_ctzll(~table->places[i]);
			return true;
		}
	return false;
}

static int add_record_block(struct nova_worker *worker)
{
	static const struct table_block zeros;
	struct client_table *table = worker->fs->clients;

	for (uint32_t i = 0; i < NOVA_CLIENT_RECORD_BLOCKS; i++)
		if (!table->record_blocks[i])
			return grow_file(worker, i, &zeros, &table->record_blocks[i]);
	return -ENOSPC;
}

static int take_place(struct nova_worker *worker, uint32_t *place)
{
	struct nova *fs = worker->fs;

	while (!find_place(fs->clients, place)) {
		int rc = add_record_block(worker);

		if (rc == -ENOSPC && give_up(fs, false))
			rc = 0;
		if (rc)
			return rc;
	}
	return 0;
}

static void store_record(struct nova *fs, const struct nova_client *client, int64_t now)
{
	struct nova_client_record record __attribute__((aligned(NOVA_LINE_SIZE)));

	client_record_make(&record, client->number, client->key_hash, now);
	pm_copy(fs->pm, client_table_record(fs, client->place), &record, sizeof record);
	pm_fence(fs->pm);
	store_number(fs, client->place, client->number);
}

/* ---- identities ----------------------------------------------------------------------------------------------- */

/* With the table's lock. */
static void hold(struct client_table *table, struct nova_client *client)
{
	if (client->holds++ == 0)
		TAILQ_REMOVE(&table->idle, client, idle);
}

static int new_client(struct nova_worker *worker, uint64_t number, const uint8_t *key_hash, struct nova_client **out)
{
	struct nova *fs = worker->fs;
	uint32_t place;
	int rc;

	if (client_table_find(fs->clients, number))
		return -EEXIST;
	rc = take_place(worker, &place);
	if (!rc)
		rc = client_table_add(fs->clients, number, key_hash, place, out);
	if (rc)
		return rc;
	hold(fs->clients, *out);
	store_record(fs, *out, now_ns());
	return 0;
}

int nova_client_new(struct nova_worker *worker, uint64_t number, const uint8_t key_hash[NOVA_CLIENT_KEY],
                    struct nova_client **out)
{
	struct client_table *table = worker->fs->clients;
	int rc;

	*out = NULL;
	if (worker->fs->read_only)
		return -EROFS;
	if (!number)
		return -EINVAL;
	pthread_mutex_lock(&table->lock);
	rc = new_client(worker, number, key_hash, out);
	pthread_mutex_unlock(&table->lock);
	return rc;
}

int nova_client_find(struct nova *fs, uint64_t number, const uint8_t key_hash[NOVA_CLIENT_KEY],
                     struct nova_client **out)
{
	struct client_table *table = fs->clients;
	struct nova_client *client;
	int rc = 0;

	*out = NULL;
	if (fs->read_only)
		return -EROFS;
	pthread_mutex_lock(&table->lock);
	client = client_table_find(table, number);
	if (!client || client->ended)
		rc = -ENOENT;
	else if (memcmp(client->key_hash, key_hash, sizeof client->key_hash) != 0)
		rc = -EACCES;
	if (!rc) {
		hold(table, client);
		*out = client;
	}
	pthread_mutex_unlock(&table->lock);
	return rc;
}

uint64_t nova_client_number(const struct nova_client *client)
{
	return client->number;
}

void nova_client_hold(struct nova *fs, struct nova_client *client)
{
	pthread_mutex_lock(&fs->clients->lock);
	hold(fs->clients, client);
	pthread_mutex_unlock(&fs->clients->lock);
}

static void release(struct nova *fs, struct nova_client *client, bool end)
{
	struct client_table *table = fs->clients;

	pthread_mutex_lock(&table->lock);
	client->ended |= end;
	if (--client->holds == 0) {
		TAILQ_INSERT_TAIL(&table->idle, client, idle);
		if (client->ended)
			forget(fs, client);
	}
	pthread_mutex_unlock(&table->lock);
}

void nova_client_release(struct nova *fs, struct nova_client *client)
{
	release(fs, client, false);
}

void nova_client_end(struct nova *fs, struct nova_client *client)
{
	release(fs, client, true);
}

/* ---- pages ---------------------------------------------------------------------------------------------------- */

static void fill_page(struct table_block *content, uint64_t number, uint32_t group)
{
	static const struct intent_values none;

	client_page_make((struct nova_client_page *)(void *)content, number, group);
	for (uint32_t line = 1; line <= NOVA_CLIENT_GROUP_SLOTS; line++)
		intent_make(number, intent_slot(group, line), &none, 0,
		            (struct intent_line *)(void *)(content->bytes + line * NOVA_LINE_SIZE));
}

/* Take a free page and store `content` in it, durably. NULL: no page is free. */
static struct client_page *reuse_page(struct nova *fs, const struct table_block *content)
{
	struct client_page *page = STAILQ_FIRST(&fs->clients->free_pages);

	if (!page)
		return NULL;
	STAILQ_REMOVE_HEAD(&fs->clients->free_pages, next);
	memset(page->tags, 0, sizeof page->tags);
	pm_copy(fs->pm, block_at(fs, page->block), content, sizeof *content);
	pm_fence(fs->pm);
	return page;
}

static int add_page(struct nova_worker *worker, const struct table_block *content, struct client_page **out)
{
	struct client_table *table = worker->fs->clients;
	uint64_t file_block = NOVA_CLIENT_RECORD_BLOCKS + table->file_pages;
	struct client_page *page;
	int rc;

	if (table->file_pages >= table->page_limit)
		return -ENOSPC;
	page = client_table_new_page(table, 0, 0);
	if (!page)
		return -ENOMEM;
	rc = grow_file(worker, file_block, content, &page->block);
	if (rc) {
		table->file_pages--;
		free(page);
		return rc;
	}
	*out = page;
	return 0;
}

static int get_page(struct nova_worker *worker, const struct table_block *content, struct client_page **out)
{
	struct nova *fs = worker->fs;
	int rc = 0;

	*out = reuse_page(fs, content);
	if (!*out)
		rc = add_page(worker, content, out);
	if (rc == -ENOSPC && give_up(fs, true)) {
		*out = reuse_page(fs, content);
		rc = 0;
	}
	return rc;
}

/* Give the client a page for this group; with the table's lock. The page, with all its lines void, is durable before
 * the GROUPS word has the group. */
static int take_page(struct nova_worker *worker, struct nova_client *client, uint32_t group)
{
	struct nova *fs = worker->fs;
	struct nova_client_record *record = client_table_record(fs, client->place);
	uint32_t groups = client->groups | 1u << group;
	struct table_block content;
	struct client_page *page;
	int rc;

	if (client->pages[group])
		return 0; /* another thread has done so since the caller looked */
	fill_page(&content, client->number, group);
	rc = get_page(worker, &content, &page);
	if (rc)
		return rc;
	pm_set8(fs->pm, &record->groups, word_make(NOVA_WORD_GROUPS, client->number, groups));
	pm_flush(fs->pm, &record->groups, sizeof record->groups);
	pm_fence(fs->pm);
	__atomic_store_n(&client->groups, groups, __ATOMIC_RELAXED);
	__atomic_store_n(&client->pages[group], page, __ATOMIC_RELEASE);
	return 0;
}

int nova_intent_begin(struct nova_worker *worker, struct nova_client *client, uint32_t slot, uint32_t sequence,
                      uint8_t op, struct nova_intent *intent)
{
	uint32_t group = slot / NOVA_CLIENT_GROUP_SLOTS;
	struct client_table *table = worker->fs->clients;
	struct client_page *page;
	int rc = 0;

	if (worker->fs->read_only)
		return -EROFS;
	if (slot >= NOVA_CLIENT_SLOTS || sequence == 0)
		return -EINVAL;
	page = __atomic_load_n(&client->pages[group], __ATOMIC_ACQUIRE);
	if (!page) {
		pthread_mutex_lock(&table->lock);
		rc = take_page(worker, client, group);
		page = client->pages[group];
		pthread_mutex_unlock(&table->lock);
	}
	*intent = (struct nova_intent){.client = client, .slot = slot, .sequence = sequence, .op = op, .page = page};
	return rc;
}
