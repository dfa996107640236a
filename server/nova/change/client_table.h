/*
 * client_table.h -- the DRAM index of the client table: its identities, records and pages of intents.
 *
 * A page belongs to one group of 63 slots of one client, or is free. The file of the table never shrinks: a page or
 * record that becomes free is reused for another client. The mount fills the index (mount/clients_load.c); clients.c
 * adds and removes clients later.
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
	/* The tag of the newest store of each line; CLIENT_TAG_UNKNOWN = it must be read from the line. An entry is
	 * accessed only by the request that occupies its slot. */
	uint16_t tags[NOVA_CLIENT_GROUP_SLOTS];
};

/* The table's lock protects all members except the atomic ones. */
struct nova_client {
	uint64_t number;
	uint8_t key_hash[NOVA_CLIENT_KEY];
	uint32_t place; /* of its record */
	uint32_t holds;
	bool ended;
	uint32_t groups;                               /* value of its GROUPS word; atomic */
	struct client_page *pages[NOVA_CLIENT_GROUPS]; /* atomic; NULL: the group has no page, or it was lost */
	LIST_ENTRY(nova_client) by_number;
	TAILQ_ENTRY(nova_client) idle; /* while `holds` is 0 */
};

struct client_table {
	pthread_mutex_t lock;
	struct nova_handle file;
	uint64_t record_blocks[NOVA_CLIENT_RECORD_BLOCKS]; /* 0 = none yet */
	uint64_t places[NOVA_CLIENT_RECORDS / 64];         /* 1 = in use */
	uint32_t clients;                                  /* number of identities; atomic */
	uint64_t file_pages;                               /* pages in the file, used and free; atomic */
	uint64_t page_limit;                               /* the most that file_pages may reach */
	STAILQ_HEAD(client_pages, client_page) free_pages;
	TAILQ_HEAD(idle_clients, nova_client) idle; /* least recently used first */
	LIST_HEAD(client_bucket, nova_client) buckets[CLIENT_BUCKETS];
};

/* client_table_new -- an empty table in fs->clients. -ENOMEM. */
int client_table_new(struct nova *fs);
void client_table_free(struct nova *fs);

/* The functions below need the table's lock.
 *
 * client_table_find -- the client with this number, or NULL. */
struct nova_client *client_table_find(const struct client_table *table, uint64_t number);

/* client_table_add -- add a client whose record is at `place`, with 0 holds, as the most recently used. -ENOMEM. */
int client_table_add(struct client_table *table, uint64_t number, const uint8_t *key_hash, uint32_t place,
                     struct nova_client **out);

/* client_table_remove -- remove a client without holds, whose record has durably become free. Its place and its pages
 * become free for reuse. */
void client_table_remove(struct client_table *table, struct nova_client *client);

/* client_table_new_page -- a descriptor for the next page of the file, each line with this tag. It is on no list: the
 * caller owns it. NULL: no memory. */
struct client_page *client_table_new_page(struct client_table *table, uint64_t block, uint16_t tag);

/* client_table_record -- the address of the record at this place, whose block must exist. */
struct nova_client_record *client_table_record(const struct nova *fs, uint32_t place);

/* client_table_bytes -- the DRAM that the index occupies; needs no lock. */
uint64_t client_table_bytes(const struct nova *fs);

#endif
