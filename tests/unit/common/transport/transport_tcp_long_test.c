/*
 * transport_tcp_long_test.c -- the data of long reads and writes are received where they belong, not beside it and then
 * copied there.
 *
 * The calls that receive from a socket are wrapped, and what they store outside of the memory in question is counted.
 */
// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <string.h>
#include <sys/socket.h>

#include "tests/support/transport_fixture.h"

#define KIB   1024u
#define PIECE (64u * KIB)
#define COUNT 16u
#define SIZE  (COUNT * PIECE)
#define BASE  0x7000000000ull

static const uint8_t *target; /* SIZE bytes */
static size_t beside;

static void count(const void *at, size_t length)
{
	if ((uintptr_t)at - (uintptr_t)target >= SIZE)
		beside += length;
}

ssize_t __real_recv(int fd, void *to, size_t length, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t length, int flags);
ssize_t __wrap_recv(int fd, void *to, size_t length, int flags)
{
	ssize_t got = __real_recv(fd, to, length, flags);

	if (got > 0)
		count(to, (size_t)got);
	return got;
}

ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
	ssize_t got = __real_recvmsg(fd, message, flags);
	size_t left = got > 0 ? (size_t)got : 0;

	for (size_t i = 0; i < message->msg_iovlen && left > 0; i++) {
		size_t part = left < message->msg_iov[i].iov_len ? left : message->msg_iov[i].iov_len;
		count(message->msg_iov[i].iov_base, part);
		left -= part;
	}
	return got;
}

static struct bench begin(const struct transport_region **shared)
{
	struct bench bench = bench_create(TRANSPORT_TCP, "127.0.0.1", SIZE, NULL, NULL);

	*shared = fixture_share(bench.server, bench.far, SIZE, BASE, TRANSPORT_REMOTE_READ | TRANSPORT_REMOTE_WRITE);
	return bench;
}

static void what_is_read_arrives_at_its_place(void **state)
{
	const struct transport_region *shared;
	struct bench bench = begin(&shared);
	int contexts[COUNT];

	(void)state;
	bench_fill(bench.far, SIZE, 1);
	target = bench.near;
	beside = 0;
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(transport_read(bench.client, bench.near + i * PIECE, bench.local, BASE + i * PIECE,
		                                transport_region_key(shared), PIECE, &contexts[i],
		                                i + 1 < COUNT ? TRANSPORT_MORE : 0),
		                 0);
	for (unsigned i = 0; i < COUNT; i++)
		fixture_expect_done(bench.fixture, &bench.fixture->client, &contexts[i]);
	assert_memory_equal(bench.near, bench.far, SIZE);
	/* Also what the server receives: the requests. */
	assert_in_range(beside, COUNT, COUNT * 2 * KIB);
	bench_destroy(&bench);
}

static void what_is_written_arrives_at_its_place(void **state)
{
	const struct transport_region *shared;
	struct bench bench = begin(&shared);
	int context;

	(void)state;
	bench_fill(bench.near, SIZE, 2);
	target = bench.far;
	beside = 0;
	for (unsigned i = 0; i < COUNT; i++) {
		bool last = i + 1 == COUNT;
		assert_int_equal(transport_write(bench.client, bench.near + i * PIECE, bench.local, BASE + i * PIECE,
		                                 transport_region_key(shared), PIECE, last ? &context : NULL,
		                                 last ? 0 : TRANSPORT_MORE),
		                 0);
	}
	fixture_expect_done(bench.fixture, &bench.fixture->client, &context);
	assert_memory_equal(bench.near, bench.far, SIZE);
	/* Nobody has announced the first one: a part of it may arrive with its header. */
	assert_in_range(beside, COUNT, 128 * KIB + COUNT * 2 * KIB);
	bench_destroy(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_read_arrives_at_its_place),
	    cmocka_unit_test(what_is_written_arrives_at_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
