/* nova_new_uuid_test.c -- a copy of a pool becomes a pool of its own: UUID, key, clients; and what is refused. */
#include "common/log.h"
#include "server/nova/clients.h"
#include "server/nova/media/super.h"
#include "server/nova/media/words.h"
#include "server/pool/check/check.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE    (16 * MIB)
#define CLIENTS 100u

static const uint8_t key_hash[NOVA_CLIENT_KEY] = {1, 2, 3};

static uint8_t *memory, *before;
static char why[512];

static struct nova_super *super(unsigned copy)
{
	return (void *)(memory + (copy ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0) * 4096ULL);
}

static struct nova *mount(struct pm *pm)
{
	struct nova *fs;

	pm_wrap(pm, memory, SIZE);
	assert_int_equal(nova_mount(pm, NULL, &fs, why, sizeof(why)), 0);
	return fs;
}

/* A pool with a file and clients that have requests. */
static int make(void **state)
{
	struct nova_call call = {0};
	struct nova *fs;
	struct pm pm;

	log_set_level(LOG_LEVEL_ERROR);
	memory = aligned_alloc(4096, SIZE);
	before = malloc(SIZE);
	assert_true(memory && before);
	pm_wrap(&pm, memory, SIZE);
	assert_int_equal(nova_format(&pm, NULL), 0);
	fs = mount(&pm);
	assert_int_equal(nova_worker_open(fs, &call.worker), 0);
	for (unsigned i = 1; i <= CLIENTS; i++) {
		struct nova_client *client;
		struct nova_intent intent;
		char name[16];

		snprintf(name, sizeof(name), "file%u", i);
		assert_int_equal(nova_client_new(call.worker, i, key_hash, &client), 0);
		assert_int_equal(nova_intent_begin(call.worker, client, 0, 1, 7, &intent), 0);
		call.intent = &intent;
		assert_int_equal(nova_create(&call, nova_root(fs), name, strlen(name), S_IFREG | 0600, 0, NULL), 0);
		nova_client_release(fs, client);
	}
	nova_worker_close(call.worker);
	nova_unmount(fs);
	memcpy(before, memory, SIZE);
	return 0;
}

static int drop(void **state)
{
	free(memory);
	free(before);
	return 0;
}

static int change(uint8_t old_uuid[16], uint8_t new_uuid[16])
{
	struct pm pm;

	pm_wrap(&pm, memory, SIZE);
	why[0] = 0;
	return nova_new_uuid(&pm, old_uuid, new_uuid, why, sizeof(why));
}

static void assert_consistent(void)
{
	struct check_report report = {0};

	assert_int_equal(nova_check(memory, SIZE, &report), 0);
}

static void refused(int error, const char *sentence)
{
	uint8_t old_uuid[16], new_uuid[16];

	memcpy(before, memory, SIZE);
	assert_int_equal(change(old_uuid, new_uuid), error);
	assert_non_null(strstr(why, sentence));
	assert_memory_equal(memory, before, SIZE);
}

static void seal(void)
{
	for (unsigned i = 0; i < 2; i++)
		super(i)->crc = le32_of(super_crc(super(i)));
}

static void the_copy_has_another_uuid_and_key_and_the_same_files(void **state)
{
	uint8_t old_uuid[16], new_uuid[16], old_key[16], key[16];
	struct nova_call call = {0};
	struct nova_statfs statfs;
	struct nova_attr attr;
	struct nova *fs;
	struct pm pm;

	memcpy(old_key, super(0)->handle_key, sizeof(old_key));
	assert_int_equal(change(old_uuid, new_uuid), 0);
	assert_memory_equal(old_uuid, ((struct nova_super *)(void *)before)->uuid, 16);
	assert_memory_not_equal(old_uuid, new_uuid, 16);
	assert_int_equal(new_uuid[6] >> 4, 4);
	assert_int_equal(new_uuid[8] >> 6, 2);
	assert_consistent();
	pm_wrap(&pm, memory, SIZE);
	assert_int_equal(nova_pool_uuid(&pm, key), 0);
	assert_memory_equal(key, new_uuid, 16);
	fs = mount(&pm);
	nova_statfs(fs, &statfs);
	assert_memory_equal(statfs.uuid, new_uuid, 16);
	nova_handle_key(fs, key);
	assert_memory_not_equal(key, old_key, sizeof(key));
	assert_int_equal(nova_worker_open(fs, &call.worker), 0);
	assert_int_equal(nova_lookup(&call, nova_root(fs), "file7", 5, &attr), 0);
	nova_worker_close(call.worker);
	nova_unmount(fs);
	assert_consistent();
}

static void the_copy_knows_no_client_of_the_original(void **state)
{
	uint8_t old_uuid[16], new_uuid[16];
	struct check_report report = {0};
	struct nova_client *client;
	struct nova_worker *worker;
	struct nova *fs;
	struct pm pm;

	assert_int_equal(nova_check(memory, SIZE, &report), 0);
	assert_int_equal(report.clients, CLIENTS);
	assert_int_equal(change(old_uuid, new_uuid), 0);
	fs = mount(&pm);
	for (unsigned i = 1; i <= CLIENTS; i++)
		assert_int_equal(nova_client_find(fs, i, key_hash, &client), -ENOENT);
	/* Its own ones take their places and pages. */
	assert_int_equal(nova_worker_open(fs, &worker), 0);
	for (unsigned i = 1; i <= CLIENTS; i++) {
		struct nova_outcome outcome;
		struct nova_intent intent;

		assert_int_equal(nova_client_new(worker, 1000 + i, key_hash, &client), 0);
		assert_int_equal(nova_intent_begin(worker, client, 0, 1, 7, &intent), 0);
		assert_int_equal(nova_client_outcome(fs, client, 0, 1, &outcome), 0);
		nova_client_release(fs, client);
	}
	nova_worker_close(worker);
	nova_unmount(fs);
	assert_consistent();
}

static void a_pool_that_is_not_clean_is_refused(void **state)
{
	struct nova *fs;
	struct pm pm;

	fs = mount(&pm);
	memcpy(before, memory, SIZE);
	nova_unmount(fs);
	memcpy(memory, before, SIZE);
	refused(-EUCLEAN, "not unmounted cleanly");
	assert_non_null(strstr(why, "start farnovad on it"));
}

/* The mount stores OWNER and CLEAN in any order. */
static void a_pool_with_an_owner_is_refused(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		super(i)->owner = le64_of(word_make(NOVA_WORD_OWNER, 0, 5));
		super(i)->beat = le64_of(word_make(NOVA_WORD_BEAT, 0, 5));
		super(i)->host = le64_of(word_make(NOVA_WORD_HOST, 0, 77));
	}
	refused(-EUCLEAN, "not unmounted cleanly");
}

static void other_versions_and_features_are_refused(void **state)
{
	for (unsigned i = 0; i < 2; i++)
		super(i)->version = le32_of(3);
	seal();
	refused(-EPROTONOSUPPORT, "format version 3");
	for (unsigned i = 0; i < 2; i++) {
		super(i)->version = le32_of(2);
		super(i)->ro_compat = le64_of(1ULL << 40);
	}
	seal();
	refused(-EROFS, "cannot write");
	for (unsigned i = 0; i < 2; i++)
		super(i)->magic = le64_of(0);
	refused(-EINVAL, "not a farnova pool");
}

static void one_superblock_that_is_damaged_or_differs_is_restored(void **state)
{
	uint8_t old_uuid[16], new_uuid[16], original[16];

	memcpy(original, super(0)->uuid, 16);
	for (unsigned i = 0; i < 2; i++) {
		super(i)->uuid[3] ^= 1;
		assert_int_equal(change(old_uuid, new_uuid), 0);
		assert_memory_equal(old_uuid, original, 16);
		assert_memory_equal(super(0), super(1), 256);
		assert_memory_equal(super(i)->uuid, new_uuid, 16);
		assert_consistent();
		memcpy(original, new_uuid, 16);
	}
	super(1)->uuid[3] ^= 1;
	super(1)->crc = le32_of(super_crc(super(1)));
	assert_int_equal(change(old_uuid, new_uuid), 0);
	assert_memory_equal(old_uuid, original, 16);
	assert_consistent();
}

static void a_mount_restores_a_superblock_that_differs(void **state)
{
	uint8_t original[16];
	struct pm pm;

	memcpy(original, super(0)->uuid, 16);
	super(1)->uuid[3] ^= 1;
	super(1)->crc = le32_of(super_crc(super(1)));
	nova_unmount(mount(&pm));
	assert_memory_equal(super(0)->uuid, original, 16);
	assert_memory_equal(super(1)->uuid, original, 16);
	assert_consistent();
}

static void a_pool_without_a_superblock_has_no_uuid(void **state)
{
	uint8_t uuid[16];
	struct pm pm;

	pm_wrap(&pm, memory, SIZE);
	super(0)->uuid[0] ^= 1;
	assert_int_equal(nova_pool_uuid(&pm, uuid), 0);
	super(1)->uuid[0] ^= 1;
	assert_int_equal(nova_pool_uuid(&pm, uuid), -ENODATA);
	pm_wrap(&pm, memory, 4096);
	assert_int_equal(nova_pool_uuid(&pm, uuid), -ENODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_copy_has_another_uuid_and_key_and_the_same_files, make, drop),
	    cmocka_unit_test_setup_teardown(the_copy_knows_no_client_of_the_original, make, drop),
	    cmocka_unit_test_setup_teardown(a_pool_that_is_not_clean_is_refused, make, drop),
	    cmocka_unit_test_setup_teardown(a_pool_with_an_owner_is_refused, make, drop),
	    cmocka_unit_test_setup_teardown(other_versions_and_features_are_refused, make, drop),
	    cmocka_unit_test_setup_teardown(one_superblock_that_is_damaged_or_differs_is_restored, make, drop),
	    cmocka_unit_test_setup_teardown(a_mount_restores_a_superblock_that_differs, make, drop),
	    cmocka_unit_test_setup_teardown(a_pool_without_a_superblock_has_no_uuid, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
