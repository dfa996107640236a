/*
 * nova_api_test.c -- the core's operations, and that every one of them looks the same after a remount.
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

static void files_and_directories_keep_names_and_attributes(void **state)
{
	struct fixture *f = *state;
	struct nova_attr dir = fixture_create(f, f->root, "dir", S_IFDIR | 0750);
	struct nova_attr attr;

	fixture_create(f, dir.handle, "file", S_IFREG | 0640);
	fixture_create(f, dir.handle, "fifo", S_IFIFO | 0600);
	fixture_create(f, dir.handle, "sock", S_IFSOCK | 0600);
	assert_int_equal(nova_create(&f->call, dir.handle, N("dev"), S_IFCHR | 0666, 0x103, &attr), 0);
	assert_int_equal(attr.rdev, 0x103);
	fixture_create(f, dir.handle, "sub", S_IFDIR | 0700);
	attr = fixture_lookup(f, f->root, "dir");
	assert_int_equal(attr.nlink, 3);
	assert_int_equal(nova_create(&f->call, dir.handle, N("file"), S_IFREG, 0, NULL), -EEXIST);
	assert_int_equal(nova_create(&f->call, dir.handle, N(".."), S_IFREG, 0, NULL), -EINVAL);
	assert_int_equal(nova_create(&f->call, dir.handle, N("a/b"), S_IFREG, 0, NULL), -EINVAL);
	assert_int_equal(nova_lookup(&f->call, dir.handle, N(".."), &attr), 0);
	assert_int_equal(attr.handle.ino.n, f->root.ino.n);
	fixture_assert_same_after_remount(f);
}

static void removed_names_are_gone_and_their_handles_stale(void **state)
{
	struct fixture *f = *state;
	struct nova_attr dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755);
	struct nova_attr file = fixture_create(f, dir.handle, "file", S_IFREG | 0644);
	struct nova_attr again;
	struct nova_attr attr;

	fixture_write(f, file.handle, 0, "hello", 5);
	assert_int_equal(nova_rmdir(&f->call, f->root, N("dir"), NULL), -ENOTEMPTY);
	assert_int_equal(nova_unlink(&f->call, f->root, N("dir"), NULL), -EISDIR);
	assert_int_equal(nova_rmdir(&f->call, dir.handle, N("file"), NULL), -ENOTDIR);
	fixture_unlink(f, dir.handle, "file");
	assert_int_equal(nova_lookup(&f->call, dir.handle, N("file"), &attr), -ENOENT);
	assert_int_equal(nova_getattr(&f->call, file.handle, &attr), -ESTALE);
	again = fixture_create(f, dir.handle, "file", S_IFREG | 0644);
	assert_int_equal(again.handle.ino.n, file.handle.ino.n);
	assert_int_not_equal(again.handle.generation, file.handle.generation);
	assert_int_equal(nova_getattr(&f->call, file.handle, &attr), -ESTALE);
	assert_int_equal(nova_write(&f->call, file.handle, 0, "x", 1, 0, NULL), -ESTALE);
	fixture_unlink(f, dir.handle, "file");
	assert_int_equal(nova_rmdir(&f->call, f->root, N("dir"), &attr), 0);
	assert_int_equal(attr.nlink, 0);
	fixture_assert_same_after_remount(f);
	assert_int_equal(nova_getattr(&f->call, again.handle, &attr), -ESTALE);
	assert_int_equal(nova_getattr(&f->call, (struct nova_handle){{12345}, 1}, &attr), -ESTALE);
	assert_int_equal(nova_getattr(&f->call, (struct nova_handle){{~0ULL}, 1}, &attr), -ESTALE);
}

static void unaligned_writes_match_a_model(void **state)
{
	struct fixture *f = *state;
	struct nova_attr file = fixture_create(f, f->root, "file", S_IFREG | 0644);
	static uint8_t model[300000];
	static uint8_t data[70000];
	static uint8_t back[300000];
	uint64_t size = 0;

	memset(model, 0, sizeof model);
	srand(7);
	for (int i = 0; i < 2000; i++) {
		uint64_t length = 1 + (uint64_t)rand() % (i % 3 ? 5000 : sizeof data);
		uint64_t offset = (uint64_t)rand() % (sizeof model - length);
		struct nova_attr set = {.size = (uint64_t)rand() % sizeof model};

		if (i % 7 == 6) {
			assert_int_equal(nova_setattr(&f->call, file.handle, NOVA_SET_SIZE, &set, NULL), 0);
			if (set.size < size)
				memset(model + set.size, 0, size - set.size);
			size = set.size;
		} else {
			for (uint64_t k = 0; k < length; k++)
				data[k] = (uint8_t)rand();
			fixture_write(f, file.handle, offset, data, length);
			memcpy(model + offset, data, length);
			if (offset + length > size)
				size = offset + length;
		}
		if (i % 97 == 0)
			fixture_remount(f);
		if (i % 11 == 0 || i % 97 == 0) {
			assert_int_equal(nova_read(&f->call, file.handle, 0, back, sizeof back), size);
			assert_memory_equal(back, model, size);
		}
	}
	fixture_assert_same_after_remount(f);
}

static void sparse_files_read_zeros_and_map_holes(void **state)
{
	struct fixture *f = *state;
	struct nova_attr file = fixture_create(f, f->root, "sparse", S_IFREG | 0644);
	struct nova_extent extents[4];
	struct nova_attr attr;
	uint8_t back[100];

	fixture_write(f, file.handle, 1ULL << 45, "end", 3);
	fixture_write(f, file.handle, 8192, "middle", 6);
	assert_int_equal(nova_map(&f->call, file.handle, 0, 1ULL << 50, extents, 4, &attr), 4);
	assert_int_equal(attr.size, (1ULL << 45) + 3);
	assert_int_equal(attr.blocks, 2);
	assert_int_equal(extents[0].block.n, 0);
	assert_int_equal(extents[0].length, 8192);
	assert_int_not_equal(extents[1].block.n, 0);
	assert_int_equal(extents[2].block.n, 0);
	assert_int_equal(extents[3].offset, 1ULL << 45);
	assert_int_equal(nova_read(&f->call, file.handle, (1ULL << 44), back, 100), 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(back[i], 0);
	assert_int_equal(nova_write(&f->call, file.handle, 1ULL << 60, "x", 1, 0, NULL), -EFBIG);
	fixture_remount(f);
	assert_int_equal(nova_read(&f->call, file.handle, (1ULL << 45) - 1, back, 100), 4);
	assert_memory_equal(back, "\0end", 4);
}

static void appends_go_to_the_end(void **state)
{
	struct fixture *f = *state;
	struct nova_attr file = fixture_create(f, f->root, "log", S_IFREG | 0644);
	struct nova_attr attr;
	char back[16] = "";

	assert_int_equal(nova_write(&f->call, file.handle, 999, "abc", 3, NOVA_WRITE_APPEND, NULL), 3);
	assert_int_equal(nova_write(&f->call, file.handle, 0, "def", 3, NOVA_WRITE_APPEND, &attr), 3);
	assert_int_equal(attr.size, 6);
	assert_int_equal(nova_read(&f->call, file.handle, 0, back, sizeof back), 6);
	assert_string_equal(back, "abcdef");
}

static void symlinks_of_every_length_read_back(void **state)
{
	struct fixture *f = *state;
	const size_t lengths[] = {1, 27, 28, 29, 92, 93, 284, 285, 4095};
	char target[4096];
	char back[4096];
	char name[16];

	memset(target, 'x', sizeof target);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		struct nova_attr attr;

		snprintf(name, sizeof name, "l%zu", lengths[i]);
		target[lengths[i] / 2] = '/';
		assert_int_equal(nova_symlink(&f->call, f->root, N(name), target, lengths[i], &attr), 0);
		assert_int_equal(attr.size, lengths[i]);
		assert_int_equal(nova_readlink(&f->call, attr.handle, back, sizeof back), lengths[i]);
		assert_memory_equal(back, target, lengths[i]);
	}
	assert_int_equal(nova_symlink(&f->call, f->root, N("long"), target, 4096, NULL), -ENAMETOOLONG);
	fixture_assert_same_after_remount(f);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		snprintf(name, sizeof name, "l%zu", lengths[i]);
		fixture_unlink(f, f->root, name);
	}
	fixture_assert_same_after_remount(f);
}

static void names_of_every_length_are_found(void **state)
{
	struct fixture *f = *state;
	char name[257];

	memset(name, 'n', sizeof name);
	for (size_t length = 1; length <= 255; length++)
		assert_int_equal(nova_create(&f->call, f->root, name, length, S_IFREG | 0644, 0, NULL), 0);
	assert_int_equal(nova_create(&f->call, f->root, name, 256, S_IFREG | 0644, 0, NULL), -ENAMETOOLONG);
	fixture_assert_same_after_remount(f);
	for (size_t length = 255; length >= 1; length--)
		assert_int_equal(nova_unlink(&f->call, f->root, name, length, NULL), 0);
	fixture_assert_same_after_remount(f);
}

struct hashed {
	uint32_t hash;
	uint32_t number;
};

static int compare_hashes(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* Two names of one hash, under the seed of this mount: of so many there are some. */
static void find_collision(const struct fixture *f, char one[16], char two[16])
{
	enum { TRIED = 400000 };
	struct hashed *all = calloc(TRIED, sizeof *all);
	uint32_t i = 1;

	assert_non_null(all);
	for (uint32_t n = 0; n < TRIED; n++) {
		int length = snprintf(one, 16, "n%u", n);

		all[n] = (struct hashed){dir_index_hash(f->fs->hash_seed, one, (size_t)length), n};
	}
	qsort(all, TRIED, sizeof *all, compare_hashes);
	while (i < TRIED && all[i].hash != all[i - 1].hash)
		i++;
	assert_true(i < TRIED);
	snprintf(one, 16, "n%u", all[i - 1].number);
	snprintf(two, 16, "n%u", all[i].number);
	free(all);
}

static void try_two_names(struct fixture *f, const char *one, const char *two)
{
	struct nova_attr dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755);
	struct nova_attr first = fixture_create(f, dir.handle, one, S_IFREG | 0600);
	struct nova_attr second, attr;

	assert_int_equal(nova_lookup(&f->call, dir.handle, N(two), &attr), -ENOENT);
	assert_int_equal(nova_unlink(&f->call, dir.handle, N(two), NULL), -ENOENT);
	second = fixture_create(f, dir.handle, two, S_IFREG | 0600);
	assert_int_equal(fixture_lookup(f, dir.handle, one).handle.ino.n, first.handle.ino.n);
	assert_int_equal(fixture_lookup(f, dir.handle, two).handle.ino.n, second.handle.ino.n);
	fixture_assert_same_after_remount(f);
	assert_int_equal(nova_rename(&f->call, dir.handle, N(two), dir.handle, N("other"), 0, NULL), 0);
	assert_int_equal(fixture_lookup(f, dir.handle, one).handle.ino.n, first.handle.ino.n);
	assert_int_equal(nova_rename(&f->call, dir.handle, N("other"), dir.handle, N(two), 0, NULL), 0);
	fixture_unlink(f, dir.handle, one);
	assert_int_equal(nova_lookup(&f->call, dir.handle, N(one), &attr), -ENOENT);
	assert_int_equal(fixture_lookup(f, dir.handle, two).handle.ino.n, second.handle.ino.n);
	fixture_unlink(f, dir.handle, two);
	assert_int_equal(nova_rmdir(&f->call, f->root, N("dir"), NULL), 0);
}

static void names_of_one_hash_are_two_names(void **state)
{
	struct fixture *f = *state;
	char one[16], two[16];

	/* This pair has one hash in NOVA, which takes the hash for the name. */
	try_two_names(f, "\x61\x50", "\x62\xcd");
	find_collision(f, one, two);
	try_two_names(f, one, two);
}

static void hard_links_count_and_keep_the_file(void **state)
{
	struct fixture *f = *state;
	struct nova_attr dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755);
	struct nova_attr file = fixture_create(f, f->root, "a", S_IFREG | 0644);
	struct nova_attr attr;

	fixture_write(f, file.handle, 0, "data", 4);
	assert_int_equal(nova_link(&f->call, file.handle, dir.handle, N("b"), &attr), 0);
	assert_int_equal(attr.nlink, 2);
	assert_int_equal(nova_link(&f->call, file.handle, dir.handle, N("b"), &attr), -EEXIST);
	assert_int_equal(nova_link(&f->call, dir.handle, f->root, N("c"), &attr), -EPERM);
	fixture_assert_same_after_remount(f);
	assert_int_equal(nova_unlink(&f->call, f->root, N("a"), &attr), 0);
	assert_int_equal(attr.nlink, 1);
	fixture_assert_same_after_remount(f);
	assert_int_equal(nova_unlink(&f->call, dir.handle, N("b"), &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(nova_getattr(&f->call, file.handle, &attr), -ESTALE);
}

static int rename_in(struct fixture *f, struct nova_handle from, const char *a, struct nova_handle to, const char *b,
                     unsigned flags)
{
	return nova_rename(&f->call, from, N(a), to, N(b), flags, NULL);
}

static void rename_moves_replaces_and_exchanges(void **state)
{
	struct fixture *f = *state;
	struct nova_attr d1 = fixture_create(f, f->root, "d1", S_IFDIR | 0755);
	struct nova_attr d2 = fixture_create(f, f->root, "d2", S_IFDIR | 0755);
	struct nova_attr sub = fixture_create(f, d1.handle, "sub", S_IFDIR | 0755);
	struct nova_attr a = fixture_create(f, d1.handle, "a", S_IFREG | 0644);
	struct nova_attr b = fixture_create(f, d2.handle, "b", S_IFREG | 0644);
	struct nova_attr attr;

	assert_int_equal(rename_in(f, d1.handle, "a", d1.handle, "a2", 0), 0);
	fixture_assert_same_after_remount(f);
	assert_int_equal(rename_in(f, d1.handle, "a2", d2.handle, "b", NOVA_RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(rename_in(f, d1.handle, "a2", d2.handle, "b", NOVA_RENAME_EXCHANGE), 0);
	assert_int_equal(fixture_lookup(f, d2.handle, "b").handle.ino.n, a.handle.ino.n);
	assert_int_equal(fixture_lookup(f, d1.handle, "a2").handle.ino.n, b.handle.ino.n);
	fixture_assert_same_after_remount(f);
	assert_int_equal(nova_rename(&f->call, d1.handle, N("a2"), d2.handle, N("b"), 0, &attr), 0);
	assert_int_equal(attr.handle.ino.n, a.handle.ino.n);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(nova_getattr(&f->call, a.handle, &attr), -ESTALE);
	fixture_assert_same_after_remount(f);

	/* Directories. */
	assert_int_equal(rename_in(f, f->root, "d1", sub.handle, "x", 0), -EINVAL);
	assert_int_equal(rename_in(f, f->root, "d1", d1.handle, "x", 0), -EINVAL);
	assert_int_equal(rename_in(f, d1.handle, "sub", f->root, "d1", 0), -ENOTEMPTY);
	assert_int_equal(rename_in(f, f->root, "d1", sub.handle, "x", NOVA_RENAME_EXCHANGE), -ENOENT);
	assert_int_equal(rename_in(f, d1.handle, "sub", d2.handle, "sub2", 0), 0);
	assert_int_equal(fixture_lookup(f, f->root, "d1").nlink, 2);
	assert_int_equal(fixture_lookup(f, f->root, "d2").nlink, 3);
	assert_int_equal(fixture_lookup(f, sub.handle, "..").handle.ino.n, d2.handle.ino.n);
	fixture_assert_same_after_remount(f);
	assert_int_equal(rename_in(f, d2.handle, "b", f->root, "d1", 0), -EISDIR);
	assert_int_equal(rename_in(f, f->root, "d1", d2.handle, "b", 0), -ENOTDIR);
	assert_int_equal(rename_in(f, f->root, "d1", d2.handle, "sub2", 0), 0);
	assert_int_equal(nova_getattr(&f->call, sub.handle, &attr), -ESTALE);
	assert_int_equal(fixture_lookup(f, d2.handle, "sub2").handle.ino.n, d1.handle.ino.n);
	fixture_assert_same_after_remount(f);
	assert_int_equal(rename_in(f, d2.handle, "b", f->root, "d2", 0), -ENOTEMPTY);
	assert_int_equal(rename_in(f, f->root, "no", f->root, "x", 0), -ENOENT);
}

static void rename_of_one_inode_onto_itself_does_nothing(void **state)
{
	struct fixture *f = *state;
	struct nova_attr a = fixture_create(f, f->root, "a", S_IFREG | 0644);

	assert_int_equal(nova_link(&f->call, a.handle, f->root, N("b"), NULL), 0);
	assert_int_equal(rename_in(f, f->root, "a", f->root, "b", 0), 0);
	assert_int_equal(rename_in(f, f->root, "a", f->root, "a", 0), 0);
	assert_int_equal(fixture_lookup(f, f->root, "a").nlink, 2);
}

static void setattr_changes_everything_at_once_or_nothing(void **state)
{
	struct fixture *f = *state;
	struct nova_attr file = fixture_create(f, f->root, "f", S_IFREG | 0644);
	struct nova_attr in = {
	    .mode = 04711, .uid = 7, .gid = 8, .size = 10000, .atime_ns = -5, .mtime_ns = 123456789012345};
	struct nova_attr out;

	assert_int_equal(
	    nova_setattr(&f->call, file.handle,
	                 NOVA_SET_MODE | NOVA_SET_UID | NOVA_SET_GID | NOVA_SET_SIZE | NOVA_SET_ATIME | NOVA_SET_MTIME,
	                 &in, &out),
	    0);
	assert_int_equal(out.mode, S_IFREG | 04711);
	assert_int_equal(out.uid, 7);
	assert_int_equal(out.gid, 8);
	assert_int_equal(out.size, 10000);
	assert_int_equal(out.atime_ns, -5);
	assert_int_equal(out.mtime_ns, 123456789012345);
	assert_true(out.change > file.change);
	fixture_assert_same_after_remount(f);
	assert_int_equal(nova_setattr(&f->call, f->root, NOVA_SET_SIZE, &in, NULL), -EISDIR);
}

static void an_open_file_outlives_its_name_and_is_reclaimed(void **state)
{
	struct fixture *f = *state;
	uint64_t free_blocks = fixture_free_blocks(f);
	struct nova_attr file = fixture_create(f, f->root, "f", S_IFREG | 0644);
	struct nova_attr attr;
	char back[8];

	fixture_write(f, file.handle, 0, "kept", 4);
	assert_int_equal(nova_open(&f->call, file.handle, NULL), 0);
	fixture_unlink(f, f->root, "f");
	assert_int_equal(nova_getattr(&f->call, file.handle, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(nova_read(&f->call, file.handle, 0, back, 8), 4);
	assert_int_equal(nova_link(&f->call, file.handle, f->root, N("g"), NULL), -ENOENT);
	fixture_assert_same_after_remount(f);
	assert_int_equal(nova_read(&f->call, file.handle, 0, back, 8), 4);
	assert_int_equal(nova_reclaim_orphans(&f->call), 1);
	assert_int_equal(nova_getattr(&f->call, file.handle, &attr), -ESTALE);
	assert_int_equal(fixture_free_blocks(f), free_blocks);

	file = fixture_create(f, f->root, "f", S_IFREG | 0644);
	fixture_write(f, file.handle, 0, "kept", 4);
	assert_int_equal(nova_open(&f->call, file.handle, NULL), 0);
	fixture_unlink(f, f->root, "f");
	assert_int_equal(nova_reclaim_orphans(&f->call), 0);
	assert_int_equal(nova_close(&f->call, file.handle), 0);
	assert_int_equal(nova_getattr(&f->call, file.handle, &attr), -ESTALE);
	fixture_assert_same_after_remount(f);
}

struct reader {
	uint64_t cookie;
	int count;
	int limit;
	int seen[2000];
};

static bool read_some(void *context, const struct nova_dirent *entry)
{
	struct reader *reader = context;
	int number;
	char name[32] = "";

	memcpy(name, entry->name, entry->length);
	if (sscanf(name, "keep%d", &number) == 1)
		reader->seen[number]++;
	reader->cookie = entry->cookie;
	return ++reader->count < reader->limit;
}

static void readdir_tells_each_lasting_name_once_while_others_change(void **state)
{
	struct fixture *f = *state;
	struct nova_attr dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755);
	struct reader reader = {.limit = 7};
	char name[32];
	int next = 0;

	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "keep%d", i);
		fixture_create(f, dir.handle, name, S_IFREG | 0644);
		if (i % 2) {
			snprintf(name, sizeof name, "tmp%d", i);
			fixture_create(f, dir.handle, name, S_IFREG | 0644);
		}
	}
	for (;;) {
		reader.count = 0;
		assert_int_equal(nova_readdir(&f->call, dir.handle, reader.cookie, NULL, read_some, &reader), 0);
		if (reader.count == 0)
			break;
		for (int k = 0; k < 5 && next < 1000; k++, next++) {
			snprintf(name, sizeof name, "tmp%d", 2 * next + 1);
			fixture_unlink(f, dir.handle, name);
		}
		if (next == 500)
			fixture_remount(f);
	}
	for (int i = 0; i < 2000; i++)
		assert_int_equal(reader.seen[i], 1);
	fixture_assert_same_after_remount(f);
}

#define RENAMED 60

/* A listing in pieces of seven names, between which `change` is called. */
static int list_in_pieces(struct fixture *f, struct nova_handle dir, struct reader *reader,
                          void (*change)(struct fixture *f, struct nova_handle dir, int round))
{
	uint64_t until = 0;
	int told = 0;

	reader->limit = 7;
	for (int round = 0;; round++) {
		reader->count = 0;
		assert_int_equal(nova_readdir(&f->call, dir, reader->cookie, &until, read_some, reader), 0);
		if (reader->count == 0)
			return told;
		told += reader->count;
		assert_true(told <= 10 * RENAMED);
		change(f, dir, round);
	}
}

/* Every name gets another inode: half by replacement, half by exchange with its neighbour. */
static void replace_all(struct fixture *f, struct nova_handle dir, int round)
{
	char name[32], other[32];

	for (int i = 0; i < RENAMED; i += 2) {
		fixture_create(f, dir, "new", S_IFREG | 0644);
		snprintf(name, sizeof name, "keep%d", i);
		assert_int_equal(rename_in(f, dir, "new", dir, name, 0), 0);
		snprintf(other, sizeof other, "keep%d", i + 1);
		assert_int_equal(rename_in(f, dir, name, dir, other, NOVA_RENAME_EXCHANGE), 0);
	}
	if (round == 2)
		fixture_remount(f);
	while (round == 3 && nova_gc_step(f->call.worker, 100, NOVA_GC_BUSY) == 100)
		;
	if (round == 4)
		fixture_remount(f);
}

static void rename_all(struct fixture *f, struct nova_handle dir, int round)
{
	char from[32], to[32];

	for (int i = 0; i < RENAMED; i++) {
		snprintf(from, sizeof from, "moved%d-%d", round, i);
		snprintf(to, sizeof to, "moved%d-%d", round + 1, i);
		assert_int_equal(rename_in(f, dir, from, dir, to, 0), 0);
	}
}

static void listings_end_while_names_are_replaced(void **state)
{
	struct fixture *f = *state;
	struct nova_attr dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755);
	struct reader reader = {0};
	char name[32];

	for (int i = 0; i < RENAMED; i++) {
		snprintf(name, sizeof name, "keep%d", i);
		fixture_create(f, dir.handle, name, S_IFREG | 0644);
	}
	assert_int_equal(list_in_pieces(f, dir.handle, &reader, replace_all), RENAMED);
	for (int i = 0; i < RENAMED; i++)
		assert_int_equal(reader.seen[i], 1);
	fixture_assert_same_after_remount(f);
}

static void listings_end_while_names_are_renamed(void **state)
{
	struct fixture *f = *state;
	struct nova_attr dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755);
	struct reader reader = {0};
	char name[32];

	for (int i = 0; i < RENAMED; i++) {
		snprintf(name, sizeof name, "keep%d", i);
		fixture_create(f, dir.handle, name, S_IFREG | 0644);
		snprintf(name, sizeof name, "moved0-%d", i);
		fixture_create(f, dir.handle, name, S_IFREG | 0644);
	}
	assert_in_range(list_in_pieces(f, dir.handle, &reader, rename_all), RENAMED, 2 * RENAMED);
	for (int i = 0; i < RENAMED; i++)
		assert_int_equal(reader.seen[i], 1);
}

struct kept {
	nova_ino ino;
	nova_block first;
	uint64_t count;
	uint32_t project;
	bool keep;
};

static enum nova_quarantine keep(void *context, const struct nova_freed *freed)
{
	struct kept *kept = context;

	if (!kept->keep)
		return NOVA_FREE;
	kept->ino = freed->ino;
	kept->first = freed->first;
	kept->count += freed->count;
	kept->project = freed->project;
	return freed->project ? NOVA_QUARANTINE_CHARGED : NOVA_QUARANTINE;
}

static void kept_blocks_are_not_reused_until_they_are_given_back(void **state)
{
	struct fixture *f = *state;
	struct kept kept = {0};
	struct nova_mount_options options = {.quarantine = keep, .quarantine_context = &kept};
	struct nova_attr file = fixture_create(f, f->root, "file", S_IFREG | 0644);
	static uint8_t data[5 * 4096];
	struct nova_extent extent;
	uint64_t free_blocks;
	uint8_t *old;

	memset(data, 'o', sizeof data);
	fixture_write(f, file.handle, 0, data, sizeof data);
	fixture_unmount(f);
	assert_int_equal(nova_mount(&f->pm, &options, &f->fs, NULL, 0), 0);
	assert_int_equal(nova_worker_open(f->fs, &f->worker), 0);
	f->call = (struct nova_call){.worker = f->worker};
	assert_int_equal(nova_map(&f->call, file.handle, 0, sizeof data, &extent, 1, NULL), 1);
	assert_int_equal(extent.length, sizeof data);
	old = (uint8_t *)f->memory + extent.block.n * 4096;
	free_blocks = fixture_free_blocks(f);

	kept.keep = true;
	memset(data, 'n', sizeof data);
	fixture_write(f, file.handle, 0, data, sizeof data);
	assert_int_equal(kept.ino.n, file.handle.ino.n);
	assert_int_equal(kept.first.n, extent.block.n);
	assert_int_equal(kept.count, 5);
	kept.keep = false;
	for (int i = 0; i < 2000; i++)
		fixture_write(f, file.handle, (uint64_t)(i % 5) * 4096, data, 4096);
	assert_int_equal(old[0], 'o');
	assert_int_equal(old[5 * 4096 - 1], 'o');
	nova_free_blocks(f->worker, kept.first, kept.count, 0);
	assert_true(fixture_free_blocks(f) + 40 > free_blocks);
	fixture_assert_same_after_remount(f);
}

static void entries_have_the_epoch_of_their_birth(void **state)
{
	struct fixture *f = *state;
	struct nova_attr file = fixture_create(f, f->root, "file", S_IFREG | 0644);
	const struct nova_slot *slot;
	const struct nova_entry *entry;

	fixture_write(f, file.handle, 0, "x", 1);
	slot = (const void *)((uint8_t *)f->memory + file.handle.ino.n * NOVA_SLOT_SIZE);
	entry = (const void *)slot->log[1];
	assert_int_equal(entry->type, NOVA_ENTRY_WRITE);
	assert_int_equal(le16_get(entry->flags), 0);
	assert_int_equal(le32_get(entry->born), 1);
	assert_int_equal(le32_get(entry->view), 0);
	assert_int_equal(le32_get(entry->epoch), 1);
}

static void a_read_only_mount_reads_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct nova_mount_options options = {.read_only = true};
	struct nova_attr file = fixture_create(f, f->root, "file", S_IFREG | 0644);
	uint8_t *image = malloc(f->size);
	char back[8];

	fixture_write(f, file.handle, 0, "data", 4);
	fixture_unmount(f);
	memcpy(image, f->memory, f->size);
	assert_int_equal(nova_mount(&f->pm, &options, &f->fs, NULL, 0), 0);
	assert_int_equal(nova_worker_open(f->fs, &f->worker), 0);
	f->call = (struct nova_call){.worker = f->worker};
	assert_int_equal(nova_read(&f->call, file.handle, 0, back, sizeof back), 4);
	assert_int_equal(nova_write(&f->call, file.handle, 0, "x", 1, 0, NULL), -EROFS);
	assert_int_equal(nova_create(&f->call, f->root, N("new"), S_IFREG, 0, NULL), -EROFS);
	assert_int_equal(nova_unlink(&f->call, f->root, N("file"), NULL), -EROFS);
	fixture_unmount(f);
	assert_memory_equal(image, f->memory, f->size);
	free(image);
	fixture_mount(f);
}

static void a_pool_that_is_none_or_in_parts_is_refused(void **state)
{
	struct fixture *f = *state;
	struct nova *fs;
	char why[256];

	fixture_unmount(f);
	assert_int_equal(nova_probe(&f->pm, why, sizeof why), 0);
	f->pm.size = 12 * MIB;
	assert_int_equal(nova_mount(&f->pm, NULL, &fs, why, sizeof why), -EIO);
	f->pm.size = MIB;
	assert_int_equal(nova_mount(&f->pm, NULL, &fs, why, sizeof why), -EINVAL);
	assert_int_equal(nova_format(&f->pm, NULL), -ENOSPC);
	f->pm.size = f->size;
	memset(f->memory, 0x5a, 4096);
	fixture_mount(f); /* from the second superblock */
	fixture_unmount(f);
	memset(f->memory, 0, 2 * MIB);
	assert_int_equal(nova_mount(&f->pm, NULL, &fs, why, sizeof why), -EINVAL);
	assert_non_null(strstr(why, "not a farnova pool"));
	assert_int_equal(nova_format(&f->pm, NULL), 0);
	fixture_mount(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(files_and_directories_keep_names_and_attributes),
	    TEST(removed_names_are_gone_and_their_handles_stale),
	    TEST(unaligned_writes_match_a_model),
	    TEST(sparse_files_read_zeros_and_map_holes),
	    TEST(appends_go_to_the_end),
	    TEST(symlinks_of_every_length_read_back),
	    TEST(names_of_every_length_are_found),
	    TEST(names_of_one_hash_are_two_names),
	    TEST(hard_links_count_and_keep_the_file),
	    TEST(rename_moves_replaces_and_exchanges),
	    TEST(rename_of_one_inode_onto_itself_does_nothing),
	    TEST(setattr_changes_everything_at_once_or_nothing),
	    TEST(an_open_file_outlives_its_name_and_is_reclaimed),
	    TEST(readdir_tells_each_lasting_name_once_while_others_change),
	    TEST(listings_end_while_names_are_replaced),
	    TEST(listings_end_while_names_are_renamed),
	    TEST(kept_blocks_are_not_reused_until_they_are_given_back),
	    TEST(entries_have_the_epoch_of_their_birth),
	    TEST(a_read_only_mount_reads_and_changes_nothing),
	    TEST(a_pool_that_is_none_or_in_parts_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
