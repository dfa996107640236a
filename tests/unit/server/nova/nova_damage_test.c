/*
 * nova_damage_test.c -- damaged pools: a mount repairs, refuses with a reason, or works; it never crashes.
 */
#include "common/log.h"
#include "server/nova/media/format.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* A tree with one of everything, with logs of several pages. */
static void populate(struct fixture *f)
{
	struct nova_attr dir = fixture_create(f, f->root, "dir", S_IFDIR | 0755);
	struct nova_attr file = fixture_create(f, dir.handle, "file", S_IFREG | 0644);
	static uint8_t data[20000];
	char name[64];

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "name-%d", i);
		fixture_create(f, dir.handle, name, i % 9 ? S_IFREG | 0644 : S_IFDIR | 0755);
		fixture_write(f, file.handle, (uint64_t)(i * 977 % 50) * 4096, data, sizeof data);
	}
	assert_int_equal(nova_symlink(&f->call, f->root, "link", 4, "dir/file", 8, NULL), 0);
	fixture_unlink(f, dir.handle, "name-7");
}

/* Do something with whatever the mount made of it; results do not matter, crashes do. */
static bool visit(void *context, const struct nova_dirent *entry)
{
	(void)context;
	return entry->length > 0;
}

static void use(struct fixture *f)
{
	struct nova_attr attr;
	struct nova_attr dir;
	char buffer[8192];

	nova_readdir(&f->call, f->root, 0, NULL, visit, NULL);
	if (nova_lookup(&f->call, f->root, "dir", 3, &dir))
		return;
	nova_readdir(&f->call, dir.handle, 0, NULL, visit, NULL);
	for (int i = 0; i < 300; i += 13) {
		int length = snprintf(buffer, sizeof buffer, "name-%d", i);

		nova_unlink(&f->call, dir.handle, buffer, (size_t)length, NULL);
		nova_create(&f->call, dir.handle, buffer, (size_t)length, S_IFREG | 0644, 0, NULL);
	}
	if (nova_lookup(&f->call, dir.handle, "file", 4, &attr))
		return;
	nova_read(&f->call, attr.handle, 0, buffer, sizeof buffer);
	nova_write(&f->call, attr.handle, 100, buffer, sizeof buffer, 0, NULL);
}

static void mount_and_use(struct fixture *f, bool full_scan)
{
	struct nova_mount_options options = {.full_scan = full_scan};
	char why[256] = "";
	int err = nova_mount(&f->pm, &options, &f->fs, why, sizeof why);

	if (err) {
		assert_true(err == -EIO || err == -EINVAL || err == -EPROTONOSUPPORT || err == -EROFS);
		assert_true(why[0]);
		f->fs = NULL;
		return;
	}
	assert_int_equal(nova_worker_open(f->fs, &f->worker), 0);
	f->call = (struct nova_call){.worker = f->worker};
	f->root = nova_root(f->fs);
	use(f);
	fixture_unmount(f);
}

/* The bytes that hold metadata of this small tree: preamble, zone header and the first chunks. */
static uint64_t interesting_byte(unsigned *seed, uint64_t used)
{
	static const struct {
		uint64_t first;
		uint64_t count;
	} places[] = {{0, 320}, {2 * 4096, 64 * 4096}, {512 * 4096, 4096}, {513 * 4096, 200}};
	unsigned choice = (unsigned)rand_r(seed) % 8;

	if (choice < 4)
		return places[choice].first + (uint64_t)rand_r(seed) % places[choice].count;
	return (512 + 128) * 4096ULL + ((uint64_t)rand_r(seed) << 8 ^ (uint64_t)rand_r(seed)) % used;
}

static void random_damage_never_crashes_a_mount(void **state)
{
	struct fixture f;
	uint8_t *image;
	unsigned seed = 4711;
	uint64_t used = 6 * MIB;

	fixture_open(&f, 12 * MIB);
	populate(&f);
	fixture_unmount(&f);
	log_set_level(LOG_LEVEL_ERROR);
	image = malloc(f.size);
	memcpy(image, f.memory, f.size);
	for (int round = 0; round < 1500; round++) {
		uint8_t *bytes = f.memory;
		int flips = 1 + rand_r(&seed) % 6;

		memcpy(f.memory, image, f.size);
		for (int i = 0; i < flips; i++) {
			uint64_t at = interesting_byte(&seed, used);

			if (rand_r(&seed) % 4)
				bytes[at] ^= (uint8_t)(1 << rand_r(&seed) % 8);
			else
				memset(bytes + (at & ~63ULL), rand_r(&seed), 64);
		}
		mount_and_use(&f, round & 1);
	}
	free(image);
	fixture_close(&f);
}

static struct nova_slot *slot_of(struct fixture *f, nova_ino ino)
{
	return (struct nova_slot *)((uint8_t *)f->memory + ino.n * NOVA_SLOT_SIZE);
}

static void one_damaged_copy_of_a_word_is_repaired(void **state)
{
	struct fixture f;
	struct nova_slot *root;
	struct nova_slot before;
	char *dump;
	char *after;

	fixture_open(&f, 12 * MIB);
	populate(&f);
	dump = fixture_dump(&f);
	root = slot_of(&f, f.root.ino);
	fixture_unmount(&f);
	before = *root;
	log_set_level(LOG_LEVEL_ERROR);
	root->words.life[0] = le64_of(0);
	root->words.tail[1] = le64_of(le64_get(root->words.tail[1]) ^ 1ULL << 20);
	fixture_mount_scan(&f);
	assert_memory_equal(&before.words, &root->words, sizeof before.words);
	after = fixture_dump(&f);
	assert_string_equal(dump, after);
	free(dump);
	free(after);
	fixture_close(&f);
}

static void damage_below_the_tail_is_refused_with_the_place(void **state)
{
	struct nova_mount_options options = {.full_scan = true};
	struct fixture f;
	struct nova *fs;
	char why[256];

	fixture_open(&f, 12 * MIB);
	populate(&f);
	fixture_unmount(&f);
	log_set_level(LOG_LEVEL_ERROR);
	slot_of(&f, f.root.ino)->log[1][40] ^= 1;
	assert_int_equal(nova_mount(&f.pm, &options, &fs, why, sizeof why), -EIO);
	assert_non_null(strstr(why, "log position 1"));
	slot_of(&f, f.root.ino)->log[1][40] ^= 1;
	fixture_mount(&f);
	fixture_close(&f);
}

/* In bytes that nothing but the checksum covers. */
static void a_damaged_header_of_a_slot_or_page_is_refused(void **state)
{
	struct nova_mount_options options = {.full_scan = true};
	struct nova_page *page;
	struct nova_attr dir;
	struct fixture f;
	struct nova *fs;
	uint64_t head;
	char why[256];

	fixture_open(&f, 12 * MIB);
	populate(&f);
	assert_int_equal(nova_lookup(&f.call, f.root, "dir", 3, &dir), 0);
	fixture_unmount(&f);
	log_set_level(LOG_LEVEL_ERROR);
	slot_of(&f, dir.handle.ino)->header.reserved1[5] ^= 1;
	assert_int_equal(nova_mount(&f.pm, &options, &fs, why, sizeof why), -EIO);
	assert_non_null(strstr(why, "damaged slot header"));
	slot_of(&f, dir.handle.ino)->header.reserved1[5] ^= 1;
	head = le64_get(slot_of(&f, dir.handle.ino)->words.head[0]) >> 16;
	assert_int_not_equal(head, 0);
	page = (struct nova_page *)((uint8_t *)f.memory + head * NOVA_BLOCK_SIZE);
	page->header.ino = le64_of(le64_get(page->header.ino) ^ 1);
	assert_int_equal(nova_mount(&f.pm, &options, &fs, why, sizeof why), -EIO);
	assert_non_null(strstr(why, "damaged header"));
	page->header.ino = le64_of(le64_get(page->header.ino) ^ 1);
	fixture_mount(&f);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_damage_never_crashes_a_mount),
	    cmocka_unit_test(one_damaged_copy_of_a_word_is_repaired),
	    cmocka_unit_test(damage_below_the_tail_is_refused_with_the_place),
	    cmocka_unit_test(a_damaged_header_of_a_slot_or_page_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
