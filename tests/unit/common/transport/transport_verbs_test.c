/*
 * transport_verbs_test.c -- the verbs transport against peers that do not keep to the protocol, and what can be
 * registered. Runs where there is an RDMA device (in the guest of tests/vm).
 *
 * The peer is a bare queue pair. An honest connection beside it must not notice anything.
 */
// clang-format off
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/le.h"
#include "common/log.h"
#include "tests/support/transport_fixture.h"

#define CREDIT_ONLY 0x80000000u

static char host[128];

struct raw_hello { /* as verbs_cm.c has it */
	le64 magic;
	le32 version, message_size, receive_depth, operations, receive_first, reserved;
	le64 ticket_number, ticket_key;
};

static struct raw_hello good_hello(void)
{
	return (struct raw_hello){.magic = le64_of(0x3152564f4e524146ull),
	                          .version = le32_of(3),
	                          .message_size = le32_of(1024),
	                          .receive_depth = le32_of(4),
	                          .operations = le32_of(4),
	                          .receive_first = le32_of(4)};
}

struct raw_peer {
	const struct raw_hello *hello;
	uint16_t port;
	struct rdma_cm_id *id;
	struct ibv_mr *mr;
	uint8_t bytes[4096];
	int rc;
};

static void *raw_connect(void *argument)
{
	struct raw_peer *peer = argument;
	struct rdma_addrinfo hints = {.ai_port_space = RDMA_PS_TCP}, *address;
	struct ibv_qp_init_attr attributes = {
	    .cap = {.max_send_wr = 64, .max_recv_wr = 64, .max_send_sge = 1, .max_recv_sge = 1},
	    .qp_type = IBV_QPT_RC,
	};
	struct rdma_conn_param request = {.private_data = peer->hello,
	                                  .private_data_len = sizeof(*peer->hello),
	                                  .responder_resources = 1,
	                                  .initiator_depth = 1,
	                                  .retry_count = 7,
	                                  .rnr_retry_count = 6};
	char service[8];

	snprintf(service, sizeof(service), "%u", peer->port);
	if (rdma_getaddrinfo(host, service, &hints, &address) != 0 ||
	    rdma_create_ep(&peer->id, address, NULL, &attributes) != 0) {
		peer->rc = -EIO;
		return NULL;
	}
	rdma_freeaddrinfo(address);
	peer->mr = rdma_reg_msgs(peer->id, peer->bytes, sizeof(peer->bytes));
	for (int i = 0; i < 16; i++)
		rdma_post_recv(peer->id, NULL, peer->bytes + 2048, 2048, peer->mr);
	peer->rc = rdma_connect(peer->id, &request) == 0 ? 0 : -errno;
	return NULL;
}

static void raw_destroy(struct raw_peer *peer)
{
	rdma_dereg_mr(peer->mr);
	rdma_destroy_ep(peer->id);
}

static struct transport_pending *next_pending(struct transport_listener *listener, int ms)
{
	struct pollfd ready = {.fd = transport_listener_fd(listener), .events = POLLIN};
	struct transport_pending *pending = NULL;
	int64_t deadline = fixture_now_us() + ms * 1000;

	while (transport_listener_next(listener, &pending) == -EAGAIN && fixture_now_us() < deadline)
		poll(&ready, 1, (int)((deadline - fixture_now_us()) / 1000) + 1);
	return pending;
}

static void a_hello_that_is_none_is_turned_away(void **state)
{
	struct raw_hello bad[8];
	struct fixture *fixture = fixture_create(TRANSPORT_VERBS, host);
	struct transport_conn *client, *server;

	for (size_t i = 0; i < 8; i++)
		bad[i] = good_hello();
	bad[0].magic.raw ^= 1;
	bad[1].version.raw ^= 1;
	bad[2].message_size.raw = 0;
	bad[3].message_size.raw = htole32(65537);
	bad[4].receive_depth.raw = htole32(65536);
	bad[5].operations.raw = htole32(4097);
	bad[6].receive_first.raw = 0;
	bad[7].receive_first.raw = htole32(5);
	for (size_t i = 0; i < 8; i++) {
		struct raw_peer peer = {.hello = &bad[i], .port = transport_listener_port(fixture->listener)};
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, raw_connect, &peer), 0);
		assert_null(next_pending(fixture->listener, 300));
		pthread_join(thread, NULL);
		assert_int_equal(peer.rc, -ECONNREFUSED);
		raw_destroy(&peer);
	}
	fixture_connect(fixture, NULL, NULL, &client, &server);
	transport_close(client);
	transport_close(server);
	fixture_destroy(fixture);
}

/* One send after another, of what the table says; the server must end the connection with -EPROTO. */
struct breach {
	const char *name;
	enum ibv_wr_opcode opcode;
	uint32_t word, length;
	int times, seen; /* sends, and messages that the server may take before it ends it */
};

static void commit_breach(const struct breach *breach)
{
	struct transport_options options = {.message_size = 1000, .receive_depth = 4, .operations = 4};
	struct fixture *fixture = fixture_create(TRANSPORT_VERBS, host);
	struct raw_hello hello = good_hello();
	struct raw_peer peer = {.hello = &hello, .port = transport_listener_port(fixture->listener)};
	struct transport_conn *client, *server, *victim;
	struct transport_pending *pending;
	struct transport_event event;
	pthread_t thread;
	int seen = 0;

	fixture_connect(fixture, NULL, NULL, &client, &server);
	assert_int_equal(pthread_create(&thread, NULL, raw_connect, &peer), 0);
	pending = next_pending(fixture->listener, 5000);
	assert_non_null(pending);
	assert_int_equal(transport_accept(pending, fixture->server.queue, &options, &victim), 0);
	pthread_join(thread, NULL);
	assert_int_equal(peer.rc, 0);
	for (int i = 0; i < breach->times; i++) {
		struct ibv_sge sge = {(uintptr_t)peer.bytes, breach->length, peer.mr->lkey};
		struct ibv_send_wr *bad, wr = {.sg_list = &sge,
		                               .num_sge = breach->length > 0 ? 1 : 0,
		                               .opcode = breach->opcode,
		                               .send_flags = IBV_SEND_SIGNALED,
		                               .imm_data = htobe32(breach->word)};

		assert_int_equal(ibv_post_send(peer.id->qp, &wr, &bad), 0);
	}
	while ((event = fixture_wait(fixture, &fixture->server)).type == TRANSPORT_MESSAGE)
		seen++;
	if (event.type != TRANSPORT_CLOSED || event.conn != victim || event.status != -EPROTO || seen > breach->seen)
		fail_msg("%s: event %d, status %d after %d messages", breach->name, event.type, event.status, seen);
	transport_close(victim);
	assert_int_equal(fixture_send(client, "still here", 10), 0);
	fixture_expect_message(fixture, &fixture->server, server, "still here", 10);
	raw_destroy(&peer);
	transport_close(client);
	transport_close(server);
	fixture_destroy(fixture);
}

static void a_breach_of_the_protocol_ends_only_its_connection(void **state)
{
	static const struct breach breaches[] = {
	    {"a message without an immediate word", IBV_WR_SEND, 0, 8, 1, 0},
	    {"an unknown bit in the word", IBV_WR_SEND_WITH_IMM, 0x10000, 8, 1, 0},
	    {"credits never taken", IBV_WR_SEND_WITH_IMM, 1, 8, 1, 0},
	    {"credits alone, never taken", IBV_WR_SEND_WITH_IMM, CREDIT_ONLY | 65535, 8, 1, 0},
	    {"an empty message", IBV_WR_SEND_WITH_IMM, 0, 0, 1, 0},
	    {"a message beyond the size but within the buffer", IBV_WR_SEND_WITH_IMM, 0, 1001, 1, 0},
	    {"a message beyond the buffer", IBV_WR_SEND_WITH_IMM, 0, 2000, 1, 0},
	    {"messages without credit", IBV_WR_SEND_WITH_IMM, 0, 8, 6, 4},
	};

	for (size_t i = 0; i < sizeof(breaches) / sizeof(breaches[0]); i++)
		commit_breach(&breaches[i]);
}

/* Bytes that this process has pinned, as the kernel counts them. */
static uint64_t pinned(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	unsigned long kib = 0;

	assert_non_null(status);
	while (fgets(line, sizeof(line), status) && sscanf(line, "VmPin: %lu kB", &kib) != 1)
		;
	fclose(status);
	return (uint64_t)kib * 1024;
}

/* `count` messages in flight before the first is answered. */
static void exchange(struct bench *bench, int count)
{
	const void *held[64];

	for (int i = 0; i < count; i++) {
		while (fixture_send(bench->client, &i, sizeof(i)) == -EAGAIN)
			fixture_pump(bench->fixture);
		held[i] = fixture_wait(bench->fixture, &bench->fixture->server).data;
	}
	for (int i = 0; i < count; i++)
		transport_release(bench->server, held[i]);
	while (fixture_send(bench->server, "all", 3) == -EAGAIN)
		fixture_pump(bench->fixture);
	fixture_expect_message(bench->fixture, &bench->fixture->client, bench->client, "all", 3);
}

static void receive_buffers_are_pinned_only_while_they_are_used(void **state)
{
	uint64_t before = pinned(), idle, busy;
	struct bench bench = bench_create(TRANSPORT_VERBS, host, 4096, NULL, NULL);

	/* Two connections, for both ends are here. */
	idle = pinned() - before;
	print_message("an idle connection pins %lu KiB\n", idle / 2 / 1024);
	assert_in_range(idle, 1, 2 * 224 * 1024);
	exchange(&bench, 64);
	busy = pinned() - before;
	assert_in_range(busy, idle + 60 * 16 * 1024, idle + 64 * 17 * 1024);
	/* It is given back, slab after slab, as one message at a time comes. */
	for (int i = 0; i < 1000 && pinned() - before > idle; i++)
		exchange(&bench, 1);
	assert_int_equal(pinned() - before, idle);
	exchange(&bench, 64);
	bench_destroy(&bench);
	assert_int_equal(pinned(), before);
}

/* A file of its own kind of memory, mapped shared. */
static int register_file(struct transport_conn *conn, const char *path, int flags, size_t length)
{
	struct transport_region *region = NULL;
	int fd = open(path, flags, 0600), rc;
	void *memory;

	assert_true(fd >= 0);
	if ((flags & O_CREAT) != 0)
		assert_int_equal(ftruncate(fd, (off_t)length), 0);
	memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(memory != MAP_FAILED);
	rc = transport_register(conn, memory, length, 0, TRANSPORT_REMOTE_READ | TRANSPORT_REMOTE_WRITE, &region);
	if (rc == 0)
		transport_deregister(region);
	munmap(memory, length);
	close(fd);
	return rc;
}

static void devdax_and_tmpfs_register_and_memory_that_is_not_there_does_not(void **state)
{
	struct fixture *fixture = fixture_create(TRANSPORT_VERBS, host);
	struct transport_conn *client, *server;
	struct transport_region *region;
	char path[64];

	fixture_connect(fixture, NULL, NULL, &client, &server);
	snprintf(path, sizeof(path), "/dev/shm/transport-test-%d", getpid());
	assert_int_equal(register_file(server, path, O_RDWR | O_CREAT, 1 << 20), 0);
	unlink(path);
	if (access("/dev/dax0.0", R_OK | W_OK) == 0)
		assert_int_equal(register_file(server, "/dev/dax0.0", O_RDWR, 16 << 20), 0);
	else
		print_message("# no /dev/dax0.0 here: registration of devdax not tried\n");
	assert_int_equal(transport_register(server, (void *)0x10000, 4096, 0x10000, TRANSPORT_REMOTE_READ, &region),
	                 -EFAULT);
	assert_int_equal(fixture_send(client, "fine", 4), 0);
	fixture_expect_message(fixture, &fixture->server, server, "fine", 4);
	transport_close(client);
	transport_close(server);
	fixture_destroy(fixture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_hello_that_is_none_is_turned_away),
	    cmocka_unit_test(receive_buffers_are_pinned_only_while_they_are_used),
	    cmocka_unit_test(a_breach_of_the_protocol_ends_only_its_connection),
	    cmocka_unit_test(devdax_and_tmpfs_register_and_memory_that_is_not_there_does_not),
	};
	char why[256] = "";

	log_set_level(LOG_LEVEL_ERROR);
	if (transport_available(TRANSPORT_VERBS, why, sizeof(why)) != 0 ||
	    !fixture_address(TRANSPORT_VERBS, host, sizeof(host))) {
		printf("skipped: %s\n", why);
		return 77;
	}
	return cmocka_run_group_tests_name("transport_verbs", tests, NULL, NULL);
}
