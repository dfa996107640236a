/*
 * posix_model_test.c -- the model says what the manual pages say.
 */
#include "tests/model/posix_model.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME(text) (text), sizeof(text) - 1

static struct posix_model *model;
static posix_ino root, dir, file;

static int start(void **state)
{
	model = posix_new(0755, 1);
	root = posix_root(model);
	assert_int_equal(posix_make(model, root, NAME("dir"), S_IFDIR | 0755, 0, 2, &dir), 0);
	assert_int_equal(posix_make(model, dir, NAME("file"), S_IFREG | 0644, 0, 3, &file), 0);
	return 0;
}

static int stop(void **state)
{
	posix_free(model);
	return 0;
}

static struct posix_attr attr_of(posix_ino ino)
{
	struct posix_attr attr;

	assert_int_equal(posix_getattr(model, ino, &attr), 0);
	return attr;
}

static void making_a_name_changes_the_directory_and_not_the_one_above(void **state)
{
	assert_int_equal(attr_of(dir).mtime_ns, 3);
	assert_int_equal(attr_of(dir).ctime_ns, 3);
	assert_int_equal(attr_of(root).mtime_ns, 2);
	assert_int_equal(attr_of(root).nlink, 3);
	assert_int_equal(attr_of(file).btime_ns, 3);
}

static void names_are_made_and_removed_only_where_posix_allows(void **state)
{
	posix_ino other;

	assert_int_equal(posix_make(model, dir, NAME("file"), S_IFREG, 0, 4, NULL), -EEXIST);
	assert_int_equal(posix_make(model, file, NAME("x"), S_IFREG, 0, 4, NULL), -ENOTDIR);
	assert_int_equal(posix_make(model, dir, NAME(".."), S_IFREG, 0, 4, NULL), -EINVAL);
	assert_int_equal(posix_unlink(model, root, NAME("dir"), 4), -EISDIR);
	assert_int_equal(posix_rmdir(model, dir, NAME("file"), 4), -ENOTDIR);
	assert_int_equal(posix_rmdir(model, root, NAME("dir"), 4), -ENOTEMPTY);
	assert_int_equal(posix_link(model, dir, root, NAME("d"), 4), -EPERM);
	assert_int_equal(posix_unlink(model, dir, NAME("file"), 4), 0);
	assert_int_equal(posix_lookup(model, dir, NAME("file"), &other), -ENOENT);
	assert_int_equal(posix_rmdir(model, root, NAME("dir"), 5), 0);
	assert_int_equal(posix_make(model, dir, NAME("x"), S_IFREG, 0, 6, NULL), -ESTALE);
	assert_int_equal(attr_of(root).nlink, 2);
}

static void a_set_group_id_directory_passes_on_its_group(void **state)
{
	struct posix_attr attr = {.mode = S_ISGID | 0755, .gid = 7};
	posix_ino sub, leaf;

	assert_int_equal(posix_setattr(model, dir, POSIX_SET_MODE | POSIX_SET_GID, &attr, 4), 0);
	assert_int_equal(posix_make(model, dir, NAME("sub"), S_IFDIR | 0700, 0, 5, &sub), 0);
	assert_int_equal(posix_make(model, dir, NAME("leaf"), S_IFREG | 0600, 0, 5, &leaf), 0);
	assert_int_equal(attr_of(sub).mode, S_IFDIR | S_ISGID | 0700);
	assert_int_equal(attr_of(sub).gid, 7);
	assert_int_equal(attr_of(leaf).mode, S_IFREG | 0600);
	assert_int_equal(attr_of(leaf).gid, 7);
}

static void a_file_lives_on_without_a_name_while_it_is_pinned(void **state)
{
	assert_int_equal(posix_open(model, file), 0);
	assert_int_equal(posix_unlink(model, dir, NAME("file"), 4), 0);
	assert_int_equal(attr_of(file).nlink, 0);
	assert_int_equal(posix_orphans(model), 1);
	assert_int_equal(posix_link(model, file, dir, NAME("again"), 5), -ENOENT);
	assert_int_equal(posix_write(model, file, 0, "x", 1, false, 6), 1);
	assert_int_equal(posix_close(model, file), 0);
	assert_int_equal(posix_close(model, file), -ESTALE);
	assert_int_equal(posix_orphans(model), 0);
}

static void a_file_made_without_a_name_can_get_one(void **state)
{
	posix_ino made, found;

	assert_int_equal(posix_tmpfile(model, dir, 0600, true, 4, &made), 0);
	assert_int_equal(attr_of(dir).mtime_ns, 3);
	assert_int_equal(posix_link(model, made, dir, NAME("named"), 5), 0);
	assert_int_equal(posix_close(model, made), 0);
	assert_int_equal(posix_lookup(model, dir, NAME("named"), &found), 0);
	assert_int_equal(found.n, made.n);
	assert_int_equal(attr_of(made).nlink, 1);
}

static void rename_replaces_and_exchanges(void **state)
{
	posix_ino other, found, sub;

	assert_int_equal(posix_make(model, root, NAME("other"), S_IFREG | 0644, 0, 4, &other), 0);
	assert_int_equal(posix_rename(model, dir, NAME("file"), root, NAME("other"), POSIX_NOREPLACE, 5), -EEXIST);
	assert_int_equal(posix_rename(model, dir, NAME("file"), root, NAME("none"), POSIX_EXCHANGE, 5), -ENOENT);
	assert_int_equal(posix_rename(model, dir, NAME("file"), root, NAME("other"), POSIX_EXCHANGE, 5), 0);
	assert_int_equal(posix_lookup(model, dir, NAME("file"), &found), 0);
	assert_int_equal(found.n, other.n);
	assert_int_equal(attr_of(other).ctime_ns, 5);
	assert_int_equal(posix_rename(model, dir, NAME("file"), root, NAME("other"), 0, 6), 0);
	assert_int_equal(posix_getattr(model, file, &(struct posix_attr){0}), -ESTALE);
	assert_int_equal(attr_of(root).mtime_ns, 6);
	assert_int_equal(attr_of(dir).mtime_ns, 6);
	assert_int_equal(posix_make(model, dir, NAME("sub"), S_IFDIR | 0755, 0, 7, &sub), 0);
	assert_int_equal(posix_rename(model, root, NAME("dir"), sub, NAME("in"), 0, 8), -EINVAL);
	assert_int_equal(posix_rename(model, dir, NAME("sub"), root, NAME("dir"), 0, 8), -ENOTEMPTY);
	assert_int_equal(posix_rename(model, root, NAME("dir"), root, NAME("other"), 0, 8), -ENOTDIR);
	assert_int_equal(posix_rename(model, root, NAME("other"), root, NAME("dir"), 0, 8), -EISDIR);
}

static void rename_of_one_of_two_links_over_the_other_does_nothing(void **state)
{
	assert_int_equal(posix_link(model, file, root, NAME("link"), 4), 0);
	assert_int_equal(posix_rename(model, dir, NAME("file"), root, NAME("link"), 0, 5), 0);
	assert_int_equal(attr_of(file).nlink, 2);
	assert_int_equal(attr_of(file).ctime_ns, 4);
}

static void a_directory_that_moves_knows_its_new_parent(void **state)
{
	posix_ino sub, up;

	assert_int_equal(posix_make(model, dir, NAME("sub"), S_IFDIR | 0755, 0, 4, &sub), 0);
	assert_int_equal(posix_rename(model, dir, NAME("sub"), root, NAME("sub"), 0, 5), 0);
	assert_int_equal(posix_lookup(model, sub, NAME(".."), &up), 0);
	assert_int_equal(up.n, root.n);
	assert_int_equal(attr_of(dir).nlink, 2);
	assert_int_equal(attr_of(root).nlink, 4);
}

static void truncation_drops_what_lies_beyond_for_ever(void **state)
{
	struct posix_attr attr = {.size = 5000};
	uint8_t bytes[9000], back[9000];

	memset(bytes, 'a', sizeof(bytes));
	assert_int_equal(posix_write(model, file, 0, bytes, sizeof(bytes), false, 4), sizeof(bytes));
	assert_int_equal(attr_of(file).blocks, 3);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_SIZE, &attr, 5), 0);
	assert_int_equal(attr_of(file).blocks, 2);
	attr.size = 9000;
	assert_int_equal(posix_setattr(model, file, POSIX_SET_SIZE, &attr, 6), 0);
	memset(bytes + 5000, 0, 4000);
	assert_int_equal(posix_read(model, file, 0, back, sizeof(back)), 9000);
	assert_memory_equal(back, bytes, 9000);
	assert_int_equal(attr_of(file).blocks, 2);
}

static void appends_go_to_the_end_and_holes_read_as_zeros(void **state)
{
	char back[20010];

	assert_int_equal(posix_write(model, file, 20000, "abc", 3, false, 4), 3);
	assert_int_equal(posix_write(model, file, 0, "def", 3, true, 5), 3);
	assert_int_equal(posix_read(model, file, 0, back, sizeof(back)), 20006);
	assert_memory_equal(back + 20000, "abcdef", 6);
	assert_int_equal(back[19999], 0);
	assert_int_equal(posix_seek(model, file, 0, SEEK_DATA), 4 * 4096);
	assert_int_equal(posix_seek(model, file, 0, SEEK_HOLE), 0);
	assert_int_equal(posix_seek(model, file, 17000, SEEK_HOLE), 20006);
	assert_int_equal(posix_seek(model, file, 20006, SEEK_DATA), -ENXIO);
}

static void fallocate_allocates_punches_collapses_and_inserts(void **state)
{
	uint8_t bytes[4 * 4096], back[4 * 4096];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)('a' + i / 4096);
	assert_int_equal(posix_fallocate_range(model, file, FALLOC_FL_KEEP_SIZE, 0, 5 * 4096, 4), 0);
	assert_int_equal(attr_of(file).size, 0);
	assert_int_equal(attr_of(file).blocks, 5);
	assert_int_equal(posix_write(model, file, 0, bytes, sizeof(bytes), false, 5), sizeof(bytes));
	assert_int_equal(posix_fallocate_range(model, file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 4096, 6),
	                 0);
	assert_int_equal(attr_of(file).blocks, 5);
	assert_int_equal(posix_read(model, file, 0, back, sizeof(back)), sizeof(back));
	assert_int_equal(back[99], 'a');
	assert_int_equal(back[100], 0);
	assert_int_equal(back[4195], 0);
	assert_int_equal(back[4196], 'b');
	assert_int_equal(posix_fallocate_range(model, file, FALLOC_FL_COLLAPSE_RANGE, 4096, 4096, 7), 0);
	assert_int_equal(attr_of(file).size, 3 * 4096);
	assert_int_equal(posix_read(model, file, 4096, back, 1), 1);
	assert_int_equal(back[0], 'c');
	assert_int_equal(posix_fallocate_range(model, file, FALLOC_FL_INSERT_RANGE, 0, 8192, 8), 0);
	assert_int_equal(posix_seek(model, file, 0, SEEK_DATA), 8192);
	assert_int_equal(posix_fallocate_range(model, file, FALLOC_FL_COLLAPSE_RANGE, 0, 5 * 4096, 9), -EINVAL);
	assert_int_equal(posix_fallocate_range(model, file, FALLOC_FL_COLLAPSE_RANGE, 1, 4096, 9), -EINVAL);
}

static void extended_attributes_are_set_replaced_listed_and_removed(void **state)
{
	char list[64], value[8];

	assert_int_equal(posix_setxattr(model, file, "user.b", "1", 1, XATTR_REPLACE, 4), -ENODATA);
	assert_int_equal(posix_setxattr(model, file, "user.b", "1", 1, XATTR_CREATE, 4), 0);
	assert_int_equal(posix_setxattr(model, file, "user.b", "2", 1, XATTR_CREATE, 5), -EEXIST);
	assert_int_equal(posix_setxattr(model, file, "user.a", "long", 4, 0, 6), 0);
	assert_int_equal(posix_listxattr(model, file, list, sizeof(list)), 14);
	assert_memory_equal(list, "user.a\0user.b", 14);
	assert_int_equal(posix_getxattr(model, file, "user.a", value, 2), -ERANGE);
	assert_int_equal(posix_getxattr(model, file, "user.a", value, sizeof(value)), 4);
	assert_int_equal(posix_removexattr(model, file, "user.a", 7), 0);
	assert_int_equal(posix_removexattr(model, file, "user.a", 8), -ENODATA);
	assert_int_equal(attr_of(file).ctime_ns, 7);
}

static void a_copy_goes_its_own_way_and_an_untouched_one_lists_the_same(void **state)
{
	struct listing before = {0}, after = {0}, copied = {0};
	struct posix_model *copy;

	assert_int_equal(posix_write(model, file, 10, "abc", 3, false, 4), 3);
	assert_int_equal(posix_setxattr(model, file, "user.b", "1", 1, 0, 4), 0);
	copy = posix_copy(model);
	posix_list(model, &before);
	assert_int_equal(posix_write(model, file, 10, "abd", 3, false, 4), 3);
	posix_list(model, &after);
	posix_list(copy, &copied);
	assert_true(listing_equal(&before, &copied));
	assert_false(listing_equal(&before, &after));
	posix_free(copy);
	listing_free(&before);
	listing_free(&after);
	listing_free(&copied);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(making_a_name_changes_the_directory_and_not_the_one_above, start, stop),
	    cmocka_unit_test_setup_teardown(names_are_made_and_removed_only_where_posix_allows, start, stop),
	    cmocka_unit_test_setup_teardown(a_set_group_id_directory_passes_on_its_group, start, stop),
	    cmocka_unit_test_setup_teardown(a_file_lives_on_without_a_name_while_it_is_pinned, start, stop),
	    cmocka_unit_test_setup_teardown(a_file_made_without_a_name_can_get_one, start, stop),
	    cmocka_unit_test_setup_teardown(rename_replaces_and_exchanges, start, stop),
	    cmocka_unit_test_setup_teardown(rename_of_one_of_two_links_over_the_other_does_nothing, start, stop),
	    cmocka_unit_test_setup_teardown(a_directory_that_moves_knows_its_new_parent, start, stop),
	    cmocka_unit_test_setup_teardown(truncation_drops_what_lies_beyond_for_ever, start, stop),
	    cmocka_unit_test_setup_teardown(appends_go_to_the_end_and_holes_read_as_zeros, start, stop),
	    cmocka_unit_test_setup_teardown(fallocate_allocates_punches_collapses_and_inserts, start, stop),
	    cmocka_unit_test_setup_teardown(extended_attributes_are_set_replaced_listed_and_removed, start, stop),
	    cmocka_unit_test_setup_teardown(a_copy_goes_its_own_way_and_an_untouched_one_lists_the_same, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
