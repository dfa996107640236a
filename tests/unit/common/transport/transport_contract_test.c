/*
 * transport_contract_test.c -- what transport.h promises, over each transport that this host has.
 *
 * tcp is always there. verbs is tried where transport_available says so (in the guest of tests/vm), and what it lacks
 * otherwise is said on stdout.
 */
// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/transport_fixture.h"

#define KIB 1024u
#define MIB (1024u * KIB)

static enum transport_kind kind;
static char host[128];

/* ---- messages --------------------------------------------------------------------------------------------------- */

static void messages_arrive_whole_and_in_order(void **state)
{
	struct bench bench = bench_create(kind, host, 64 * KIB, NULL, NULL);
	uint32_t seed = 1, sent = 0, received = 0, lengths[2000];
	uint32_t max = transport_max_message(bench.client);

	bench_fill(bench.near, bench.size, 7);
	while (received < 2000) {
		while (sent < 2000) {
			seed = seed * 1664525u + 1013904223u;
			lengths[sent] = 1 + (seed >> 8) % max;
			memcpy(bench.near, &sent, lengths[sent] < 4 ? lengths[sent] : 4);
			if (fixture_send(bench.client, bench.near, lengths[sent]) == -EAGAIN)
				break;
			sent++;
		}
		if (sent == received) { /* all have arrived, but the sender does not know it yet */
			fixture_pump(bench.fixture);
			continue;
		}
		memcpy(bench.far, bench.near, max);
		memcpy(bench.far, &received, 4);
		fixture_expect_message(bench.fixture, &bench.fixture->server, bench.server, bench.far,
		                       lengths[received]);
		received++;
	}
	fixture_expect_silence(bench.fixture, 20);
	bench_destroy(&bench);
}

static void messages_are_gathered(void **state)
{
	struct bench bench = bench_create(kind, host, 4 * KIB, NULL, NULL);
	struct iovec iov[4] = {{"one", 3}, {NULL, 0}, {"two", 3}, {"three", 5}};

	assert_int_equal(transport_send(bench.client, iov, 4, TRANSPORT_MORE), 0);
	assert_int_equal(transport_send(bench.client, iov, 1, 0), 0);
	fixture_expect_message(bench.fixture, &bench.fixture->server, bench.server, "onetwothree", 11);
	fixture_expect_message(bench.fixture, &bench.fixture->server, bench.server, "one", 3);
	assert_int_equal(fixture_send(bench.server, "back", 4), 0);
	fixture_expect_message(bench.fixture, &bench.fixture->client, bench.client, "back", 4);
	bench_destroy(&bench);
}

static void a_post_with_more_goes_out_though_nothing_follows(void **state)
{
	struct transport_options one = {.receive_depth = 1};
	struct bench bench = bench_create(kind, host, 4 * KIB, NULL, &one);
	struct iovec iov = {"alone", 5};

	assert_int_equal(transport_send(bench.client, &iov, 1, TRANSPORT_MORE), 0);
	fixture_expect_message(bench.fixture, &bench.fixture->server, bench.server, "alone", 5);
	bench_destroy(&bench);
}

static void sizes_beyond_the_limits_are_refused(void **state)
{
	struct transport_options small = {.message_size = 1000}, large = {.message_size = 64 * KIB};
	struct bench bench = bench_create(kind, host, 128 * KIB, &small, &large);

	bench_fill(bench.near, bench.size, 3);
	assert_int_equal(transport_max_message(bench.client), 64 * KIB);
	assert_int_equal(transport_max_message(bench.server), 1000);
	assert_int_equal(fixture_send(bench.client, bench.near, 64 * KIB + 1), -EMSGSIZE);
	assert_int_equal(fixture_send(bench.server, bench.near, 1001), -EMSGSIZE);
	assert_int_equal(fixture_send(bench.client, bench.near, 0), -EINVAL);
	assert_int_equal(fixture_send(bench.client, bench.near, 64 * KIB), 0);
	assert_int_equal(fixture_send(bench.server, bench.near, 1000), 0);
	fixture_expect_message(bench.fixture, &bench.fixture->server, bench.server, bench.near, 64 * KIB);
	fixture_expect_message(bench.fixture, &bench.fixture->client, bench.client, bench.near, 1000);
	bench_destroy(&bench);
}

static void a_sender_without_credit_waits_for_a_release(void **state)
{
	struct transport_options options = {.receive_depth = 4};
	struct bench bench = bench_create(kind, host, 4 * KIB, NULL, &options);
	struct transport_event held[4];

	for (int i = 0; i < 4; i++)
		assert_int_equal(fixture_send(bench.client, &i, sizeof(i)), 0);
	assert_int_equal(fixture_send(bench.client, "x", 1), -EAGAIN);
	for (int i = 0; i < 4; i++) {
		held[i] = fixture_wait(bench.fixture, &bench.fixture->server);
		assert_int_equal(held[i].type, TRANSPORT_MESSAGE);
	}
	fixture_expect_silence(bench.fixture, 20);
	assert_int_equal(fixture_send(bench.client, "x", 1), -EAGAIN);
	for (int i = 0; i < 4; i++)
		assert_memory_equal(held[i].data, &i, sizeof(i));
	/* Out of order, and two are kept: their buffers must stay as they are. */
	for (int i = 3; i > 1; i--)
		transport_release(bench.server, held[i].data);
	fixture_expect_silence(bench.fixture, 20);
	for (int i = 0; i < 2; i++)
		assert_int_equal(fixture_send(bench.client, "again", 5), 0);
	assert_int_equal(fixture_send(bench.client, "x", 1), -EAGAIN);
	for (int i = 0; i < 2; i++)
		fixture_expect_message(bench.fixture, &bench.fixture->server, bench.server, "again", 5);
	for (int i = 0; i < 2; i++)
		assert_memory_equal(held[i].data, &i, sizeof(i));
	bench_destroy(&bench);
}

static void a_receiver_has_all_its_buffers_when_they_are_needed(void **state)
{
	struct transport_options options = {.receive_depth = 100};
	struct bench bench = bench_create(kind, host, 4 * KIB, NULL, &options);
	const void *held[100];
	struct transport_event event;

	/* Not all at once: the credits of more buffers come when the first ones are in use. */
	for (int i = 0; i < 100; i++) {
		while (fixture_send(bench.client, &i, sizeof(i)) == -EAGAIN)
			fixture_pump(bench.fixture);
		event = fixture_wait(bench.fixture, &bench.fixture->server);
		assert_int_equal(event.type, TRANSPORT_MESSAGE);
		held[i] = event.data;
	}
	fixture_expect_silence(bench.fixture, 20);
	assert_int_equal(fixture_send(bench.client, "x", 1), -EAGAIN);
	for (int i = 0; i < 100; i++)
		assert_memory_equal(held[i], &i, sizeof(i));
	for (int i = 0; i < 100; i++)
		transport_release(bench.server, held[i]);
	/* One at a time for long, and then all of them again. */
	for (int i = 0; i < 2000; i++) {
		while (fixture_send(bench.client, &i, sizeof(i)) == -EAGAIN)
			fixture_pump(bench.fixture);
		fixture_expect_message(bench.fixture, &bench.fixture->server, bench.server, &i, sizeof(i));
		while (fixture_send(bench.server, &i, sizeof(i)) == -EAGAIN)
			fixture_pump(bench.fixture);
		fixture_expect_message(bench.fixture, &bench.fixture->client, bench.client, &i, sizeof(i));
	}
	for (int i = 0; i < 100; i++) {
		while (fixture_send(bench.client, &i, sizeof(i)) == -EAGAIN)
			fixture_pump(bench.fixture);
		event = fixture_wait(bench.fixture, &bench.fixture->server);
		held[i] = event.data;
	}
	for (int i = 0; i < 100; i++)
		assert_memory_equal(held[i], &i, sizeof(i));
	bench_destroy(&bench);
}

/* How many messages the client can send while the server holds all; they are released then. */
static unsigned capacity(const struct bench *bench)
{
	const void *held[400];
	unsigned count = 0;

	for (;;) {
		int rc = fixture_send(bench->client, "held", 4);
		if (rc == -EAGAIN) {
			fixture_expect_silence(bench->fixture, 20); /* credits may be on their way */
			rc = fixture_send(bench->client, "held", 4);
		}
		if (rc == -EAGAIN)
			break;
		assert_int_equal(rc, 0);
		assert_true(count < 400);
		held[count++] = fixture_wait(bench->fixture, &bench->fixture->server).data;
	}
	for (unsigned i = 0; i < count; i++)
		transport_release(bench->server, held[i]);
	return count;
}

static void a_receiver_has_as_many_buffers_as_it_is_set_to(void **state)
{
	struct transport_options options = {.receive_depth = 300};
	struct bench bench = bench_create(kind, host, 4 * KIB, NULL, &options);

	transport_set_receives(bench.server, 100);
	assert_int_equal(capacity(&bench), 100);
	transport_set_receives(bench.server, 200);
	assert_int_equal(capacity(&bench), 200);
	transport_set_receives(bench.server, UINT32_MAX);
	assert_int_equal(capacity(&bench), 300);
	/* Fewer as messages come; over verbs in slabs, down to a sum of whole ones. */
	transport_set_receives(bench.server, 20);
	for (int i = 0; i < 2000; i++) {
		while (fixture_send(bench.client, &i, sizeof(i)) == -EAGAIN)
			fixture_pump(bench.fixture);
		fixture_expect_message(bench.fixture, &bench.fixture->server, bench.server, &i, sizeof(i));
	}
	assert_in_range(capacity(&bench), 16, 20);
	transport_set_receives(bench.server, 0);
	for (int i = 0; i < 500; i++) {
		while (fixture_send(bench.client, &i, sizeof(i)) == -EAGAIN)
			fixture_pump(bench.fixture);
		fixture_expect_message(bench.fixture, &bench.fixture->server, bench.server, &i, sizeof(i));
	}
	assert_in_range(capacity(&bench), 1, 4);
	bench_destroy(&bench);
}

static void one_receive_buffer_at_each_end_is_enough(void **state)
{
	struct transport_options options = {.receive_depth = 1, .operations = 1};
	struct bench bench = bench_create(kind, host, 4 * KIB, &options, &options);

	for (int i = 0; i < 500; i++) {
		while (fixture_send(bench.client, &i, sizeof(i)) == -EAGAIN)
			fixture_pump(bench.fixture);
		fixture_expect_message(bench.fixture, &bench.fixture->server, bench.server, &i, sizeof(i));
		while (fixture_send(bench.server, &i, sizeof(i)) == -EAGAIN)
			fixture_pump(bench.fixture);
		fixture_expect_message(bench.fixture, &bench.fixture->client, bench.client, &i, sizeof(i));
	}
	bench_destroy(&bench);
}

/* ---- reads and writes ------------------------------------------------------------------------------------------- */

#define BASE 0x7000000000ull

static void reads_and_writes_move_exactly_the_bytes_named(void **state)
{
	static const uint32_t lengths[] = {1, 7, 64, 4096, 65536, 100000};
	struct bench bench = bench_create(kind, host, 256 * KIB, NULL, NULL);
	struct transport_region *shared =
	    fixture_share(bench.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_READ | TRANSPORT_REMOTE_WRITE);
	uint64_t key = transport_region_key(shared);
	uint8_t *expected = bench_memory(bench.size);
	int context;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint32_t length = lengths[i];

		bench_fill(bench.near, bench.size, 10 + length);
		bench_fill(bench.far, bench.size, 20 + length);
		memcpy(expected, bench.far, bench.size);
		memcpy(expected + 333, bench.near + 77, length);
		assert_int_equal(
		    transport_write(bench.client, bench.near + 77, bench.local, BASE + 333, key, length, &context, 0),
		    0);
		fixture_expect_done(bench.fixture, &bench.fixture->client, &context);
		assert_memory_equal(bench.far, expected, bench.size);

		memcpy(expected, bench.near, bench.size);
		memcpy(expected + 4097, bench.far + bench.size - length, length);
		assert_int_equal(transport_read(bench.client, bench.near + 4097, bench.local,
		                                BASE + bench.size - length, key, length, &context, 0),
		                 0);
		fixture_expect_done(bench.fixture, &bench.fixture->client, &context);
		assert_memory_equal(bench.near, expected, bench.size);
	}
	munmap(expected, bench.size);
	bench_destroy(&bench);
}

static void a_message_after_a_write_finds_the_bytes_written(void **state)
{
	struct bench bench = bench_create(kind, host, 64 * KIB, NULL, NULL);
	struct transport_region *shared =
	    fixture_share(bench.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_WRITE);
	struct iovec iov = {"look", 4};

	for (uint32_t i = 0; i < 200; i++) {
		uint32_t length = 1 + i * 300;

		bench_fill(bench.near, length, i);
		assert_int_equal(transport_write(bench.client, bench.near, bench.local, BASE,
		                                 transport_region_key(shared), length, NULL, TRANSPORT_MORE),
		                 0);
		assert_int_equal(transport_send(bench.client, &iov, 1, 0), 0);
		fixture_expect_message(bench.fixture, &bench.fixture->server, bench.server, "look", 4);
		assert_memory_equal(bench.near, bench.far, length);
		assert_int_equal(fixture_send(bench.server, "seen", 4), 0);
		fixture_expect_message(bench.fixture, &bench.fixture->client, bench.client, "seen", 4);
	}
	bench_destroy(&bench);
}

static void thousands_of_operations_are_outstanding_and_all_complete(void **state)
{
	struct transport_options options = {.operations = 2048};
	struct bench bench = bench_create(kind, host, MIB, &options, &options);
	struct transport_region *shared =
	    fixture_share(bench.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_READ | TRANSPORT_REMOTE_WRITE);
	uint64_t key = transport_region_key(shared);
	uint32_t posted = 0, total = 8192, done = 0, most = 0;

	bench_fill(bench.far, bench.size, 99);
	while (done < total) {
		while (posted < total) {
			uint64_t offset = posted % 2048 * 512;
			void *context = (void *)(uintptr_t)(posted + 1);

			if (transport_read(bench.client, bench.near + offset, bench.local, BASE + offset, key, 512,
			                   context, posted % 8 == 7 ? 0 : TRANSPORT_MORE) == -EAGAIN)
				break;
			posted++;
		}
		most = posted - done > most ? posted - done : most;
		done++;
		fixture_expect_done(bench.fixture, &bench.fixture->client, (void *)(uintptr_t)done);
	}
	assert_true(most >= 2048);
	assert_memory_equal(bench.near, bench.far, bench.size);
	bench_destroy(&bench);
}

static void writes_without_a_context_never_run_out(void **state)
{
	struct transport_options options = {.operations = 16};
	struct bench bench = bench_create(kind, host, 256 * KIB, &options, NULL);
	struct transport_region *shared =
	    fixture_share(bench.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_WRITE);
	int64_t deadline = fixture_now_us() + 20000000;

	bench_fill(bench.near, bench.size, 5);
	for (int i = 0; i < 2000; i++) {
		uint64_t offset = (uint64_t)i % 64 * 4096;

		while (transport_write(bench.client, bench.near + offset, bench.local, BASE + offset,
		                       transport_region_key(shared), 4096, NULL, 0) == -EAGAIN) {
			fixture_pump(bench.fixture);
			assert_true(fixture_now_us() < deadline);
		}
	}
	while (fixture_send(bench.client, "end", 3) == -EAGAIN)
		fixture_pump(bench.fixture);
	fixture_expect_message(bench.fixture, &bench.fixture->server, bench.server, "end", 3);
	assert_memory_equal(bench.near, bench.far, bench.size);
	bench_destroy(&bench);
}

static void sixteen_mebibytes_go_there_and_back_in_pieces(void **state)
{
	struct bench bench = bench_create(kind, host, 16 * MIB, NULL, NULL);
	struct transport_region *shared =
	    fixture_share(bench.server, bench.far, bench.size, 0, TRANSPORT_REMOTE_READ | TRANSPORT_REMOTE_WRITE);
	uint64_t key = transport_region_key(shared);
	int context;

	bench_fill(bench.near, bench.size, 1);
	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(
		    transport_write(bench.client, bench.near + i * MIB, bench.local, i * MIB, key, MIB, &context, 0),
		    0);
	for (uint32_t i = 0; i < 16; i++)
		fixture_expect_done(bench.fixture, &bench.fixture->client, &context);
	assert_memory_equal(bench.near, bench.far, bench.size);
	bench_fill(bench.far, bench.size, 2);
	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(
		    transport_read(bench.client, bench.near + i * MIB, bench.local, i * MIB, key, MIB, &context, 0), 0);
	for (uint32_t i = 0; i < 16; i++)
		fixture_expect_done(bench.fixture, &bench.fixture->client, &context);
	assert_memory_equal(bench.near, bench.far, bench.size);
	bench_destroy(&bench);
}

static void both_sides_read_from_each_other_at_once(void **state)
{
	struct bench bench = bench_create(kind, host, 4 * MIB, NULL, NULL);
	struct transport_region *far =
	    fixture_share(bench.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_READ | TRANSPORT_LOCAL_WRITE);
	struct transport_region *near =
	    fixture_share(bench.client, bench.near, bench.size, BASE, TRANSPORT_REMOTE_READ | TRANSPORT_LOCAL_WRITE);
	int contexts[2];

	bench_fill(bench.near, bench.size / 2, 1);
	bench_fill(bench.far, bench.size / 2, 2);
	for (uint32_t i = 0; i < 8; i++) {
		uint64_t from = i * 256 * KIB, to = bench.size / 2 + from;

		assert_int_equal(transport_read(bench.client, bench.near + to, near, BASE + from,
		                                transport_region_key(far), 256 * KIB, &contexts[0], 0),
		                 0);
		assert_int_equal(transport_read(bench.server, bench.far + to, far, BASE + from,
		                                transport_region_key(near), 256 * KIB, &contexts[1], 0),
		                 0);
	}
	for (uint32_t i = 0; i < 8; i++) {
		fixture_expect_done(bench.fixture, &bench.fixture->client, &contexts[0]);
		fixture_expect_done(bench.fixture, &bench.fixture->server, &contexts[1]);
	}
	assert_memory_equal(bench.near, bench.far + bench.size / 2, bench.size / 2);
	assert_memory_equal(bench.far, bench.near + bench.size / 2, bench.size / 2);
	bench_destroy(&bench);
}

static void operations_that_cannot_be_are_refused_at_once(void **state)
{
	struct bench bench = bench_create(kind, host, 64 * KIB, NULL, NULL);
	struct transport_region *region = NULL;
	struct transport_region *fixed = fixture_share(bench.client, bench.near, 4096, 0, TRANSPORT_REMOTE_READ);

	assert_int_equal(transport_read(bench.client, bench.near, bench.local, 0, 1, 0, NULL, 0), -EINVAL);
	assert_int_equal(transport_write(bench.client, bench.near, bench.local, 0, 1, 0, NULL, 0), -EINVAL);
	assert_int_equal(transport_write(bench.client, bench.near, fixed, 0, 1, 4097, NULL, 0), -EINVAL);
	assert_int_equal(transport_write(bench.client, bench.near + 4096, fixed, 0, 1, 1, NULL, 0), -EINVAL);
	assert_int_equal(transport_read(bench.client, bench.near, fixed, 0, 1, 8, NULL, 0), -EINVAL);
	assert_int_equal(transport_write(bench.server, bench.near, fixed, 0, 1, 8, NULL, 0), -EINVAL);
	if (transport_needs_region(bench.client))
		assert_int_equal(transport_write(bench.client, bench.near, NULL, 0, 1, 8, NULL, 0), -EINVAL);
	assert_int_equal(transport_register(bench.client, bench.near, 0, 0, 0, &region), -EINVAL);
	assert_int_equal(transport_register(bench.client, bench.near, 4096, UINT64_MAX - 100, 0, &region), -EINVAL);
	assert_int_equal(transport_register(bench.client, bench.near, 4096, 0, 8, &region), -EINVAL);
	fixture_expect_silence(bench.fixture, 20);
	bench_destroy(&bench);
}

/* ---- violations ------------------------------------------------------------------------------------------------- */

enum violation {
	WRONG_KEY,
	ONE_BYTE_BEYOND,
	ONE_BYTE_BEFORE,
	FAR_OUTSIDE,
	WRAPPING,
	MISSING_RIGHT,
	LOCAL_ONLY,
	OTHER_CONNECTION,
	DEREGISTERED,
	VIOLATIONS
};

static const char *const violation_names[] = {
    "wrong key",     "one byte beyond", "one byte before",           "far outside",  "wrapping",
    "missing right", "no right at all", "key of another connection", "deregistered",
};

struct target {
	uint64_t remote, key;
};

static struct target aim(enum violation violation, struct transport_conn *server, struct transport_conn *other,
                         uint8_t *far, bool write)
{
	unsigned both = TRANSPORT_REMOTE_READ | TRANSPORT_REMOTE_WRITE;
	unsigned rights = both;
	struct transport_region *shared;
	struct target target;

	if (violation == MISSING_RIGHT)
		rights = write ? TRANSPORT_REMOTE_READ : TRANSPORT_REMOTE_WRITE;
	if (violation == LOCAL_ONLY)
		rights = TRANSPORT_LOCAL_WRITE;
	shared = fixture_share(violation == OTHER_CONNECTION ? other : server, far + 8192, 8192, BASE, rights);
	target = (struct target){.remote = BASE, .key = transport_region_key(shared)};
	switch (violation) {
	case WRONG_KEY:
		target.key ^= 1u << 30;
		break;
	case ONE_BYTE_BEYOND:
		target.remote = BASE + 8192 - 512 + 1;
		break;
	case ONE_BYTE_BEFORE:
		target.remote = BASE - 1;
		break;
	case FAR_OUTSIDE:
		target.remote = BASE + (1ull << 40);
		break;
	case WRAPPING:
		target.remote = UINT64_MAX - 100;
		break;
	case OTHER_CONNECTION: /* its own of the same range, so that only the key is wrong */
		fixture_share(server, far + 8192, 8192, BASE, both);
		break;
	case DEREGISTERED: /* and another has taken its place */
		transport_deregister(shared);
		fixture_share(server, far + 8192, 8192, BASE, both);
		break;
	default:
		break;
	}
	return target;
}

static void commit_violation(enum violation violation, bool write)
{
	struct bench bench = bench_create(kind, host, 24 * KIB, NULL, NULL);
	uint8_t *near = bench_memory(bench.size), *far = bench_memory(bench.size);
	struct transport_conn *other_client, *other_server;
	struct target target;
	int context;

	fixture_connect(bench.fixture, NULL, NULL, &other_client, &other_server);
	bench_fill(bench.near, bench.size, 1);
	bench_fill(bench.far, bench.size, 2);
	memcpy(near, bench.near, bench.size);
	memcpy(far, bench.far, bench.size);
	target = aim(violation, bench.server, other_server, bench.far, write);
	if (write)
		assert_int_equal(
		    transport_write(bench.client, bench.near, bench.local, target.remote, target.key, 512, &context, 0),
		    0);
	else
		assert_int_equal(
		    transport_read(bench.client, bench.near, bench.local, target.remote, target.key, 512, &context, 0),
		    0);
	fixture_expect_closed(bench.fixture, &bench.fixture->client, bench.client);
	assert_int_equal(fixture_send(bench.client, "x", 1), -ENOTCONN);
	transport_close(bench.client);
	fixture_expect_closed(bench.fixture, &bench.fixture->server, bench.server);
	transport_close(bench.server);
	if (memcmp(near, bench.near, bench.size) != 0 || memcmp(far, bench.far, bench.size) != 0)
		fail_msg("%s (%s) changed memory", violation_names[violation], write ? "write" : "read");
	assert_int_equal(fixture_send(other_client, "still here", 10), 0);
	fixture_expect_message(bench.fixture, &bench.fixture->server, other_server, "still here", 10);
	fixture_expect_silence(bench.fixture, 5);
	bench.client = other_client;
	bench.server = other_server;
	munmap(near, bench.size);
	munmap(far, bench.size);
	bench_destroy(&bench);
}

static void a_violation_ends_only_its_connection_and_touches_nothing(void **state)
{
	for (int violation = 0; violation < VIOLATIONS; violation++) {
		commit_violation((enum violation)violation, false);
		commit_violation((enum violation)violation, true);
	}
}

static void a_region_that_goes_while_it_is_read_gives_old_bytes_or_none(void **state)
{
	struct bench bench = bench_create(kind, host, 8 * MIB, NULL, NULL);
	struct transport_region *shared =
	    fixture_share(bench.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_READ);
	struct transport_event events[16];
	uint32_t done = 0;
	int context;

	bench_fill(bench.far, bench.size, 3);
	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(transport_read(bench.client, bench.near + i * MIB, bench.local, BASE + i * MIB,
		                                transport_region_key(shared), MIB, &context, 0),
		                 0);
	for (int i = 0; i < 3; i++)
		assert_true(transport_poll(bench.fixture->server.queue, events, 16) >= 0);
	transport_deregister(shared);
	memset(bench.far, 0xee, bench.size);
	while (done < 8 && fixture_wait(bench.fixture, &bench.fixture->client).type == TRANSPORT_DONE)
		done++;
	bench_fill(bench.far, bench.size, 3);
	assert_memory_equal(bench.near, bench.far, (size_t)done * MIB);
	bench_destroy(&bench);
}

/* ---- many, and the end ------------------------------------------------------------------------------------------ */

static void many_connections_share_a_queue(void **state)
{
	enum { MANY = 48 };
	struct fixture *fixture = fixture_create(kind, host);
	struct transport_conn *clients[MANY], *servers[MANY];
	struct transport_options small = {.message_size = 512, .receive_depth = 8, .operations = 8};
	int seen = 0;

	for (int i = 0; i < MANY; i++) {
		fixture_connect(fixture, &small, &small, &clients[i], &servers[i]);
		transport_set_user(servers[i], (void *)(uintptr_t)i);
	}
	for (int round = 0; round < 4; round++)
		for (int i = 0; i < MANY; i++)
			assert_int_equal(fixture_send(clients[i], &i, sizeof(i)), 0);
	for (seen = 0; seen < 4 * MANY; seen++) {
		struct transport_event event = fixture_wait(fixture, &fixture->server);
		int number = (int)(uintptr_t)transport_user(event.conn);

		assert_int_equal(event.type, TRANSPORT_MESSAGE);
		assert_memory_equal(event.data, &number, sizeof(number));
		transport_release(event.conn, event.data);
	}
	/* Every other one goes; the rest does not notice. */
	for (int i = 0; i < MANY; i += 2)
		transport_close(clients[i]);
	for (int i = 0; i < MANY; i += 2) {
		struct transport_event event = fixture_wait(fixture, &fixture->server);

		assert_int_equal(event.type, TRANSPORT_CLOSED);
		assert_true((uintptr_t)transport_user(event.conn) % 2 == 0);
		transport_close(event.conn);
	}
	for (int i = 1; i < MANY; i += 2) {
		assert_int_equal(fixture_send(servers[i], &i, sizeof(i)), 0);
		fixture_expect_message(fixture, &fixture->client, clients[i], &i, sizeof(i));
		transport_close(servers[i]);
		transport_close(clients[i]);
	}
	fixture_destroy(fixture);
}

static void a_close_in_the_middle_gives_the_peer_one_closed_event(void **state)
{
	struct bench bench = bench_create(kind, host, 4 * MIB, NULL, NULL);
	struct transport_region *shared =
	    fixture_share(bench.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_READ);
	struct transport_event event;
	int context;

	for (uint32_t i = 0; i < 16; i++) {
		assert_int_equal(transport_read(bench.client, bench.near, bench.local, BASE,
		                                transport_region_key(shared), 256 * KIB, &context, 0),
		                 0);
		if (i % 4 == 0)
			assert_int_equal(fixture_send(bench.client, "x", 1), 0);
	}
	fixture_pump(bench.fixture);
	bench.fixture->client.head = bench.fixture->client.tail;
	transport_close(bench.client);
	do {
		event = fixture_wait(bench.fixture, &bench.fixture->server);
	} while (event.type == TRANSPORT_MESSAGE);
	assert_int_equal(event.type, TRANSPORT_CLOSED);
	fixture_expect_silence(bench.fixture, 20);
	transport_close(bench.server);
	fixture_destroy(bench.fixture);
	munmap(bench.near, bench.size);
	munmap(bench.far, bench.size);
}

static void a_closed_connection_may_be_closed_with_regions_and_messages_held(void **state)
{
	struct bench bench = bench_create(kind, host, 64 * KIB, NULL, NULL);

	fixture_share(bench.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_READ);
	fixture_share(bench.server, bench.far, 4096, BASE, TRANSPORT_REMOTE_WRITE);
	assert_int_equal(fixture_send(bench.client, "held", 4), 0);
	assert_int_equal(fixture_wait(bench.fixture, &bench.fixture->server).type, TRANSPORT_MESSAGE);
	assert_int_equal(fixture_send(bench.client, "unseen", 6), 0);
	bench_destroy(&bench);
}

/* The child has no other thread and nothing of the parent's transport: it is forked before any is made. */
static void connect_and_hang(int port_pipe)
{
	struct transport_queue *queue;
	struct transport_conn *conn;
	char why[256];
	uint16_t port;

	if (read(port_pipe, &port, sizeof(port)) != (ssize_t)sizeof(port) ||
	    transport_queue_create(kind, &queue) != 0 ||
	    transport_connect(queue, host, port, NULL, 10000, &conn, why, sizeof(why)) != 0 ||
	    fixture_send(conn, "alive", 5) != 0)
		_exit(1);
	for (;;)
		pause();
}

static void a_killed_peer_ends_the_connection(void **state)
{
	struct fixture *fixture;
	struct transport_pending *pending;
	struct transport_conn *conn;
	int ports[2], status, rc;
	uint16_t port;
	pid_t child;

	assert_int_equal(pipe(ports), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		connect_and_hang(ports[0]);
	fixture = fixture_create(kind, host);
	port = transport_listener_port(fixture->listener);
	assert_int_equal(write(ports[1], &port, sizeof(port)), sizeof(port));
	while ((rc = transport_listener_next(fixture->listener, &pending)) == -EAGAIN)
		usleep(1000);
	assert_int_equal(rc, 0);
	assert_int_equal(transport_accept(pending, fixture->server.queue, NULL, &conn), 0);
	fixture_expect_message(fixture, &fixture->server, conn, "alive", 5);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	fixture_expect_closed(fixture, &fixture->server, conn);
	transport_close(conn);
	fixture_destroy(fixture);
	close(ports[0]);
	close(ports[1]);
}

static void *reject_one(void *argument)
{
	struct transport_pending *pending;

	while (transport_listener_next(argument, &pending) == -EAGAIN)
		usleep(1000);
	transport_reject(pending, ECONNREFUSED);
	return NULL;
}

static void a_rejected_or_unheard_connect_fails_with_a_reason(void **state)
{
	struct fixture *fixture = fixture_create(kind, host);
	struct transport_conn *conn;
	char why[256] = "";
	pthread_t thread;
	uint16_t port = transport_listener_port(fixture->listener);
	int64_t start;

	assert_int_equal(pthread_create(&thread, NULL, reject_one, fixture->listener), 0);
	assert_int_equal(transport_connect(fixture->client.queue, host, port, NULL, 5000, &conn, why, sizeof(why)),
	                 -ECONNREFUSED);
	assert_true(strlen(why) > 0);
	pthread_join(thread, NULL);
	start = fixture_now_us();
	why[0] = '\0';
	assert_int_equal(transport_connect(fixture->client.queue, host, port, NULL, 300, &conn, why, sizeof(why)),
	                 -ETIMEDOUT);
	assert_true(strlen(why) > 0);
	assert_true(fixture_now_us() - start < 3000000);
	transport_listener_close(fixture->listener);
	fixture->listener = NULL;
	why[0] = '\0';
	assert_int_equal(transport_connect(fixture->client.queue, host, port, NULL, 3000, &conn, why, sizeof(why)),
	                 -ECONNREFUSED);
	assert_true(strlen(why) > 0);
	fixture_destroy(fixture);
}

static int run_over(enum transport_kind which, const char *address)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_killed_peer_ends_the_connection),
	    cmocka_unit_test(messages_arrive_whole_and_in_order),
	    cmocka_unit_test(messages_are_gathered),
	    cmocka_unit_test(a_post_with_more_goes_out_though_nothing_follows),
	    cmocka_unit_test(sizes_beyond_the_limits_are_refused),
	    cmocka_unit_test(a_sender_without_credit_waits_for_a_release),
	    cmocka_unit_test(a_receiver_has_all_its_buffers_when_they_are_needed),
	    cmocka_unit_test(a_receiver_has_as_many_buffers_as_it_is_set_to),
	    cmocka_unit_test(one_receive_buffer_at_each_end_is_enough),
	    cmocka_unit_test(reads_and_writes_move_exactly_the_bytes_named),
	    cmocka_unit_test(a_message_after_a_write_finds_the_bytes_written),
	    cmocka_unit_test(thousands_of_operations_are_outstanding_and_all_complete),
	    cmocka_unit_test(writes_without_a_context_never_run_out),
	    cmocka_unit_test(sixteen_mebibytes_go_there_and_back_in_pieces),
	    cmocka_unit_test(both_sides_read_from_each_other_at_once),
	    cmocka_unit_test(operations_that_cannot_be_are_refused_at_once),
	    cmocka_unit_test(a_violation_ends_only_its_connection_and_touches_nothing),
	    cmocka_unit_test(a_region_that_goes_while_it_is_read_gives_old_bytes_or_none),
	    cmocka_unit_test(many_connections_share_a_queue),
	    cmocka_unit_test(a_close_in_the_middle_gives_the_peer_one_closed_event),
	    cmocka_unit_test(a_closed_connection_may_be_closed_with_regions_and_messages_held),
	    cmocka_unit_test(a_rejected_or_unheard_connect_fails_with_a_reason),
	};

	kind = which;
	snprintf(host, sizeof(host), "%s", address);
	return cmocka_run_group_tests_name(transport_kind_name(which), tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_main(argc, argv, run_over);
}
