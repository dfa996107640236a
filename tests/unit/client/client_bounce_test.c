/*
 * client_bounce_test.c -- where READs need registered buffers, results that nobody has fetched yet may hold all of them:
 * other reads then go by message instead of waiting.
 *
 * The linker has this program say that the tcp transport needs registered memory, as verbs does.
 */
#include "client/include/farnova.h"
#include "client/link/bounce.h"
#include "tests/integration/check.h"
#include "tests/support/client_server.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define ENTRIES (2 * BOUNCE_COUNT)

static struct client_server server;
static struct farnova *fs;
static struct farnova_file *file;
static uint8_t data[BOUNCE_COUNT][BOUNCE_SIZE], back[ENTRIES][BOUNCE_SIZE];

bool __wrap_transport_needs_region(const struct transport_conn *conn);
int __wrap_transport_register(struct transport_conn *conn, void *memory, size_t length, uint64_t address,
                              unsigned access, struct transport_region **out);

bool __wrap_transport_needs_region(const struct transport_conn *conn)
{
	return true;
}

int __wrap_transport_register(struct transport_conn *conn, void *memory, size_t length, uint64_t address,
                              unsigned access, struct transport_region **out)
{
	*out = NULL; /* which tcp does not look at */
	return 0;
}

static uint64_t reads(void)
{
	struct farnova_stats stats = {.size = sizeof(stats)};

	CHECK(farnova_get_stats(fs, &stats) == 0);
	return stats.reads;
}

static void check(const uint8_t *bytes, unsigned block)
{
	assert_memory_equal(bytes, data[block % BOUNCE_COUNT], BOUNCE_SIZE);
}

static void *read_blocks(void *argument)
{
	static _Thread_local uint8_t own[BOUNCE_SIZE];

	for (unsigned i = 0; i < BOUNCE_COUNT; i++) {
		CHECK(farnova_pread(file, own, BOUNCE_SIZE, i * BOUNCE_SIZE) == BOUNCE_SIZE);
		CHECK(memcmp(own, data[i], BOUNCE_SIZE) == 0);
	}
	return argument;
}

static void reads_go_on_while_results_wait_to_be_fetched(void **state)
{
	struct farnova_operation operations[ENTRIES] = {0};
	struct farnova_completion completions[ENTRIES];
	struct farnova_queue *queue = farnova_queue_create(fs, ENTRIES);
	pthread_t threads[3];
	int reaped = 0;

	assert_non_null(queue);
	for (unsigned i = 0; i < ENTRIES; i++)
		operations[i] = (struct farnova_operation){.operation = FARNOVA_OP_READ,
		                                           .file = file,
		                                           .buffer = back[i],
		                                           .length = BOUNCE_SIZE,
		                                           .offset = i % BOUNCE_COUNT * BOUNCE_SIZE,
		                                           .user_data = i};
	uint64_t before = reads();
	assert_int_equal(farnova_queue_submit(queue, operations, ENTRIES), ENTRIES);
	read_blocks(NULL);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_blocks, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(reads() >= before + BOUNCE_COUNT);
	/* All that was submitted has its result, and the buffers are free again. */
	while (reaped < (int)ENTRIES) {
		int count = farnova_queue_reap(queue, completions, 1, ENTRIES, 20000);
		assert_true(count > 0);
		for (int i = 0; i < count; i++) {
			assert_int_equal(completions[i].result, BOUNCE_SIZE);
			check(back[completions[i].user_data], (unsigned)completions[i].user_data);
		}
		reaped += count;
	}
	farnova_queue_destroy(queue);
	before = reads();
	read_blocks(NULL);
	assert_int_equal(reads(), before + BOUNCE_COUNT);
}

static int start(void **state)
{
	client_server_create(&server);
	fs = farnova_connect(
	    server.url,
	    &(struct farnova_options){.size = sizeof(struct farnova_options), .transport = "tcp", .timeout_ms = 20000});
	file = fs ? farnova_open(fs, "file", O_RDWR | O_CREAT, 0600) : NULL;
	for (unsigned i = 0; i < BOUNCE_COUNT; i++)
		memset(data[i], (int)i + 1, BOUNCE_SIZE);
	if (!file || farnova_pwrite(file, data, sizeof(data), 0) != (ssize_t)sizeof(data))
		return -1;
	read_blocks(NULL); /* under the layout that it gets by this */
	return 0;
}

static int end(void **state)
{
	farnova_close(file);
	farnova_disconnect(fs);
	client_server_destroy(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_go_on_while_results_wait_to_be_fetched),
	};
	alarm(110);
	return cmocka_run_group_tests(tests, start, end);
}
