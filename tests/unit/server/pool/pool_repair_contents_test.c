/*
 * pool_repair_contents_test.c -- a pool whose logs, blocks or names are damaged is consistent once repaired, mounts, and has lost no
 * more than it must.
 */
#include "tests/unit/server/pool/repair_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

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
	end_repaired();
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
		end_repaired();
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
	end_repaired();
}

static void a_lost_link_is_found_again(void **state)
{
	struct nova_attr attr;

	renew();
	ruin(head_page(file)->header.next, 16);
	repaired("again");
	assert_true(there(dir, "file", &attr));
	assert_int_equal(attr.size, 39 * 4096 + 9000);
	end_repaired();
}

static void a_log_without_its_last_page_is_cut(void **state)
{
	struct nova_attr attr;

	renew();
	ruin(next_page(head_page(file)), 4096);
	repaired("lines with the latest changes are lost");
	survives_a_crash();
	assert_true(there(dir, "file", &attr));
	end_repaired();
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
	end_repaired();
}

/* ---- blocks and names ----------------------------------------------------------------------------------------- */

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
	end_repaired();
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
	end_repaired();
}

static void bytes_behind_the_end_are_set_to_zero(void **state)
{
	const struct nova_write_entry *write;

	renew();
	write = (const void *)((struct nova_entry *)(void *)slot(small)->log[1])->payload;
	((uint8_t *)block(le64_get(write->block)))[sizeof content + 100] = 1;
	repaired("set to zero");
	assert_content(sub, "small");
	end_repaired();
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
	end_repaired();
}

static void a_name_that_leads_nowhere_is_taken_away(void **state)
{
	struct nova_attr attr;

	renew();
	ruin(slot(small), 512);
	repaired("removed");
	assert_false(there(sub, "small", &attr));
	assert_content(sub, "linked");
	end_repaired();
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
	end_repaired();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, repair_set_up, repair_tear_down);
}
