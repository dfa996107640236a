/*
 * pool_repair_test.c -- a pool whose structures, slots or client table are damaged is consistent once repaired, mounts, and has
 * lost no more than it must.
 */
#include "tests/unit/server/pool/repair_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

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
		end_repaired();
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
			end_repaired();
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
		end_repaired();
	}
}

static void journal_rings(void **state)
{
	renew();
	ruin(block(NOVA_JOURNAL_BLOCK), 16);
	repaired("the rings emptied");
	assert_content(sub, "small");
	end_repaired();
	renew();
	ruin((uint8_t *)block(NOVA_JOURNAL_BLOCK) + 128, 4096 - 128);
	repaired("newest record");
	assert_content(sub, "small");
	end_repaired();
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
	end_repaired();
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
	end_repaired();
}

static void what_takes_something_back_empties_the_client_table(void **state)
{
	renew();
	ruin(head_page(dir)->lines[30], 64);
	repaired("the client table emptied");
	assert_int_equal(outcome(), -ENOENT);
	make_client("asked again");
	end_repaired();
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
	end_repaired();
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
		end_repaired();
	}
}

/* ---- slots ---------------------------------------------------------------------------------------------------- */

static void one_copy_of_any_word(void **state)
{
	const size_t offsets[] = {0, 8, 16, 24, 32, 40};

	for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
		renew();
		ruin((uint8_t *)&slot(file)->words + offsets[i], 8);
		repaired("restored from its good copy");
		end_repaired();
	}
	renew();
	ruin(&head_page(file)->header.next[1], 8);
	repaired("next word restored");
	end_repaired();
}

static void a_lost_life_word_is_told_by_header_and_log(void **state)
{
	renew();
	ruin(slot(small)->words.life, 16);
	repaired("life word, lost in both copies");
	assert_content(sub, "small");
	end_repaired();
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
	end_repaired();
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
	end_repaired();
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
	end_repaired();
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
	end_repaired();
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
	end_repaired();
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
	};

	return cmocka_run_group_tests(tests, repair_set_up, repair_tear_down);
}
