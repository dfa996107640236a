/* The client table: identities, and of each request whether it was executed and with which result. */
#include "common/crc.h"
#include "server/nova/change/client_table.h"
#include "server/nova/clients.h"
#include "server/nova/core.h"
#include "server/nova/media/client_format.h"
#include "server/nova/media/words.h"
#include "server/pool/check/check.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#define NUMBER 0x123456789abcdef0ULL
#define OP     42

static const uint8_t key[NOVA_CLIENT_KEY] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/* One client with a session that asks for one thing after the other, each in the next sequence of slot 5. */
struct asked {
	struct fixture f;
	struct nova_client *client;
	struct nova_intent intent;
	struct nova_call call;
	uint32_t sequence;
};

static struct nova_client *new_client(struct fixture *f, uint64_t number)
{
	struct nova_client *client;

	assert_int_equal(nova_client_new(f->worker, number, key, &client), 0);
	return client;
}

static void begin(struct asked *a, uint64_t size)
{
	memset(a, 0, sizeof *a);
	fixture_open(&a->f, size);
	a->client = new_client(&a->f, NUMBER);
}

/* The call of the next request. */
static const struct nova_call *next(struct asked *a)
{
	a->call = a->f.call;
	a->call.intent = &a->intent;
	assert_int_equal(nova_intent_begin(a->f.worker, a->client, 5, ++a->sequence, OP, &a->intent), 0);
	return &a->call;
}

static void end(struct asked *a)
{
	if (a->client)
		nova_client_release(a->f.fs, a->client);
	fixture_close(&a->f);
}

static int outcome(struct asked *a, uint32_t sequence, struct nova_outcome *out)
{
	return nova_client_outcome(a->f.fs, a->client, 5, sequence, out);
}

static void find_again(struct asked *a)
{
	assert_int_equal(nova_client_find(a->f.fs, NUMBER, key, &a->client), 0);
}

/* The process is gone: what it stored is there, and nothing was unmounted. */
static void crash(struct asked *a)
{
	void *copy = aligned_alloc(4096, a->f.size);

	assert_non_null(copy);
	memcpy(copy, a->f.memory, a->f.size);
	nova_client_release(a->f.fs, a->client);
	fixture_unmount(&a->f);
	memcpy(a->f.memory, copy, a->f.size);
	free(copy);
	fixture_mount(&a->f);
	find_again(a);
}

static void told(struct check_report *report, const struct check_finding *finding)
{
	printf("fsck: %s inode %llu: %s\n", finding->part, (unsigned long long)finding->ino, finding->text);
}

static unsigned errors_of(struct fixture *f, struct check_report *report)
{
	*report = (struct check_report){.finding = told};
	assert_true(nova_check(f->memory, f->size, report) >= 0);
	return (unsigned)report->errors;
}

/* The page with the intents of the client's first group. */
static uint8_t *page_of(struct fixture *f, uint64_t number)
{
	for (uint64_t at = 0; at < f->size; at += NOVA_BLOCK_SIZE) {
		const struct nova_client_page *page = (const void *)((uint8_t *)f->memory + at);

		if (client_page_valid(page) && le64_get(page->number) == number && le32_get(page->group) == 0)
			return (uint8_t *)f->memory + at;
	}
	fail_msg("the client has no page");
	abort();
}

static struct nova_client_record *record_of(struct fixture *f, uint64_t number)
{
	for (uint64_t at = 0; at < f->size; at += NOVA_LINE_SIZE) {
		struct nova_client_record *record = (void *)((uint8_t *)f->memory + at);

		if (le64_get(record->number) == number && client_record_valid(record))
			return record;
	}
	return NULL;
}

static le64 *line_of(struct asked *a)
{
	return (le64 *)(void *)(page_of(&a->f, NUMBER) + 6 * NOVA_LINE_SIZE);
}

/* ---- identities ------------------------------------------------------------------------------------------------ */

static void an_identity_is_there_until_it_ends(void **state)
{
	static const uint8_t other[NOVA_CLIENT_KEY];
	struct nova_client *client;
	struct asked a;

	(void)state;
	begin(&a, 16 * MIB);
	assert_int_equal(nova_client_new(a.f.worker, NUMBER, key, &client), -EEXIST);
	assert_int_equal(nova_client_new(a.f.worker, 0, key, &client), -EINVAL);
	assert_int_equal(nova_client_find(a.f.fs, NUMBER + 1, key, &client), -ENOENT);
	assert_int_equal(nova_client_find(a.f.fs, NUMBER, other, &client), -EACCES);
	crash(&a);
	assert_int_equal(nova_client_number(a.client), NUMBER);
	nova_client_release(a.f.fs, a.client);
	fixture_remount(&a.f);
	find_again(&a);

	/* It is gone for others at once, and from the pool when its last user is gone. */
	nova_client_hold(a.f.fs, a.client);
	nova_client_end(a.f.fs, a.client);
	assert_int_equal(nova_client_find(a.f.fs, NUMBER, key, &client), -ENOENT);
	assert_non_null(record_of(&a.f, NUMBER));
	nova_client_release(a.f.fs, a.client);
	a.client = NULL;
	assert_null(record_of(&a.f, NUMBER));
	fixture_remount(&a.f);
	assert_int_equal(nova_client_find(a.f.fs, NUMBER, key, &client), -ENOENT);
	end(&a);
}

static void a_full_table_gives_up_who_was_away_longest(void **state)
{
	struct nova_client *client, *held;
	struct fixture f;

	(void)state;
	fixture_open(&f, 64 * MIB);
	held = new_client(&f, 1);
	for (uint64_t n = 2; n <= NOVA_CLIENTS_MAX; n++)
		nova_client_release(f.fs, new_client(&f, n));
	assert_int_equal(nova_client_find(f.fs, 2, key, &client), 0);
	nova_client_release(f.fs, client); /* used again: now it is the newest */
	nova_client_release(f.fs, new_client(&f, NOVA_CLIENTS_MAX + 1));
	assert_int_equal(nova_client_find(f.fs, 3, key, &client), -ENOENT);
	fixture_unmount(&f);
	fixture_mount(&f);
	assert_int_equal(nova_client_find(f.fs, 3, key, &client), -ENOENT);
	for (uint64_t n = 1; n <= NOVA_CLIENTS_MAX + 1; n++) {
		if (n == 3)
			continue;
		assert_int_equal(nova_client_find(f.fs, n, key, &client), 0);
	}
	(void)held;
	assert_int_equal(nova_client_new(f.worker, NOVA_CLIENTS_MAX + 2, key, &client), -ENOSPC);
	fixture_close(&f);
}

static void pages_are_bounded_and_used_again(void **state)
{
	struct nova_client *clients[200 + 1];
	struct check_report report;
	struct nova_intent intent;
	struct fixture f;
	unsigned count = 0;

	(void)state;
	fixture_open(&f, 16 * MIB);
	for (; count < 200; count++) {
		clients[count] = new_client(&f, count + 1);
		if (nova_intent_begin(f.worker, clients[count], 0, 1, OP, &intent))
			break;
	}
	assert_int_equal(count, f.size / 4096 / 32);
	assert_int_equal(nova_intent_begin(f.worker, clients[count], 0, 1, OP, &intent), -ENOSPC);
	nova_client_release(f.fs, clients[7]);
	assert_int_equal(nova_intent_begin(f.worker, clients[count], 0, 1, OP, &intent), 0);
	assert_int_equal(nova_client_find(f.fs, 8, key, &clients[7]), -ENOENT);
	nova_client_end(f.fs, clients[9]);
	assert_int_equal(nova_intent_begin(f.worker, clients[count], 63, 1, OP, &intent), 0);
	assert_int_equal(errors_of(&f, &report), 0);
	assert_int_equal(report.clients, count - 1);
	fixture_unmount(&f);
	assert_int_equal(errors_of(&f, &report), 0);
	fixture_mount(&f);
	assert_int_equal(nova_client_find(f.fs, count + 1, key, &clients[0]), 0);
	assert_int_equal(nova_intent_begin(f.worker, clients[0], 63, 2, OP, &intent), 0);
	fixture_close(&f);
}

static void names_can_be_removed_from_a_full_pool(void **state)
{
	static const uint8_t data[MIB];
	struct nova_attr file;
	struct asked a;
	ssize_t rc = 0;
	uint64_t offset = 0;

	(void)state;
	memset(&a, 0, sizeof a);
	fixture_open(&a.f, 16 * MIB);
	file = fixture_create(&a.f, a.f.root, "file", S_IFREG | 0644);
	for (size_t length = sizeof data; length >= 4096; length /= 2)
		while ((rc = nova_write(&a.f.call, file.handle, offset, data, length, 0, NULL)) > 0)
			offset += (uint64_t)rc;
	assert_int_equal(rc, -ENOSPC);
	a.client = new_client(&a.f, NUMBER);
	assert_int_equal(nova_unlink(next(&a), a.f.root, N("file"), NULL), 0);
	crash(&a);
	assert_int_equal(outcome(&a, 1, &(struct nova_outcome){0}), 1);
	end(&a);
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

static void executed(struct asked *a, struct nova_outcome *out)
{
	assert_true(a->intent.stored);
	assert_int_equal(outcome(a, a->sequence, out), 1);
	assert_int_equal(out->op, OP);
	assert_int_equal(outcome(a, a->sequence + 1, out), 0);
	assert_int_equal(outcome(a, a->sequence - 1, out), a->sequence == 1 ? -EINVAL : -EPROTO);
	crash(a);
	assert_int_equal(outcome(a, a->sequence, out), 1);
	nova_client_release(a->f.fs, a->client);
	fixture_remount(&a->f);
	find_again(a);
	memset(out, 0, sizeof *out);
	assert_int_equal(outcome(a, a->sequence, out), 1);
	assert_int_equal(out->op, OP);
}

static void what_was_executed_is_known_with_its_result(void **state)
{
	struct nova_handle dir, file, other;
	struct nova_attr attr, set = {.mode = 0600, .size = 3};
	struct nova_outcome out;
	struct nova_copy *copy;
	struct asked a;

	(void)state;
	begin(&a, 16 * MIB);
	assert_int_equal(nova_create(next(&a), a.f.root, N("dir"), S_IFDIR | 0755, 0, &attr), 0);
	dir = attr.handle;
	executed(&a, &out);
	assert_int_equal(out.result.made.ino.n, dir.ino.n);
	assert_int_equal(out.result.made.generation, dir.generation);
	assert_int_equal(nova_create(next(&a), dir, N("file"), S_IFREG | 0644, 0, &attr), 0);
	file = attr.handle;
	executed(&a, &out);
	assert_int_equal(out.result.made.ino.n, file.ino.n);
	assert_int_equal(out.file.ino.n, dir.ino.n);
	assert_int_equal(nova_create(next(&a), dir, N("fifo"), S_IFIFO | 0644, 0, &attr), 0);
	executed(&a, &out);
	assert_int_equal(nova_symlink(next(&a), dir, N("link"), N("target"), &attr), 0);
	executed(&a, &out);
	assert_int_equal(out.result.made.ino.n, attr.handle.ino.n);
	assert_int_equal(nova_tmpfile(next(&a), dir, 0600, true, &attr), 0);
	executed(&a, &out);
	assert_int_equal(out.result.made.ino.n, attr.handle.ino.n);
	assert_int_equal(out.result.made.generation, attr.handle.generation);
	assert_int_equal(nova_link(next(&a), attr.handle, dir, N("other"), &attr), 0);
	other = attr.handle;
	executed(&a, &out);

	assert_int_equal(nova_write(next(&a), file, 10, "0123456789", 10, 0, NULL), 10);
	executed(&a, &out);
	assert_int_equal(out.result.offset, 10);
	assert_int_equal(out.result.size, 20);
	assert_int_equal(nova_write(next(&a), file, 0, "0123456789", 10, NOVA_WRITE_APPEND, NULL), 10);
	executed(&a, &out);
	assert_int_equal(out.result.offset, 20);
	assert_int_equal(out.result.size, 30);
	assert_int_equal(nova_copy(next(&a), file, 25, other, 0, 100, NULL), 5);
	executed(&a, &out);
	assert_int_equal(out.result.count, 5);
	assert_int_equal(nova_copy_prepare(a.f.worker, file, 24, other, 0, 100, &copy), 0);
	assert_int_equal(nova_copy_commit(next(&a), copy, NULL), 6);
	executed(&a, &out);
	assert_int_equal(out.result.count, 6);
	assert_int_equal(nova_setattr(next(&a), file, NOVA_SET_MODE | NOVA_SET_SIZE | NOVA_SET_MTIME_NOW, &set, NULL),
	                 0);
	executed(&a, &out);
	for (unsigned i = 0; i < 4; i++) {
		static const unsigned modes[] = {0, NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE,
		                                 NOVA_FALLOCATE_ZERO_RANGE, NOVA_FALLOCATE_COLLAPSE_RANGE};

		assert_int_equal(nova_fallocate(next(&a), file, modes[i], 4096, i == 3 ? 4096 : 8192, NULL), 0);
		executed(&a, &out);
	}
	assert_int_equal(nova_setxattr(next(&a), file, N("user.a"), "x", 1, 0, NULL), 0);
	executed(&a, &out);
	assert_int_equal(nova_removexattr(next(&a), file, N("user.a"), NULL), 0);
	executed(&a, &out);
	assert_int_equal(nova_quota_set(next(&a), 7, 100, 100), 0);
	executed(&a, &out);

	assert_int_equal(nova_rename(next(&a), dir, N("file"), a.f.root, N("moved"), 0, NULL), 0);
	executed(&a, &out);
	assert_false(out.result.died);
	assert_int_equal(nova_rename(next(&a), dir, N("other"), a.f.root, N("moved"), 0, NULL), 0);
	executed(&a, &out);
	assert_true(out.result.died);
	assert_int_equal(nova_rename(next(&a), a.f.root, N("moved"), dir, N("fifo"), NOVA_RENAME_EXCHANGE, NULL), 0);
	executed(&a, &out);
	assert_false(out.result.died);
	assert_int_equal(nova_unlink(next(&a), dir, N("link"), NULL), 0);
	executed(&a, &out);
	assert_int_equal(nova_unlink(next(&a), dir, N("fifo"), NULL), 0);
	executed(&a, &out);
	assert_int_equal(nova_rmdir(next(&a), a.f.root, N("dir"), NULL), 0);
	executed(&a, &out);
	end(&a);
}

static void what_failed_or_changes_nothing_has_no_intent(void **state)
{
	struct nova_attr attr;
	struct asked a;

	(void)state;
	begin(&a, 16 * MIB);
	assert_int_equal(nova_create(next(&a), a.f.root, N("file"), S_IFREG | 0644, 0, &attr), 0);
	assert_int_equal(nova_create(next(&a), a.f.root, N("file"), S_IFREG | 0644, 0, NULL), -EEXIST);
	assert_false(a.intent.stored);
	assert_int_equal(outcome(&a, a.sequence, &(struct nova_outcome){0}), 0);
	assert_int_equal(nova_unlink(next(&a), a.f.root, N("none"), NULL), -ENOENT);
	assert_false(a.intent.stored);
	assert_int_equal(nova_write(next(&a), attr.handle, 0, "", 0, 0, NULL), 0);
	assert_false(a.intent.stored);
	/* Not the request's effect: an access time, and what GC and reclaiming do. */
	assert_int_equal(nova_accessed(next(&a), attr.handle, NOVA_ATIME_STRICT), 0);
	assert_false(a.intent.stored);
	assert_int_equal(nova_open(next(&a), attr.handle, NULL), 0);
	fixture_unlink(&a.f, a.f.root, "file");
	assert_int_equal(nova_close(next(&a), attr.handle), 0);
	assert_false(a.intent.stored);
	assert_int_equal(outcome(&a, 1, &(struct nova_outcome){0}), 1);
	end(&a);
}

static void only_the_first_call_of_a_request_stores_its_intent(void **state)
{
	struct nova_attr attr, set = {.mode = 0600};
	struct nova_outcome out;
	struct asked a;

	(void)state;
	begin(&a, 16 * MIB);
	assert_int_equal(nova_create(next(&a), a.f.root, N("file"), S_IFREG | 0644, 0, &attr), 0);
	assert_int_equal(nova_setattr(&a.call, attr.handle, NOVA_SET_MODE, &set, NULL), 0);
	assert_int_equal(outcome(&a, 1, &out), 1);
	assert_int_equal(out.result.made.ino.n, attr.handle.ino.n);
	end(&a);
}

static void a_write_that_lets_gc_run_stores_its_own_intent_once(void **state)
{
	struct nova_outcome out;
	struct nova_attr file;
	struct asked a;
	uint8_t before[4096];

	(void)state;
	begin(&a, 16 * MIB);
	file = fixture_create(&a.f, a.f.root, "file", S_IFREG | 0644);
	for (unsigned i = 0; i < 3000; i++) {
		assert_int_equal(nova_write(next(&a), file.handle, i % 7 * 4096, "abc", 3, 0, NULL), 3);
		assert_int_equal(outcome(&a, a.sequence, &out), 1);
		assert_int_equal(out.result.offset, i % 7 * 4096);
	}
	/* No other slot's line was touched. */
	memcpy(before, page_of(&a.f, NUMBER), sizeof before);
	assert_int_equal(nova_write(next(&a), file.handle, 0, "abc", 3, 0, NULL), 3);
	memcpy(before + 6 * NOVA_LINE_SIZE, line_of(&a), NOVA_LINE_SIZE);
	assert_memory_equal(before, page_of(&a.f, NUMBER), sizeof before);
	end(&a);
}

/* ---- after a crash --------------------------------------------------------------------------------------------- */

/* A commit that did not come to its fence: the line says more than the inode's TAIL. */
static void an_intent_without_its_commit_is_made_void(void **state)
{
	struct intent_values values;
	struct check_report report;
	struct intent_line line;
	struct asked a;

	(void)state;
	begin(&a, 16 * MIB);
	fixture_create(&a.f, a.f.root, "zero", S_IFREG | 0644);
	assert_int_equal(nova_create(next(&a), a.f.root, N("file"), S_IFREG | 0644, 0, NULL), 0);
	assert_int_equal(intent_read(line_of(&a), NUMBER, 5, &values), INTENT_WHOLE);
	values.position++;
	values.sequence++;
	intent_make(NUMBER, 5, &values, intent_next_tag(line_of(&a)), &line);
	memcpy(line_of(&a), &line, sizeof line);
	assert_int_equal(errors_of(&a.f, &report), 0);
	crash(&a);
	assert_int_equal(outcome(&a, a.sequence + 1, &(struct nova_outcome){0}), 0);
	assert_int_equal(intent_read(line_of(&a), NUMBER, 5, &values), INTENT_VOID);
	/* What passes the position later does not make it true again. */
	fixture_create(&a.f, a.f.root, "two", S_IFREG | 0644);
	crash(&a);
	assert_int_equal(outcome(&a, a.sequence + 1, &(struct nova_outcome){0}), 0);
	/* A clean pool has no such line. */
	nova_client_release(a.f.fs, a.client);
	fixture_unmount(&a.f);
	values.sequence = 9;
	values.position += 1000;
	values.op = OP;
	values.ino = a.f.root.ino.n;
	values.generation = a.f.root.generation;
	intent_make(NUMBER, 5, &values, 77, &line);
	memcpy(line_of(&a), &line, sizeof line);
	assert_int_equal(errors_of(&a.f, &report), 1);
	fixture_mount(&a.f);
	a.client = NULL;
	end(&a);
}

static void a_torn_line_is_void_and_a_damaged_one_unknown(void **state)
{
	struct intent_values values;
	struct intent_line line;
	le64 old[8];
	struct asked a;

	(void)state;
	begin(&a, 16 * MIB);
	assert_int_equal(nova_create(next(&a), a.f.root, N("1"), S_IFREG | 0644, 0, NULL), 0);
	memcpy(old, line_of(&a), sizeof old);
	assert_int_equal(nova_create(next(&a), a.f.root, N("2"), S_IFREG | 0644, 0, NULL), 0);
	memcpy(&line, line_of(&a), sizeof line);
	assert_int_equal(intent_read(line.words, NUMBER, 5, &values), INTENT_WHOLE);
	for (unsigned mix = 1; mix < 255; mix++) {
		for (unsigned i = 0; i < 8; i++)
			line_of(&a)[i] = mix & 1u << i ? old[i] : line.words[i];
		assert_int_equal(outcome(&a, 2, &(struct nova_outcome){0}), 0);
		assert_int_equal(outcome(&a, 1, &(struct nova_outcome){0}), 0);
	}
	crash(&a);
	assert_int_equal(outcome(&a, 2, &(struct nova_outcome){0}), 0);
	assert_int_equal(nova_create(next(&a), a.f.root, N("3"), S_IFREG | 0644, 0, NULL), 0);
	assert_int_equal(outcome(&a, 3, &(struct nova_outcome){0}), 1);

	for (unsigned bit = 0; bit < 512; bit++) {
		uint8_t *bytes = (uint8_t *)line_of(&a);

		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(outcome(&a, 3, &(struct nova_outcome){0}), -ECONNRESET);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	*(uint8_t *)line_of(&a) ^= 1;
	crash(&a);
	assert_int_equal(outcome(&a, 3, &(struct nova_outcome){0}), -ECONNRESET);
	assert_int_equal(outcome(&a, 4, &(struct nova_outcome){0}), -ECONNRESET);
	assert_int_equal(nova_create(next(&a), a.f.root, N("4"), S_IFREG | 0644, 0, NULL), 0);
	assert_int_equal(outcome(&a, 4, &(struct nova_outcome){0}), 1);
	end(&a);
}

/* Each store has another tag than the words that it stores over. */
static void tags_differ_from_store_to_store(void **state)
{
	struct asked a;

	(void)state;
	begin(&a, 16 * MIB);
	assert_int_equal(nova_create(next(&a), a.f.root, N("file"), S_IFREG | 0644, 0, NULL), 0);
	for (unsigned i = 0; i < 600; i++) {
		uint64_t old = pm_get8(&line_of(&a)[0]), was = pm_get8(&line_of(&a)[7]);
		char name[16];

		if (i % 100 == 50)
			crash(&a);
		snprintf(name, sizeof name, "%u", i);
		assert_int_equal(nova_create(next(&a), a.f.root, N(name), S_IFREG | 0644, 0, NULL), 0);
		assert_int_not_equal((uint8_t)(old >> 16), (uint8_t)(pm_get8(&line_of(&a)[0]) >> 16));
		assert_int_not_equal((uint8_t)(was >> 16), (uint8_t)(pm_get8(&line_of(&a)[7]) >> 16));
	}
	end(&a);
}

static void what_a_dead_inode_was_asked_stays_executed(void **state)
{
	struct nova_attr file;
	struct asked a;

	(void)state;
	begin(&a, 16 * MIB);
	file = fixture_create(&a.f, a.f.root, "file", S_IFREG | 0644);
	assert_int_equal(nova_write(next(&a), file.handle, 0, "abc", 3, 0, NULL), 3);
	fixture_unlink(&a.f, a.f.root, "file");
	crash(&a);
	assert_int_equal(outcome(&a, 1, &(struct nova_outcome){0}), 1);
	for (unsigned i = 0; i < 200; i++) /* its slot is used again */
		fixture_create(&a.f, a.f.root, (char[]){(char)('a' + i / 26), (char)('a' + i % 26), 0}, S_IFREG | 0644);
	crash(&a);
	assert_int_equal(outcome(&a, 1, &(struct nova_outcome){0}), 1);
	end(&a);
}

/* ---- damage ---------------------------------------------------------------------------------------------------- */

static void a_damaged_record_gives_its_client_up(void **state)
{
	struct nova_client *client;
	struct check_report report;
	struct asked a;

	(void)state;
	begin(&a, 16 * MIB);
	assert_int_equal(nova_create(next(&a), a.f.root, N("file"), S_IFREG | 0644, 0, NULL), 0);
	nova_client_release(a.f.fs, a.client);
	fixture_unmount(&a.f);
	record_of(&a.f, NUMBER)->key_hash[3] ^= 1;
	assert_int_equal(errors_of(&a.f, &report), 1);
	fixture_mount(&a.f);
	assert_int_equal(nova_client_find(a.f.fs, NUMBER, key, &client), -ENOENT);
	a.client = new_client(&a.f, NUMBER + 1);
	assert_int_equal(nova_create(next(&a), a.f.root, N("other"), S_IFREG | 0644, 0, NULL), 0);
	assert_int_equal(errors_of(&a.f, &report), 0);
	end(&a);
}

static void a_lost_page_or_groups_word_makes_repeats_fail(void **state)
{
	struct check_report report;
	struct asked a;

	(void)state;
	begin(&a, 16 * MIB);
	assert_int_equal(nova_create(next(&a), a.f.root, N("file"), S_IFREG | 0644, 0, NULL), 0);
	page_of(&a.f, NUMBER)[20] ^= 1;
	assert_int_equal(errors_of(&a.f, &report), 1);
	crash(&a);
	assert_int_equal(outcome(&a, 1, &(struct nova_outcome){0}), -ECONNRESET);
	assert_int_equal(nova_create(next(&a), a.f.root, N("two"), S_IFREG | 0644, 0, NULL), 0);
	assert_int_equal(outcome(&a, 2, &(struct nova_outcome){0}), 1);
	assert_int_equal(errors_of(&a.f, &report), 0);

	*(uint8_t *)&record_of(&a.f, NUMBER)->groups ^= 1;
	assert_int_equal(errors_of(&a.f, &report), 1);
	crash(&a);
	assert_int_equal(outcome(&a, 2, &(struct nova_outcome){0}), 1);
	assert_int_equal(nova_client_outcome(a.f.fs, a.client, 100, 1, &(struct nova_outcome){0}), -ECONNRESET);
	end(&a);
}

static void a_page_taken_half_is_no_page(void **state)
{
	struct nova_client_page *left;
	struct nova_intent intent;
	struct asked a;

	(void)state;
	begin(&a, 16 * MIB);
	assert_int_equal(nova_intent_begin(a.f.worker, a.client, 5, 1, OP, &intent), 0);
	/* GROUPS was not durable yet. */
	record_of(&a.f, NUMBER)->groups = le64_of(word_make(NOVA_WORD_GROUPS, NUMBER, 0));
	left = (void *)page_of(&a.f, NUMBER);
	crash(&a);
	assert_false(client_page_valid(left));
	assert_int_equal(outcome(&a, 1, &(struct nova_outcome){0}), 0);
	assert_int_equal(nova_create(next(&a), a.f.root, N("file"), S_IFREG | 0644, 0, NULL), 0);
	crash(&a);
	assert_int_equal(outcome(&a, 1, &(struct nova_outcome){0}), 1);
	end(&a);
}

static void a_read_only_mount_has_no_identities(void **state)
{
	struct nova_mount_options options = {.read_only = true};
	struct nova_client *client;
	struct nova_worker *worker;
	struct nova *fs;
	struct asked a;

	(void)state;
	begin(&a, 16 * MIB);
	nova_client_release(a.f.fs, a.client);
	fixture_unmount(&a.f);
	assert_int_equal(nova_mount(&a.f.pm, &options, &fs, NULL, 0), 0);
	assert_int_equal(nova_worker_open(fs, &worker), 0);
	assert_int_equal(nova_client_find(fs, NUMBER, key, &client), -EROFS);
	assert_int_equal(nova_client_new(worker, 1, key, &client), -EROFS);
	nova_worker_close(worker);
	nova_unmount(fs);
	fixture_mount(&a.f);
	a.client = NULL;
	end(&a);
}

static void set_version(struct fixture *f, uint32_t version)
{
	for (unsigned i = 0; i < 2; i++) {
		struct nova_super *super =
		    (void *)((uint8_t *)f->memory + (i ? NOVA_SUPER_BLOCK_1 : NOVA_SUPER_BLOCK_0) * 4096ULL);

		super->version = le32_of(version);
		super->crc = le32_of(0);
		super->crc = le32_of(crc32c(0xffffffff, super, 256));
	}
}

static void a_pool_of_version_1_is_refused(void **state)
{
	struct fixture f;
	struct nova *fs;
	char why[256];

	(void)state;
	fixture_open(&f, 16 * MIB);
	fixture_unmount(&f);
	set_version(&f, 1);
	assert_int_equal(nova_mount(&f.pm, NULL, &fs, why, sizeof why), -EPROTONOSUPPORT);
	assert_non_null(strstr(why, "format version 1"));
	assert_non_null(strstr(why, "older program"));
	set_version(&f, 3);
	assert_int_equal(nova_mount(&f.pm, NULL, &fs, why, sizeof why), -EPROTONOSUPPORT);
	assert_non_null(strstr(why, "newer program"));
	set_version(&f, 2);
	fixture_mount(&f);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_identity_is_there_until_it_ends),
	    cmocka_unit_test(a_full_table_gives_up_who_was_away_longest),
	    cmocka_unit_test(pages_are_bounded_and_used_again),
	    cmocka_unit_test(names_can_be_removed_from_a_full_pool),
	    cmocka_unit_test(what_was_executed_is_known_with_its_result),
	    cmocka_unit_test(what_failed_or_changes_nothing_has_no_intent),
	    cmocka_unit_test(only_the_first_call_of_a_request_stores_its_intent),
	    cmocka_unit_test(a_write_that_lets_gc_run_stores_its_own_intent_once),
	    cmocka_unit_test(an_intent_without_its_commit_is_made_void),
	    cmocka_unit_test(a_torn_line_is_void_and_a_damaged_one_unknown),
	    cmocka_unit_test(tags_differ_from_store_to_store),
	    cmocka_unit_test(what_a_dead_inode_was_asked_stays_executed),
	    cmocka_unit_test(a_damaged_record_gives_its_client_up),
	    cmocka_unit_test(a_lost_page_or_groups_word_makes_repeats_fail),
	    cmocka_unit_test(a_page_taken_half_is_no_page),
	    cmocka_unit_test(a_read_only_mount_has_no_identities),
	    cmocka_unit_test(a_pool_of_version_1_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
