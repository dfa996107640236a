/*
 * server_long_change_test.c -- changes of a file in very many pieces leave the loop: a short request that is sent right
 * behind one is answered first, the change is made once and whole, and whoever needs that file waits for it.
 *
 * As in server_long_test.c, that the short one can be first is to be seen in one of some tries.
 */
#include "server/nova/long.h"
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define POOL_BYTES (800ull << 20)
#define TRIES      20
#define PART       (16ull << 20)
#define PARTS      12u
#define SIZE       (PARTS * PART)
#define EXTENTS    (PARTS * (PART / 8192)) /* every other block has data */
#define SHORT_NS   2000000                 /* a fifth of what it takes to free so many extents on a fast host */
#define READ_WRITE (PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE)

static struct running_server *server;
static uint16_t port;
static struct raw_client *client;
static uint32_t other_sequence; /* of slot 1 */
static struct proto_reply reply;

static struct raw_client *connected(const struct raw_client *of)
{
	struct raw_client *c = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);

	raw_hello(c, of);
	return c;
}

/* The part of which all scattered files are made. */
static uint64_t open_file(const char *path, uint32_t flags, struct proto_handle *handle)
{
	assert_int_equal(raw_open(client, path, flags, &reply), 0);
	if (handle)
		*handle = reply.open.attr.handle;
	return reply.open.open;
}

static void close_file(uint64_t open)
{
	struct proto_request request = {.op = PROTO_CLOSE};

	request.close.open = open;
	assert_int_equal(raw_call(client, &request, &reply), 0);
}

static void make_part(void)
{
	struct proto_request request = {.op = PROTO_WRITE};
	struct proto_request resize = {.op = PROTO_SETATTR};
	uint64_t part = open_file("part", READ_WRITE, &resize.setattr.handle);

	resize.setattr.mask = PROTO_SET_SIZE;
	resize.setattr.size = PART;
	assert_int_equal(raw_call(client, &resize, &reply), 0);
	for (uint64_t at = 0; at < PART; at += 8192) {
		request.write.open = part;
		request.write.offset = at;
		request.write.data = "x";
		request.write.length = 1;
		assert_int_equal(raw_call(client, &request, &reply), 0);
	}
	close_file(part);
}

static int start(void **state)
{
	static const char *const flags[] = {"--workers", "1", NULL};

	(void)state;
	server = server_run_sized(&port, flags, POOL_BYTES);
	client = connected(NULL);
	other_sequence = 0;
	make_part();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	raw_close(client);
	server_end(server);
	return 0;
}

static struct proto_request copy_request(uint64_t from, uint64_t to, uint64_t to_offset)
{
	struct proto_request request = {.op = PROTO_COPY};

	request.copy.from_open = from;
	request.copy.to_open = to;
	request.copy.from_offset = 0;
	request.copy.to_offset = to_offset;
	request.copy.length = PART;
	return request;
}

/* A file of EXTENTS extents. Returns its open. */
static uint64_t scatter(const char *path, struct proto_handle *handle)
{
	uint64_t part = open_file("part", PROTO_OPEN_READ, NULL), open = open_file(path, READ_WRITE, handle);

	for (uint64_t at = 0; at < SIZE; at += reply.copy.count) {
		struct proto_request request = copy_request(part, open, at);

		request.copy.from_offset = at % PART;
		request.copy.length = PART - at % PART;
		assert_int_equal(raw_call(client, &request, &reply), 0);
		assert_int_not_equal(reply.copy.count, 0);
	}
	close_file(part);
	return open;
}

static struct proto_attr attributes(struct proto_handle handle)
{
	struct proto_request request = {.op = PROTO_GETATTR};

	request.getattr.handle = handle;
	assert_int_equal(raw_call(client, &request, &reply), 0);
	return reply.attr.attr;
}

static uint64_t free_blocks(void)
{
	struct proto_request request = {.op = PROTO_STATFS};

	request.statfs.handle = client->hello.hello.root;
	assert_int_equal(raw_call(client, &request, &reply), 0);
	return reply.statfs.free_blocks;
}

/* While a dead file is freed there is a moment in which a few blocks count twice, or not at all. */
static void wait_for_free_blocks(uint64_t wanted)
{
	uint64_t now = free_blocks();

	for (unsigned ms = 0; ms < 60000 && (now + 64 < wanted || now > wanted + 64); ms++) {
		usleep(1000);
		now = free_blocks();
	}
	assert_in_range(now, wanted - 64, wanted + 64);
}

static void unlink_file(const char *path)
{
	struct proto_request request = {.op = PROTO_UNLINK};

	request.unlink.dir = client->hello.hello.root;
	request.unlink.path = (struct proto_string){.data = path, .length = (uint32_t)strlen(path)};
	assert_int_equal(raw_call(client, &request, &reply), 0);
}

static void post(struct proto_request *request)
{
	request->slot = 0;
	request->sequence = ++client->sequence;
	request->quiesced = client->quiesced;
	assert_true(raw_post(client, request));
}

static void post_other(struct proto_handle handle)
{
	struct proto_request request = {.op = PROTO_GETATTR, .slot = 1, .sequence = ++other_sequence};

	request.quiesced = client->quiesced;
	request.getattr.handle = handle;
	assert_true(raw_post(client, &request));
}

/* Whether a short request that is sent behind `request` is answered before it. */
static bool overtaken(struct proto_request *request)
{
	uint64_t opened = 0;
	bool first = false;

	post(request);
	post_other(client->hello.hello.root);
	for (int answers = 0; answers < 2; answers++) {
		assert_true(raw_reply(client, &reply, 60000));
		assert_int_equal(reply.status, 0);
		first = first || (answers == 0 && reply.slot == 1);
		if (reply.op == PROTO_OPEN)
			opened = reply.open.open;
	}
	if (opened)
		close_file(opened);
	return first;
}

/* ---- each change ------------------------------------------------------------------------------------------------- */

static struct target {
	uint64_t open;
	struct proto_handle handle;
} target;

static struct proto_request fallocate_request(uint32_t mode, uint64_t offset, uint64_t length)
{
	struct proto_request request = {.op = PROTO_FALLOCATE};

	request.fallocate.open = target.open;
	request.fallocate.offset = offset;
	request.fallocate.length = length;
	request.fallocate.mode = mode;
	return request;
}

static struct proto_request punch(void)
{
	return fallocate_request(PROTO_FALLOCATE_PUNCH_HOLE | PROTO_FALLOCATE_KEEP_SIZE, 0, SIZE);
}

static struct proto_request zero(void)
{
	return fallocate_request(PROTO_FALLOCATE_ZERO_RANGE, 0, SIZE);
}

static struct proto_request collapse(void)
{
	return fallocate_request(PROTO_FALLOCATE_COLLAPSE_RANGE, 0, 8192);
}

static struct proto_request insert(void)
{
	return fallocate_request(PROTO_FALLOCATE_INSERT_RANGE, 8192, 8192);
}

static struct proto_request reserve(void)
{
	return fallocate_request(0, 0, SIZE / 4);
}

static struct proto_request truncate_to(void)
{
	struct proto_request request = {.op = PROTO_SETATTR};

	request.setattr.handle = target.handle;
	request.setattr.mask = PROTO_SET_SIZE;
	request.setattr.size = 5;
	return request;
}

static struct proto_request truncate_by_open(void)
{
	struct proto_request request = {.op = PROTO_OPEN};

	request.open.dir = client->hello.hello.root;
	request.open.flags = READ_WRITE | PROTO_OPEN_TRUNCATE;
	request.open.path = (struct proto_string){.data = "target", .length = 6};
	return request;
}

static uint64_t part_open; /* for copy_over */

static struct proto_request copy_over(void)
{
	return copy_request(part_open, target.open, 0);
}

static const struct change {
	const char *what;
	struct proto_request (*request)(void);
	uint64_t size, blocks; /* afterwards */
} changes[] = {
    {"punch", punch, SIZE, 0},
    {"zero", zero, SIZE, SIZE / 4096},
    {"collapse", collapse, SIZE - 8192, EXTENTS - 1},
    {"insert", insert, SIZE + 8192, EXTENTS},
    {"reserve", reserve, SIZE, EXTENTS + EXTENTS / 4},
    {"truncate", truncate_to, 5, 1},
    {"open to truncate", truncate_by_open, 0, 0},
    {"copy over", copy_over, SIZE, EXTENTS},
};

static void a_change_of_very_many_extents_is_overtaken(void **state)
{
	(void)state;
	part_open = open_file("part", PROTO_OPEN_READ, NULL);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		bool once = false;

		print_message("%s\n", changes[i].what);
		for (int try = 0; try < TRIES && !once; try++) {
			target.open = scatter("target", &target.handle);
			struct proto_request request = changes[i].request();

			once = overtaken(&request);
			struct proto_attr attr = attributes(target.handle);
			assert_int_equal(attr.size, changes[i].size);
			assert_int_equal(attr.blocks, changes[i].blocks);
			unlink_file("target");
			close_file(target.open); /* else it keeps its blocks */
		}
		assert_true(once);
	}
}

static struct proto_request unlink_target(void)
{
	struct proto_request request = {.op = PROTO_UNLINK};

	close_file(target.open);
	request.unlink.dir = client->hello.hello.root;
	request.unlink.path = (struct proto_string){.data = "target", .length = 6};
	return request;
}

static struct proto_request replace_target(void)
{
	struct proto_request request = {.op = PROTO_RENAME};

	close_file(target.open);
	close_file(open_file("other", READ_WRITE, NULL));
	request.rename.from_dir = request.rename.to_dir = client->hello.hello.root;
	request.rename.from = (struct proto_string){.data = "other", .length = 5};
	request.rename.to = (struct proto_string){.data = "target", .length = 6};
	return request;
}

static struct proto_request close_orphan(void)
{
	struct proto_request request = {.op = PROTO_CLOSE};

	unlink_file("target");
	request.close.open = target.open;
	return request;
}

static atomic_uint freed;

bool __real_nova_free_dead(struct nova_worker *worker);
bool __wrap_nova_free_dead(struct nova_worker *worker);

bool __wrap_nova_free_dead(struct nova_worker *worker)
{
	bool any = __real_nova_free_dead(worker);

	atomic_fetch_add(&freed, any);
	return any;
}

/* The short request is not answered first, since the long one is committed at once; what takes long comes behind. */
static void the_blocks_of_what_dies_are_freed_behind_it(void **state)
{
	struct proto_request (*const deaths[])(void) = {unlink_target, replace_target, close_orphan};
	unsigned freed_before = atomic_load(&freed);

	(void)state;
	for (unsigned i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
		uint64_t before = free_blocks();

		target.open = scatter("target", &target.handle);
		struct proto_request request = deaths[i]();
		assert_int_equal(raw_call(client, &request, &reply), 0);
		for (unsigned ms = 0; ms < 60000 && atomic_load(&freed) <= freed_before + i; ms++)
			usleep(1000);
		assert_int_equal(atomic_load(&freed), freed_before + i + 1);
		wait_for_free_blocks(before);
	}
}

/* ---- meanwhile -------------------------------------------------------------------------------------------------- */

static void delay(unsigned us)
{
	if (us)
		usleep(us);
}

/* Vanishes, and comes back to its session. */
static void reconnect(void)
{
	static struct raw_client old;

	old = *client;
	raw_close(client);
	client = connected(&old);
	assert_true(client->hello.hello.resumed);
}

static void repeat(struct proto_request *request)
{
	request->quiesced = client->quiesced;
	assert_true(raw_post(client, request));
	do
		assert_true(raw_reply(client, &reply, 60000));
	while (reply.slot != request->slot || reply.sequence != request->sequence);
	assert_int_equal(reply.status, 0);
}

static void a_change_whose_connection_ends_is_made_once(void **state)
{
	static const unsigned delays_us[] = {0, 300, 1000, 2000, 4000, 8000, 100000};

	(void)state;
	for (size_t i = 0; i < sizeof(delays_us) / sizeof(delays_us[0]); i++) {
		target.open = scatter("target", &target.handle);
		struct proto_request request = collapse();
		post(&request);
		delay(delays_us[i]);
		reconnect();
		repeat(&request);
		assert_int_equal(reply.fallocate.attr.size, SIZE - 8192);
		assert_int_equal(attributes(target.handle).size, SIZE - 8192);
		close_file(target.open);
		unlink_file("target");
	}
}

/* Nothing of the session stays with the server but the change. */
static void a_session_may_end_while_its_change_is_made(void **state)
{
	uint64_t before = free_blocks();

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		target.open = scatter("target", &target.handle);
		struct proto_request request = collapse(), bye = {.op = PROTO_BYE, .slot = PROTO_SLOT_NONE};
		post(&request);
		delay(i * 1000);
		assert_true(raw_post(client, &bye));
		while (raw_reply(client, &reply, 60000) && reply.op != PROTO_BYE)
			;
		raw_close(client);
		client = connected(NULL);
		unlink_file("target");
	}
	wait_for_free_blocks(before);
}

/* GETATTR of the file in slot 1, of another in slot 2, and CLOSE of the file in slot 3. The file must not be free before
 * the change has been made, so what needs it is answered behind it, and the close is made then. */
static bool others_overtake(struct proto_request *change, unsigned delay_us)
{
	struct proto_request requests[3] = {
	    {.op = PROTO_GETATTR, .slot = 1}, {.op = PROTO_GETATTR, .slot = 2}, {.op = PROTO_CLOSE, .slot = 3}};
	static uint32_t sequence;
	unsigned order[4] = {0};

	requests[0].getattr.handle = target.handle;
	requests[1].getattr.handle = client->hello.hello.root;
	requests[2].close.open = target.open;
	sequence++;
	post(change);
	delay(delay_us); /* so that it is being made */
	for (unsigned i = 0; i < 3; i++) {
		requests[i].sequence = sequence;
		requests[i].quiesced = client->quiesced;
		assert_true(raw_post(client, &requests[i]));
	}
	for (unsigned answers = 0; answers < 4; answers++) {
		assert_true(raw_reply(client, &reply, 60000));
		order[reply.slot] = answers;
		if (reply.slot != 0 || reply.status != EBADF) /* it may have been closed before it was made */
			assert_int_equal(reply.status, 0);
		if (reply.slot == 1 && order[0] < order[1])
			assert_int_equal(reply.attr.attr.size, SIZE - 8192);
	}
	return order[2] < order[0] && order[3] < order[0] && order[1] > order[2];
}

static void who_needs_the_file_waits_and_others_do_not(void **state)
{
	uint64_t before = free_blocks();
	bool once = false;

	(void)state;
	for (unsigned i = 0; i < TRIES && !once; i++) {
		target.open = scatter("target", &target.handle);
		struct proto_request request = collapse();
		once = others_overtake(&request, i % 10 * 500);
		unlink_file("target");
		/* Nobody has it open any more. */
		wait_for_free_blocks(before);
	}
	assert_true(once);
}

static void the_server_may_stop_while_a_change_is_made(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		target.open = scatter("target", &target.handle);
		struct proto_request request = i % 2 ? truncate_to() : collapse();
		post(&request);
		delay(i / 2 * 3000);
		server_restart(server, &port);
		raw_close(client);
		client = connected(NULL);
		struct proto_attr attr = attributes(target.handle);
		assert_true(attr.size == SIZE || attr.size == (i % 2 ? 5 : SIZE - 8192));
		assert_true(attr.blocks == EXTENTS || attr.blocks == (i % 2 ? 1 : EXTENTS - 1));
		unlink_file("target");
	}
}

static void what_a_dead_file_had_can_be_used_at_once(void **state)
{
	struct proto_request request;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		target.open = scatter("target", &target.handle);
		close_file(target.open);
		target.open = open_file("heir", READ_WRITE, &target.handle);
		request = fallocate_request(0, 0, (free_blocks() - 6000) * 4096);
		assert_int_equal(raw_call(client, &request, &reply), 0);
		request = fallocate_request(0, SIZE * 8, EXTENTS / 2 * 4096);
		unlink_file("target");
		assert_int_equal(raw_call(client, &request, &reply), 0);
		close_file(target.open);
		unlink_file("heir");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_change_of_very_many_extents_is_overtaken, start, stop),
	    cmocka_unit_test_setup_teardown(the_blocks_of_what_dies_are_freed_behind_it, start, stop),
	    cmocka_unit_test_setup_teardown(a_change_whose_connection_ends_is_made_once, start, stop),
	    cmocka_unit_test_setup_teardown(a_session_may_end_while_its_change_is_made, start, stop),
	    cmocka_unit_test_setup_teardown(who_needs_the_file_waits_and_others_do_not, start, stop),
	    cmocka_unit_test_setup_teardown(the_server_may_stop_while_a_change_is_made, start, stop),
	    cmocka_unit_test_setup_teardown(what_a_dead_file_had_can_be_used_at_once, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
