/*
 * server_recall_test.c -- no session holds up another for long, whatever it does with its layouts: hostile sessions
 * against a whole server, with an honest one beside them that must see no error and no wrong byte.
 */
#include "common/clock.h"
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define READ_WRITE (PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE)
#define BLOCK      4096u
#define RECALL_MS  400
#define SLACK_MS   4000 /* for hosts that are slow and crowded; what is tested for takes longer by far, or for ever */

static struct running_server *server;
static uint16_t port;

static struct raw_client *client(void)
{
	struct raw_client *c = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);

	raw_hello(c, NULL);
	return c;
}

static uint64_t open_file(struct raw_client *c, const char *path, uint32_t flags)
{
	struct proto_reply reply;

	assert_int_equal(raw_open(c, path, flags, &reply), 0);
	return reply.open.open;
}

static int write_file(struct raw_client *c, uint64_t open, uint64_t offset, const void *data, uint32_t length)
{
	struct proto_request request = {.op = PROTO_WRITE};
	struct proto_reply reply;

	request.write.open = open;
	request.write.offset = offset;
	request.write.data = data;
	request.write.length = length;
	return raw_call(c, &request, &reply);
}

/* Whether a layout was granted. */
static bool get_layout(struct raw_client *c, uint64_t open)
{
	struct proto_request request = {.op = PROTO_LAYOUT_GET};
	struct proto_reply reply;

	request.layout_get.open = open;
	request.layout_get.length = BLOCK;
	assert_int_equal(raw_call(c, &request, &reply), 0);
	return reply.layout.granted;
}

static void sleep_ms(unsigned ms)
{
	usleep(ms * 1000);
}

/* ---- the honest client ------------------------------------------------------------------------------------------ */

static struct honest {
	pthread_t thread;
	atomic_bool ends;
	atomic_uint rounds;
	atomic_int error;
	atomic_llong longest_ms; /* that a write took */
} honest;

static int read_back(struct raw_client *c, uint64_t open, uint64_t offset, uint64_t mark)
{
	struct proto_request request = {.op = PROTO_READ};
	struct proto_reply reply;

	request.read.open = open;
	request.read.offset = offset;
	request.read.length = sizeof(mark);
	int rc = raw_call(c, &request, &reply);
	if (rc == 0 && (reply.read.length != sizeof(mark) || memcmp(reply.read.data, &mark, sizeof(mark)) != 0))
		rc = -EIO;
	return rc;
}

static void *be_honest(void *argument)
{
	struct raw_client *c = client();
	struct proto_reply reply;
	int rc = raw_open(c, "honest", READ_WRITE, &reply);
	uint64_t open = reply.open.open;

	(void)argument;
	for (uint64_t round = 0; rc == 0 && !atomic_load(&honest.ends); round++) {
		int64_t begun = clock_now_ms();
		rc = write_file(c, open, round % 64 * BLOCK, &round, sizeof(round));
		if (clock_now_ms() - begun > atomic_load(&honest.longest_ms))
			atomic_store(&honest.longest_ms, clock_now_ms() - begun);
		if (rc == 0)
			rc = read_back(c, open, round % 64 * BLOCK, round);
		atomic_fetch_add(&honest.rounds, 1);
		sleep_ms(2);
	}
	atomic_store(&honest.error, rc);
	raw_close(c);
	return NULL;
}

static int start_with(const char *const *flags)
{
	server = server_run(&port, flags);
	memset(&honest, 0, sizeof(honest));
	return pthread_create(&honest.thread, NULL, be_honest, NULL);
}

static int start(void **state)
{
	(void)state;
	return start_with((const char *const[]){"--workers", "2", "--lease-ms", "60000", "--recall-ms", "400",
	                                        "--share-ms", "20", NULL});
}

/* The honest client does at least one round, also beside the shortest of tests. */
static void end_honest(void)
{
	while (atomic_load(&honest.rounds) == 0 && atomic_load(&honest.error) == 0)
		sleep_ms(1);
	atomic_store(&honest.ends, true);
}

static int stop(void **state)
{
	(void)state;
	end_honest();
	pthread_join(honest.thread, NULL);
	server_end(server);
	assert_int_equal(atomic_load(&honest.error), 0);
	assert_true(atomic_load(&honest.rounds) > 0);
	return 0;
}

/* ---- recalls ---------------------------------------------------------------------------------------------------- */

static struct raw_client *holder_of(const char *path, uint64_t *open)
{
	static const uint8_t block[BLOCK];
	struct raw_client *c = client();

	*open = open_file(c, path, READ_WRITE);
	assert_int_equal(write_file(c, *open, 0, block, sizeof(block)), 0);
	assert_true(get_layout(c, *open));
	return c;
}

static void write_waits_for_a_holder_no_longer_than_the_recall_time_out(void **state)
{
	struct proto_reply reply;
	uint64_t held;

	(void)state;
	struct raw_client *holder = holder_of("held", &held);
	struct raw_client *writer = client();
	uint64_t open = open_file(writer, "held", PROTO_OPEN_WRITE);
	int64_t begun = clock_now_ms();
	assert_int_equal(write_file(writer, open, 0, "b", 1), 0);
	assert_true(clock_now_ms() - begun >= RECALL_MS);
	assert_true(clock_now_ms() - begun < RECALL_MS + SLACK_MS);

	/* The connection has ended; the session and its opens have not. */
	assert_true(raw_wait_closed(holder, 10000));
	struct raw_client *again = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	raw_hello(again, holder);
	assert_true(again->hello.hello.resumed);
	struct proto_request request = {.op = PROTO_READ};
	request.read.open = held;
	request.read.length = 1;
	assert_int_equal(raw_call(again, &request, &reply), 0);
	assert_memory_equal(reply.read.data, "b", 1);
	raw_close(holder);
	raw_close(again);
	raw_close(writer);
}

/* Takes the layout whenever it can, answers no recall, and comes back whenever it was let go. */
static void reader_that_never_answers_costs_a_writer_little_of_its_time(void **state)
{
	int64_t let_go = 0; /* when the holder was */
	uint64_t held;

	(void)state;
	struct raw_client *holder = holder_of("stalled", &held);
	struct raw_client *writer = client();
	uint64_t open = open_file(writer, "stalled", PROTO_OPEN_WRITE);
	for (int64_t begun = clock_now_ms(); clock_now_ms() - begun < 3000;) {
		assert_int_equal(write_file(writer, open, 0, "b", 1), 0);
		if (raw_wait_closed(holder, 1)) {
			assert_int_equal(let_go, 0);
			let_go = clock_now_ms();
			struct raw_client *again = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
			raw_hello(again, holder);
			raw_close(holder);
			holder = again;
		}
		/* Until it was let go it holds the layout; then it gets none for 4 s, of which some have gone. */
		bool granted = get_layout(holder, held);
		assert_true(!granted || let_go == 0 || clock_now_ms() - let_go > 3000);
		sleep_ms(5);
	}
	assert_true(let_go > 0);

	/* A new identity of the same address begins with that, too; one that it had before does not. */
	struct raw_client *fresh = client();
	assert_false(get_layout(fresh, open_file(fresh, "stalled", PROTO_OPEN_READ)));
	assert_true(get_layout(writer, open_file(writer, "stalled", PROTO_OPEN_READ)));
	raw_close(fresh);
	raw_close(holder);
	raw_close(writer);
}

/* Answers each recall, but shortly before the time-out. */
static void reader_that_answers_late_gets_layouts_seldom(void **state)
{
	struct proto_request back = {.op = PROTO_LAYOUT_RETURN, .slot = PROTO_SLOT_NONE};
	struct proto_request request = {.op = PROTO_WRITE};
	struct proto_reply reply;
	uint64_t held;

	(void)state;
	struct raw_client *holder = holder_of("late", &held);
	struct raw_client *writer = client();
	request.write.open = open_file(writer, "late", PROTO_OPEN_WRITE);
	request.write.data = "b";
	request.write.length = 1;
	request.sequence = ++writer->sequence;
	assert_true(raw_post(writer, &request));
	while (holder->recall_count == 0)
		assert_false(raw_reply(holder, &reply, 10));
	int64_t recalled = clock_now_ms();
	sleep_ms(RECALL_MS / 4);
	back.quiesced = holder->quiesced = holder->recalls[0].invalidation;
	assert_true(raw_post(holder, &back));
	assert_true(raw_reply(writer, &reply, 10000));
	assert_int_equal(reply.status, 0);
	int64_t answered = clock_now_ms();
	while (!get_layout(holder, held)) {
		assert_true(clock_now_ms() - answered < 60000);
		sleep_ms(5);
	}
	/* Eight times as long as it took, and that was at least a quarter of the time-out. */
	assert_true(clock_now_ms() - recalled >= 8 * (RECALL_MS / 4));
	raw_close(holder);
	raw_close(writer);
}

/* Vanishes in place of an answer, and comes as somebody else. */
static void new_identity_is_for_nothing_to_one_that_was_late(void **state)
{
	struct proto_request request = {.op = PROTO_WRITE};
	struct proto_reply reply;
	uint64_t held;

	(void)state;
	struct raw_client *holder = holder_of("late", &held);
	struct raw_client *writer = client();
	request.write.open = open_file(writer, "late", PROTO_OPEN_WRITE);
	request.write.data = "b";
	request.write.length = 1;
	request.sequence = ++writer->sequence;
	assert_true(raw_post(writer, &request));
	while (holder->recall_count == 0)
		assert_false(raw_reply(holder, &reply, 10));
	int64_t recalled = clock_now_ms();
	sleep_ms(RECALL_MS / 4);
	raw_close(holder);
	assert_true(raw_reply(writer, &reply, 10000));
	assert_int_equal(reply.status, 0);
	int64_t vanished = clock_now_ms();
	for (bool granted = false; !granted;) {
		struct raw_client *fresh = client();
		granted = get_layout(fresh, open_file(fresh, "late", PROTO_OPEN_READ));
		raw_close(fresh);
		assert_true(clock_now_ms() - vanished < 60000);
		sleep_ms(20);
	}
	assert_true(clock_now_ms() - recalled >= 8 * (RECALL_MS / 4));
	raw_close(writer);
}

/* ---- permission ------------------------------------------------------------------------------------------------- */

static int set_size(struct raw_client *c, uint32_t cred, struct proto_handle file, uint64_t size)
{
	struct proto_request request = {.op = PROTO_SETATTR, .cred = cred};
	struct proto_reply reply;

	request.setattr.handle = file;
	request.setattr.mask = PROTO_SET_SIZE;
	request.setattr.size = size;
	return raw_call(c, &request, &reply);
}

static void request_that_is_refused_costs_nobody_a_layout(void **state)
{
	struct proto_request request = {.op = PROTO_CRED};
	struct proto_reply reply;
	uint64_t held;

	(void)state;
	struct raw_client *holder = holder_of("mine", &held);
	struct raw_client *stranger = client();
	assert_int_equal(raw_open(stranger, "mine", PROTO_OPEN_READ | PROTO_OPEN_WRITE, &reply), 0);
	struct proto_handle file = reply.open.attr.handle;
	uint64_t open = reply.open.open;
	request.cred_set.number = 1;
	request.cred_set.uid = request.cred_set.gid = 1000;
	assert_int_equal(raw_call(stranger, &request, &reply), 0);
	assert_int_equal(set_size(stranger, 1, file, 0), -EACCES);
	request = (struct proto_request){.op = PROTO_SETATTR, .cred = 1};
	request.setattr.handle = file;
	request.setattr.mask = PROTO_SET_SIZE | PROTO_SET_UID;
	request.setattr.uid = 1000;
	assert_int_equal(raw_call(stranger, &request, &reply), -EPERM);
	request = (struct proto_request){.op = PROTO_OPEN, .cred = 1};
	request.open.dir = stranger->hello.hello.root;
	request.open.flags = PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE;
	request.open.path = (struct proto_string){.data = "mine", .length = 4};
	assert_int_equal(raw_call(stranger, &request, &reply), -EACCES);

	/* Nor one of somebody who might write until the file was made immutable. */
	request = (struct proto_request){.op = PROTO_SETATTR};
	request.setattr.handle = file;
	request.setattr.mask = PROTO_SET_FLAGS;
	request.setattr.flags = PROTO_FILE_IMMUTABLE;
	assert_int_equal(raw_call(holder, &request, &reply), 0);
	assert_int_equal(write_file(stranger, open, 0, "b", 1), -EPERM);
	request = (struct proto_request){.op = PROTO_FALLOCATE};
	request.fallocate.open = open;
	request.fallocate.length = BLOCK;
	assert_int_equal(raw_call(stranger, &request, &reply), -EPERM);
	request = (struct proto_request){.op = PROTO_COPY};
	request.copy.from_open = request.copy.to_open = open;
	request.copy.to_offset = BLOCK;
	request.copy.length = BLOCK;
	assert_int_equal(raw_call(stranger, &request, &reply), -EPERM);

	/* A recall would have come before this reply. */
	request = (struct proto_request){.op = PROTO_PING};
	assert_int_equal(raw_call(holder, &request, &reply), 0);
	assert_int_equal(holder->recall_count, 0);
	raw_close(holder);
	raw_close(stranger);
}

/* ---- quarantine ------------------------------------------------------------------------------------------------- */

#define CHUNK (4 * BLOCK) /* what one message holds */

static uint64_t free_blocks(struct raw_client *c)
{
	struct proto_request request = {.op = PROTO_STATFS};
	struct proto_reply reply;

	request.statfs.handle = c->hello.hello.root;
	assert_int_equal(raw_call(c, &request, &reply), 0);
	return reply.statfs.free_blocks;
}

/* Rewrites its file of `chunks` under its own layout, without a word of its READs: how many blocks it got written. */
static uint64_t rewrite(struct raw_client *c, uint64_t open, unsigned chunks, uint64_t most)
{
	static const uint8_t data[CHUNK];
	uint64_t written = 0;

	while (written < most && write_file(c, open, written / 4 % chunks * CHUNK, data, sizeof(data)) == 0)
		written += sizeof(data) / BLOCK;
	return written;
}

/* Its last request was not answered: it is as if it had never come. */
static struct raw_client *back(struct raw_client *gone, bool unanswered)
{
	struct raw_client *again = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);

	raw_hello(again, gone);
	again->sequence -= unanswered;
	assert_true(again->hello.hello.resumed);
	raw_close(gone);
	return again;
}

static void session_keeps_no_more_blocks_than_it_may(void **state)
{
	uint64_t held;

	(void)state;
	struct raw_client *hostile = holder_of("kept", &held);
	struct raw_client *other = client();
	uint64_t before = free_blocks(other);
	/* Twice the pool. Its own request waits until it says that its READs are over, or is gone. */
	uint64_t written = rewrite(hostile, held, 4, 2 * before);
	assert_true(written < before / 16);
	assert_true(raw_wait_closed(hostile, 10000));
	assert_true(free_blocks(other) + 200 > before);

	/* It comes back to its session and its open, without a layout: nothing is kept for it any more. */
	hostile = back(hostile, true);
	assert_false(get_layout(hostile, held));
	assert_int_equal(rewrite(hostile, held, 4, before / 8), (before / 8 + 3) / 4 * 4);
	raw_close(hostile);
	raw_close(other);
}

/* As a library that was stopped, in a pool that others fill. */
static void blocks_kept_are_had_by_who_needs_them(void **state)
{
	static const uint8_t data[CHUNK];
	uint64_t held, filled = 0;

	(void)state;
	struct raw_client *holder = holder_of("stopped", &held);
	struct raw_client *filler = client();
	uint64_t open = open_file(filler, "fill", READ_WRITE);
	rewrite(holder, held, 4, 16); /* the file has its blocks */
	assert_true(get_layout(holder, held));
	uint64_t kept = rewrite(holder, held, 4, 400);
	assert_int_equal(kept, 400);
	end_honest(); /* a full pool refuses its writes, too */
	uint64_t room = free_blocks(filler);
	while (write_file(filler, open, filled * BLOCK, data, sizeof(data)) == 0)
		filled += sizeof(data) / BLOCK;
	/* It did not fail before what was kept was used as well. */
	assert_true(filled + 100 > room + kept);
	assert_true(raw_wait_closed(holder, 10000));
	holder = back(holder, false);
	raw_close(holder);
	raw_close(filler);
}

static void limit(struct raw_client *c, const char *path, uint32_t project, uint64_t blocks)
{
	struct proto_request request = {.op = PROTO_SETATTR};
	struct proto_reply reply, opened;

	assert_int_equal(raw_open(c, path, PROTO_OPEN_READ, &opened), 0);
	request.setattr.handle = opened.open.attr.handle;
	request.setattr.mask = PROTO_SET_PROJECT;
	request.setattr.project = project;
	assert_int_equal(raw_call(c, &request, &reply), 0);
	request = (struct proto_request){.op = PROTO_QUOTA_SET};
	request.quota_set.project = project;
	request.quota_set.block_limit = blocks;
	assert_int_equal(raw_call(c, &request, &reply), 0);
}

static void blocks_kept_by_its_own_changes_count_to_the_project(void **state)
{
	static const uint8_t data[CHUNK];
	uint64_t held, own;

	(void)state;
	/* A session of this address that began later would begin with the penalty. */
	struct raw_client *fair = holder_of("fair", &own);
	struct raw_client *hostile = holder_of("charged", &held);
	limit(hostile, "charged", 7, 64);
	uint64_t written = rewrite(hostile, held, 4, 1000);
	assert_in_range(written, 32, 64);
	assert_true(raw_wait_closed(hostile, 10000));
	hostile = back(hostile, true);
	assert_int_equal(rewrite(hostile, held, 4, 200), 200);

	/* Who answers is not refused for blocks that are about to come free. */
	limit(fair, "fair", 8, 32);
	struct proto_request request = {.op = PROTO_WRITE};
	struct proto_reply reply;
	for (unsigned i = 0; i < 100; i++) {
		request.write.open = own;
		request.write.offset = i % 4 * CHUNK;
		request.write.data = data;
		request.write.length = sizeof(data);
		request.sequence = ++fair->sequence;
		request.quiesced = fair->quiesced;
		assert_true(raw_post(fair, &request));
		unsigned recalls = fair->recall_count;
		while (!raw_reply(fair, &reply, 10)) {
			struct proto_request quiesced = {.op = PROTO_LAYOUT_RETURN, .slot = PROTO_SLOT_NONE};
			assert_false(fair->closed);
			if (fair->recall_count == recalls)
				continue;
			recalls = fair->recall_count;
			fair->quiesced = fair->recalls[(recalls - 1) % RAW_RECALLS].invalidation;
			quiesced.quiesced = fair->quiesced;
			assert_true(raw_post(fair, &quiesced));
		}
		assert_int_equal(reply.status, 0);
	}
	raw_close(fair);
	raw_close(hostile);
}

/* ---- load ------------------------------------------------------------------------------------------------------- */

#define LINKS          39 /* as many as a walk follows, less one */
#define FLOODERS       3
#define LONG_RECALL_MS 2000 /* of many rounds of the loop */
#define FLOOD_SLOT     32

/* l0 -> ././ ... ./l1 -> ... : each look-up of l0 is tens of thousands of components. */
static void make_costly_path(void)
{
	static char target[4096];
	struct raw_client *c = client();
	struct proto_reply reply;

	for (int i = 0; i < LINKS; i++) {
		struct proto_request request = {.op = PROTO_SYMLINK};
		char name[16], next[16];
		size_t length = 0;
		int name_length = snprintf(name, sizeof(name), "l%d", i);
		snprintf(next, sizeof(next), i + 1 < LINKS ? "l%d" : "honest", i + 1);
		while (length < 4000) {
			memcpy(target + length, "./", 2);
			length += 2;
		}
		memcpy(target + length, next, strlen(next));
		request.symlink.dir = c->hello.hello.root;
		request.symlink.path = (struct proto_string){.data = name, .length = (uint32_t)name_length};
		request.symlink.target =
		    (struct proto_string){.data = target, .length = (uint32_t)(length + strlen(next))};
		assert_int_equal(raw_call(c, &request, &reply), 0);
	}
	raw_close(c);
}

static atomic_bool flood_ends;

static void *flood(void *argument)
{
	uint32_t sequences[FLOOD_SLOT] = {0};
	struct raw_client *c = client();
	struct proto_request request = {.op = PROTO_LOOKUP};
	struct proto_reply reply = {0};

	(void)argument;
	request.lookup.dir = c->hello.hello.root;
	request.lookup.path = (struct proto_string){.data = "l0", .length = 2};
	for (uint16_t slot = 0; slot < FLOOD_SLOT; slot++) {
		request.slot = slot;
		request.sequence = ++sequences[slot];
		raw_post(c, &request);
	}
	while (!atomic_load(&flood_ends) && !c->closed) {
		if (!raw_reply(c, &reply, 100))
			continue;
		request.slot = reply.slot;
		request.sequence = ++sequences[reply.slot];
		raw_post(c, &request);
	}
	raw_close(c);
	return NULL;
}

static int start_loaded(void **state)
{
	(void)state;
	return start_with((const char *const[]){"--workers", "1", "--lease-ms", "60000", "--recall-ms", "2000",
	                                        "--share-ms", "20", NULL});
}

static void load_of_requests_does_not_prolong_a_recall(void **state)
{
	pthread_t flooders[FLOODERS];
	uint64_t held;

	(void)state;
	make_costly_path();
	struct raw_client *holder = holder_of("loaded", &held);
	struct raw_client *writer = client();
	uint64_t open = open_file(writer, "loaded", PROTO_OPEN_WRITE);
	atomic_store(&flood_ends, false);
	for (int i = 0; i < FLOODERS; i++)
		pthread_create(&flooders[i], NULL, flood, NULL);
	int64_t begun = clock_now_ms();
	int rc = write_file(writer, open, 0, "b", 1);
	int64_t took = clock_now_ms() - begun;
	atomic_store(&flood_ends, true);
	for (int i = 0; i < FLOODERS; i++)
		pthread_join(flooders[i], NULL);
	assert_int_equal(rc, 0);
	/* How long a round of the server's loop takes under such a load is not the matter here. */
	assert_true(took < 2 * LONG_RECALL_MS + SLACK_MS + 4 * atomic_load(&honest.longest_ms));
	raw_close(holder);
	raw_close(writer);
}

/* ---- answers behind costly requests ----------------------------------------------------------------------------- */

#define QUEUED 40u

/* The answer to a recall says what holds already: it is not to wait until all that came before it has been handled. */
static void an_answer_to_a_recall_does_not_wait_behind_its_clients_requests(void **state)
{
	struct proto_request request = {.op = PROTO_WRITE_COMMIT};
	uint64_t mark = 1;
	struct proto_reply reply;
	unsigned handled = 0;

	(void)state;
	server = server_run(
	    &port, (const char *const[]){"--workers", "1", "--lease-ms", "60000", "--recall-ms", "60000", NULL});
	struct raw_client *busy = client(), *writer = client();
	uint64_t open = open_file(busy, "shared", READ_WRITE), large = open_file(busy, "large", READ_WRITE);
	assert_int_equal(write_file(busy, open, 0, &mark, sizeof(mark)), 0);
	assert_true(get_layout(busy, open));
	uint64_t theirs = open_file(writer, "shared", READ_WRITE);
	assert_int_equal(raw_staging(busy, true), 0);
	request.write_commit.open = large;
	request.write_commit.length = (uint32_t)busy->hello.hello.staging_size;
	request.quiesced = busy->quiesced;
	for (request.slot = 1; request.slot <= QUEUED; request.slot++) {
		request.sequence = 1;
		assert_true(raw_post(busy, &request));
	}
	request = (struct proto_request){.op = PROTO_WRITE, .sequence = ++writer->sequence};
	request.write.open = theirs;
	request.write.data = &mark;
	request.write.length = sizeof(mark);
	assert_true(raw_post(writer, &request));
	while (busy->recall_count == 0)
		handled += raw_reply(busy, &reply, 1);
	request = (struct proto_request){.op = PROTO_LAYOUT_RETURN, .slot = PROTO_SLOT_NONE};
	request.quiesced = busy->recalls[0].invalidation;
	assert_true(raw_post(busy, &request));
	assert_true(raw_reply(writer, &reply, 60000));
	assert_int_equal(reply.status, 0);
	while (raw_reply(busy, &reply, 0))
		handled++;
	assert_in_range(handled, 0, QUEUED - 1);
	raw_close(busy);
	raw_close(writer);
	server_end(server);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_to_a_recall_does_not_wait_behind_its_clients_requests),
	    cmocka_unit_test_setup_teardown(load_of_requests_does_not_prolong_a_recall, start_loaded, stop),
	    CASE(write_waits_for_a_holder_no_longer_than_the_recall_time_out),
	    CASE(reader_that_never_answers_costs_a_writer_little_of_its_time),
	    CASE(reader_that_answers_late_gets_layouts_seldom),
	    CASE(new_identity_is_for_nothing_to_one_that_was_late),
	    CASE(request_that_is_refused_costs_nobody_a_layout),
	    CASE(session_keeps_no_more_blocks_than_it_may),
	    CASE(blocks_kept_are_had_by_who_needs_them),
	    CASE(blocks_kept_by_its_own_changes_count_to_the_project),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
