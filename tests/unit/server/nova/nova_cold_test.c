/*
 * nova_cold_test.c -- inodes and indexes that are given up for want of memory, and looks at inodes that are not there.
 */
#include "server/nova/inode/incore.h"
#include "server/nova/inode/nova_inode.h"
#include "server/nova/media/words.h"
#include "server/nova/space/worker.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static void cold_indexes_are_dropped_and_built_again(void **state)
{
	struct fixture *f = *state;
	struct nova_handle files[600];
	char name[32];
	char *before;
	char *after;

	f->fs->cache_bytes = 4096;
	for (unsigned i = 0; i < 600; i++) {
		snprintf(name, sizeof name, "file%u", i);
		files[i] = fixture_create(f, f->root, name, S_IFREG | 0644).handle;
		fixture_write(f, files[i], 0, name, sizeof name);
	}
	before = fixture_dump(f);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 600; i++) {
			char back[32];

			snprintf(name, sizeof name, "file%u", i);
			assert_int_equal(nova_read(&f->call, files[i], 0, back, sizeof back), sizeof back);
			assert_string_equal(back, name);
		}
	/* A pass of the hand clears the marks of use, the next one drops. A directory in use keeps its index. */
	assert_true(f->fs->index_bytes < 600 * 32 / 2 + 40000);
	after = fixture_dump(f);
	assert_string_equal(before, after);
	free(before);
	free(after);
	fixture_assert_same_after_remount(f);
}

static void cold_inodes_are_given_up_and_pinned_ones_stay(void **state)
{
	struct fixture *f = *state;
	struct nova_handle files[3000];
	struct nova_statfs statfs;
	struct nova_attr attr;
	uint64_t limit = 3 * 1000 * sizeof(struct nova_inode);
	char name[32];

	f->fs->cache_bytes = limit;
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(name, sizeof name, "file%u", i);
		files[i] = fixture_create(f, f->root, name, S_IFREG | 0644).handle;
		fixture_write(f, files[i], i, name, sizeof name);
		if (i == 7)
			assert_int_equal(nova_open(&f->call, files[i], NULL), 0);
	}
	fixture_unlink(f, f->root, "file7");
	for (unsigned round = 0; round < 4; round++)
		for (unsigned i = 0; i < 3000; i++) {
			char back[32];

			snprintf(name, sizeof name, "file%u", i);
			assert_int_equal(nova_getattr(&f->call, files[i], &attr), 0);
			assert_int_equal(attr.size, i + sizeof name);
			assert_int_equal(attr.nlink, i == 7 ? 0 : 1);
			assert_int_equal(nova_read(&f->call, files[i], i, back, sizeof back), sizeof back);
			assert_string_equal(back, name);
		}
	/* A third of the limit is for inodes; the hand's turns must not let them grow beyond it. */
	assert_true(f->fs->incore <= 1000 + 1000 / 8 + NOVA_INODE_SLAB);
	nova_statfs(f->fs, &statfs);
	assert_true(statfs.dram_bytes >= f->fs->incore * sizeof(struct nova_inode));
	/* The orphan's pin was kept all the time: its close frees it. */
	assert_int_equal(nova_close(&f->call, files[7]), 0);
	assert_int_equal(nova_getattr(&f->call, files[7], &attr), -ESTALE);
	fixture_assert_same_after_remount(f);
}

/* One inode of each kind, and files whose logs say more than one entry can. */
static void make_all_kinds(struct fixture *f)
{
	static const uint8_t data[3 * 4096];
	struct nova_attr file;

	fixture_create(f, f->root, "fifo", S_IFIFO | 0600);
	assert_int_equal(nova_create(&f->call, f->root, N("dev"), S_IFCHR | 0666, 0x103, &file), 0);
	assert_int_equal(nova_symlink(&f->call, f->root, N("link"), N("some/target"), &file), 0);
	fixture_create(f, f->root, "empty", S_IFREG | 0644);
	file = fixture_create(f, f->root, "holes", S_IFREG | 04711);
	fixture_write(f, file.handle, 40960, data, sizeof data);
	fixture_write(f, file.handle, 45056, data, 100);
	file = fixture_create(f, f->root, "reserved", S_IFREG | 0644);
	assert_int_equal(nova_fallocate(&f->call, file.handle, NOVA_FALLOCATE_KEEP_SIZE, 0, 65536, &file), 0);
	file = fixture_create(f, f->root, "set", S_IFREG | 0644);
	file.uid = 7, file.gid = 8, file.mode = 0123, file.mtime_ns = -5, file.atime_ns = 9;
	assert_int_equal(nova_setattr(&f->call, file.handle,
	                              NOVA_SET_UID | NOVA_SET_GID | NOVA_SET_MODE | NOVA_SET_MTIME | NOVA_SET_ATIME,
	                              &file, NULL),
	                 0);
	file = fixture_create(f, f->root, "attributes", S_IFREG | 0644);
	assert_int_equal(nova_setxattr(&f->call, file.handle, N("user.a"), N("value"), 0, NULL), 0);
	file = fixture_create(f, f->root, "long", S_IFREG | 0644);
	for (unsigned i = 0; i < 2 * NOVA_SLOT_LINES; i++)
		fixture_write(f, file.handle, i * 8192, data, 4096);
	assert_int_equal(nova_link(&f->call, file.handle, f->root, N("second"), &file), 0);
	fixture_create(f, f->root, "directory", S_IFDIR | 0755);
}

static void a_look_at_a_cold_inode_tells_what_loading_it_would(void **state)
{
	struct fixture *f = *state;
	char *warm;

	make_all_kinds(f);
	warm = fixture_dump(f);
	for (unsigned i = 0; i < 600; i++) {
		char name[32];

		snprintf(name, sizeof name, "other%u", i);
		fixture_create(f, f->root, name, S_IFREG | 0644);
	}
	fixture_unmount(f);
	fixture_mount(f);
	f->fs->cache_bytes = 1;
	for (unsigned round = 0; round < 3; round++) {
		uint32_t passed_by = f->worker->passed_by;
		char *cold = fixture_dump(f);

		/* The root changed when the others came: its line is not compared. */
		assert_int_equal(strncmp(strchr(warm, '\n'), strchr(cold, '\n'), strlen(strchr(warm, '\n'))), 0);
		assert_true(f->worker->passed_by > passed_by + 300);
		free(cold);
	}
	free(warm);
}

/* A live inode has a log: nothing may be told of one whose tail says that it has none. */
static void a_look_at_a_cold_inode_without_a_log_fails_as_loading_it_would(void **state)
{
	struct fixture *f = *state;
	struct nova_handle file = fixture_create(f, f->root, "file", S_IFREG | 0644).handle;
	struct nova_slot *slot = (void *)((uint8_t *)f->memory + file.ino.n * NOVA_SLOT_SIZE);
	uint64_t empty = word_make(NOVA_WORD_TAIL, word_owner(file.ino.n, file.generation), 0);
	struct nova_slot_words words = slot->words;
	struct nova_attr attr;

	for (unsigned i = 0; i < 100; i++) {
		char name[32];

		snprintf(name, sizeof name, "other%u", i);
		fixture_create(f, f->root, name, S_IFREG | 0644);
	}
	fixture_unmount(f);
	fixture_mount(f);
	f->fs->cache_bytes = 1;
	fixture_lookup(f, f->root, "other0");
	slot->words.tail[0] = slot->words.tail[1] = le64_of(empty);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(nova_getattr(&f->call, file, &attr), -EIO);
	slot->words = words;
}

struct onlooker {
	struct fixture *f;
	uint64_t *ino; /* of the file that is changed; atomic */
	uint64_t *generation;
	bool *over;
	unsigned seen;
	bool torn;
	pthread_t thread;
};

/* A change sets owner, group and size as one; the birth of another file in the same slot begins with 0 of each. */
static void *look_on(void *argument)
{
	struct onlooker *onlooker = argument;
	struct nova_worker *worker;
	struct nova_call call = {0};

	if (nova_worker_open(onlooker->f->fs, &worker))
		return NULL;
	call.worker = worker;
	while (!__atomic_load_n(onlooker->over, __ATOMIC_RELAXED)) {
		struct nova_handle file = {{__atomic_load_n(onlooker->ino, __ATOMIC_RELAXED)},
		                           (uint32_t)__atomic_load_n(onlooker->generation, __ATOMIC_RELAXED)};
		struct nova_attr attr;
		int err = nova_getattr(&call, file, &attr);

		if (err == 0) {
			onlooker->torn |= attr.uid != attr.gid || attr.size != attr.uid;
			onlooker->torn |= attr.handle.generation != file.generation;
			onlooker->seen++;
		} else {
			onlooker->torn |= err != -ESTALE;
		}
	}
	nova_worker_close(worker);
	return NULL;
}

static void attributes_of_a_cold_inode_are_of_one_moment(void **state)
{
	struct fixture *f = *state;
	struct nova_attr file = fixture_create(f, f->root, "file", S_IFREG | 0644);
	struct nova_handle idle[40];
	uint64_t ino = file.handle.ino.n;
	uint64_t generation = file.handle.generation;
	bool over = false;
	struct onlooker onlookers[2];

	f->fs->cache_bytes = 1;
	for (unsigned i = 0; i < 40; i++) {
		char name[32];

		snprintf(name, sizeof name, "idle%u", i);
		idle[i] = fixture_create(f, f->root, name, S_IFREG | 0644).handle;
	}
	for (unsigned i = 0; i < 2; i++) {
		onlookers[i] = (struct onlooker){f, &ino, &generation, &over, 0, false, 0};
		assert_int_equal(pthread_create(&onlookers[i].thread, NULL, look_on, &onlookers[i]), 0);
	}
	for (unsigned i = 1; i < 20000; i++) {
		struct nova_attr value = {.uid = i, .gid = i, .size = i};
		struct nova_attr other;
		char byte;

		assert_int_equal(
		    nova_setattr(&f->call, file.handle, NOVA_SET_UID | NOVA_SET_GID | NOVA_SET_SIZE, &value, NULL), 0);
		/* Every log is short, and each use of another inode lets this one go cold. */
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(nova_read(&f->call, idle[(3 * i + k) % 40], 0, &byte, 1), 0);
		assert_int_equal(nova_getattr(&f->call, idle[i % 40], &other), 0);
		if (i % 6)
			continue;
		fixture_unlink(f, f->root, "file");
		file = fixture_create(f, f->root, "file", S_IFREG | 0644);
		__atomic_store_n(&ino, file.handle.ino.n, __ATOMIC_RELAXED);
		__atomic_store_n(&generation, file.handle.generation, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(onlookers[i].thread, NULL);
		assert_false(onlookers[i].torn);
		assert_true(onlookers[i].seen > 0);
	}
}

static void drop_index(struct fixture *f, struct nova_handle file)
{
	struct nova_inode *inode;

	assert_int_equal(incore_find(f->call.worker, file.ino.n, &inode), 0);
	pthread_rwlock_wrlock(&inode->lock);
	incore_index_drop(f->fs, inode);
	pthread_rwlock_unlock(&inode->lock);
}

static void attributes_tell_of_extended_ones_also_without_an_index(void **state)
{
	struct fixture *f = *state;
	struct nova_handle with = fixture_create(f, f->root, "with", S_IFREG | 0644).handle;
	struct nova_handle without = fixture_create(f, f->root, "without", S_IFREG | 0644).handle;
	struct nova_handle files[] = {with, without};
	struct nova_attr attr;

	assert_int_equal(nova_setxattr(&f->call, with, N("user.a"), "b", 1, 0, NULL), 0);
	assert_int_equal(nova_setxattr(&f->call, without, N("user.a"), "b", 1, 0, NULL), 0);
	assert_int_equal(nova_removexattr(&f->call, without, N("user.a"), NULL), 0);
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned dropped = 0; dropped < 2; dropped++) {
			assert_int_equal(nova_getattr(&f->call, files[i], &attr), 0);
			assert_int_equal(attr.has_xattrs, i == 0);
			drop_index(f, files[i]);
		}
	}
	/* The number of a file that had some is another's now. */
	drop_index(f, with);
	fixture_unlink(f, f->root, "with");
	for (unsigned i = 0; i < 8; i++)
		assert_false(fixture_create(f, f->root, (char[]){'n', (char)('0' + i), 0}, S_IFREG | 0644).has_xattrs);
	fixture_assert_same_after_remount(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(cold_indexes_are_dropped_and_built_again),
	    TEST(cold_inodes_are_given_up_and_pinned_ones_stay),
	    TEST(a_look_at_a_cold_inode_tells_what_loading_it_would),
	    TEST(a_look_at_a_cold_inode_without_a_log_fails_as_loading_it_would),
	    TEST(attributes_of_a_cold_inode_are_of_one_moment),
	    TEST(attributes_tell_of_extended_ones_also_without_an_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
