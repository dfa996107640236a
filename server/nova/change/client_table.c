/*
 * client_table.c -- the DRAM index of the client table: identities by number, record places, pages of intents.
 */
#include "server/nova/change/client_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int client_table_new(struct nova *fs)
{
	struct client_table *table = calloc(1, sizeof *table);

	if (!table)
		return -ENOMEM;
	pthread_mutex_init(&table->lock, NULL);
	STAILQ_INIT(&table->free_pages);
	TAILQ_INIT(&table->idle);
	for (unsigned i = 0; i < CLIENT_BUCKETS; i++)
		LIST_INIT(&table->buckets[i]);
	table->page_limit = fs->blocks / NOVA_CLIENT_PAGES_SHARE;
	fs->clients = table;
	return 0;
}

static void free_client(struct nova_client *client)
{
	for (unsigned i = 0; i < NOVA_CLIENT_GROUPS; i++)
		free(client->pages[i]);
	free(client);
}

void client_table_free(struct nova *fs)
{
	struct client_table *table = fs->clients;
	struct client_page *page;

	if (!table)
		return;
	for (unsigned i = 0; i < CLIENT_BUCKETS; i++) {
		struct nova_client *client;

		while ((client = LIST_FIRST(&table->buckets[i]))) {
			LIST_REMOVE(client, by_number);
			free_client(client);
		}
	}
	while ((page = STAILQ_FIRST(&table->free_pages))) {
		STAILQ_REMOVE_HEAD(&table->free_pages, next);
		free(page);
	}
	pthread_mutex_destroy(&table->lock);
	free(table);
	fs->clients = NULL;
}

/* Client numbers are random, so the remainder needs no hash. */
static struct client_bucket *bucket_of(struct client_table *table, uint64_t number)
{
	return &table->buckets[number % CLIENT_BUCKETS];
}

struct nova_client *client_table_find(const struct client_table *table, uint64_t number)
{
	struct nova_client *client;

	LIST_FOREACH(client, &table->buckets[number % CLIENT_BUCKETS], by_number)
	if (client->number == number)
		return client;
	return NULL;
}

int client_table_add(struct client_table *table, uint64_t number, const uint8_t *key_hash, uint32_t place,
                     struct nova_client **out)
{
	struct nova_client *client = calloc(1, sizeof *client);

	if (!client)
		return -ENOMEM;
	client->number = number;
	memcpy(client->key_hash, key_hash, sizeof client->key_hash);
	client->place = place;
	table->places[place / 64] |= 1ULL << place % 64;
	table->clients++;
	LIST_INSERT_HEAD(bucket_of(table, number), client, by_number);
	TAILQ_INSERT_TAIL(&table->idle, client, idle);
	*out = client;
	return 0;
}

void client_table_remove(struct client_table *table, struct nova_client *client)
{
	for (unsigned i = 0; i < NOVA_CLIENT_GROUPS; i++)
		if (client->pages[i])
			STAILQ_INSERT_TAIL(&table->free_pages, client->pages[i], next);
	table->places[client->place / 64] &= ~(1ULL << client->place % 64);
	table->clients--;
	LIST_REMOVE(client, by_number);
	TAILQ_REMOVE(&table->idle, client, idle);
	free(client);
}

struct client_page *client_table_new_page(struct client_table *table, uint64_t block, uint16_t tag)
{
	struct client_page *page = calloc(1, sizeof *page);

	if (!page)
		return NULL;
	page->block = block;
	for (unsigned i = 0; i < NOVA_CLIENT_GROUP_SLOTS; i++)
		page->tags[i] = tag;
	table->file_pages++;
	return page;
}

struct nova_client_record *client_table_record(const struct nova *fs, uint32_t place)
{
	struct nova_client_record *records =
	    block_at(fs, fs->clients->record_blocks[place / NOVA_CLIENT_BLOCK_RECORDS]);

	return &records[place % NOVA_CLIENT_BLOCK_RECORDS];
}

uint64_t client_table_bytes(const struct nova *fs)
{
	const struct client_table *table = fs->clients;

	if (!table)
		return 0;
	return sizeof *table + __atomic_load_n(&table->clients, __ATOMIC_RELAXED) * sizeof(struct nova_client) +
	       __atomic_load_n(&table->file_pages, __ATOMIC_RELAXED) * sizeof(struct client_page);
}
