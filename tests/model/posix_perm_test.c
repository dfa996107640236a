/*
 * posix_perm_test.c -- the model knows who may do what, as the manual pages say: acl(5), inode(7), chown(2), chattr(1),
 * capabilities(7), utimensat(2).
 */
#include "tests/model/posix_model.h"

#include <errno.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME(text) (text), sizeof(text) - 1
#define ACCESS     "system.posix_acl_access"
#define DEFAULT    "system.posix_acl_default"

static struct posix_model *model;
static posix_ino root, dir, file;

static const struct posix_caller owner = {.uid = 1, .gid = 1}, other = {.uid = 2, .gid = 2},
                                 member = {.uid = 3, .gid = 3, .groups = {9}, .group_count = 1};

/* /dir 0777 and /dir/file, both of 1:9. */
static int start(void **state)
{
	const struct posix_attr attr = {.uid = 1, .gid = 9};

	model = posix_new(0755, 1);
	root = posix_root(model);
	assert_int_equal(posix_make(model, root, NAME("dir"), S_IFDIR | 0777, 0, 2, &dir), 0);
	assert_int_equal(posix_make(model, dir, NAME("file"), S_IFREG | 0644, 0, 3, &file), 0);
	assert_int_equal(posix_setattr(model, dir, POSIX_SET_UID | POSIX_SET_GID, &attr, 4), 0);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_UID | POSIX_SET_GID, &attr, 4), 0);
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

static void chmod_as(const struct posix_caller *caller, posix_ino ino, uint32_t mode)
{
	posix_act_for(model, caller);
	assert_int_equal(posix_setattr(model, ino, POSIX_SET_MODE, &(struct posix_attr){.mode = mode}, 5), 0);
}

static int access_as(const struct posix_caller *caller, posix_ino ino, int mask)
{
	posix_act_for(model, caller);
	return posix_access(model, ino, mask);
}

/* ---- ACLs ------------------------------------------------------------------------------------------------------- */

struct list {
	uint8_t bytes[4 + 8 * 8];
	size_t length;
};

#define U_ 0x01
#define U  0x02
#define G_ 0x04
#define G  0x08
#define M  0x10
#define O  0x20

/* Triples of tag, permissions and id, ended by a 0. */
static struct list list_of(const unsigned *entries)
{
	struct list list = {.bytes = {2}, .length = 4};

	for (; entries[0]; entries += 3) {
		uint8_t *raw = list.bytes + list.length;
		bool named = entries[0] == U || entries[0] == G;

		raw[0] = (uint8_t)entries[0];
		raw[2] = (uint8_t)entries[1];
		memset(raw + 4, named ? 0 : 0xff, 4);
		if (named)
			raw[4] = (uint8_t)entries[2];
		list.length += 8;
	}
	return list;
}

#define LIST(...) list_of((const unsigned[]){__VA_ARGS__, 0})

static int set_acl(posix_ino ino, const char *name, struct list list)
{
	posix_act_for(model, NULL);
	return posix_setxattr(model, ino, name, list.bytes, list.length, 0, 6);
}

static void assert_acl(posix_ino ino, const char *name, struct list list)
{
	uint8_t value[100];

	assert_int_equal(posix_getxattr(model, ino, name, value, sizeof(value)), list.length);
	assert_memory_equal(value, list.bytes, list.length);
}

static void a_list_must_have_the_entries_that_acl_5_asks_for(void **state)
{
	assert_int_equal(set_acl(file, ACCESS, LIST(U_, 6, 0, G_, 4, 0)), -EINVAL);
	assert_int_equal(set_acl(file, ACCESS, LIST(U_, 6, 0, U, 4, 2, G_, 4, 0, O, 0, 0)), -EINVAL);
	assert_int_equal(set_acl(file, ACCESS, LIST(U_, 6, 0, G_, 4, 0, U, 4, 2, M, 7, 0, O, 0, 0)), -EINVAL);
	assert_int_equal(set_acl(file, ACCESS, LIST(U_, 6, 0, U_, 6, 0, G_, 4, 0, O, 0, 0)), -EINVAL);
	assert_int_equal(set_acl(file, ACCESS, LIST(U_, 8, 0, G_, 4, 0, O, 0, 0)), -EINVAL);
	assert_int_equal(set_acl(file, ACCESS, LIST(U_, 6, 0, G_, 4, 0, O, 0, 0)), 0);
	assert_int_equal(set_acl(file, ACCESS, LIST(U_, 6, 0, G_, 4, 0, M, 4, 0, O, 0, 0)), 0);
	assert_int_equal(set_acl(file, DEFAULT, LIST(U_, 6, 0, G_, 4, 0, O, 0, 0)), -EACCES);
}

static void a_list_and_the_mode_say_the_same(void **state)
{
	assert_int_equal(set_acl(file, ACCESS, LIST(U_, 6, 0, U, 7, 2, G_, 5, 0, M, 3, 0, O, 1, 0)), 0);
	assert_int_equal(attr_of(file).mode & 0777, 0631);
	chmod_as(NULL, file, 0754);
	assert_acl(file, ACCESS, LIST(U_, 7, 0, U, 7, 2, G_, 5, 0, M, 5, 0, O, 4, 0));
	/* One that says no more than the mode is none. */
	assert_int_equal(set_acl(file, ACCESS, LIST(U_, 6, 0, G_, 4, 0, O, 0, 0)), 0);
	assert_int_equal(posix_getxattr(model, file, ACCESS, NULL, 0), -ENODATA);
	assert_int_equal(attr_of(file).mode & 0777, 0640);
}

static void access_is_as_the_first_matching_class_of_the_list_says(void **state)
{
	assert_int_equal(set_acl(file, ACCESS, LIST(U_, 4, 0, U, 7, 2, G_, 1, 0, G, 4, 3, M, 6, 0, O, 7, 0)), 0);
	assert_int_equal(access_as(&owner, file, R_OK), 0);
	assert_int_equal(access_as(&owner, file, W_OK), -EACCES);
	assert_int_equal(access_as(&other, file, R_OK | W_OK), 0);
	assert_int_equal(access_as(&other, file, X_OK), -EACCES); /* the mask */
	assert_int_equal(access_as(&member, file, R_OK), 0);      /* by one of the groups */
	assert_int_equal(access_as(&member, file, X_OK), -EACCES);
	assert_int_equal(access_as(&member, file, W_OK), -EACCES); /* and not as others */
	assert_int_equal(access_as(&(struct posix_caller){.uid = 7, .gid = 7}, file, R_OK | W_OK | X_OK), 0);
}

static void a_default_list_is_inherited_within_the_mode_and_beside_the_umask(void **state)
{
	const struct posix_caller caller = {.uid = 1, .gid = 1, .umask = 077};
	struct list list = LIST(U_, 7, 0, U, 7, 2, G_, 5, 0, M, 7, 0, O, 5, 0);
	posix_ino made;

	assert_int_equal(set_acl(dir, DEFAULT, list), 0);
	posix_act_for(model, &caller);
	assert_int_equal(posix_make(model, dir, NAME("new"), S_IFREG | 0640, 0, 7, &made), 0);
	assert_int_equal(attr_of(made).mode & 0777, 0640);
	assert_acl(made, ACCESS, LIST(U_, 6, 0, U, 7, 2, G_, 5, 0, M, 4, 0, O, 0, 0));
	assert_int_equal(posix_getxattr(model, made, DEFAULT, NULL, 0), -ENODATA);
	assert_int_equal(posix_make(model, dir, NAME("sub"), S_IFDIR | 0770, 0, 7, &made), 0);
	assert_acl(made, DEFAULT, list);
	assert_int_equal(set_acl(dir, DEFAULT, LIST(U_, 7, 0, G_, 5, 0, O, 4, 0)), 0);
	posix_act_for(model, &caller);
	assert_int_equal(posix_make(model, dir, NAME("plain"), S_IFREG | 0666, 0, 8, &made), 0);
	assert_int_equal(attr_of(made).mode & 0777, 0644);
	assert_int_equal(posix_getxattr(model, made, ACCESS, NULL, 0), -ENODATA);
	posix_act_for(model, NULL);
	assert_int_equal(posix_removexattr(model, dir, DEFAULT, 9), 0);
	posix_act_for(model, &caller);
	assert_int_equal(posix_make(model, dir, NAME("masked"), S_IFREG | 0666, 0, 10, &made), 0);
	assert_int_equal(attr_of(made).mode & 0777, 0600);
}

/* ---- privileges ------------------------------------------------------------------------------------------------- */

static void give_privileges(posix_ino ino, uint32_t mode)
{
	chmod_as(NULL, ino, mode);
	assert_int_equal(posix_setxattr(model, ino, "security.capability", "caps", 4, 0, 5), 0);
}

static void a_write_takes_privileges_away(void **state)
{
	give_privileges(file, 06777);
	assert_int_equal(posix_write(model, file, 0, "x", 1, false, 6), 1);
	assert_int_equal(attr_of(file).mode & 07777, 06777); /* CAP_FSETID */
	assert_int_equal(posix_getxattr(model, file, "security.capability", NULL, 0), -ENODATA);
	posix_act_for(model, &other);
	assert_int_equal(posix_write(model, file, 0, "x", 0, false, 6), 0);
	assert_int_equal(attr_of(file).mode & 07777, 06777);
	assert_int_equal(posix_write(model, file, 0, "x", 1, false, 6), 1);
	assert_int_equal(attr_of(file).mode & 07777, 0777);
	give_privileges(file, 06767); /* the group does not execute: its members keep the bit */
	posix_act_for(model, &member);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_SIZE, &(struct posix_attr){.size = 9}, 7), 0);
	assert_int_equal(attr_of(file).mode & 07777, 02767);
	posix_act_for(model, &other);
	assert_int_equal(posix_write(model, file, 0, "x", 1, false, 6), 1);
	assert_int_equal(attr_of(file).mode & 07777, 0767);
}

static void whoever_may_write_takes_privileges_away_beforehand(void **state)
{
	give_privileges(file, 06777);
	posix_act_for(model, &other);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_MODE, &(struct posix_attr){.mode = 06776}, 7), -EPERM);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_MODE, &(struct posix_attr){.mode = 0777}, 7), 0);
	assert_int_equal(attr_of(file).mode & 07777, 0777);
	assert_int_equal(posix_removexattr(model, file, "security.capability", 8), 0);
	give_privileges(file, 06755);
	posix_act_for(model, &other);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_MODE, &(struct posix_attr){.mode = 0755}, 7), -EPERM);
	assert_int_equal(posix_removexattr(model, file, "security.capability", 8), -EPERM);
}

static void a_new_owner_takes_privileges_away_whoever_gives_it(void **state)
{
	give_privileges(file, 06755);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_UID, &(struct posix_attr){.uid = 5}, 7), 0);
	assert_int_equal(attr_of(file).mode & 07777, 0755);
	assert_int_equal(posix_getxattr(model, file, "security.capability", NULL, 0), -ENODATA);
	give_privileges(dir, 06755);
	assert_int_equal(posix_setattr(model, dir, POSIX_SET_UID, &(struct posix_attr){.uid = 5}, 7), 0);
	assert_int_equal(attr_of(dir).mode & 07777, 06755);
}

static void owners_change_what_is_theirs(void **state)
{
	const unsigned both = POSIX_SET_ATIME_NOW | POSIX_SET_MTIME_NOW;
	struct posix_attr attr = {.uid = 2, .gid = 2, .mode = 02777};

	chmod_as(&owner, file, 0666);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_UID, &attr, 7), -EPERM);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_GID, &attr, 7), -EPERM);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_GID, &(struct posix_attr){.gid = 1}, 7), 0);
	posix_act_for(model, &other);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_MODE, &attr, 7), -EPERM);
	assert_int_equal(posix_setattr(model, file, both, &attr, 7), 0);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_MTIME_NOW, &attr, 7), -EPERM);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_MTIME_NOW | POSIX_SET_SIZE, &attr, 7), 0);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_PROJECT, &attr, 7), -EPERM);
	chmod_as(&(struct posix_caller){.uid = 1, .gid = 7}, file, 02777); /* in no group of the file's */
	assert_int_equal(attr_of(file).mode & 07777, 0777);
}

static void a_sticky_directory_protects_names_of_others(void **state)
{
	posix_ino made;

	chmod_as(NULL, dir, 01777);
	posix_act_for(model, &member);
	assert_int_equal(posix_make(model, dir, NAME("mine"), S_IFREG | 0666, 0, 7, &made), 0);
	posix_act_for(model, &other);
	assert_int_equal(posix_unlink(model, dir, NAME("mine"), 8), -EPERM);
	assert_int_equal(posix_rename(model, dir, NAME("mine"), dir, NAME("theirs"), 0, 8), -EPERM);
	posix_act_for(model, &owner);
	assert_int_equal(posix_unlink(model, dir, NAME("mine"), 8), 0);
}

/* ---- flags ------------------------------------------------------------------------------------------------------ */

static void set_flags(posix_ino ino, uint32_t flags)
{
	posix_act_for(model, NULL);
	assert_int_equal(posix_setattr(model, ino, POSIX_SET_FLAGS, &(struct posix_attr){.flags = flags}, 7), 0);
}

static void what_is_immutable_stays_as_it_is(void **state)
{
	posix_ino made;

	set_flags(file, POSIX_IMMUTABLE);
	assert_int_equal(posix_write(model, file, 0, "x", 1, true, 8), -EPERM);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_MODE, &(struct posix_attr){.mode = 0}, 8), -EPERM);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_MTIME_NOW, &(struct posix_attr){0}, 8), -EPERM);
	assert_int_equal(posix_link(model, file, dir, NAME("link"), 8), -EPERM);
	assert_int_equal(posix_unlink(model, dir, NAME("file"), 8), -EPERM);
	assert_int_equal(posix_rename(model, dir, NAME("file"), root, NAME("file"), 0, 8), -EPERM);
	assert_int_equal(posix_setxattr(model, file, "user.a", "1", 1, 0, 8), -EPERM);
	set_flags(dir, POSIX_IMMUTABLE);
	assert_int_equal(posix_make(model, dir, NAME("new"), S_IFREG, 0, 8, &made), -EPERM);
	set_flags(dir, 0);
	set_flags(file, 0);
	posix_act_for(model, &owner);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_FLAGS, &(struct posix_attr){.flags = 1}, 8), -EPERM);
	assert_int_equal(posix_unlink(model, dir, NAME("file"), 8), 0);
}

static void what_is_append_only_grows_and_loses_nothing(void **state)
{
	posix_ino made;

	set_flags(file, POSIX_APPEND_ONLY);
	assert_int_equal(posix_write(model, file, 0, "x", 1, true, 8), 1);
	assert_int_equal(posix_write(model, file, 0, "x", 1, false, 8), -EPERM);
	assert_int_equal(posix_setattr(model, file, POSIX_SET_SIZE, &(struct posix_attr){0}, 8), -EPERM);
	assert_int_equal(posix_fallocate_range(model, file, FALLOC_FL_KEEP_SIZE, 0, 9000, 8), 0);
	assert_int_equal(posix_fallocate_range(model, file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 9000, 8),
	                 -EPERM);
	set_flags(file, 0);
	set_flags(dir, POSIX_APPEND_ONLY);
	assert_int_equal(posix_make(model, dir, NAME("new"), S_IFREG, 0, 8, &made), 0);
	assert_int_equal(posix_unlink(model, dir, NAME("file"), 8), -EPERM);
}

static void an_access_time_is_due_as_relatime_says(void **state)
{
	const int64_t day = 86400000000000;
	struct posix_attr attr = {.atime_ns = 200, .mtime_ns = 100};

	assert_int_equal(posix_setattr(model, file, POSIX_SET_ATIME | POSIX_SET_MTIME, &attr, 150), 0);
	assert_int_equal(posix_accessed(model, file, true, 300), 0);
	assert_int_equal(attr_of(file).atime_ns, 200);
	assert_int_equal(posix_accessed(model, file, true, 200 + day), 0);
	assert_int_equal(attr_of(file).atime_ns, 200 + day);
	attr.mtime_ns = 200 + day;
	assert_int_equal(posix_setattr(model, file, POSIX_SET_MTIME, &attr, 160), 0);
	assert_int_equal(posix_accessed(model, file, true, 201 + day), 0);
	assert_int_equal(attr_of(file).atime_ns, 201 + day);
	assert_int_equal(posix_accessed(model, file, false, 5), 0);
	assert_int_equal(attr_of(file).atime_ns, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_list_must_have_the_entries_that_acl_5_asks_for),
	    TEST(a_list_and_the_mode_say_the_same),
	    TEST(access_is_as_the_first_matching_class_of_the_list_says),
	    TEST(a_default_list_is_inherited_within_the_mode_and_beside_the_umask),
	    TEST(a_write_takes_privileges_away),
	    TEST(whoever_may_write_takes_privileges_away_beforehand),
	    TEST(a_new_owner_takes_privileges_away_whoever_gives_it),
	    TEST(owners_change_what_is_theirs),
	    TEST(a_sticky_directory_protects_names_of_others),
	    TEST(what_is_immutable_stays_as_it_is),
	    TEST(what_is_append_only_grows_and_loses_nothing),
	    TEST(an_access_time_is_due_as_relatime_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
