/*
 * nova_quota_test.c -- projects: who belongs to one, what it is charged, and that its limits hold and leave no trace.
 */
#include "server/nova/inode/nova_inode.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define BLOCK   4096u
#define PROJECT 77u

static uint8_t data[64 * BLOCK];

static int setup(void **state)
{
	memset(data, 0xda, sizeof data);
	return fixture_setup(state);
}

static void assign(struct fixture *f, struct nova_handle handle, uint32_t project, bool inherit)
{
	const struct nova_attr in = {.project = project, .flags = inherit ? NOVA_FILE_PROJECT_INHERIT : 0};

	assert_int_equal(nova_setattr(&f->call, handle, NOVA_SET_PROJECT | (inherit ? NOVA_SET_FLAGS : 0), &in, NULL),
	                 0);
}

static struct nova_handle project_dir(struct fixture *f, const char *name, uint32_t project)
{
	struct nova_handle dir = fixture_create(f, f->root, name, S_IFDIR | 0777).handle;

	assign(f, dir, project, true);
	return dir;
}

static void assert_used(struct fixture *f, uint32_t project, uint64_t inodes, uint64_t blocks)
{
	struct nova_quota quota;

	assert_int_equal(nova_quota_get(f->fs, project, false, &quota), 0);
	assert_int_equal(quota.inodes, inodes);
	assert_int_equal(quota.blocks, blocks);
}

static void limit(struct fixture *f, uint32_t project, uint64_t blocks, uint64_t inodes)
{
	assert_int_equal(nova_quota_set(&f->call, project, blocks, inodes), 0);
}

static void what_is_made_in_a_project_belongs_to_it(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = project_dir(f, "p", PROJECT);
	struct nova_attr sub = fixture_create(f, dir, "sub", S_IFDIR | 0755);
	struct nova_attr file = fixture_create(f, sub.handle, "file", S_IFREG | 0644);
	struct nova_attr outside = fixture_create(f, f->root, "outside", S_IFREG | 0644);

	assert_int_equal(sub.project, PROJECT);
	assert_int_equal(sub.flags, NOVA_FILE_PROJECT_INHERIT);
	assert_int_equal(file.project, PROJECT);
	assert_int_equal(file.flags, 0);
	assert_int_equal(outside.project, 0);
	assert_used(f, PROJECT, 3, 0);
	fixture_remount(f);
	assert_int_equal(fixture_lookup(f, sub.handle, "file").project, PROJECT);
	assert_int_equal(fixture_lookup(f, dir, "sub").flags, NOVA_FILE_PROJECT_INHERIT);
	assert_used(f, PROJECT, 3, 0);
}

/* Each change of what a file has, and the mount's own count after each. */
static void blocks_and_inodes_are_counted_as_they_come_and_go(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = project_dir(f, "p", PROJECT);
	struct nova_attr file = fixture_create(f, dir, "file", S_IFREG | 0644);
	struct nova_attr attr = {.size = BLOCK + 1};
	char target[4095];

	fixture_write(f, file.handle, 0, data, 10 * BLOCK);
	assert_used(f, PROJECT, 2, 10);
	fixture_write(f, file.handle, 5 * BLOCK + 7, data, 10 * BLOCK);
	assert_used(f, PROJECT, 2, 16);
	fixture_write(f, file.handle, 100 * BLOCK, data, 1);
	assert_used(f, PROJECT, 2, 17);
	assert_int_equal(nova_setattr(&f->call, file.handle, NOVA_SET_SIZE, &attr, NULL), 0);
	assert_used(f, PROJECT, 2, 2);
	memset(target, 't', sizeof target);
	assert_int_equal(nova_symlink(&f->call, dir, N("long"), target, sizeof target, &attr), 0);
	assert_used(f, PROJECT, 3, 3);
	assert_int_equal(nova_link(&f->call, file.handle, dir, N("second"), NULL), 0);
	assert_used(f, PROJECT, 3, 3);
	fixture_remount(f);
	assert_used(f, PROJECT, 3, 3);
	fixture_unlink(f, dir, "file");
	fixture_unlink(f, dir, "long");
	assert_used(f, PROJECT, 2, 2);
	assert_int_equal(nova_open(&f->call, file.handle, NULL), 0);
	fixture_unlink(f, dir, "second");
	assert_used(f, PROJECT, 2, 2);
	assert_int_equal(nova_close(&f->call, file.handle), 0);
	assert_used(f, PROJECT, 1, 0);
}

static void what_would_pass_the_limit_leaves_no_trace(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = project_dir(f, "p", PROJECT);
	struct nova_attr file = fixture_create(f, dir, "file", S_IFREG | 0644);
	char target[4095];
	uint64_t free_before;
	char *before;
	char *after;

	limit(f, PROJECT, 10, 3);
	fixture_write(f, file.handle, 0, data, 9 * BLOCK);
	memset(target, 't', sizeof target);
	fixture_create(f, dir, "third", S_IFREG | 0644);
	before = fixture_dump(f);
	free_before = fixture_free_blocks(f);
	assert_int_equal(nova_write(&f->call, file.handle, 8 * BLOCK, data, 3 * BLOCK, 0, NULL), -EDQUOT);
	assert_int_equal(nova_write(&f->call, file.handle, 0, data, 2 * BLOCK, NOVA_WRITE_APPEND, NULL), -EDQUOT);
	assert_int_equal(nova_create(&f->call, dir, N("fourth"), S_IFREG | 0644, 0, NULL), -EDQUOT);
	assert_int_equal(nova_create(&f->call, dir, N("fourth"), S_IFDIR | 0755, 0, NULL), -EDQUOT);
	assert_int_equal(nova_tmpfile(&f->call, dir, 0600, true, NULL), -EDQUOT);
	assert_int_equal(nova_symlink(&f->call, dir, N("fourth"), "t", 1, NULL), -EDQUOT);
	after = fixture_dump(f);
	assert_string_equal(before, after);
	assert_int_equal(fixture_free_blocks(f), free_before);
	assert_used(f, PROJECT, 3, 9);
	/* Overwriting takes nothing more, and the last block may be had. */
	fixture_write(f, file.handle, 0, data, 10 * BLOCK);
	fixture_write(f, file.handle, 3 * BLOCK, data, 5 * BLOCK);
	fixture_unlink(f, dir, "third");
	assert_int_equal(nova_symlink(&f->call, dir, N("blob"), target, sizeof target, NULL), -EDQUOT);
	assert_used(f, PROJECT, 2, 10);
	assert_int_equal(nova_symlink(&f->call, dir, N("short"), target, 100, NULL), 0);
	fixture_write(f, fixture_create(f, f->root, "free", S_IFREG | 0644).handle, 0, data, sizeof data);
	free(before);
	free(after);
}

static void reserved_blocks_and_attributes_count_too(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = project_dir(f, "p", PROJECT);
	struct nova_attr file = fixture_create(f, dir, "file", S_IFREG | 0644);

	limit(f, PROJECT, 20, 0);
	assert_int_equal(nova_fallocate(&f->call, file.handle, 0, 0, 21 * BLOCK, NULL), -EDQUOT);
	assert_int_equal(nova_fallocate(&f->call, file.handle, 0, 0, 10 * BLOCK, NULL), 0);
	assert_used(f, PROJECT, 2, 10);
	fixture_write(f, file.handle, 3 * BLOCK, data, 2 * BLOCK);
	assert_used(f, PROJECT, 2, 10);
	assert_int_equal(nova_fallocate(&f->call, file.handle, 3, BLOCK, 4 * BLOCK, NULL), 0);
	assert_used(f, PROJECT, 2, 6);
	assert_int_equal(nova_setxattr(&f->call, file.handle, N("user.large"), data, 15 * BLOCK, 0, NULL), -EDQUOT);
	assert_int_equal(nova_setxattr(&f->call, file.handle, N("user.large"), data, 14 * BLOCK, 0, NULL), 0);
	assert_used(f, PROJECT, 2, 20);
	assert_int_equal(nova_setxattr(&f->call, file.handle, N("user.large"), data, 13 * BLOCK, 0, NULL), 0);
	fixture_remount(f);
	assert_used(f, PROJECT, 2, 19);
	assert_int_equal(nova_removexattr(&f->call, file.handle, N("user.large"), NULL), 0);
	assert_used(f, PROJECT, 2, 6);
}

static void limits_survive_and_the_newest_holds_however_long_the_log(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = project_dir(f, "p", PROJECT);
	struct nova_quota quota;
	uint32_t project = 1;

	limit(f, PROJECT, 5, 50);
	limit(f, 9, 1, 1);
	limit(f, 9, 0, 0);
	limit(f, PROJECT, 20, 10);
	fixture_remount(f);
	for (unsigned i = 0; i < 3000; i++) {
		limit(f, 100 + i % 7, i + 1, 0);
		if (i % 100 == 0)
			fixture_unlink(f, f->root, (fixture_create(f, f->root, "x", S_IFREG | 0600), "x"));
	}
	assert_true(f->fs->root.ino.n != 0);
	fixture_remount(f);
	assert_int_equal(nova_quota_get(f->fs, PROJECT, false, &quota), 0);
	assert_int_equal(quota.block_limit, 20);
	assert_int_equal(quota.inode_limit, 10);
	for (unsigned i = 0; i < 7; i++) {
		assert_int_equal(nova_quota_get(f->fs, 100 + i, false, &quota), 0);
		assert_in_range(quota.block_limit, 2994, 3000);
	}
	for (unsigned n = 0; nova_quota_get(f->fs, project, true, &quota) == 0; project = quota.project + 1)
		assert_true(n++ < 9);
	assert_int_equal(nova_quota_get(f->fs, project, true, &quota), -ENOENT);
	assert_int_equal(
	    nova_write(&f->call, fixture_create(f, dir, "f", S_IFREG | 0600).handle, 0, data, 21 * BLOCK, 0, NULL),
	    -EDQUOT);
}

static void a_limit_below_what_is_used_lets_only_less_be_used(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = project_dir(f, "p", PROJECT);
	struct nova_attr file = fixture_create(f, dir, "file", S_IFREG | 0644);
	struct nova_attr attr = {.size = 8 * BLOCK};

	fixture_write(f, file.handle, 0, data, 10 * BLOCK);
	limit(f, PROJECT, 5, 0);
	assert_int_equal(nova_setattr(&f->call, file.handle, NOVA_SET_SIZE, &attr, NULL), 0);
	assert_used(f, PROJECT, 2, 8);
	assert_int_equal(nova_write(&f->call, file.handle, 8 * BLOCK, data, 1, 0, NULL), -EDQUOT);
	attr.size = 2 * BLOCK;
	assert_int_equal(nova_setattr(&f->call, file.handle, NOVA_SET_SIZE, &attr, NULL), 0);
	fixture_write(f, file.handle, 2 * BLOCK, data, 3 * BLOCK);
	assert_int_equal(nova_write(&f->call, file.handle, 5 * BLOCK, data, 1, 0, NULL), -EDQUOT);
	assert_used(f, PROJECT, 2, 5);
}

static void links_and_renames_into_a_project_are_of_it(void **state)
{
	struct fixture *f = *state;
	struct nova_handle p = project_dir(f, "p", PROJECT);
	struct nova_handle q = project_dir(f, "q", PROJECT + 1);
	struct nova_attr in_p = fixture_create(f, p, "file", S_IFREG | 0644);
	struct nova_attr free = fixture_create(f, f->root, "free", S_IFREG | 0644);
	struct nova_attr attr;

	fixture_create(f, p, "sub", S_IFDIR | 0755);
	fixture_create(f, q, "other", S_IFREG | 0644);
	assert_int_equal(nova_link(&f->call, in_p.handle, q, N("l"), NULL), -EXDEV);
	assert_int_equal(nova_link(&f->call, free.handle, q, N("l"), NULL), -EXDEV);
	assert_int_equal(nova_rename(&f->call, p, N("file"), q, N("file"), 0, NULL), -EXDEV);
	assert_int_equal(nova_rename(&f->call, p, N("sub"), q, N("sub"), 0, NULL), -EXDEV);
	assert_int_equal(nova_rename(&f->call, f->root, N("free"), q, N("free"), 0, NULL), -EXDEV);
	assert_int_equal(nova_rename(&f->call, p, N("file"), q, N("other"), 0, NULL), -EXDEV);
	assert_int_equal(nova_rename(&f->call, p, N("file"), q, N("other"), NOVA_RENAME_EXCHANGE, NULL), -EXDEV);
	assert_int_equal(nova_rename(&f->call, f->root, N("free"), q, N("other"), NOVA_RENAME_EXCHANGE, NULL), -EXDEV);
	assert_int_equal(nova_rename(&f->call, p, N("file"), f->root, N("free"), NOVA_RENAME_EXCHANGE, NULL), -EXDEV);
	/* Within the project, and out of it to where none is passed on: it goes on being charged. */
	assert_int_equal(nova_link(&f->call, in_p.handle, p, N("l"), NULL), 0);
	assert_int_equal(nova_rename(&f->call, p, N("file"), p, N("sub/"), 0, NULL), -EINVAL);
	assert_int_equal(nova_rename(&f->call, p, N("file"), f->root, N("out"), 0, NULL), 0);
	assert_int_equal(fixture_lookup(f, f->root, "out").project, PROJECT);
	assert_int_equal(nova_rename(&f->call, f->root, N("out"), p, N("back"), 0, NULL), 0);
	assert_int_equal(nova_tmpfile(&f->call, p, 0600, true, &attr), 0);
	assert_int_equal(nova_link(&f->call, attr.handle, q, N("t"), NULL), -EXDEV);
	assert_int_equal(nova_link(&f->call, attr.handle, p, N("t"), NULL), 0);
	assert_int_equal(nova_close(&f->call, attr.handle), 0);
	/* The head of a tree may be renamed. */
	assert_int_equal(nova_rename(&f->call, f->root, N("q"), f->root, N("r"), 0, NULL), 0);
	assert_used(f, PROJECT, 4, 0);
	assert_used(f, PROJECT + 1, 2, 0);
}

static void an_inode_that_changes_its_project_takes_its_blocks_along(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = project_dir(f, "p", PROJECT);
	struct nova_attr file = fixture_create(f, dir, "file", S_IFREG | 0644);

	fixture_write(f, file.handle, 0, data, 7 * BLOCK);
	limit(f, 5, 3, 0);
	assign(f, file.handle, 5, false);
	assert_used(f, PROJECT, 1, 0);
	assert_used(f, 5, 1, 7);
	assert_int_equal(nova_write(&f->call, file.handle, 7 * BLOCK, data, 1, 0, NULL), -EDQUOT);
	fixture_remount(f);
	assert_used(f, 5, 1, 7);
	assign(f, file.handle, 0, false);
	assert_used(f, 5, 0, 0);
	fixture_write(f, file.handle, 7 * BLOCK, data, 1);
}

static void only_the_superuser_decides(void **state)
{
	struct fixture *f = *state;
	const struct nova_cred user = {.uid = 7, .gid = 8};
	struct nova_handle dir = project_dir(f, "p", PROJECT);
	struct nova_call call = f->call;
	struct nova_attr in = {.project = 3, .flags = NOVA_FILE_PROJECT_INHERIT};
	struct nova_attr file;

	call.cred = &user;
	assert_int_equal(nova_create(&call, dir, N("mine"), S_IFREG | 0600, 0, &file), 0);
	assert_int_equal(nova_setattr(&call, file.handle, NOVA_SET_PROJECT, &in, NULL), -EPERM);
	assert_int_equal(nova_setattr(&call, dir, NOVA_SET_FLAGS, &in, NULL), -EPERM);
	assert_int_equal(nova_quota_set(&call, PROJECT, 1, 1), -EPERM);
	assert_int_equal(nova_setattr(&f->call, file.handle, NOVA_SET_FLAGS, &in, NULL), -EOPNOTSUPP);
	assert_int_equal(nova_quota_set(&f->call, 0, 1, 1), -EINVAL);
}

static void statfs_in_a_project_tells_its_limit(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = project_dir(f, "p", PROJECT);
	struct nova_attr file = fixture_create(f, dir, "file", S_IFREG | 0644);
	struct nova_statfs all, in;

	fixture_write(f, file.handle, 0, data, 7 * BLOCK);
	assert_int_equal(nova_statfs_at(&f->call, dir, &in), 0);
	nova_statfs(f->fs, &all);
	assert_int_equal(in.blocks, all.blocks);
	limit(f, PROJECT, 100, 12);
	assert_int_equal(nova_statfs_at(&f->call, dir, &in), 0);
	assert_int_equal(in.blocks, 100);
	assert_int_equal(in.free_blocks, 93);
	assert_int_equal(in.available_blocks, 93);
	assert_int_equal(in.inodes, 2);
	assert_int_equal(in.inode_limit, 12);
	limit(f, PROJECT, 5, 0);
	assert_int_equal(nova_statfs_at(&f->call, file.handle, &in), 0);
	assert_int_equal(in.free_blocks, 0);
	assert_int_equal(in.available_blocks, 0);
	assert_int_equal(nova_statfs_at(&f->call, f->root, &in), 0);
	assert_int_equal(in.blocks, all.blocks);
}

/* ---- threads --------------------------------------------------------------------------------------------------- */

#define THREADS 4
#define LIMIT   500u

struct filler {
	struct fixture *f;
	struct nova_handle dir;
	unsigned number;
	unsigned written;
};

struct quarantine {
	enum nova_quarantine answer;
	nova_block first;
	uint64_t count;
};

static enum nova_quarantine quarantine(void *context, const struct nova_freed *freed)
{
	struct quarantine *quarantine = context;

	assert_int_equal(freed->project, PROJECT);
	quarantine->first = freed->first;
	quarantine->count += freed->count;
	return quarantine->answer;
}

static void quarantined_blocks_are_charged_where_that_is_asked_for(void **state)
{
	struct fixture *f = *state;
	struct nova_handle dir = project_dir(f, "p", PROJECT);
	struct nova_handle file = fixture_create(f, dir, "file", S_IFREG | 0644).handle;
	struct quarantine q = {.answer = NOVA_QUARANTINE};

	fixture_write(f, file, 0, data, 4 * BLOCK);
	assert_used(f, PROJECT, 2, 4);
	f->fs->quarantine = quarantine;
	f->fs->quarantine_context = &q;
	fixture_write(f, file, 0, data, 4 * BLOCK);
	assert_int_equal(q.count, 4);
	assert_used(f, PROJECT, 2, 4);
	nova_free_blocks(f->worker, q.first, 4, 0);

	q = (struct quarantine){.answer = NOVA_QUARANTINE_CHARGED};
	fixture_write(f, file, 0, data, 4 * BLOCK);
	assert_used(f, PROJECT, 2, 8);
	/* The limit counts them, and does not stand in the way of what makes more of them. */
	limit(f, PROJECT, 9, 0);
	assert_int_equal(nova_write(&f->call, file, 4 * BLOCK, data, 4 * BLOCK, 0, NULL), -EDQUOT);
	nova_free_blocks(f->worker, q.first, 4, PROJECT);
	assert_used(f, PROJECT, 2, 4);
	assert_int_equal(nova_write(&f->call, file, 4 * BLOCK, data, 4 * BLOCK, 0, NULL), 4 * BLOCK);
	f->fs->quarantine = NULL;
}

/* Append until the project is full, now and then letting go of something. */
static void *fill(void *context)
{
	struct filler *filler = context;
	struct nova_worker *worker;
	struct nova_attr file;
	char name[16];

	assert_int_equal(nova_worker_open(filler->f->fs, &worker), 0);
	struct nova_call call = {.worker = worker};
	snprintf(name, sizeof name, "f%u", filler->number);
	assert_int_equal(nova_create(&call, filler->dir, name, strlen(name), S_IFREG | 0600, 0, &file), 0);
	for (unsigned refused = 0, i = 0; refused < 20; i++) {
		ssize_t n = nova_write(&call, file.handle, 0, data, BLOCK, NOVA_WRITE_APPEND, NULL);
		struct nova_quota quota;

		assert_true(n == BLOCK || n == -EDQUOT);
		filler->written += n == BLOCK;
		refused += n < 0;
		nova_quota_get(filler->f->fs, PROJECT, false, &quota);
		if (i % 50 == 49) {
			struct nova_attr shorter = {.size = (uint64_t)(filler->written - 1) * BLOCK};

			if (filler->written && nova_setattr(&call, file.handle, NOVA_SET_SIZE, &shorter, NULL) == 0)
				filler->written--;
		}
	}
	nova_worker_close(worker);
	return NULL;
}

static void threads_together_reach_the_limit_and_never_pass_it(void **state)
{
	struct fixture *f = *state;
	struct filler fillers[THREADS];
	pthread_t threads[THREADS];
	struct nova_handle dir = project_dir(f, "p", PROJECT);
	struct nova_attr last = fixture_create(f, dir, "last", S_IFREG | 0600);
	unsigned written = 0;

	limit(f, PROJECT, LIMIT, 0);
	for (unsigned i = 0; i < THREADS; i++) {
		fillers[i] = (struct filler){f, dir, i, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, fill, &fillers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		written += fillers[i].written;
	}
	assert_true(written <= LIMIT);
	assert_used(f, PROJECT, 2 + THREADS, written);
	while (nova_write(&f->call, last.handle, 0, data, BLOCK, NOVA_WRITE_APPEND, NULL) > 0)
		written++;
	assert_int_equal(written, LIMIT);
	fixture_remount(f);
	assert_used(f, PROJECT, 2 + THREADS, LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_is_made_in_a_project_belongs_to_it, setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(blocks_and_inodes_are_counted_as_they_come_and_go, setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(what_would_pass_the_limit_leaves_no_trace, setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(reserved_blocks_and_attributes_count_too, setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(limits_survive_and_the_newest_holds_however_long_the_log, setup,
	                                    fixture_teardown),
	    cmocka_unit_test_setup_teardown(a_limit_below_what_is_used_lets_only_less_be_used, setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(links_and_renames_into_a_project_are_of_it, setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(an_inode_that_changes_its_project_takes_its_blocks_along, setup,
	                                    fixture_teardown),
	    cmocka_unit_test_setup_teardown(only_the_superuser_decides, setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(quarantined_blocks_are_charged_where_that_is_asked_for, setup,
	                                    fixture_teardown),
	    cmocka_unit_test_setup_teardown(statfs_in_a_project_tells_its_limit, setup, fixture_teardown),
	    cmocka_unit_test_setup_teardown(threads_together_reach_the_limit_and_never_pass_it, setup,
	                                    fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
