/*
 * nova_long_test.c -- a worker that serves others leaves what takes long to another: it is told what and why, nothing
 * has changed then, and what the other one holds neither blocks it nor loses its closes.
 */
#include "server/nova/long.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define EXTENTS 2000u

static struct nova_attr attr;

static struct nova_handle scattered(struct fixture *f, const char *name)
{
	struct nova_handle root = nova_root(f->fs);

	assert_int_equal(nova_create(&f->call, root, name, strlen(name), S_IFREG | 0644, 0, &attr), 0);
	struct nova_handle file = attr.handle;
	for (unsigned i = 0; i < EXTENTS; i++)
		assert_int_equal(nova_write(&f->call, file, i * 8192ull, "x", 1, 0, NULL), 1);
	return file;
}

static enum nova_deferral why(struct fixture *f, nova_ino ino)
{
	nova_ino at;
	enum nova_deferral reason = nova_deferred(f->call.worker, &at);

	if (reason != NOVA_DEFER_NONE)
		assert_int_equal(at.n, ino.n);
	return reason;
}

static int fallocate_by(struct fixture *f, struct nova_handle file, unsigned mode, uint64_t offset, uint64_t length)
{
	nova_may_defer(f->call.worker, true);
	int rc = nova_fallocate(&f->call, file, mode, offset, length, &attr);
	nova_may_defer(f->call.worker, false);
	return rc;
}

static void long_changes_are_refused_and_short_ones_are_not(void **state)
{
	static const unsigned modes[] = {NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE,
	                                 NOVA_FALLOCATE_ZERO_RANGE, NOVA_FALLOCATE_COLLAPSE_RANGE,
	                                 NOVA_FALLOCATE_INSERT_RANGE};
	struct fixture *f = *state;
	struct nova_handle file = scattered(f, "file");
	const uint64_t size = (EXTENTS - 1) * 8192ull + 1;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		bool moves = modes[i] & (NOVA_FALLOCATE_COLLAPSE_RANGE | NOVA_FALLOCATE_INSERT_RANGE);

		assert_int_equal(fallocate_by(f, file, modes[i], 0, moves ? 4096 : size), -EBUSY);
		assert_int_equal(why(f, file.ino), NOVA_DEFER_LONG);
		assert_int_equal(nova_getattr(&f->call, file, &attr), 0);
		assert_int_equal(attr.size, size);
		assert_int_equal(attr.blocks, EXTENTS);
		if (!moves) {
			assert_int_equal(fallocate_by(f, file, modes[i], 4096, 4096), 0);
			assert_int_equal(why(f, file.ino), NOVA_DEFER_NONE);
		}
		/* Another worker makes it. */
		if (!moves)
			assert_int_equal(nova_fallocate(&f->call, file,
			                                NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE, 4096,
			                                4096, &attr),
			                 0);
	}
	nova_may_defer(f->call.worker, true);
	attr.size = 5;
	assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_SIZE, &attr, NULL), -EBUSY);
	assert_int_equal(why(f, file.ino), NOVA_DEFER_LONG);
	attr.size = size - 8192; /* one block less */
	assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_SIZE, &attr, NULL), 0);
	nova_may_defer(f->call.worker, false);
	attr.size = 0;
	assert_int_equal(nova_setattr(&f->call, file, NOVA_SET_SIZE, &attr, &attr), 0);
	assert_int_equal(attr.blocks, 0);
}

static uint64_t free_blocks(struct fixture *f)
{
	struct nova_statfs st;

	nova_statfs(f->fs, &st);
	return st.free_blocks;
}

static void the_blocks_of_a_dead_file_count_as_free_and_are_freed_later(void **state)
{
	struct fixture *f = *state;
	uint64_t before = free_blocks(f);
	struct nova_worker *other;

	assert_int_equal(nova_worker_open(f->fs, &other), 0);
	for (unsigned opened = 0; opened < 2; opened++) {
		struct nova_handle file = scattered(f, "file");

		if (opened)
			assert_int_equal(nova_open(&f->call, file, NULL), 0);
		nova_hurried(f->call.worker, true);
		assert_int_equal(nova_unlink(&f->call, nova_root(f->fs), "file", 4, NULL), 0);
		assert_int_equal(nova_has_dead(f->fs), !opened);
		if (opened)
			assert_int_equal(nova_close(&f->call, file), 0);
		nova_hurried(f->call.worker, false);
		assert_int_equal(nova_getattr(&f->call, file, &attr), -ESTALE);
		assert_true(nova_has_dead(f->fs));
		assert_in_range(nova_dead_blocks(f->fs), EXTENTS, EXTENTS + EXTENTS / 20);
		assert_in_range(free_blocks(f), before - 32, before + 1);
		assert_true(nova_free_dead(other));
		assert_false(nova_has_dead(f->fs));
		assert_int_equal(nova_dead_blocks(f->fs), 0);
		assert_in_range(free_blocks(f), before - 32, before + 1);
		assert_false(nova_free_dead(other));
	}
	nova_worker_close(other);
}

/* The pool is unmounted and mounted again at the end of a case: what is dead then is free. */
static void an_unmount_frees_what_is_dead(void **state)
{
	struct fixture *f = *state;
	uint64_t before = free_blocks(f);

	scattered(f, "file");
	nova_hurried(f->call.worker, true);
	assert_int_equal(nova_unlink(&f->call, nova_root(f->fs), "file", 4, NULL), 0);
	nova_hurried(f->call.worker, false);
	assert_true(nova_has_dead(f->fs));
	fixture_remount(f);
	assert_false(nova_has_dead(f->fs));
	assert_in_range(free_blocks(f), before - 32, before + 1);
}

static void a_close_of_an_occupied_inode_is_left_to_its_occupant(void **state)
{
	struct fixture *f = *state;
	uint64_t before = free_blocks(f);
	struct nova_handle file = scattered(f, "file");
	struct nova_worker *other;

	/* The lock is free here, so each close is made at once; in server_long_change_test it is not. */
	assert_int_equal(nova_worker_open(f->fs, &other), 0);
	assert_int_equal(nova_open(&f->call, file, NULL), 0);
	assert_int_equal(nova_open(&f->call, file, NULL), 0);
	assert_int_equal(nova_unlink(&f->call, nova_root(f->fs), "file", 4, NULL), 0);
	nova_occupy(other, file.ino);
	nova_hurried(f->call.worker, true);
	assert_int_equal(nova_close(&f->call, file), 0);
	assert_int_equal(nova_getattr(&f->call, file, &attr), 0);
	assert_int_equal(nova_close(&f->call, file), 0);
	assert_int_equal(nova_close(&f->call, file), -ESTALE);
	nova_hurried(f->call.worker, false);
	nova_vacate(other);
	while (nova_free_dead(other))
		;
	assert_int_equal(nova_getattr(&f->call, file, &attr), -ESTALE);
	assert_in_range(free_blocks(f), before - 32, before + 1);
	nova_worker_close(other);
}

/* Hurried or not, and whether the inode is in core or not. */
static void a_close_without_an_open_is_told_what_is_wrong(void **state)
{
	struct fixture *f = *state;

	for (unsigned hurried = 0; hurried < 2; hurried++) {
		struct nova_handle file = fixture_create(f, f->root, "file", S_IFREG | 0600).handle;
		struct nova_handle other = file;

		other.generation++;
		for (unsigned again = 0; again < 2; again++) {
			nova_hurried(f->call.worker, hurried);
			assert_int_equal(nova_close(&f->call, file), -EINVAL);
			assert_int_equal(nova_close(&f->call, other), -ESTALE);
			fixture_remount(f);
		}
		nova_hurried(f->call.worker, hurried);
		assert_int_equal(nova_open(&f->call, file, NULL), 0);
		assert_int_equal(nova_close(&f->call, other), -ESTALE);
		assert_int_equal(nova_close(&f->call, file), 0);
		assert_int_equal(nova_unlink(&f->call, f->root, "file", 4, NULL), 0);
		for (unsigned again = 0; again < 2; again++) {
			assert_int_equal(nova_close(&f->call, file), -ESTALE);
			fixture_remount(f);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(long_changes_are_refused_and_short_ones_are_not, fixture_setup,
	                                    fixture_teardown),
	    cmocka_unit_test_setup_teardown(the_blocks_of_a_dead_file_count_as_free_and_are_freed_later, fixture_setup,
	                                    fixture_teardown),
	    cmocka_unit_test_setup_teardown(an_unmount_frees_what_is_dead, fixture_setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(a_close_of_an_occupied_inode_is_left_to_its_occupant, fixture_setup,
	                                    fixture_teardown),
	    cmocka_unit_test_setup_teardown(a_close_without_an_open_is_told_what_is_wrong, fixture_setup,
	                                    fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
