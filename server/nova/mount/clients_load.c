/*
 * clients_load.c -- loads the client table at mount, and empties that of an unmounted pool.
 *
 * Records are loaded first, in order of their age, so that the oldest identities are the first to be dropped. Then the
 * pages are assigned to the clients that their headers name. After a crash each intent is judged: if its commit did not
 * take place, it is made void. Several threads share the pages, since each intent costs a cache miss in its inode's slot.
 */
#include "server/nova/mount/clients_load.h"

#include "server/nova/change/intent.h"
#include "server/nova/inode/replay.h"
#include "server/nova/media/words.h"
#include "server/nova/space/slots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX      64u
#define PAGES_PER_THREAD 32u /* fewer pages take less time than starting a thread */
#define ALL_GROUPS       ((1u << NOVA_CLIENT_GROUPS) - 1)

/* A page to judge. */
struct judged_page {
	const struct client_page *page;
	uint64_t number;
	uint32_t group;
};

struct load {
	struct nova *fs;
	bool stored;     /* a record or page was repaired; not fenced yet */
	uint64_t *pages; /* blocks of the file's pages, in order; 0 = a hole */
	uint64_t page_count;
	struct judged_page *judged;
	uint64_t judged_count;
	uint64_t next;    /* atomic */
	uint64_t voided;  /* atomic */
	uint64_t damaged; /* atomic */
};

/* ---- the file ------------------------------------------------------------------------------------------------- */

static int note_blocks(struct load *load, const struct nova_inode *inode)
{
	struct client_table *table = load->fs->clients;
	uint64_t end = (inode->size + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;
	struct extent extent;
	uint64_t at = 0;

	if (end > NOVA_CLIENT_RECORD_BLOCKS + load->fs->blocks)
		return -EIO;
	load->page_count = end > NOVA_CLIENT_RECORD_BLOCKS ? end - NOVA_CLIENT_RECORD_BLOCKS : 0;
	load->pages = calloc(load->page_count + 1, sizeof *load->pages);
	load->judged = calloc(load->page_count + 1, sizeof *load->judged);
	if (!load->pages || !load->judged)
		return -ENOMEM;
	while (file_index_next_extent(&inode->file, &at, &extent))
		for (uint64_t i = 0; file_readable(extent.value) && i < extent.count; i++) {
			uint64_t file_block = extent.file_block + i;

			if (file_block < NOVA_CLIENT_RECORD_BLOCKS)
				table->record_blocks[file_block] = extent.value + i;
			else if (file_block < end)
				load->pages[file_block - NOVA_CLIENT_RECORD_BLOCKS] = extent.value + i;
		}
	return 0;
}

static int read_file(struct load *load, char *why, size_t why_size)
{
	struct nova *fs = load->fs;
	struct nova_inode *inode = calloc(1, sizeof *inode);
	int rc;

	if (!inode)
		return -ENOMEM;
	inode->ino = fs->clients->file.ino.n = fs->clients_ino;
	rc = -EIO;
	if (!slots_chunk(fs, inode->ino))
		snprintf(why, why_size, "the client table does not lie in a chunk of slots");
	else
		rc = replay_life(fs, inode->ino, &inode->generation, &inode->life, why, why_size);
	if (!rc && (inode->life != NOVA_LIFE_ALLOCATED || slot_at(fs, inode->ino)->header.type != S_IFREG >> 12)) {
		snprintf(why, why_size, "the client table is not a file in use");
		rc = -EIO;
	}
	if (!rc)
		rc = replay_inode(fs, inode, NULL, NULL, why, why_size);
	if (!rc) {
		fs->clients->file.generation = inode->generation;
		rc = note_blocks(load, inode);
		if (rc == -EIO)
			snprintf(why, why_size, "the client table is larger than the pool");
		replay_reset(inode);
	}
	free(inode);
	return rc;
}

/* ---- records -------------------------------------------------------------------------------------------------- */

struct found_record {
	int64_t created_ns;
	uint32_t place;
};

static int older(const void *a, const void *b)
{
	const struct found_record *x = a;
	const struct found_record *y = b;

	return (x->created_ns > y->created_ns) - (x->created_ns < y->created_ns);
}

/* The value of the record's GROUPS word. If the word is damaged, the client may have had any group, so it gets all of
 * them; those for which no page is found count as damaged. */
static uint32_t groups_of(struct load *load, struct nova_client_record *record)
{
	struct nova *fs = load->fs;
	uint64_t number = le64_get(record->number);
	uint64_t groups;

	if (word_value(NOVA_WORD_GROUPS, number, pm_get8(&record->groups), &groups) &&
	    !(groups & ~(uint64_t)ALL_GROUPS))
		return (uint32_t)groups;
	log_warn(NOVA_LOG_NAME, "client %llx: its record has lost which intents it has", (unsigned long long)number);
	pm_set8(fs->pm, &record->groups, word_make(NOVA_WORD_GROUPS, number, ALL_GROUPS));
	pm_flush(fs->pm, &record->groups, sizeof record->groups);
	load->stored = true;
	return ALL_GROUPS;
}

static int add_record(struct load *load, uint32_t place)
{
	struct nova *fs = load->fs;
	struct nova_client_record *record = client_table_record(fs, place);
	struct nova_client *client;
	int rc;

	if (client_table_find(fs->clients, le64_get(record->number))) {
		log_warn(NOVA_LOG_NAME, "client %llx has two records: one is left out",
		         (unsigned long long)le64_get(record->number));
		return 0;
	}
	rc = client_table_add(fs->clients, le64_get(record->number), record->key_hash, place, &client);
	if (rc)
		return rc;
	client->groups = groups_of(load, record);
	if (fs->crashed)
		pm_flush(fs->pm, record, sizeof *record);
	return 0;
}

static int read_records(struct load *load)
{
	const struct client_table *table = load->fs->clients;
	struct found_record *found = calloc(NOVA_CLIENT_RECORDS, sizeof *found);
	uint32_t count = 0;
	int rc = 0;

	if (!found)
		return -ENOMEM;
	for (uint32_t place = 0; place < NOVA_CLIENT_RECORDS; place++) {
		const struct nova_client_record *record;

		if (!table->record_blocks[place / NOVA_CLIENT_BLOCK_RECORDS])
			continue;
		record = client_table_record(load->fs, place);
		if (client_record_valid(record))
			found[count++] = (struct found_record){(int64_t)le64_get(record->created_ns), place};
		else if (le64_get(record->number))
			log_warn(NOVA_LOG_NAME, "client table: record %u is damaged, its client is given up", place);
	}
	qsort(found, count, sizeof *found, older);
	for (uint32_t i = 0; !rc && i < count; i++)
		rc = add_record(load, found[i].place);
	free(found);
	return rc;
}

/* ---- pages ---------------------------------------------------------------------------------------------------- */

/* The client that the page belongs to, or NULL. If the page names a client whose GROUPS word does not have this group,
 * a crash came between the stores of the page and of GROUPS. Such a page loses its header: this client may get another
 * page for the group later, and must not have two. */
static struct nova_client *owner_of(struct load *load, uint64_t block, uint32_t *group)
{
	struct nova *fs = load->fs;
	struct nova_client_page *header = block_at(fs, block);
	struct nova_client *client;

	if (!client_page_valid(header))
		return NULL;
	client = client_table_find(fs->clients, le64_get(header->number));
	*group = le32_get(header->group);
	if (!client || *group >= NOVA_CLIENT_GROUPS)
		return NULL;
	if (client->groups & 1u << *group && !client->pages[*group])
		return client;
	pm_zero(fs->pm, header, sizeof *header);
	load->stored = true;
	return NULL;
}

static int add_page(struct load *load, uint64_t block)
{
	struct client_table *table = load->fs->clients;
	struct client_page *page = client_table_new_page(table, block, CLIENT_TAG_UNKNOWN);
	struct nova_client *client;
	uint32_t group;

	if (!page)
		return -ENOMEM;
	client = block ? owner_of(load, block, &group) : NULL;
	if (!client) {
		if (block)
			STAILQ_INSERT_TAIL(&table->free_pages, page, next);
		else
			free(page);
		return 0;
	}
	client->pages[group] = page;
	load->judged[load->judged_count++] = (struct judged_page){page, client->number, group};
	return 0;
}

/* ---- judging -------------------------------------------------------------------------------------------------- */

static void judge_line(struct load *load, const struct judged_page *judged, uint32_t line)
{
	struct nova *fs = load->fs;
	le64 *words = intent_words(fs, judged->page, line);
	uint32_t slot = intent_slot(judged->group, line);
	struct intent_values values;

	switch (intent_read(words, judged->number, slot, &values)) {
	case INTENT_VOID:
		return;
	case INTENT_DAMAGED:
		__atomic_fetch_add(&load->damaged, 1, __ATOMIC_RELAXED);
		return;
	case INTENT_WHOLE:
		break;
	}
	if (!intent_true(fs, &values)) {
		pm_set8(fs->pm, &words[0], intent_void(words, judged->number, slot));
		__atomic_fetch_add(&load->voided, 1, __ATOMIC_RELAXED);
	}
	/* Also if it is true: lines that a killed process stored can be in the CPU's cache only. */
	pm_flush(fs->pm, words, NOVA_LINE_SIZE);
}

static void *judge_pages(void *context)
{
	struct load *load = context;
	uint64_t i;

	while ((i = __atomic_fetch_add(&load->next, 1, __ATOMIC_RELAXED)) < load->judged_count)
		for (uint32_t line = 1; line <= NOVA_CLIENT_GROUP_SLOTS; line++)
			judge_line(load, &load->judged[i], line);
	/* Each thread fences its own stores. */
	pm_fence(load->fs->pm);
	return NULL;
}

static void judge(struct load *load, unsigned threads)
{
	pthread_t helpers[THREADS_MAX];
	unsigned started = 0;

	if (threads == 0)
		threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	while (started + 1 < threads && (started + 1) * PAGES_PER_THREAD < load->judged_count &&
	       !pthread_create(&helpers[started], NULL, judge_pages, load))
		started++;
	judge_pages(load);
	for (unsigned i = 0; i < started; i++)
		pthread_join(helpers[i], NULL);
	if (load->voided || load->damaged)
		log_info(NOVA_LOG_NAME, "%llu requests were cut off by the crash; of %llu the intent is damaged",
		         (unsigned long long)load->voided, (unsigned long long)load->damaged);
}

/* ---- emptying ------------------------------------------------------------------------------------------------- */

/* A page is free if its client has no record, so the pages need no change. */
static void drop_records(struct nova *fs)
{
	for (uint32_t place = 0; place < NOVA_CLIENT_RECORDS; place++) {
		struct nova_client_record *record;

		if (!fs->clients->record_blocks[place / NOVA_CLIENT_BLOCK_RECORDS])
			continue;
		record = client_table_record(fs, place);
		if (!pm_get8(&record->number))
			continue;
		pm_set8(fs->pm, &record->number, 0);
		pm_flush(fs->pm, &record->number, sizeof record->number);
	}
	pm_fence(fs->pm);
}

int clients_empty(struct nova *fs, char *why, size_t why_size)
{
	struct load load = {.fs = fs};
	int rc = fs->clients ? 0 : client_table_new(fs);

	if (!rc)
		rc = read_file(&load, why, why_size);
	if (!rc)
		drop_records(fs);
	free(load.pages);
	free(load.judged);
	return rc;
}

/* ---- all ------------------------------------------------------------------------------------------------------ */

int clients_load(struct nova *fs, bool after_crash, unsigned threads, char *why, size_t why_size)
{
	struct load load = {.fs = fs};
	int rc = read_file(&load, why, why_size);

	if (!rc)
		rc = read_records(&load);
	for (uint64_t i = 0; !rc && i < load.page_count; i++)
		rc = add_page(&load, load.pages[i]);
	if (!rc && after_crash)
		judge(&load, threads);
	else if (!rc && load.stored)
		pm_fence(fs->pm);
	free(load.pages);
	free(load.judged);
	return rc;
}
