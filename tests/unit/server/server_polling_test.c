/*
 * server_polling_test.c -- a worker polls for its next message, and yields its CPU meanwhile, but not while a bulk
 * thread has a job: the yield would give that thread the CPU for milliseconds.
 *
 * The yields of the server are counted; the bulk thread is stopped in the middle of its job.
 */
#include "common/cpu_share.h"
#include "server/nova/nova.h"
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define COPY_BYTES (1u << 20) /* a bulk thread prepares such a copy */
#define PINGS      200u
#define READ_WRITE (PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE)

static atomic_uint yields;
static atomic_bool stops, stopped;

bool __real_cpu_share_yield(struct cpu_share *share);
bool __wrap_cpu_share_yield(struct cpu_share *share);
int __real_nova_copy_prepare(struct nova_worker *worker, struct nova_handle from, uint64_t from_offset,
                             struct nova_handle to, uint64_t to_offset, uint64_t length, struct nova_copy **out);
int __wrap_nova_copy_prepare(struct nova_worker *worker, struct nova_handle from, uint64_t from_offset,
                             struct nova_handle to, uint64_t to_offset, uint64_t length, struct nova_copy **out);

/* The CPU never seems crowded, so the worker would always poll. */
bool __wrap_cpu_share_yield(struct cpu_share *share)
{
	atomic_fetch_add(&yields, 1);
	usleep(1);
	return false;
}

int __wrap_nova_copy_prepare(struct nova_worker *worker, struct nova_handle from, uint64_t from_offset,
                             struct nova_handle to, uint64_t to_offset, uint64_t length, struct nova_copy **out)
{
	atomic_store(&stopped, true);
	while (atomic_load(&stops))
		usleep(200);
	return __real_nova_copy_prepare(worker, from, from_offset, to, to_offset, length, out);
}

static struct proto_reply reply;

static uint64_t open_file(struct raw_client *c, const char *path)
{
	assert_int_equal(raw_open(c, path, READ_WRITE, &reply), 0);
	return reply.open.open;
}

static struct proto_request copy_request(struct raw_client *c)
{
	static const uint8_t data[4096];
	struct proto_request request = {.op = PROTO_WRITE};

	request.write.open = open_file(c, "from");
	request.write.data = data;
	request.write.length = sizeof(data);
	for (request.write.offset = 0; request.write.offset < COPY_BYTES; request.write.offset += sizeof(data))
		assert_int_equal(raw_call(c, &request, &reply), 0);
	struct proto_request copy = {.op = PROTO_COPY};
	copy.copy.from_open = request.write.open;
	copy.copy.to_open = open_file(c, "to");
	copy.copy.length = COPY_BYTES;
	return copy;
}

static void ping_often(struct raw_client *c)
{
	struct proto_request request = {.op = PROTO_PING};

	for (unsigned i = 0; i < PINGS; i++)
		assert_int_equal(raw_call(c, &request, &reply), 0);
}

/* Then worker and bulk threads may share one. */
static void use_two_cpus(void)
{
	cpu_set_t allowed, few;

	CPU_ZERO(&few);
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&few) < 2; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			CPU_SET(cpu, &few);
	assert_int_equal(sched_setaffinity(0, sizeof(few), &few), 0);
}

static void a_worker_does_not_yield_to_a_bulk_thread(void **state)
{
	static const char *const flags[] = {"--workers", "1", NULL};
	uint16_t port;

	use_two_cpus();
	struct running_server *server = server_run(&port, flags);
	struct raw_client *one = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	struct raw_client *other = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);

	(void)state;
	raw_hello(one, NULL);
	raw_hello(other, NULL);
	struct proto_request copy = copy_request(one);
	ping_often(other);
	assert_true(atomic_load(&yields) > 0);

	atomic_store(&stops, true);
	copy.sequence = ++one->sequence;
	assert_true(raw_post(one, &copy));
	while (!atomic_load(&stopped))
		usleep(200);
	ping_often(other); /* the worker has noticed that there is a job */
	atomic_store(&yields, 0);
	ping_often(other);
	assert_int_equal(atomic_load(&yields), 0);

	atomic_store(&stops, false);
	assert_true(raw_reply(one, &reply, 60000));
	assert_int_equal(reply.status, 0);
	ping_often(other);
	assert_true(atomic_load(&yields) > 0);
	raw_close(one);
	raw_close(other);
	server_end(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_worker_does_not_yield_to_a_bulk_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
