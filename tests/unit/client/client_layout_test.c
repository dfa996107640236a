/*
 * client_layout_test.c -- what the client tells the server about READs under way is never ahead of the oldest of them.
 */
#include "client/session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

static const struct proto_handle file = {.ino = 7, .generation = 1};
static const struct proto_extent block = {.offset = 0, .length = 4096, .address = 0x1000, .key = 5};

/* A connection that is down: nothing is sent, everything else is as it is. */
static struct farnova *make(void)
{
	struct farnova *fs = calloc(1, sizeof(*fs));
	assert_non_null(fs);
	fs->link.state = CONNECTION_LOST;
	assert_int_equal(layout_init(&fs->layouts), 0);
	return fs;
}

static struct inode *open_inode(struct layouts *layouts, struct proto_handle handle)
{
	struct inode *reserved = layout_reserve();
	struct inode *inode = layout_open(layouts, handle, &reserved);

	free(reserved);
	return inode;
}

static void discard(struct farnova *fs)
{
	layout_destroy(&fs->layouts);
	free(fs);
}

static void quiesced_is_what_the_oldest_read_has_seen(void **state)
{
	struct farnova *fs = make();
	struct layouts *layouts = &fs->layouts;
	struct reads a = {0}, b = {0}, c = {0};

	layouts->seen = 3;
	assert_int_equal(layout_quiesced(layouts), 3);
	layout_reads_begin(layouts, &layouts->reads, &a);
	layout_recall(layouts, &(struct proto_recall){.invalidation = 5, .handle = file});
	layout_reads_begin(layouts, &layouts->reads, &b);
	layout_recall(layouts, &(struct proto_recall){.invalidation = 9, .handle = file});
	layout_reads_begin(layouts, &layouts->reads, &c);
	assert_int_equal(layout_quiesced(layouts), 3);
	layout_reads_end(&layouts->reads, &b);
	assert_int_equal(layout_quiesced(layouts), 3);
	layout_reads_end(&layouts->reads, &a);
	assert_int_equal(layout_quiesced(layouts), 9);
	layout_reads_end(&layouts->reads, &c);
	assert_int_equal(layout_quiesced(layouts), 9);
	discard(fs);
}

static void recall_ends_the_layout_and_its_extents(void **state)
{
	struct farnova *fs = make();
	struct layouts *layouts = &fs->layouts;
	struct inode *inode = open_inode(layouts, file);
	struct proto_extent found;

	layout_granted(layouts, inode, 4096, &block, 1);
	assert_true(layout_usable(layouts, inode));
	assert_true(extents_find(&inode->extents, 0, &found));
	layout_recall(layouts, &(struct proto_recall){.invalidation = 1, .handle = {.ino = 8, .generation = 1}});
	assert_true(layout_usable(layouts, inode));
	layout_recall(layouts, &(struct proto_recall){.invalidation = 2, .handle = file});
	assert_false(layout_usable(layouts, inode));
	assert_false(extents_find(&inode->extents, 0, &found));
	layout_close(layouts, inode);
	discard(fs);
}

static void own_change_under_way_keeps_reads_off_the_layout(void **state)
{
	struct farnova *fs = make();
	struct layouts *layouts = &fs->layouts;
	struct inode *inode = open_inode(layouts, file);

	layout_granted(layouts, inode, 4096, &block, 1);
	inode->changing = 1;
	assert_false(layout_usable(layouts, inode));
	inode->changing = 0;
	layouts->blind_changes = 1;
	assert_false(layout_usable(layouts, inode));
	layouts->blind_changes = 0;
	assert_true(layout_usable(layouts, inode));
	layout_close(layouts, inode);
	discard(fs);
}

static void reply_to_a_write_replaces_what_it_names(void **state)
{
	struct farnova *fs = make();
	struct layouts *layouts = &fs->layouts;
	struct inode *inode = open_inode(layouts, file);
	struct proto_reply *reply = &fs->reply;
	struct proto_extent found;

	reply->write.size = 8192;
	reply->write.replaced_offset = 0;
	reply->write.replaced_length = 8192;
	reply->write.extent_count = 1;
	reply->write.extents[0] = (struct proto_extent){.offset = 4096, .length = 4096, .address = 0x9000, .key = 6};
	layout_written(layouts, inode, reply);
	assert_false(layout_usable(layouts, inode)); /* no layout comes of a write */
	layout_granted(layouts, inode, 4096, &block, 1);
	layout_written(layouts, inode, reply);
	assert_true(layout_usable(layouts, inode));
	assert_int_equal(inode->size, 8192);
	assert_false(extents_find(&inode->extents, 0, &found));
	assert_true(extents_find(&inode->extents, 4096, &found));
	assert_int_equal(found.key, 6);
	reply->write.dropped = true;
	layout_written(layouts, inode, reply);
	assert_false(layout_usable(layouts, inode));
	layout_close(layouts, inode);
	discard(fs);
}

static void reply_to_an_allocation_ends_only_its_range(void **state)
{
	struct farnova *fs = make();
	struct layouts *layouts = &fs->layouts;
	struct inode *inode = open_inode(layouts, file);
	const struct proto_extent all = {.offset = 0, .length = 16384, .address = 0x4000, .key = 6};
	struct proto_extent found;

	layout_replaced(layouts, inode, 16384, 0, 4096);
	assert_false(layout_usable(layouts, inode)); /* no layout comes of a change */
	layout_granted(layouts, inode, 16384, &all, 1);
	layout_replaced(layouts, inode, 20480, 4096, 8192);
	assert_true(layout_usable(layouts, inode));
	assert_int_equal(inode->size, 20480);
	assert_true(extents_find(&inode->extents, 0, &found));
	assert_int_equal(found.length, 4096);
	assert_false(extents_find(&inode->extents, 4096, &found));
	assert_false(extents_find(&inode->extents, 12287, &found));
	assert_true(extents_find(&inode->extents, 12288, &found));
	assert_int_equal(found.address, 0x4000 + 12288);
	layout_close(layouts, inode);
	discard(fs);
}

static unsigned told;

static void on_done(struct connection *link, struct operations *operations)
{
	told++;
}

static void quiesced_waits_for_the_reads_of_all_channels(void **state)
{
	struct farnova *fs = make();
	struct layouts *layouts = &fs->layouts;
	struct connection links[2] = {{.lock = PTHREAD_MUTEX_INITIALIZER}, {.lock = PTHREAD_MUTEX_INITIALIZER}};
	struct reads_list channels[2];
	struct reads own = {0}, first = {0}, second = {0}, later = {0};
	struct inode *inode = open_inode(layouts, file);

	for (unsigned i = 0; i < 2; i++) {
		layout_reads_init(&channels[i], &links[i]);
		layout_add_channel(layouts, &channels[i]);
	}
	layout_granted(layouts, inode, 4096, &block, 1);
	layout_see(layouts, 3);
	layout_reads_begin(layouts, &channels[0], &first);
	layout_reads_begin(layouts, &channels[1], &second);
	layout_reads_begin(layouts, &layouts->reads, &own);
	assert_false(layout_channels_behind(layouts));
	layout_recall(layouts, &(struct proto_recall){.invalidation = 5, .handle = file});
	assert_false(layout_usable(layouts, inode));
	assert_true(layout_channels_behind(layouts));
	layout_reads_begin(layouts, &channels[0], &later);
	assert_int_equal(layout_quiesced(layouts), 3);
	layout_reads_end(&layouts->reads, &own);
	assert_int_equal(layout_quiesced(layouts), 3);
	layout_reads_end(&channels[0], &first);
	assert_true(layout_reads_recalled(layouts, &first));
	assert_int_equal(layout_quiesced(layouts), 3);
	layout_reads_end(&channels[1], &second);
	assert_true(layout_reads_recalled(layouts, &second));
	assert_int_equal(layout_quiesced(layouts), 5);
	assert_false(layout_channels_behind(layouts));
	layout_reads_end(&channels[0], &later);
	assert_false(layout_reads_recalled(layouts, &later));
	layout_close(layouts, inode);
	discard(fs);
}

static void lost_connection_ends_layouts_and_reads(void **state)
{
	struct farnova *fs = make();
	struct layouts *layouts = &fs->layouts;
	struct reads reads = {.operations = {.outstanding = 2, .on_done = on_done}};

	/* Enough inodes for the table to grow. */
	for (uint64_t ino = 1; ino <= 1000; ino++) {
		struct inode *inode = open_inode(layouts, (struct proto_handle){.ino = ino, .generation = 1});
		layout_granted(layouts, inode, 4096, &block, 1);
	}
	layout_reads_begin(layouts, &layouts->reads, &reads);
	layout_drop_all(layouts);
	assert_true(reads.lost);
	assert_int_equal(told, 1);
	assert_int_equal(reads.operations.outstanding, 0);
	layout_reads_end(&layouts->reads, &reads);
	assert_int_equal(layouts->pool.used, 0);
	for (uint64_t ino = 1; ino <= 1000; ino++) {
		struct inode *inode = open_inode(layouts, (struct proto_handle){.ino = ino, .generation = 1});
		assert_int_equal(inode->opens, 2);
		assert_false(layout_usable(layouts, inode));
		layout_close(layouts, inode);
		layout_close(layouts, inode);
	}
	assert_int_equal(layouts->inode_count, 0);
	discard(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quiesced_is_what_the_oldest_read_has_seen),
	    cmocka_unit_test(recall_ends_the_layout_and_its_extents),
	    cmocka_unit_test(own_change_under_way_keeps_reads_off_the_layout),
	    cmocka_unit_test(reply_to_a_write_replaces_what_it_names),
	    cmocka_unit_test(reply_to_an_allocation_ends_only_its_range),
	    cmocka_unit_test(quiesced_waits_for_the_reads_of_all_channels),
	    cmocka_unit_test(lost_connection_ends_layouts_and_reads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
