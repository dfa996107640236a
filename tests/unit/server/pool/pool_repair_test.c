/*
 * pool_repair_test.c -- whatever is damaged, a repaired pool is consistent, mounts, and has lost no more than it must.
 */
#include "common/crc.h"
#include "common/log.h"
#include "server/nova/clients.h"
#include "server/nova/media/format.h"
#include "server/pool/check/check.h"
#include "server/pool/image/image.h"
#include "server/pool/repair/repair.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SIZE  (12 * MIB)
#define NAMES 100

static const char content[] = "what must stay";
static const uint8_t key[NOVA_CLIENT_KEY] = "some client's";
#define CLIENT 77u

/* A pool with one of everything, as it was unmounted; every test damages a copy. */
static uint8_t *whole;
static struct fixture f;
static struct nova_handle root, dir, sub, file, small, linked, target, device, pairs;

static void rename_in_pairs(const char *from, const char *to, unsigned flags)
{
	assert_int_equal(nova_rename(&f.call, pairs, from, strlen(from), pairs, to, strlen(to), flags, NULL), 0);
}

/* Names that lead elsewhere than at first, one of which has gone then. */
static void make_pairs(void)
{
	static const char *const names[] = {"a", "b", "c", "d", "e"};

	pairs = fixture_create(&f, root, "pairs", S_IFDIR | 0755).handle;
	for (unsigned i = 0; i < 5; i++)
		fixture_create(&f, pairs, names[i], S_IFREG | 0600);
	rename_in_pairs("a", "b", 0);
	rename_in_pairs("c", "d", NOVA_RENAME_EXCHANGE);
	rename_in_pairs("e", "c", 0);
	fixture_unlink(&f, pairs, "c");
}

/* A client whose last request made a file. */
static void make_client(const char *name)
{
	struct nova_call call = f.call;
	struct nova_client *client;
	struct nova_intent intent;

	assert_int_equal(nova_client_new(f.worker, CLIENT, key, &client), 0);
	assert_int_equal(nova_intent_begin(f.worker, client, 0, 1, 1, &intent), 0);
	call.intent = &intent;
	assert_int_equal(nova_create(&call, root, name, strlen(name), S_IFREG | 0600, 0, NULL), 0);
	nova_client_release(f.fs, client);
}

static void make_whole(void)
{
	static char path[3000], data[9000];
	struct nova_attr attr;

	fixture_open(&f, SIZE);
	log_set_level(LOG_LEVEL_ERROR);
	root = f.root;
	dir = fixture_create(&f, root, "dir", S_IFDIR | 0755).handle;
	sub = fixture_create(&f, dir, "sub", S_IFDIR | 0750).handle;
	file = fixture_create(&f, dir, "file", S_IFREG | 0644).handle;
	small = fixture_create(&f, sub, "small", S_IFREG | 0600).handle;
	linked = fixture_create(&f, sub, "linked", S_IFREG | 0600).handle;
	device = fixture_create(&f, sub, "device", S_IFCHR | 0600).handle;
	fixture_write(&f, small, 0, content, sizeof content);
	fixture_write(&f, linked, 0, content, sizeof content);
	assert_int_equal(nova_link(&f.call, linked, root, "other", 5, &attr), 0);
	memset(path, 'p', sizeof path);
	assert_int_equal(nova_symlink(&f.call, dir, "long", 4, path, sizeof path, &attr), 0);
	target = attr.handle;
	assert_int_equal(nova_symlink(&f.call, dir, "short", 5, "file", 4, &attr), 0);
	memset(data, 'd', sizeof data);
	assert_int_equal(nova_setxattr(&f.call, small, "user.short", 10, "value", 5, 0, NULL), 0);
	assert_int_equal(nova_setxattr(&f.call, small, "user.long", 9, data, sizeof data, 0, NULL), 0);
	assert_int_equal(nova_setxattr(&f.call, dir, "user.long", 9, data, 5000, 0, NULL), 0);
	assert_int_equal(nova_fallocate(&f.call, linked, FALLOC_FL_KEEP_SIZE, 0, 100000, NULL), 0);
	for (unsigned i = 0; i < NAMES; i++) {
		char name[16];

		snprintf(name, sizeof name, "name%u", i);
		fixture_create(&f, dir, name, i % 10 ? S_IFREG | 0600 : S_IFDIR | 0700);
		fixture_write(&f, file, (uint64_t)(i % 40) * 4096, data, sizeof data);
	}
	for (unsigned i = 0; i < NAMES; i += 7) {
		char name[16];

		snprintf(name, sizeof name, "name%u", i);
		if (i % 10)
			fixture_unlink(&f, dir, name);
	}
	make_pairs();
	make_client("asked");
	fixture_unmount(&f);
	whole = malloc(SIZE);
	assert_non_null(whole);
	memcpy(whole, f.memory, SIZE);
}

static void renew(void)
{
	memcpy(f.memory, whole, SIZE);
}

/* ---- places --------------------------------------------------------------------------------------------------- */

static void *block(uint64_t number)
{
	return (uint8_t *)f.memory + number * NOVA_BLOCK_SIZE;
}

static struct nova_slot *slot(struct nova_handle handle)
{
	return (struct nova_slot *)((uint8_t *)f.memory + handle.ino.n * NOVA_SLOT_SIZE);
}

static struct nova_page *head_page(struct nova_handle handle)
{
	return block(le64_get(slot(handle)->words.head[0]) >> 16);
}

static struct nova_page *next_page(const struct nova_page *page)
{
	return block(le64_get(page->header.next[0]) >> 16);
}

static void ruin(void *at, size_t length)
{
	memset(at, 0xa5, length);
}

/* ---- repair --------------------------------------------------------------------------------------------------- */

struct told {
	char found[8192];
	char repaired[8192];
	char left[8192];
};

static struct told told;

static void add(char *text, size_t size, const struct check_finding *finding)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s inode %llu: %s\n", finding->part, (unsigned long long)finding->ino,
	         finding->text);
}

static void note_found(struct repair_report *report, const struct check_finding *finding)
{
	add(told.found, sizeof told.found, finding);
}

static void note_repaired(struct repair_report *report, const struct check_finding *finding)
{
	add(told.repaired, sizeof told.repaired, finding);
}

static void note_left(struct repair_report *report, const struct check_finding *finding)
{
	add(told.left, sizeof told.left, finding);
}

static int repair_with(struct pm_observer *observer)
{
	struct repair_report report = {.found = note_found, .repaired = note_repaired, .left = note_left};
	struct pm pm;

	told = (struct told){0};
	pm_wrap(&pm, f.memory, SIZE);
	pm.observer = observer;
	return pool_repair(&pm, &report);
}

/* Reads everything there is; nothing of it may fail. */
static void read_all(void)
{
	fixture_mount(&f);
	free(fixture_dump(&f));
}

/* Repairs all, as the text says; what is repaired is consistent, stays so, and is mounted when this returns. */
static void repaired(const char *words)
{
	int rc = repair_with(NULL);

	if (rc != 1)
		fail_msg("repair returns %d\nfound:\n%srepaired:\n%sleft:\n%s", rc, told.found, told.repaired,
		         told.left);
	if (!strstr(told.repaired, words))
		fail_msg("not told: %s; but\n%s", words, told.repaired);
	assert_int_equal(repair_with(NULL), 0);
	read_all();
}

/* Old records of the journal, which may say more than the repaired logs have, are not replayed later. */
static void survives_a_crash(void)
{
	uint8_t *crashed = malloc(SIZE);

	assert_non_null(crashed);
	memcpy(crashed, f.memory, SIZE);
	fixture_unmount(&f);
	memcpy(f.memory, crashed, SIZE);
	free(crashed);
	if (repair_with(NULL) != 0)
		fail_msg("after a crash of the repaired pool fsck finds\n%s", told.found);
	read_all();
}

static bool there(struct nova_handle at, const char *name, struct nova_attr *attr)
{
	int err = nova_lookup(&f.call, at, name, strlen(name), attr);

	assert_true(err == 0 || err == -ENOENT);
	return err == 0;
}

static void assert_content(struct nova_handle at, const char *name)
{
	char back[sizeof content] = "";
	struct nova_attr attr;

	assert_true(there(at, name, &attr));
	assert_int_equal(nova_read(&f.call, attr.handle, 0, back, sizeof back), sizeof back);
	assert_string_equal(back, content);
}

/* What lost+found has for an inode; it must be there. */
static struct nova_attr adopted(struct nova_handle handle)
{
	struct nova_attr home, attr;
	char name[32];

	assert_true(there(f.root, "lost+found", &home));
	snprintf(name, sizeof name, "#%llu", (unsigned long long)handle.ino.n);
	if (!there(home.handle, name, &attr))
		fail_msg("'%s' is not in lost+found\n%s", name, told.repaired);
	return attr;
}

static void end(void)
{
	if (f.fs)
		fixture_unmount(&f);
	assert_int_equal(repair_with(NULL), 0);
}

/* ---- the client table ----------------------------------------------------------------------------------------- */

/* What a repeat of the client's request is told; -ENOENT: nothing is known of the client. */
static int outcome(void)
{
	struct nova_client *client;
	struct nova_outcome out;
	int rc = nova_client_find(f.fs, CLIENT, key, &client);

	if (rc)
		return rc;
	rc = nova_client_outcome(f.fs, client, 0, 1, &out);
	nova_client_release(f.fs, client);
	return rc;
}

static struct nova_slot *clients(void)
{
	return (struct nova_slot *)((uint8_t *)f.memory +
	                            le64_get(((struct nova_super *)f.memory)->clients_ino) * NOVA_SLOT_SIZE);
}

/* The block that the log of the client table's inode says in its i-th WRITE entry. */
static uint8_t *clients_block(unsigned i)
{
	const struct nova_entry *entry = (const void *)clients()->log[1 + i];
	const struct nova_write_entry *write = (const void *)entry->payload;

	assert_int_equal(entry->type, NOVA_ENTRY_WRITE);
	return block(le64_get(write->block));
}

static void what_takes_nothing_back_leaves_the_client_table(void **state)
{
	renew();
	ruin(&slot(file)->words.tail[1], 8);
	ruin(&clients()->words.tail[1], 8);
	ruin(block(NOVA_SUPER_BLOCK_0), 320);
	repaired("restored from its good copy");
	assert_int_equal(outcome(), 1);
	assert_content(sub, "small");
	end();
}

static void what_takes_something_back_empties_the_client_table(void **state)
{
	renew();
	ruin(head_page(dir)->lines[30], 64);
	repaired("the client table emptied");
	assert_int_equal(outcome(), -ENOENT);
	make_client("asked again");
	end();
}

/* An operation may be half done then, and half of it is what an intent is judged by. */
static void a_lost_record_of_the_journal_empties_the_client_table(void **state)
{
	struct nova_ring *ring = block(NOVA_JOURNAL_BLOCK);
	uint64_t newest;

	renew();
	newest = le64_get(ring->commit[0]) >> 16;
	assert_true(newest > 0);
	ruin(&ring->records[newest % NOVA_RING_RECORDS], sizeof ring->records[0]);
	repaired("the client table emptied");
	assert_int_equal(outcome(), -ENOENT);
	end();
}

static void a_damaged_client_table_is_emptied(void **state)
{
	struct nova_slot *table;

	for (unsigned i = 0; i < 8; i++) {
		renew();
		table = clients();
		switch (i) {
		case 0: /* a record */
			clients_block(0)[9] ^= 1;
			break;
		case 1: /* its GROUPS */
			clients_block(0)[60] ^= 1;
			break;
		case 2: /* a page's header */
			clients_block(1)[5] ^= 1;
			break;
		case 3: /* an intent */
			clients_block(1)[64 + 63] ^= 1;
			break;
		case 4: /* the inode: its life, */
			ruin(table->words.life, sizeof table->words.life);
			break;
		case 5: /* header, */
			ruin(&table->header, sizeof table->header);
			break;
		case 6: /* log */
			ruin(table->log[1], 64);
			break;
		case 7:
			ruin(table, sizeof *table);
			break;
		}
		repaired("the client table emptied");
		assert_int_equal(outcome(), -ENOENT);
		make_client("asked again");
		assert_content(sub, "small");
		end();
	}
}

/* ---- structures ----------------------------------------------------------------------------------------------- */

static void a_sound_pool_is_not_touched(void **state)
{
	renew();
	assert_int_equal(repair_with(NULL), 0);
	assert_memory_equal(f.memory, whole, SIZE);
}

static void superblocks(void **state)
{
	for (unsigned which = 1; which < 4; which++) {
		renew();
		if (which & 1)
			ruin(block(NOVA_SUPER_BLOCK_0), 320);
		if (which & 2)
			ruin(block(NOVA_SUPER_BLOCK_1), 320);
		repaired(which == 3 ? "made again from the format's constants" : "restored from the other");
		assert_content(sub, "small");
		end();
	}
}

static void words_of_the_superblocks(void **state)
{
	for (size_t word = 0; word < 5; word++)
		for (unsigned which = 1; which < 4; which++) {
			renew();
			if (which & 1)
				ruin((uint8_t *)block(NOVA_SUPER_BLOCK_0) + 256 + 8 * word, 8);
			if (which & 2)
				ruin((uint8_t *)block(NOVA_SUPER_BLOCK_1) + 256 + 8 * word, 8);
			repaired("word");
			assert_content(sub, "small");
			end();
		}
}

static void zone_headers_and_chunk_tables(void **state)
{
	for (unsigned which = 1; which < 4; which++) {
		renew();
		if (which & 1) {
			ruin(block(NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_HEADER_0), 64);
			ruin(block(NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_TABLE_0), 4096);
		}
		if (which & 2) {
			ruin(block(NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_HEADER_1), 64);
			ruin(block(NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_TABLE_1), 4096);
		}
		repaired(which == 3 ? "made again from the contents of the chunks" : "restored from their good copies");
		assert_content(sub, "small");
		end();
	}
}

static void journal_rings(void **state)
{
	renew();
	ruin(block(NOVA_JOURNAL_BLOCK), 16);
	repaired("the rings emptied");
	assert_content(sub, "small");
	end();
	renew();
	ruin((uint8_t *)block(NOVA_JOURNAL_BLOCK) + 128, 4096 - 128);
	repaired("newest record");
	assert_content(sub, "small");
	end();
}

/* What a crash left in the journal is not lost by a repair of something else. */
static void a_crashed_pool_keeps_what_its_journal_has(void **state)
{
	struct nova_slot_words words;
	struct nova_attr attr;
	uint8_t *crashed = malloc(SIZE);

	renew();
	fixture_mount(&f);
	memcpy(&words, &slot(root)->words, sizeof words);
	fixture_create(&f, f.root, "late", S_IFREG | 0600);
	memcpy(&slot(root)->words, &words, sizeof words);
	memcpy(crashed, f.memory, SIZE);
	fixture_unmount(&f);
	memcpy(f.memory, crashed, SIZE);
	free(crashed);
	ruin(block(NOVA_SUPER_BLOCK_1), 320);
	repaired("records of");
	assert_true(there(f.root, "late", &attr));
	end();
}

/* ---- slots ---------------------------------------------------------------------------------------------------- */

static void one_copy_of_any_word(void **state)
{
	const size_t offsets[] = {0, 8, 16, 24, 32, 40};

	for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
		renew();
		ruin((uint8_t *)&slot(file)->words + offsets[i], 8);
		repaired("restored from its good copy");
		end();
	}
	renew();
	ruin(&head_page(file)->header.next[1], 8);
	repaired("next word restored");
	end();
}

static void a_lost_life_word_is_told_by_header_and_log(void **state)
{
	renew();
	ruin(slot(small)->words.life, 16);
	repaired("life word, lost in both copies");
	assert_content(sub, "small");
	end();
}

static void a_lost_tail_word_is_told_by_the_log(void **state)
{
	struct nova_attr attr;

	renew();
	ruin(slot(small)->words.tail, 16);
	ruin(slot(file)->words.tail, 16);
	repaired("tail word, lost in both copies");
	assert_content(sub, "small");
	assert_true(there(dir, "file", &attr));
	assert_int_equal(attr.size, 39 * 4096 + 9000);
	end();
}

static void a_lost_head_word_is_told_by_the_pages(void **state)
{
	struct nova_attr attr;

	renew();
	ruin(slot(file)->words.head, 16);
	ruin(slot(dir)->words.head, 16);
	repaired("the head word set to log page");
	assert_true(there(dir, "file", &attr));
	assert_int_equal(attr.size, 39 * 4096 + 9000);
	assert_true(there(dir, "name99", &attr));
	end();
}

static void a_damaged_header_is_made_anew_as_log_and_name_tell(void **state)
{
	struct nova_attr attr;

	renew();
	ruin(&slot(dir)->header, 64);
	ruin(&slot(small)->header, 64);
	ruin(&slot(device)->header, 64);
	ruin(&slot(target)->header, 64);
	repaired("header made again");
	assert_content(sub, "small");
	assert_true(there(sub, "device", &attr));
	assert_true(S_ISCHR(attr.mode));
	assert_true(there(dir, "long", &attr));
	assert_int_equal(attr.size, 3000);
	end();
}

static void a_slot_wholly_lost_takes_only_its_inode(void **state)
{
	struct nova_attr attr;

	renew();
	ruin(slot(sub), 512);
	repaired("the slot will not be used again");
	assert_false(there(dir, "sub", &attr));
	attr = adopted(small);
	assert_int_equal(attr.size, sizeof content);
	/* The one with two names has kept the other. */
	assert_content(f.root, "other");
	assert_true(there(f.root, "other", &attr));
	assert_int_equal(attr.nlink, 1);
	end();
}

static void a_lost_root_is_made_anew(void **state)
{
	struct nova_attr attr;

	renew();
	ruin(slot(root), 512);
	repaired("root directory made again");
	attr = adopted(dir);
	assert_true(there(attr.handle, "sub", &attr));
	assert_content(attr.handle, "small");
	assert_true(there(attr.handle, "linked", &attr));
	assert_int_equal(attr.nlink, 1);
	end();
}

/* ---- logs ----------------------------------------------------------------------------------------------------- */

static void a_damaged_entry_takes_nothing_else_with_it(void **state)
{
	struct nova_attr attr;
	unsigned names = 0;

	renew();
	ruin(head_page(dir)->lines[30], 64);
	repaired("were damaged and are blank now");
	for (unsigned i = 0; i < NAMES; i++) {
		char name[16];

		snprintf(name, sizeof name, "name%u", i);
		names += there(dir, name, &attr);
	}
	/* One name in 100 was in the entry, or one removal. */
	assert_in_range(names, NAMES - NAMES / 7 - 2, NAMES);
	assert_content(sub, "small");
	end();
}

/* What is lost may be that a name leads elsewhere: then it leads where it did, or nowhere if that has gone. */
static void a_damaged_entry_of_a_replaced_name_takes_nothing_else_with_it(void **state)
{
	uint64_t lines = le64_get(slot(pairs)->words.tail[0]) >> 16;
	struct nova_attr attr;

	(void)state;
	assert_int_equal(lines, NOVA_SLOT_LINES + 7); /* all but attributes are of names */
	for (uint64_t line = 1; line < lines; line++) {
		renew();
		ruin(line < NOVA_SLOT_LINES ? slot(pairs)->log[line] : head_page(pairs)->lines[line - NOVA_SLOT_LINES],
		     NOVA_LINE_SIZE);
		repaired("were damaged and are blank now");
		assert_int_equal(nova_lookup(&f.call, root, "pairs", 5, &attr), 0);
		end();
	}
}

static void a_damaged_page_header_is_made_anew(void **state)
{
	struct nova_attr attr;

	renew();
	ruin(&head_page(file)->header, 32);
	ruin(&next_page(head_page(file))->header, 32);
	repaired("header of log page");
	assert_true(there(dir, "file", &attr));
	assert_int_equal(attr.size, 39 * 4096 + 9000);
	end();
}

static void a_lost_link_is_found_again(void **state)
{
	struct nova_attr attr;

	renew();
	ruin(head_page(file)->header.next, 16);
	repaired("again");
	assert_true(there(dir, "file", &attr));
	assert_int_equal(attr.size, 39 * 4096 + 9000);
	end();
}

static void a_log_without_its_last_page_is_cut(void **state)
{
	struct nova_attr attr;

	renew();
	ruin(next_page(head_page(file)), 4096);
	repaired("lines with the latest changes are lost");
	survives_a_crash();
	assert_true(there(dir, "file", &attr));
	end();
}

static void a_lost_first_entry_gives_attributes_anew(void **state)
{
	struct nova_attr attr;

	renew();
	ruin(slot(small)->log[0], 64);
	repaired("mode, owner and group");
	assert_content(sub, "small");
	assert_true(there(sub, "small", &attr));
	assert_int_equal(attr.mode, S_IFREG | 0600);
	end();
}

/* ---- blocks and names ----------------------------------------------------------------------------------------- */

/* The entry with its CRC as it has to be at its place. */
static void seal(struct nova_entry *entry, struct nova_handle handle, uint64_t position)
{
	le32 generation = le32_of(handle.generation);
	uint32_t crc = crc32c(crc32c_u64(0xffffffff, handle.ino.n), &generation, sizeof generation);

	entry->crc = le32_of(crc32c(crc32c_u64(crc, position), &entry->type, entry->lines * 64u - 4));
}

static void a_block_used_twice_stays_with_one(void **state)
{
	struct nova_entry *mine, *theirs;

	renew();
	mine = (void *)slot(small)->log[1];
	theirs = (void *)slot(linked)->log[1];
	((struct nova_write_entry *)(void *)theirs->payload)->block =
	    ((const struct nova_write_entry *)(const void *)mine->payload)->block;
	seal(theirs, linked, 1);
	repaired("are a hole now");
	assert_content(sub, "small");
	end();
}

static void a_damaged_attribute_value_takes_only_the_attribute(void **state)
{
	char value[16];

	/* Values and data alike: data have no checksum. */
	renew();
	for (uint64_t i = NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_FIRST_CHUNK; i < SIZE / NOVA_BLOCK_SIZE; i++)
		if (memcmp(block(i), "dddddddd", 8) == 0)
			ruin((uint8_t *)block(i) + 16, 8);
	repaired("was invalid");
	assert_content(sub, "small");
	assert_int_equal(nova_getxattr(&f.call, small, "user.short", 10, value, sizeof value, NULL), 5);
	end();
}

static void bytes_behind_the_end_are_set_to_zero(void **state)
{
	const struct nova_write_entry *write;

	renew();
	write = (const void *)((struct nova_entry *)(void *)slot(small)->log[1])->payload;
	((uint8_t *)block(le64_get(write->block)))[sizeof content + 100] = 1;
	repaired("set to zero");
	assert_content(sub, "small");
	end();
}

static void a_wrong_link_count_is_set_right(void **state)
{
	struct nova_entry *entry;
	struct nova_attr attr;

	renew();
	entry = (void *)slot(small)->log[0];
	((struct nova_attr_entry *)(void *)entry->payload)->nlink = le32_of(7);
	seal(entry, small, 0);
	repaired("link count set to 1");
	assert_true(there(sub, "small", &attr));
	assert_int_equal(attr.nlink, 1);
	end();
}

static void a_name_that_leads_nowhere_is_taken_away(void **state)
{
	struct nova_attr attr;

	renew();
	ruin(slot(small), 512);
	repaired("removed");
	assert_false(there(sub, "small", &attr));
	assert_content(sub, "linked");
	end();
}

static void directories_in_a_circle_are_reached_again(void **state)
{
	struct nova_name_entry *name;
	struct nova_entry *entry;

	/* The name of /dir/sub in /dir leads to /dir itself. */
	renew();
	entry = (void *)slot(dir)->log[1];
	assert_int_equal(entry->type, NOVA_ENTRY_NAME);
	name = (void *)entry->payload;
	assert_int_equal(le64_get(name->ino), sub.ino.n);
	name->ino = le64_of(dir.ino.n);
	seal(entry, dir, 1);
	repaired("lost+found");
	assert_content(adopted(sub).handle, "small");
	end();
}

/* ---- anything ------------------------------------------------------------------------------------------------- */

static uint64_t seed;

static uint64_t draw(uint64_t bound)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 24) % bound;
}

static void damage_at_random(uint64_t number)
{
	static const uint64_t first_slot = (uint64_t)(NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_FIRST_CHUNK) * NOVA_BLOCK_SIZE;
	unsigned count;

	seed = number * 0x9e3779b97f4a7c15ULL + 1;
	count = 1 + (unsigned)draw(12);
	renew();
	for (unsigned i = 0; i < count; i++) {
		uint64_t length = draw(3) == 0 ? 1 : 8ULL << draw(6);
		uint64_t at;

		switch (draw(4)) {
		case 0:
			at = draw(SIZE - 4096);
			break;
		case 1: /* slots */
			at = first_slot + draw(120 * 512);
			break;
		case 2: /* slots, log pages and data */
			at = first_slot + draw(400 * 4096);
			break;
		default: /* what is before */
			at = draw(first_slot);
		}
		for (uint64_t k = 0; k < length; k++)
			((uint8_t *)f.memory)[at / 8 * 8 + k] ^= (uint8_t)(1 + draw(255));
	}
}

/* An entry of some inode says something else, with the right CRC. */
static void falsify_an_entry(const struct image *image)
{
	uint64_t ino = root.ino.n + draw(120);
	uint64_t skip = draw(30);
	struct image_inode inode;
	enum image_step step;
	struct image_log log;

	if (image_inode(image, ino, &inode) || !life_has_log(inode.life))
		return;
	image_log_begin(&log, image, &inode);
	while ((step = image_log_next(&log)) == IMAGE_PAGE || step == IMAGE_ENTRY) {
		struct nova_entry *entry = (struct nova_entry *)(uintptr_t)log.entry;

		if (step == IMAGE_PAGE || skip-- > 0 || entry->type == NOVA_ENTRY_PAD)
			continue;
		if (draw(4) == 0)
			entry->type = (uint8_t)(2 + draw(8));
		for (uint64_t n = 1 + draw(4); n > 0; n--)
			entry->payload[draw(draw(2) ? 8 : 44)] = (uint8_t)draw(draw(2) ? 4 : 256);
		seal(entry, (struct nova_handle){{ino}, inode.generation}, log.entry_position);
		return;
	}
}

static void falsify_at_random(uint64_t number)
{
	struct image image;
	const char *why;

	renew();
	seed = number * 0x9e3779b97f4a7c15ULL + 2;
	assert_int_equal(image_open(&image, f.memory, SIZE, &why), 0);
	for (uint64_t n = 1 + draw(12); n > 0; n--)
		falsify_an_entry(&image);
	image_close(&image);
}

static void any_damage_is_repaired(void **state)
{
	for (uint64_t number = 0; number < 800; number++) {
		int rc;

		if (number % 2)
			damage_at_random(number);
		else
			falsify_at_random(number);
		rc = repair_with(NULL);
		if (rc == 2 || rc < 0)
			fail_msg("damage %llu: repair returns %d\nfound:\n%srepaired:\n%sleft:\n%s",
			         (unsigned long long)number, rc, told.found, told.repaired, told.left);
		if (repair_with(NULL) != 0)
			fail_msg("damage %llu: a second repair finds\n%s", (unsigned long long)number, told.found);
		read_all();
		survives_a_crash();
		fixture_unmount(&f);
		assert_int_equal(repair_with(NULL), 0);
	}
}

/* Keeps the pool as it is before the n-th store. */
struct keeper {
	struct pm_observer observer;
	uint64_t left;
	uint8_t *kept;
	bool reached;
};

static void keep(struct pm_observer *self, const struct pm_event *event)
{
	struct keeper *keeper = (struct keeper *)(void *)self;

	if (event->type > PM_EV_SET8 || keeper->left-- != 0)
		return;
	memcpy(keeper->kept, f.memory, SIZE);
	keeper->reached = true;
}

/* Leaves the pool as a repair that ended before its n-th store does; true if it has fewer. */
static bool repair_until(uint64_t stores)
{
	struct keeper keeper = {.observer = {keep}, .left = stores, .kept = malloc(SIZE)};

	assert_non_null(keeper.kept);
	repair_with(&keeper.observer);
	if (keeper.reached)
		memcpy(f.memory, keeper.kept, SIZE);
	free(keeper.kept);
	return !keeper.reached;
}

static void a_repair_that_is_cut_off_can_be_begun_again(void **state)
{
	for (uint64_t number = 1000; number < 1040; number++) {
		uint64_t stores = 0;

		do {
			damage_at_random(number);
			if (repair_until(stores))
				break;
			if (repair_with(NULL) == 2)
				fail_msg("damage %llu, cut off before store %llu:\n%s", (unsigned long long)number,
				         (unsigned long long)stores, told.left);
			read_all();
			fixture_unmount(&f);
			stores += 1 + stores / 3;
		} while (true);
	}
}

static int setup(void **state)
{
	make_whole();
	return 0;
}

static int teardown(void **state)
{
	free(whole);
	fixture_close(&f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_sound_pool_is_not_touched),
	    cmocka_unit_test(what_takes_nothing_back_leaves_the_client_table),
	    cmocka_unit_test(what_takes_something_back_empties_the_client_table),
	    cmocka_unit_test(a_lost_record_of_the_journal_empties_the_client_table),
	    cmocka_unit_test(a_damaged_client_table_is_emptied),
	    cmocka_unit_test(superblocks),
	    cmocka_unit_test(words_of_the_superblocks),
	    cmocka_unit_test(zone_headers_and_chunk_tables),
	    cmocka_unit_test(journal_rings),
	    cmocka_unit_test(a_crashed_pool_keeps_what_its_journal_has),
	    cmocka_unit_test(one_copy_of_any_word),
	    cmocka_unit_test(a_lost_life_word_is_told_by_header_and_log),
	    cmocka_unit_test(a_lost_tail_word_is_told_by_the_log),
	    cmocka_unit_test(a_lost_head_word_is_told_by_the_pages),
	    cmocka_unit_test(a_damaged_header_is_made_anew_as_log_and_name_tell),
	    cmocka_unit_test(a_slot_wholly_lost_takes_only_its_inode),
	    cmocka_unit_test(a_lost_root_is_made_anew),
	    cmocka_unit_test(a_damaged_entry_takes_nothing_else_with_it),
	    cmocka_unit_test(a_damaged_entry_of_a_replaced_name_takes_nothing_else_with_it),
	    cmocka_unit_test(a_damaged_page_header_is_made_anew),
	    cmocka_unit_test(a_lost_link_is_found_again),
	    cmocka_unit_test(a_log_without_its_last_page_is_cut),
	    cmocka_unit_test(a_lost_first_entry_gives_attributes_anew),
	    cmocka_unit_test(a_block_used_twice_stays_with_one),
	    cmocka_unit_test(a_damaged_attribute_value_takes_only_the_attribute),
	    cmocka_unit_test(bytes_behind_the_end_are_set_to_zero),
	    cmocka_unit_test(a_wrong_link_count_is_set_right),
	    cmocka_unit_test(a_name_that_leads_nowhere_is_taken_away),
	    cmocka_unit_test(directories_in_a_circle_are_reached_again),
	    cmocka_unit_test(any_damage_is_repaired),
	    cmocka_unit_test(a_repair_that_is_cut_off_can_be_begun_again),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
