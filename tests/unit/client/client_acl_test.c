/*
 * client_acl_test.c -- ACLs between text and attribute: nothing is lost, and what is malformed is refused.
 */
#include "client/cli/acl_text.h"

#include <errno.h>
#include <linux/posix_acl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define NO_ID UINT32_MAX

static struct acl acl, back;
static uint8_t value[ACL_VALUE_MAX];
static char why[600];

static void entries_are_kept_in_the_order_of_the_attribute(void **state)
{
	(void)state;
	acl_of_mode(0754, &acl);
	assert_int_equal(acl_put(&acl, ACL_MASK, NO_ID, 7), 0);
	assert_int_equal(acl_put(&acl, ACL_GROUP, 9, 1), 0);
	assert_int_equal(acl_put(&acl, ACL_USER, 9, 2), 0);
	assert_int_equal(acl_put(&acl, ACL_USER, 3, 6), 0);
	assert_int_equal(acl_put(&acl, ACL_USER, 9, 4), 0);
	static const uint16_t tags[] = {ACL_USER_OBJ, ACL_USER, ACL_USER, ACL_GROUP_OBJ,
	                                ACL_GROUP,    ACL_MASK, ACL_OTHER};
	assert_int_equal(acl.count, 7);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(acl.entries[i].tag, tags[i]);
	assert_int_equal(acl.entries[1].id, 3);
	assert_int_equal(acl_find(&acl, ACL_USER, 9)->permissions, 4);
	assert_int_equal(acl_union(&acl), 6 | 4 | 5 | 1);
	size_t length = acl_encode(&acl, value);
	assert_int_equal(length, 4 + 7 * 8);
	assert_int_equal(acl_decode(value, length, &back), 0);
	assert_int_equal(back.count, acl.count);
	assert_memory_equal(back.entries, acl.entries, acl.count * sizeof(acl.entries[0]));
	acl_drop(&acl, ACL_USER, 3);
	acl_drop(&acl, ACL_USER, 3);
	assert_int_equal(acl.count, 6);
	assert_true(acl_names_any(&acl));
}

static void a_full_list_takes_no_more(void **state)
{
	(void)state;
	acl.count = 0;
	for (uint32_t i = 0; i < ACL_ENTRIES_MAX; i++)
		assert_int_equal(acl_put(&acl, ACL_USER, ACL_ENTRIES_MAX - i, 7), 0);
	assert_int_equal(acl_put(&acl, ACL_OTHER, NO_ID, 7), -E2BIG);
	size_t length = acl_encode(&acl, value);
	assert_true(length <= sizeof(value));
	assert_int_equal(acl_decode(value, length, &back), 0);
	assert_int_equal(back.count, ACL_ENTRIES_MAX);
}

static void values_that_are_none_are_refused(void **state)
{
	(void)state;
	acl_of_mode(0644, &acl);
	size_t length = acl_encode(&acl, value);
	assert_int_equal(acl_decode(value, length, &back), 0);
	for (size_t n = 0; n < length; n++)
		assert_int_equal(acl_decode(value, n, &back), (n & 7) == 4 ? 0 : -EINVAL);
	for (size_t at = 0; at < 8; at++) { /* version, a tag and permissions */
		value[at] ^= 0x80;
		assert_int_equal(acl_decode(value, length, &back), -EINVAL);
		value[at] ^= 0x80;
	}
}

static void text_is_taken_apart(void **state)
{
	struct acl_changes changes;

	(void)state;
	assert_int_equal(acl_read_text("# file: x\nuser::rw-\t#effective:r--\n u:17:7 ,d:g:\\061\\062:X, other:r\n"
	                               "default:mask::-",
	                               true, false, &changes, why, sizeof(why)),
	                 0);
	assert_int_equal(changes.count, 5);
	assert_int_equal(changes.changes[0].entry.tag, ACL_USER_OBJ);
	assert_int_equal(changes.changes[0].entry.permissions, 6);
	assert_int_equal(changes.changes[1].entry.tag, ACL_USER);
	assert_int_equal(changes.changes[1].entry.id, 17);
	assert_int_equal(changes.changes[1].entry.permissions, 7);
	assert_int_equal(changes.changes[2].entry.tag, ACL_GROUP);
	assert_int_equal(changes.changes[2].entry.id, 12);
	assert_true(changes.changes[2].execute_too && changes.changes[2].of_default);
	assert_int_equal(changes.changes[3].entry.tag, ACL_OTHER);
	assert_int_equal(changes.changes[3].entry.permissions, 4);
	assert_false(changes.changes[3].of_default);
	assert_int_equal(changes.changes[4].entry.tag, ACL_MASK);
	assert_true(changes.changes[4].of_default);
	acl_changes_free(&changes);
	assert_int_equal(acl_read_text("user:1,m,d:g:,o::", false, true, &changes, why, sizeof(why)), 0);
	assert_int_equal(changes.count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_true(changes.changes[i].of_default);
	acl_changes_free(&changes);
}

static void text_that_says_nothing_is_refused(void **state)
{
	static const char *const texts[] = {"",        ",",     "# only",  "u:1",       "u",     "rwx",       "u::rwz",
	                                    "u::8",    "u::77", "u:-1:r",  "u:1:r:w:x", "d:",    "d:d:u:1:r", "m:1:r",
	                                    "default", ":::",   "u:1: :r", "g:1:",      "x:1:r", "u:1x2:r"};
	struct acl_changes changes;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		why[0] = 0;
		assert_int_equal(acl_read_text(texts[i], true, false, &changes, why, sizeof(why)), -EINVAL);
		assert_true(why[0]);
		assert_null(changes.changes);
	}
}

static void what_is_printed_is_read_again(void **state)
{
	struct acl_changes changes;
	const struct acl_style style = {.prefix = "default:"};
	char text[4096];

	(void)state;
	acl_of_mode(0640, &acl);
	acl_put(&acl, ACL_USER, 0, 7);
	acl_put(&acl, ACL_USER, 4000000000u, 7);
	acl_put(&acl, ACL_GROUP, 1, 5);
	acl_put(&acl, ACL_MASK, NO_ID, 4);
	FILE *file = fmemopen(text, sizeof(text), "w");
	acl_print(file, &acl, &style);
	fclose(file);
	assert_non_null(strstr(text, "default:user:4000000000:rwx\t#effective:r--\n"));
	assert_int_equal(acl_read_text(text, true, false, &changes, why, sizeof(why)), 0);
	assert_int_equal(changes.count, acl.count);
	for (size_t i = 0; i < acl.count; i++) {
		assert_memory_equal(&changes.changes[i].entry, &acl.entries[i], sizeof(acl.entries[i]));
		assert_true(changes.changes[i].of_default);
	}
	acl_changes_free(&changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(entries_are_kept_in_the_order_of_the_attribute),
	    cmocka_unit_test(a_full_list_takes_no_more),
	    cmocka_unit_test(values_that_are_none_are_refused),
	    cmocka_unit_test(text_is_taken_apart),
	    cmocka_unit_test(text_that_says_nothing_is_refused),
	    cmocka_unit_test(what_is_printed_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
