/*
 * client_table.h -- the client table in DRAM: which records and pages there are, and whose.
 *
 * A page belongs to one client's group of 63 slots, or is free. Pages and records are never given back to the pool, but
 * to the table. The mount enters what it finds (mount/clients_load.c), clients.c what is new.
 *
 * Lock order: the table's lock before the lock of the table's inode; no other inode is locked with it.
 */
#ifndef FARNOVA_NOVA_CLIENT_TABLE_H
#define FARNOVA_NOVA_CLIENT_TABLE_H

#include "server/nova/clients.h"
#include "server/nova/core.h"

#include <sys/queue.h>

#define CLIENT_TAG_UNKNOWN 0xffffu
#define CLIENT_BUCKETS     4096u

/* A page of intents. */
struct client_page {
	uint64_t block;
	STAILQ_ENTRY(client_page) next; /* while it is free */
	/* The tag of the newest store of each line, CLIENT_TAG_UNKNOWN = ask the line. Of a slot's request. */
	uint16_t tags[NOVA_CLIENT_GROUP_SLOTS];
};

/* Under the table's lock but for the pages. */
struct nova_client {
	uint64_t number;
	uint8_t key_hash[NOVA_CLIENT_KEY];
	uint32_t place; /* of its record */
	uint32_t holds;
	bool ended;
	uint32_t groups;                               /* as its GROUPS word has them; atomic */
	struct client_page *pages[NOVA_CLIENT_GROUPS]; /* atomic; NULL: none, or it was lost */
	LIST_ENTRY(nova_client) by_number;
	TAILQ_ENTRY(nova_client) idle; /* while nobody holds it */
};

struct client_table {
	pthread_mutex_t lock;
	struct nova_handle file;
	uint64_t record_blocks[NOVA_CLIENT_RECORD_BLOCKS]; /* 0 = none yet */
	uint64_t places[NOVA_CLIENT_RECORDS / 64];         /* 1 = in use */
	uint32_t clients;                                  /* atomic, as is the next */
	uint64_t file_pages;                               /* pages that the file has */
	uint64_t page_limit;
	STAILQ_HEAD(client_pages, client_page) free_pages;
	TAILQ_HEAD(idle_clients, nova_client) idle; /* the one that was used longest ago first */
	LIST_HEAD(client_bucket, nova_client) buckets[CLIENT_BUCKETS];
};

/* client_table_new -- an empty table in fs->clients. -ENOMEM. */
int client_table_new(struct nova *fs);
void client_table_free(struct nova *fs);

/* client_table_find -- under the lock, as all below. NULL: none. */
struct nova_client *client_table_find(const struct client_table *table, uint64_t number);

/* client_table_add -- enter a client whose record lies at `place`; nobody holds it, and all others are older. -ENOMEM. */
int client_table_add(struct client_table *table, uint64_t number, const uint8_t *key_hash, uint32_t place,
                     struct nova_client **out);

/* client_table_remove -- its record is free, durably, and nobody holds it: its pages and its place are free now. */
void client_table_remove(struct client_table *table, struct nova_client *client);

/* client_table_new_page -- the next page of the file, all of whose lines have this tag; it belongs to the caller. NULL:
 * no memory. */
struct client_page *client_table_new_page(struct client_table *table, uint64_t block, uint16_t tag);

/* client_table_record -- where the record of this place lies; its block is there. */
struct nova_client_record *client_table_record(const struct nova *fs, uint32_t place);

/* client_table_bytes -- the DRAM that it takes. */
uint64_t client_table_bytes(const struct nova *fs);

#endif
