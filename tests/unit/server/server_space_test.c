/*
 * server_space_test.c -- a request that finds no space while some is about to return waits for it; no more sessions than
 * needed are ended for that; and a request for more than there is takes nothing from others meanwhile.
 *
 * Bulk threads are stopped in the middle of what they do, so that others come at that time.
 */
#include "server/nova/change/inode_free.h"
#include "server/nova/ops/data.h"
#include "server/nova/space/alloc.h"
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define POOL_BYTES (90ull << 20)
#define BLOCK      4096u
#define CHUNK      (4 * BLOCK) /* what one message holds */
#define FEW        500u        /* so few blocks are reserved in the loop */
#define MANY       1024u       /* and so many by a bulk thread, where the pool is nearly full */
#define READ_WRITE (PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE)

/* ---- stops ------------------------------------------------------------------------------------------------------ */

enum place { NOWHERE, COPY_PREPARED, COPY_DROPPED, CHANGE_COMMITTED, ORPHAN_FREED };
static atomic_int stop_at; /* of the next thread that comes there */
static atomic_bool stopped, may_go_on;

static void may_stop(enum place place)
{
	int next = place;

	if (!atomic_compare_exchange_strong(&stop_at, &next, NOWHERE))
		return;
	atomic_store(&stopped, true);
	while (!atomic_load(&may_go_on))
		usleep(200);
}

static void stop_next(enum place place)
{
	atomic_store(&may_go_on, false);
	atomic_store(&stopped, false);
	atomic_store(&stop_at, place);
}

static void wait_until_stopped(void)
{
	while (!atomic_load(&stopped))
		usleep(200);
}

static void go_on(void)
{
	atomic_store(&may_go_on, true);
}

int __real_nova_copy_prepare(struct nova_worker *worker, struct nova_handle from, uint64_t from_offset,
                             struct nova_handle to, uint64_t to_offset, uint64_t length, struct nova_copy **out);
int __wrap_nova_copy_prepare(struct nova_worker *worker, struct nova_handle from, uint64_t from_offset,
                             struct nova_handle to, uint64_t to_offset, uint64_t length, struct nova_copy **out);
void __real_alloc_free(struct nova_worker *worker, uint64_t first, uint64_t count);
void __wrap_alloc_free(struct nova_worker *worker, uint64_t first, uint64_t count);
int __real_data_commit(struct txn *txn, struct extent_map_change *map, uint64_t size, enum alloc_use use,
                       const struct data_bytes *bytes);
int __wrap_data_commit(struct txn *txn, struct extent_map_change *map, uint64_t size, enum alloc_use use,
                       const struct data_bytes *bytes);
void __real_inode_free_orphan(const struct nova_call *call, struct nova_inode *inode);
void __wrap_inode_free_orphan(const struct nova_call *call, struct nova_inode *inode);

static _Thread_local bool prepares; /* a copy */

int __wrap_nova_copy_prepare(struct nova_worker *worker, struct nova_handle from, uint64_t from_offset,
                             struct nova_handle to, uint64_t to_offset, uint64_t length, struct nova_copy **out)
{
	prepares = true;
	int rc = __real_nova_copy_prepare(worker, from, from_offset, to, to_offset, length, out);
	prepares = false;
	may_stop(COPY_PREPARED);
	return rc;
}

void __wrap_alloc_free(struct nova_worker *worker, uint64_t first, uint64_t count)
{
	if (prepares)
		may_stop(COPY_DROPPED);
	__real_alloc_free(worker, first, count);
}

int __wrap_data_commit(struct txn *txn, struct extent_map_change *map, uint64_t size, enum alloc_use use,
                       const struct data_bytes *bytes)
{
	may_stop(CHANGE_COMMITTED);
	return __real_data_commit(txn, map, size, use, bytes);
}

void __wrap_inode_free_orphan(const struct nova_call *call, struct nova_inode *inode)
{
	may_stop(ORPHAN_FREED);
	__real_inode_free_orphan(call, inode);
}

/* ---- two clients ------------------------------------------------------------------------------------------------ */

static struct running_server *server;
static uint16_t port;
static struct raw_client *one, *other;
static struct proto_reply reply;

static struct raw_client *connected(void)
{
	struct raw_client *c = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);

	raw_hello(c, NULL);
	return c;
}

/* Requests wait for space for twice the recall time-out. */
static const char *flags[] = {"--workers", "1", "--recall-ms", NULL, "--lease-ms", NULL, NULL};
#define RECALL flags[3]
#define LEASE  flags[5]

static int start_with(const char *recall_ms)
{
	RECALL = recall_ms;
	LEASE = "60000";
	go_on();
	server = server_run_sized(&port, flags, POOL_BYTES);
	one = connected();
	other = connected();
	return 0;
}

static int start(void **state)
{
	(void)state;
	return start_with("10000");
}

static int start_with_short_recalls(void **state)
{
	(void)state;
	return start_with("1000");
}

static int stop(void **state)
{
	(void)state;
	go_on();
	if (one)
		raw_close(one);
	raw_close(other);
	server_end(server);
	return 0;
}

static uint64_t open_file(struct raw_client *c, const char *path)
{
	assert_int_equal(raw_open(c, path, READ_WRITE, &reply), 0);
	return reply.open.open;
}

static uint64_t available_blocks(void)
{
	struct proto_request request = {.op = PROTO_STATFS};

	request.statfs.handle = other->hello.hello.root;
	assert_int_equal(raw_call(other, &request, &reply), 0);
	return reply.statfs.free_blocks;
}

static struct proto_request reservation(uint64_t open, uint64_t blocks)
{
	struct proto_request request = {.op = PROTO_FALLOCATE};

	request.fallocate.open = open;
	request.fallocate.length = blocks * BLOCK;
	request.fallocate.mode = PROTO_FALLOCATE_KEEP_SIZE;
	return request;
}

static int reserve(struct raw_client *c, uint64_t open, uint64_t blocks)
{
	struct proto_request request = reservation(open, blocks);

	return raw_call(c, &request, &reply);
}

static int write_chunk(struct raw_client *c, uint64_t open, uint64_t offset)
{
	static const uint8_t data[CHUNK];
	struct proto_request request = {.op = PROTO_WRITE};

	request.write.open = open;
	request.write.offset = offset;
	request.write.data = data;
	request.write.length = sizeof(data);
	return raw_call(c, &request, &reply);
}

/* Another client fills the pool but for `left` blocks; some more are needed for the log. */
static void fill_up_to(uint64_t left)
{
	uint64_t fill = open_file(other, "fill"), at = 0;

	/* Each reserved block also takes a line of the reserve. */
	for (uint64_t available; (available = available_blocks()) > left + 16;) {
		struct proto_request request = reservation(fill, (available - left) / 2);

		request.fallocate.offset = at;
		assert_int_equal(raw_call(other, &request, &reply), 0);
		at += request.fallocate.length;
	}
}

static void post(struct raw_client *c, uint16_t slot, struct proto_request *request)
{
	static uint32_t others[2];

	request->slot = slot;
	request->sequence = slot == 0 ? ++c->sequence : ++others[c == other];
	request->quiesced = c->quiesced;
	assert_true(raw_post(c, request));
}

/* The other client wants `more` blocks than there are. Its request waits. */
static void want_more_than_is_free(uint64_t more)
{
	struct proto_request request = reservation(open_file(other, "wanted"), available_blocks() + more);
	static uint64_t at; /* not what it reserved before */
	struct proto_request other_request = {.op = PROTO_PING};

	request.fallocate.offset = at;
	at += request.fallocate.length;
	post(other, 0, &request);
	post(other, 1, &other_request);
	assert_true(raw_reply(other, &reply, 60000));
	assert_int_equal(reply.op, PROTO_PING);
}

static void and_get_it(void)
{
	assert_true(raw_reply(other, &reply, 60000));
	assert_int_equal(reply.op, PROTO_FALLOCATE);
	assert_int_equal(reply.status, 0);
}

/* ---- cases ------------------------------------------------------------------------------------------------------ */

/* It rewrites its file under its own layout, and does not say that its READs are over. Returns the invalidation that it
 * has not quiesced. */
static uint64_t keep_blocks(struct raw_client *c, const char *path, uint64_t blocks)
{
	uint64_t open = open_file(c, path);
	struct proto_request get = {.op = PROTO_LAYOUT_GET};

	assert_int_equal(write_chunk(c, open, 0), 0);
	get.layout_get.open = open;
	get.layout_get.length = CHUNK;
	assert_int_equal(raw_call(c, &get, &reply), 0);
	assert_true(reply.layout.granted);
	for (uint64_t kept = 0; kept < blocks; kept += CHUNK / BLOCK)
		assert_int_equal(write_chunk(c, open, 0), 0);
	return reply.invalidation;
}

static int ping(struct raw_client *c)
{
	struct proto_request request = {.op = PROTO_PING};

	return raw_call(c, &request, &reply);
}

static void a_large_reservation_waits_for_kept_blocks(void **state)
{
	(void)state;
	uint64_t invalidation = keep_blocks(one, "held", 600), available = available_blocks();
	assert_true(available > (64u << 20) / BLOCK); /* it takes more than one change */
	want_more_than_is_free(100);
	one->quiesced = invalidation;
	assert_int_equal(ping(one), 0);
	and_get_it();
}

/* Space suffices without the blocks of the others, until more is wanted. */
static void of_those_who_keep_blocks_the_oldest_is_ended_first(void **state)
{
	static const char *const paths[] = {"oldest", "second", "third"};
	struct raw_client *holders[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		holders[i] = connected();
		keep_blocks(holders[i], paths[i], 200);
		usleep(5000); /* their ages are told apart by milliseconds */
	}
	fill_up_to(FEW / 2);
	for (unsigned i = 0; i < 2; i++) {
		want_more_than_is_free(100);
		and_get_it();
		assert_true(raw_wait_closed(holders[i], 60000));
		for (unsigned j = i + 1; j < 3; j++)
			assert_int_equal(ping(holders[j]), 0);
	}
	for (unsigned i = 0; i < 3; i++)
		raw_close(holders[i]);
}

static struct proto_request copy_of_many(void)
{
	uint64_t from = open_file(one, "from");
	struct proto_request copy = {.op = PROTO_COPY};

	for (uint64_t at = 0; at < MANY * BLOCK; at += CHUNK)
		assert_int_equal(write_chunk(one, from, at), 0);
	copy.copy.from_open = from;
	copy.copy.to_open = open_file(one, "to");
	copy.copy.length = MANY * BLOCK;
	return copy;
}

static void a_request_waits_for_a_copy_that_is_dropped(void **state)
{
	struct proto_request copy = copy_of_many();

	(void)state;
	fill_up_to(MANY + FEW / 2);
	stop_next(COPY_PREPARED);
	post(one, 0, &copy);
	wait_until_stopped();
	raw_close(one); /* so nobody wants the copy any more */
	one = NULL;
	want_more_than_is_free(FEW / 4);
	go_on();
	and_get_it();
}

/* It would take all there is, and find that it is not enough: a short piece is copied. */
static void a_copy_of_too_much_takes_nothing_from_others(void **state)
{
	struct proto_request copy = copy_of_many();
	uint64_t open = open_file(other, "small");
	struct proto_reply copied;
	bool replied = false;

	(void)state;
	fill_up_to(MANY - FEW / 2);
	stop_next(COPY_DROPPED);
	post(one, 0, &copy);
	while (!atomic_load(&stopped) && !replied)
		replied = raw_reply(one, &copied, 1);
	assert_int_equal(reserve(other, open, FEW / 4), 0);
	go_on();
	assert_true(replied || raw_reply(one, &copied, 60000));
	assert_int_equal(copied.status, 0);
	assert_in_range(copied.copy.count, BLOCK, MANY * BLOCK - 1);
}

/* An unlinked file that is closed while a bulk thread changes it. */
static void a_request_waits_for_a_close_that_was_left(void **state)
{
	uint64_t open = open_file(one, "closed");
	struct proto_request unlink = {.op = PROTO_UNLINK}, close = {.op = PROTO_CLOSE};
	struct proto_request change = reservation(open, MANY);

	(void)state;
	assert_int_equal(reserve(one, open, MANY), 0);
	fill_up_to(FEW / 2);
	unlink.unlink.dir = one->hello.hello.root;
	unlink.unlink.path = (struct proto_string){.data = "closed", .length = 6};
	assert_int_equal(raw_call(one, &unlink, &reply), 0);
	stop_next(CHANGE_COMMITTED);
	post(one, 0, &change);
	wait_until_stopped();
	close.close.open = open;
	post(one, 1, &close);
	assert_true(raw_reply(one, &reply, 60000));
	assert_int_equal(reply.op, PROTO_CLOSE);
	assert_int_equal(reply.status, 0);
	want_more_than_is_free(FEW / 4);
	go_on();
	and_get_it();
}

static void a_request_waits_for_orphans_that_are_reclaimed(void **state)
{
	uint64_t open = open_file(one, "orphan");
	struct proto_request unlink = {.op = PROTO_UNLINK};

	(void)state;
	assert_int_equal(reserve(one, open, MANY), 0);
	fill_up_to(FEW / 2);
	unlink.unlink.dir = one->hello.hello.root;
	unlink.unlink.path = (struct proto_string){.data = "orphan", .length = 6};
	assert_int_equal(raw_call(one, &unlink, &reply), 0);
	raw_close(one);
	raw_close(other);
	stop_next(ORPHAN_FREED);
	LEASE = "1500"; /* and the grace period after the start */
	server_restart(server, &port);
	wait_until_stopped();
	one = NULL;
	other = connected();
	want_more_than_is_free(FEW / 4);
	go_on();
	and_get_it();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_large_reservation_waits_for_kept_blocks, start, stop),
	    cmocka_unit_test_setup_teardown(of_those_who_keep_blocks_the_oldest_is_ended_first,
	                                    start_with_short_recalls, stop),
	    cmocka_unit_test_setup_teardown(a_request_waits_for_a_copy_that_is_dropped, start, stop),
	    cmocka_unit_test_setup_teardown(a_copy_of_too_much_takes_nothing_from_others, start, stop),
	    cmocka_unit_test_setup_teardown(a_request_waits_for_a_close_that_was_left, start, stop),
	    cmocka_unit_test_setup_teardown(a_request_waits_for_orphans_that_are_reclaimed, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
