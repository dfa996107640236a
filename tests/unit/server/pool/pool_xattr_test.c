/*
 * pool_xattr_test.c -- what is wrong with extended attributes and flags is found by fsck, refused when the file is used
 * if it would mislead, and repaired.
 */
#include "common/crc.h"
#include "common/log.h"
#include "server/nova/nova.h"
#include "server/pool/check/check.h"
#include "server/pool/image/image.h"
#include "server/pool/repair/repair.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define SIZE (10u << 20)
#define N(s) (s), strlen(s)

static _Alignas(4096) uint8_t whole[SIZE]; /* made once */
static _Alignas(4096) uint8_t pool[SIZE];  /* damaged anew by each test */
static struct nova_handle file;
static struct image image;

/* u::rw- u:7:rw- g::r-- m::rw- o::--- */
static const uint8_t acl[] = {
    2, 0, 0,    0,    0x01, 0,    6,    0, 0xff, 0xff, 0xff, 0xff, 0x02, 0,    6,    0, 7, 0, 0,    0,    0x04, 0,
    4, 0, 0xff, 0xff, 0xff, 0xff, 0x10, 0, 6,    0,    0xff, 0xff, 0xff, 0xff, 0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
};

static int make_pool(void **state)
{
	static uint8_t value[20000];
	struct nova_call call = {0};
	struct nova_attr attr;
	struct nova *fs;
	struct pm pm;

	log_set_level(LOG_LEVEL_ERROR + 1);
	pm_wrap(&pm, whole, SIZE);
	assert_int_equal(nova_format(&pm, NULL), 0);
	assert_int_equal(nova_mount(&pm, NULL, &fs, NULL, 0), 0);
	assert_int_equal(nova_worker_open(fs, &call.worker), 0);
	assert_int_equal(nova_create(&call, nova_root(fs), N("file"), S_IFREG | 0644, 0, &attr), 0);
	file = attr.handle;
	memset(value, 'v', sizeof(value));
	assert_int_equal(nova_setxattr(&call, file, N("user.small"), "kept", 4, 0, NULL), 0);
	assert_int_equal(nova_setxattr(&call, file, N("user.gone"), "gone", 4, 0, NULL), 0);
	assert_int_equal(nova_setxattr(&call, file, N("user.large"), value, sizeof(value), 0, NULL), 0);
	assert_int_equal(nova_setxattr(&call, file, N("system.posix_acl_access"), acl, sizeof(acl), 0, NULL), 0);
	assert_int_equal(nova_removexattr(&call, file, N("user.gone"), NULL), 0);
	assert_int_equal(nova_setattr(&call, file, NOVA_SET_FLAGS, &(struct nova_attr){.flags = 3}, NULL), 0);
	nova_worker_close(call.worker);
	nova_unmount(fs);
	return 0;
}

static int renew(void **state)
{
	memcpy(pool, whole, SIZE);
	return 0;
}

/* ---- damage with valid checksums -------------------------------------------------------------------------------- */

static struct nova_entry *find_entry(unsigned type, unsigned n, struct image_inode *inode, uint64_t *position)
{
	struct image_log log;
	enum image_step step;
	const char *why;

	assert_int_equal(image_open(&image, pool, SIZE, &why), 0);
	assert_int_equal(image_inode(&image, file.ino.n, inode), 0);
	image_log_begin(&log, &image, inode);
	while ((step = image_log_next(&log)) != IMAGE_END) {
		assert_int_not_equal(step, IMAGE_BAD);
		if (step != IMAGE_ENTRY || log.entry->type != type || n-- > 0)
			continue;
		*position = log.entry_position;
		return (struct nova_entry *)(void *)log.entry;
	}
	fail_msg("no such entry");
	return NULL;
}

static void forge(unsigned type, unsigned n, size_t offset, const void *bytes, size_t length)
{
	struct image_inode inode;
	uint64_t position;
	struct nova_entry *entry = find_entry(type, n, &inode, &position);
	le32 generation = le32_of(inode.generation);
	uint32_t crc = crc32c_u64(0xffffffff, inode.ino);

	/* An attribute goes on in the entry's next lines. */
	memcpy((uint8_t *)entry + offsetof(struct nova_entry, payload) + offset, bytes, length);
	crc = crc32c(crc, &generation, sizeof(generation));
	crc = crc32c_u64(crc, position);
	entry->crc = le32_of(crc32c(crc, &entry->type, (size_t)entry->lines * 64 - 4));
}

enum { SMALL, GONE, LARGE, ACL, REMOVAL }; /* the XATTR entries, in order */

#define FIELD(field) offsetof(struct nova_xattr_entry, field)

/* ---- what is said of it ----------------------------------------------------------------------------------------- */

static void note(struct check_report *report, const struct check_finding *finding)
{
	char *said = report->context;
	size_t used = strlen(said);

	snprintf(said + used, 4096 - used, "%s: %s\n", finding->part, finding->text);
}

/* Whether the file can be used; if so what nothing is wrong with is there. */
static bool is_usable(void)
{
	struct nova_call call = {0};
	char why[256] = "";
	struct nova *fs;
	struct pm pm;
	ssize_t length;

	pm_wrap(&pm, pool, SIZE);
	assert_int_equal(nova_mount(&pm, NULL, &fs, why, sizeof(why)), 0);
	assert_int_equal(nova_worker_open(fs, &call.worker), 0);
	length = nova_getxattr(&call, file, N("user.small"), NULL, 0, NULL);
	if (length != -EIO) {
		assert_int_equal(length, 4);
		assert_int_equal(nova_getxattr(&call, file, N("user.gone"), NULL, 0, NULL), -ENODATA);
	}
	nova_worker_close(call.worker);
	nova_unmount(fs);
	return length == 4;
}

/* fsck says `words`; the file can be used only if `harmless`; repair leaves a pool that is whole. */
static void expect(const char *words, bool harmless)
{
	char said[4096] = "";
	struct check_report report = {.finding = note, .context = said};
	struct repair_report repaired = {0};
	struct pm pm;

	assert_int_equal(nova_check(pool, SIZE, &report), 1);
	if (!strstr(said, words))
		fail_msg("fsck does not say '%s' but:\n%s", words, said);
	if (!harmless)
		assert_false(is_usable());
	pm_wrap(&pm, pool, SIZE);
	assert_int_equal(pool_repair(&pm, &repaired), 1);
	assert_int_equal(nova_check(pool, SIZE, &(struct check_report){0}), 0);
	assert_true(is_usable());
	assert_int_equal(nova_check(pool, SIZE, &(struct check_report){0}), 0);
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

static void attributes_that_are_whole_have_no_errors(void **state)
{
	struct check_report report = {0};

	assert_int_equal(nova_check(pool, SIZE, &report), 0);
	assert_int_equal(report.data_blocks, 5);
	assert_true(is_usable());
}

static void a_damaged_value_is_told(void **state)
{
	struct image_inode inode;
	uint64_t position;
	struct nova_entry *entry = find_entry(NOVA_ENTRY_XATTR, LARGE, &inode, &position);
	const struct nova_xattr_entry *xattr = (const struct nova_xattr_entry *)(const void *)entry->payload;
	le64 run;

	memcpy(&run, xattr->bytes + xattr->name_length, sizeof(run));
	pool[(le64_get(run) >> 16) * 4096 + 7000] ^= 1;
	expect("value that fails its CRC", true);
}

static void an_impossible_attribute_is_told(void **state)
{
	static const struct {
		unsigned entry;
		size_t offset, length;
		const char *bytes, *words;
	} cases[] = {
	    {SMALL, FIELD(space), 1, "\0", "unknown kind"},
	    {SMALL, FIELD(space), 1, "\x09", "unknown kind"},
	    {SMALL, FIELD(gone), 1, "\1", "removes an extended attribute but has a value"},
	    {SMALL, FIELD(name_length), 1, "\0", "name of impossible length"},
	    {SMALL, FIELD(value_length), 4, "\xff\xff\xff\0", "more than 64 KiB"},
	    {SMALL, FIELD(value_length), 4, "\xff\0\0\0", "wrong number of lines"},
	    {SMALL, FIELD(runs), 1, "\1", "in the wrong place"},
	    {SMALL, FIELD(bytes), 1, "\0", "NUL in it"},
	    {LARGE, FIELD(runs), 1, "\0", "in the wrong place"},
	    {LARGE, FIELD(runs), 1, "\x11", "more than 64 KiB"},
	    {LARGE, FIELD(value_length), 4, "\0\x60\0\0", "more or fewer blocks"},
	    {LARGE, FIELD(bytes) + 5, 8, "\5\0\1\0\0\0\0\0", "outside the pool's usable blocks"},
	    {ACL, FIELD(bytes), 1, "\1", "an ACL of unknown format"},
	    {ACL, FIELD(bytes) + 4, 1, "\3", "unknown kind or out of order"},
	    {ACL, FIELD(bytes) + 6, 1, "\x0f", "unknown kind or out of order"},
	    {ACL, FIELD(bytes) + 28, 1, "\x20", "exactly one entry"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		renew(NULL);
		forge(NOVA_ENTRY_XATTR, cases[i].entry, cases[i].offset, cases[i].bytes, cases[i].length);
		char said[4096] = "";
		struct check_report report = {.finding = note, .context = said};
		nova_check(pool, SIZE, &report);
		if (!strstr(said, cases[i].words))
			fail_msg("case %zu: fsck does not say '%s' but:\n%s", i, cases[i].words, said);
		assert_false(is_usable());
	}
}

static void an_impossible_attribute_is_given_up_by_repair(void **state)
{
	forge(NOVA_ENTRY_XATTR, LARGE, FIELD(runs), "\0", 1);
	expect("in the wrong place", false);
	renew(NULL);
	forge(NOVA_ENTRY_XATTR, ACL, FIELD(bytes), "\1", 1);
	expect("an ACL of unknown format", false);
}

static void a_blob_among_inode_slots_is_told(void **state)
{
	struct image_inode inode;
	uint64_t position;
	struct nova_entry *entry = find_entry(NOVA_ENTRY_XATTR, LARGE, &inode, &position);
	le64 run = le64_of((file.ino.n / 8) << 16 | 5);

	forge(NOVA_ENTRY_XATTR, LARGE, FIELD(bytes) + entry->payload[FIELD(name_length)], &run, sizeof(run));
	expect("in a chunk of inode slots", false);
}

static void a_removal_of_nothing_is_harmless(void **state)
{
	/* As GC leaves it when it has cut off what was removed. */
	forge(NOVA_ENTRY_XATTR, REMOVAL, FIELD(bytes), "none", 4);
	forge(NOVA_ENTRY_XATTR, GONE, FIELD(bytes), "nice", 4);
	assert_int_equal(nova_check(pool, SIZE, &(struct check_report){0}), 0);
	assert_true(is_usable());
}

static void unknown_flags_are_told(void **state)
{
	struct image_inode inode;
	uint64_t position;
	unsigned n = 0;

	/* The last ATTR entry is the one that sets flags. */
	while (!(
	    le16_get(
	        ((struct nova_attr_entry *)(void *)find_entry(NOVA_ENTRY_ATTR, n, &inode, &position)->payload)->mask) &
	    NOVA_ATTR_FLAGS))
		n++;
	forge(NOVA_ENTRY_ATTR, n, offsetof(struct nova_attr_entry, flags), "\0\0\0\x80", 4);
	expect("flags of unknown kind", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, renew)
	    TEST(attributes_that_are_whole_have_no_errors),
	    TEST(a_damaged_value_is_told),
	    TEST(an_impossible_attribute_is_told),
	    TEST(an_impossible_attribute_is_given_up_by_repair),
	    TEST(a_blob_among_inode_slots_is_told),
	    TEST(a_removal_of_nothing_is_harmless),
	    TEST(unknown_flags_are_told),
	};

	return cmocka_run_group_tests(tests, make_pool, NULL);
}
