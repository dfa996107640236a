/*
 * transport_join_test.c -- connections that share the registrations of another one, over each transport of this host.
 */
// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/transport_fixture.h"

#define KIB  1024u
#define MIB  (1024u * KIB)
#define BASE 0x7000000000ull

static enum transport_kind kind;
static char host[128];

/* A connection that joins that of `bench`. */
struct joined {
	struct transport_conn *client, *server;
	struct transport_region *local; /* on the memory of `bench` */
};

static struct joined join(struct bench *bench)
{
	struct transport_options options = {.join = bench->server};
	struct joined joined;

	fixture_connect(bench->fixture, NULL, &options, &joined.client, &joined.server);
	joined.local = fixture_local(joined.client, bench->near, bench->size);
	return joined;
}

static void leave(struct joined *joined)
{
	transport_close(joined->client);
	transport_close(joined->server);
}

static void expect_read(struct bench *bench, struct transport_conn *conn, struct transport_region *local, uint64_t key)
{
	int context;

	memset(bench->near, 0, 8 * KIB);
	assert_int_equal(transport_read(conn, bench->near, local, BASE + 4 * KIB, key, 8 * KIB, &context, 0), 0);
	fixture_expect_done(bench->fixture, &bench->fixture->client, &context);
	assert_memory_equal(bench->near, bench->far + 4 * KIB, 8 * KIB);
}

static void expect_refused_read(struct bench *bench, struct joined *joined, uint64_t key)
{
	int context;

	assert_int_equal(
	    transport_read(joined->client, bench->near, joined->local, BASE + 4 * KIB, key, 8 * KIB, &context, 0), 0);
	fixture_expect_closed(bench->fixture, &bench->fixture->client, joined->client);
	fixture_expect_closed(bench->fixture, &bench->fixture->server, joined->server);
}

static void a_ticket_is_seen_before_the_connection_is_accepted(void **state)
{
	const struct transport_options options = {.ticket = {.number = 0x123456789abcdef0ull, .key = ~0ull}};
	struct bench bench = bench_create(kind, host, 4 * KIB, &options, NULL);

	(void)state;
	assert_true(bench.fixture->ticket.number == options.ticket.number);
	assert_true(bench.fixture->ticket.key == options.ticket.key);
	bench_destroy(&bench);
	bench = bench_create(kind, host, 4 * KIB, NULL, NULL);
	assert_true(bench.fixture->ticket.number == 0 && bench.fixture->ticket.key == 0);
	bench_destroy(&bench);
}

static void who_joined_reads_what_the_other_has_registered_while_it_is(void **state)
{
	struct bench bench = bench_create(kind, host, 64 * KIB, NULL, NULL);
	struct joined first = join(&bench), second = join(&bench);
	struct transport_region *shared =
	    fixture_share(bench.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_READ);
	uint64_t key = transport_region_key(shared);

	(void)state;
	bench_fill(bench.far, bench.size, 1);
	expect_read(&bench, bench.client, bench.local, key);
	expect_read(&bench, first.client, first.local, key);
	expect_read(&bench, second.client, second.local, key);
	leave(&first); /* the others are not concerned */
	expect_read(&bench, bench.client, bench.local, key);
	expect_read(&bench, second.client, second.local, key);
	transport_deregister(shared);
	expect_refused_read(&bench, &second, key);
	leave(&second);
	shared = fixture_share(bench.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_READ);
	expect_read(&bench, bench.client, bench.local, transport_region_key(shared));
	bench_destroy(&bench);
}

static void who_did_not_join_reads_nothing_of_it(void **state)
{
	struct bench bench = bench_create(kind, host, 64 * KIB, NULL, NULL);
	struct joined stranger;
	struct transport_region *shared =
	    fixture_share(bench.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_READ);

	(void)state;
	fixture_connect(bench.fixture, NULL, NULL, &stranger.client, &stranger.server);
	stranger.local = fixture_local(stranger.client, bench.near, bench.size);
	expect_refused_read(&bench, &stranger, transport_region_key(shared));
	leave(&stranger);
	bench_destroy(&bench);
}

static void a_region_that_goes_while_who_joined_reads_gives_old_bytes_or_none(void **state)
{
	struct bench bench = bench_create(kind, host, 4 * MIB, NULL, NULL);

	(void)state;
	for (uint32_t round = 0; round < 6; round++) {
		struct joined joined = join(&bench);
		struct transport_region *shared =
		    fixture_share(bench.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_READ);
		uint64_t key = transport_region_key(shared);
		struct transport_event event;
		int context;

		memset(bench.far, 'o', bench.size);
		memset(bench.near, 0, bench.size);
		for (uint32_t i = 0; i < 4; i++)
			assert_int_equal(transport_read(joined.client, bench.near + i * MIB, joined.local,
			                                BASE + i * MIB, key, MIB, &context, 0),
			                 0);
		for (uint32_t i = 0; i < round; i++)
			fixture_pump(bench.fixture);
		transport_deregister(shared);
		memset(bench.far, 'n', bench.size);
		for (int done = 0; done < 4; done++) {
			event = fixture_wait(bench.fixture, &bench.fixture->client);
			if (event.type == TRANSPORT_CLOSED)
				break;
			assert_int_equal(event.type, TRANSPORT_DONE);
		}
		for (size_t i = 0; i < bench.size; i++)
			assert_int_not_equal(bench.near[i], 'n');
		leave(&joined);
		bench.fixture->client.head = bench.fixture->client.tail;
		bench.fixture->server.head = bench.fixture->server.tail;
	}
	bench_destroy(&bench);
}

static void who_joined_registers_nothing_itself(void **state)
{
	struct bench bench = bench_create(kind, host, 64 * KIB, NULL, NULL);
	struct joined joined = join(&bench);
	struct transport_region *region;

	(void)state;
	assert_int_equal(transport_register(joined.server, bench.far, bench.size, BASE, TRANSPORT_REMOTE_READ, &region),
	                 -EINVAL);
	leave(&joined);
	bench_destroy(&bench);
}

static int run_over(enum transport_kind which, const char *address)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_ticket_is_seen_before_the_connection_is_accepted),
	    cmocka_unit_test(who_joined_reads_what_the_other_has_registered_while_it_is),
	    cmocka_unit_test(who_did_not_join_reads_nothing_of_it),
	    cmocka_unit_test(a_region_that_goes_while_who_joined_reads_gives_old_bytes_or_none),
	    cmocka_unit_test(who_joined_registers_nothing_itself),
	};

	kind = which;
	snprintf(host, sizeof(host), "%s", address);
	return cmocka_run_group_tests_name(transport_kind_name(which), tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_main(argc, argv, run_over);
}
