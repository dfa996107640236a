/*
 * repair_fixture.c -- a pool with one of everything to damage, and what a repaired pool must be.
 */
#include "tests/unit/server/pool/repair_fixture.h"

#include "common/crc.h"
#include "common/log.h"
#include "server/pool/check/check.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

const char content[CONTENT_SIZE] = "what must stay";
const uint8_t key[NOVA_CLIENT_KEY] = "some client's";

/* A pool with one of everything, as it was unmounted; every test damages a copy. */
uint8_t *whole;
struct fixture f;
struct nova_handle root, dir, sub, file, small, linked, target, device, pairs;

static void rename_in_pairs(const char *from, const char *to, unsigned flags)
{
	assert_int_equal(nova_rename(&f.call, pairs, from, strlen(from), pairs, to, strlen(to), flags, NULL), 0);
}

/* Names that lead elsewhere than at first, one of which has gone then. */
static void make_pairs(void)
{
	static const char *const names[] = {"a", "b", "c", "d", "e"};

	pairs = fixture_create(&f, root, "pairs", S_IFDIR | 0755).handle;
	for (unsigned i = 0; i < 5; i++)
		fixture_create(&f, pairs, names[i], S_IFREG | 0600);
	rename_in_pairs("a", "b", 0);
	rename_in_pairs("c", "d", NOVA_RENAME_EXCHANGE);
	rename_in_pairs("e", "c", 0);
	fixture_unlink(&f, pairs, "c");
}

/* A client whose last request made a file. */
void make_client(const char *name)
{
	struct nova_call call = f.call;
	struct nova_client *client;
	struct nova_intent intent;

	assert_int_equal(nova_client_new(f.worker, CLIENT, key, &client), 0);
	assert_int_equal(nova_intent_begin(f.worker, client, 0, 1, 1, &intent), 0);
	call.intent = &intent;
	assert_int_equal(nova_create(&call, root, name, strlen(name), S_IFREG | 0600, 0, NULL), 0);
	nova_client_release(f.fs, client);
}

static void make_whole(void)
{
	static char path[3000], data[9000];
	struct nova_attr attr;

	fixture_open(&f, SIZE);
	log_set_level(LOG_LEVEL_ERROR);
	root = f.root;
	dir = fixture_create(&f, root, "dir", S_IFDIR | 0755).handle;
	sub = fixture_create(&f, dir, "sub", S_IFDIR | 0750).handle;
	file = fixture_create(&f, dir, "file", S_IFREG | 0644).handle;
	small = fixture_create(&f, sub, "small", S_IFREG | 0600).handle;
	linked = fixture_create(&f, sub, "linked", S_IFREG | 0600).handle;
	device = fixture_create(&f, sub, "device", S_IFCHR | 0600).handle;
	fixture_write(&f, small, 0, content, sizeof content);
	fixture_write(&f, linked, 0, content, sizeof content);
	assert_int_equal(nova_link(&f.call, linked, root, "other", 5, &attr), 0);
	memset(path, 'p', sizeof path);
	assert_int_equal(nova_symlink(&f.call, dir, "long", 4, path, sizeof path, &attr), 0);
	target = attr.handle;
	assert_int_equal(nova_symlink(&f.call, dir, "short", 5, "file", 4, &attr), 0);
	memset(data, 'd', sizeof data);
	assert_int_equal(nova_setxattr(&f.call, small, "user.short", 10, "value", 5, 0, NULL), 0);
	assert_int_equal(nova_setxattr(&f.call, small, "user.long", 9, data, sizeof data, 0, NULL), 0);
	assert_int_equal(nova_setxattr(&f.call, dir, "user.long", 9, data, 5000, 0, NULL), 0);
	assert_int_equal(nova_fallocate(&f.call, linked, FALLOC_FL_KEEP_SIZE, 0, 100000, NULL), 0);
	for (unsigned i = 0; i < NAMES; i++) {
		char name[16];

		snprintf(name, sizeof name, "name%u", i);
		fixture_create(&f, dir, name, i % 10 ? S_IFREG | 0600 : S_IFDIR | 0700);
		fixture_write(&f, file, (uint64_t)(i % 40) * 4096, data, sizeof data);
	}
	for (unsigned i = 0; i < NAMES; i += 7) {
		char name[16];

		snprintf(name, sizeof name, "name%u", i);
		if (i % 10)
			fixture_unlink(&f, dir, name);
	}
	make_pairs();
	make_client("asked");
	fixture_unmount(&f);
	whole = malloc(SIZE);
	assert_non_null(whole);
	memcpy(whole, f.memory, SIZE);
}

void renew(void)
{
	memcpy(f.memory, whole, SIZE);
}

/* ---- places --------------------------------------------------------------------------------------------------- */

void *block(uint64_t number)
{
	return (uint8_t *)f.memory + number * NOVA_BLOCK_SIZE;
}

struct nova_slot *slot(struct nova_handle handle)
{
	return (struct nova_slot *)((uint8_t *)f.memory + handle.ino.n * NOVA_SLOT_SIZE);
}

struct nova_page *head_page(struct nova_handle handle)
{
	return block(le64_get(slot(handle)->words.head[0]) >> 16);
}

struct nova_page *next_page(const struct nova_page *page)
{
	return block(le64_get(page->header.next[0]) >> 16);
}

void ruin(void *at, size_t length)
{
	memset(at, 0xa5, length);
}

/* The entry with its CRC as it has to be at its place. */
void seal(struct nova_entry *entry, struct nova_handle handle, uint64_t position)
{
	le32 generation = le32_of(handle.generation);
	uint32_t crc = crc32c(crc32c_u64(0xffffffff, handle.ino.n), &generation, sizeof generation);

	entry->crc = le32_of(crc32c(crc32c_u64(crc, position), &entry->type, entry->lines * 64u - 4));
}

/* ---- repair --------------------------------------------------------------------------------------------------- */

struct told told;

static void add(char *text, size_t size, const struct check_finding *finding)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s inode %llu: %s\n", finding->part, (unsigned long long)finding->ino,
	         finding->text);
}

static void note_found(struct repair_report *report, const struct check_finding *finding)
{
	add(told.found, sizeof told.found, finding);
}

static void note_repaired(struct repair_report *report, const struct check_finding *finding)
{
	add(told.repaired, sizeof told.repaired, finding);
}

static void note_left(struct repair_report *report, const struct check_finding *finding)
{
	add(told.left, sizeof told.left, finding);
}

int repair_with(struct pm_observer *observer)
{
	struct repair_report report = {.found = note_found, .repaired = note_repaired, .left = note_left};
	struct pm pm;

	told = (struct told){0};
	pm_wrap(&pm, f.memory, SIZE);
	pm.observer = observer;
	return pool_repair(&pm, &report);
}

/* Reads everything there is; nothing of it may fail. */
void read_all(void)
{
	fixture_mount(&f);
	free(fixture_dump(&f));
}

/* Repairs all, as the text says; what is repaired is consistent, stays so, and is mounted when this returns. */
void repaired(const char *words)
{
	int rc = repair_with(NULL);

	if (rc != 1)
		fail_msg("repair returns %d\nfound:\n%srepaired:\n%sleft:\n%s", rc, told.found, told.repaired,
		         told.left);
	if (!strstr(told.repaired, words))
		fail_msg("not told: %s; but\n%s", words, told.repaired);
	assert_int_equal(repair_with(NULL), 0);
	read_all();
}

/* Old records of the journal, which may say more than the repaired logs have, are not replayed later. */
void survives_a_crash(void)
{
	uint8_t *crashed = malloc(SIZE);

	assert_non_null(crashed);
	memcpy(crashed, f.memory, SIZE);
	fixture_unmount(&f);
	memcpy(f.memory, crashed, SIZE);
	free(crashed);
	if (repair_with(NULL) != 0)
		fail_msg("after a crash of the repaired pool fsck finds\n%s", told.found);
	read_all();
}

bool there(struct nova_handle at, const char *name, struct nova_attr *attr)
{
	int err = nova_lookup(&f.call, at, name, strlen(name), attr);

	assert_true(err == 0 || err == -ENOENT);
	return err == 0;
}

void assert_content(struct nova_handle at, const char *name)
{
	char back[sizeof content] = "";
	struct nova_attr attr;

	assert_true(there(at, name, &attr));
	assert_int_equal(nova_read(&f.call, attr.handle, 0, back, sizeof back), sizeof back);
	assert_string_equal(back, content);
}

/* What lost+found has for an inode; it must be there. */
struct nova_attr adopted(struct nova_handle handle)
{
	struct nova_attr home, attr;
	char name[32];

	assert_true(there(f.root, "lost+found", &home));
	snprintf(name, sizeof name, "#%llu", (unsigned long long)handle.ino.n);
	if (!there(home.handle, name, &attr))
		fail_msg("'%s' is not in lost+found\n%s", name, told.repaired);
	return attr;
}

void end_repaired(void)
{
	if (f.fs)
		fixture_unmount(&f);
	assert_int_equal(repair_with(NULL), 0);
}

int repair_set_up(void **state)
{
	make_whole();
	return 0;
}

int repair_tear_down(void **state)
{
	free(whole);
	fixture_close(&f);
	return 0;
}
