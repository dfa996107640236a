/*
 * client_storm_test.c -- operations of queues complete exactly once, whatever happens: threads submit, reap and cancel
 * at random, deadlines pass, and connections are cut, against a real server. Meant for sanitizers as much as for its
 * checks.
 *
 * FARNOVA_STORM is the number of operations, 100000 where it is not set.
 */
#include "client/include/farnova.h"
#include "tests/integration/check.h"
#include "tests/support/client_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define THREADS 3u
#define ENTRIES 300u /* more than a session has slots */
#define SIZE    (256u * 1024)
#define LARGEST (192u * 1024)

static struct client_server server;
static struct farnova *fs;
static unsigned total = 100000;
static atomic_bool ended;
static atomic_uint done, failed, cancelled, late;

struct thread {
	pthread_t id;
	unsigned number;
	uint64_t random;
	struct farnova_queue *queue;
	struct farnova_file *file;
	uint8_t *state; /* by user_data: 0 not submitted, 1 in flight, 2 completed */
	unsigned count, submitted, completed;
	uint8_t *memory[ENTRIES]; /* of the operation with user_data % ENTRIES */
	struct stat st[ENTRIES];
	struct statvfs statvfs[ENTRIES];
	uint64_t tag; /* of its last operations */
	bool watches; /* it waits for the descriptor */
};

static uint64_t draw(struct thread *thread)
{
	thread->random ^= thread->random << 13;
	thread->random ^= thread->random >> 7;
	thread->random ^= thread->random << 17;
	return thread->random;
}

/* make -- a random operation; what it writes at an offset is always the same. */
static struct farnova_operation make(struct thread *thread, unsigned i)
{
	static const char *const paths[] = {"/storm-a", "/storm-b", "/storm-dir", "/none/of/it"};
	struct farnova_operation operation = {.user_data = i, .file = thread->file};
	uint64_t kind = draw(thread) % 100;

	operation.length = kind % 7 == 0 ? draw(thread) % LARGEST : draw(thread) % 5000;
	operation.offset = (off_t)(draw(thread) % (SIZE - LARGEST));
	operation.path = paths[draw(thread) % 4];
	operation.to = paths[draw(thread) % 4];
	operation.st = &thread->st[i % ENTRIES];
	operation.buffer = thread->memory[i % ENTRIES];
	if (draw(thread) % 10 == 0)
		operation.timeout_ms = 1 + (int)(draw(thread) % 20);
	operation.operation = kind < 45   ? FARNOVA_OP_READ
	                      : kind < 70 ? FARNOVA_OP_WRITE
	                      : kind < 76 ? FARNOVA_OP_STAT
	                      : kind < 80 ? FARNOVA_OP_FSTAT
	                      : kind < 88 ? FARNOVA_OP_OPEN
	                      : kind < 90 ? FARNOVA_OP_UNLINK
	                      : kind < 91 ? FARNOVA_OP_MKDIR
	                      : kind < 92 ? FARNOVA_OP_RMDIR
	                      : kind < 94 ? FARNOVA_OP_RENAME
	                      : kind < 95 ? FARNOVA_OP_CHMOD
	                      : kind < 96 ? FARNOVA_OP_SETXATTR
	                      : kind < 97 ? FARNOVA_OP_GETXATTR
	                      : kind < 98 ? FARNOVA_OP_LINK
	                      : kind < 99 ? FARNOVA_OP_STATVFS
	                                  : FARNOVA_OP_FSYNC;
	operation.mode = 0600;
	operation.name = "user.storm";
	operation.statvfs = &thread->statvfs[i % ENTRIES];
	if (operation.operation == FARNOVA_OP_SETXATTR)
		operation.data = operation.buffer;
	if (operation.operation == FARNOVA_OP_GETXATTR)
		operation.length = LARGEST;
	if (operation.operation == FARNOVA_OP_OPEN)
		operation.flags = O_CREAT | O_RDWR;
	if (operation.operation == FARNOVA_OP_WRITE) {
		for (size_t k = 0; k < operation.length; k++)
			thread->memory[i % ENTRIES][k] = (uint8_t)(((size_t)operation.offset + k) % 251);
		operation.data = operation.buffer;
	}
	return operation;
}

static void complete(struct thread *thread, const struct farnova_completion *completion)
{
	CHECK(completion->user_data < thread->count && thread->state[completion->user_data] == 1);
	thread->state[completion->user_data] = 2;
	thread->completed++;
	if (completion->file)
		CHECK(farnova_close(completion->file) == 0);
	if (completion->result == -ECANCELED || completion->result == -EINTR)
		cancelled++;
	else if (completion->result == -ETIMEDOUT)
		late++;
	else if (completion->result < 0)
		failed++;
	else
		done++;
	CHECK(completion->result >= 0 || completion->result == -ECANCELED || completion->result == -ETIMEDOUT ||
	      completion->result == -ENOENT || completion->result == -EEXIST || completion->result == -EISDIR ||
	      completion->result == -ENOTDIR || completion->result == -ENOTEMPTY || completion->result == -EINTR ||
	      completion->result == -ENODATA || completion->result == -E2BIG || completion->result == -EPERM ||
	      completion->result == -ESTALE);
}

static void reap(struct thread *thread, unsigned min)
{
	struct farnova_completion completions[64];

	if (thread->watches) {
		struct pollfd fd = {.fd = farnova_queue_fd(thread->queue), .events = POLLIN};
		CHECK(fd.fd >= 0);
		if (min > 0)
			CHECK(poll(&fd, 1, 60000) == 1);
		min = 0;
	}
	int count = farnova_queue_reap(thread->queue, completions, min, 64, 60000);
	CHECK(count >= (int)min);
	for (int i = 0; i < count; i++)
		complete(thread, &completions[i]);
}

static void submit(struct thread *thread)
{
	struct farnova_operation operations[40];
	unsigned count = 1 + (unsigned)(draw(thread) % 40);

	/* The memory of an operation is that of the one ENTRIES before, which must have completed. */
	for (unsigned i = 0; i < count; i++) {
		unsigned number = thread->submitted + i;
		if (number == thread->count || (number >= ENTRIES && thread->state[number - ENTRIES] != 2)) {
			count = i;
			break;
		}
		operations[i] = make(thread, number);
		thread->state[number] = 1;
	}
	if (count == 0)
		return;
	/* The thread does not keep the tag: its own waits are not to be cancelled. */
	farnova_set_tag(++thread->tag);
	CHECK(farnova_queue_submit(thread->queue, operations, count) == (int)count);
	farnova_set_tag(0);
	thread->submitted += count;
}

static void cancel(struct thread *thread)
{
	unsigned back = (unsigned)(draw(thread) % 50);

	if (draw(thread) % 4 == 0)
		farnova_cancel(fs, thread->tag);
	else if (thread->submitted > back)
		farnova_queue_cancel(thread->queue, thread->submitted - 1 - back);
}

static void *storm(void *argument)
{
	struct thread *thread = argument;

	while (thread->completed < thread->count) {
		if (thread->submitted < thread->count)
			submit(thread);
		if (draw(thread) % 4 == 0)
			cancel(thread);
		reap(thread, thread->submitted > thread->completed && draw(thread) % 2 ? 1 : 0);
	}
	return NULL;
}

/* cut -- end the connections of this program to the server. */
static void *cut(void *argument)
{
	while (!ended) {
		poll(NULL, 0, 50);
		for (int fd = 3; fd < 64; fd++) {
			struct sockaddr_in peer;
			socklen_t size = sizeof(peer);
			if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.sin_family == AF_INET &&
			    ntohs(peer.sin_port) == server.port)
				shutdown(fd, SHUT_RDWR);
		}
	}
	return argument;
}

static void start(struct thread *thread, unsigned number)
{
	char path[32];

	*thread = (struct thread){.number = number,
	                          .random = 88172645463325252u + number,
	                          .count = total / THREADS,
	                          .tag = (number + 1ull) << 32};
	thread->watches = number == 2;
	thread->queue = farnova_queue_create(fs, ENTRIES);
	thread->state = calloc(thread->count, 1);
	assert_true(thread->queue && thread->state);
	for (unsigned i = 0; i < ENTRIES; i++)
		assert_non_null(thread->memory[i] = malloc(LARGEST));
	snprintf(path, sizeof(path), "/storm-%u", number);
	thread->file = farnova_open(fs, path, O_CREAT | O_RDWR, 0600);
	assert_non_null(thread->file);
	assert_int_equal(pthread_create(&thread->id, NULL, storm, thread), 0);
}

static void check(struct thread *thread)
{
	static uint8_t back[SIZE];
	struct farnova_completion completion;

	assert_int_equal(farnova_queue_reap(thread->queue, &completion, 1, 1, 0), 0);
	for (unsigned i = 0; i < thread->count; i++)
		assert_int_equal(thread->state[i], 2);
	ssize_t size = farnova_pread(thread->file, back, SIZE, 0);
	assert_true(size > 0);
	for (ssize_t i = 0; i < size; i++)
		assert_true(back[i] == i % 251 || back[i] == 0);
	for (unsigned i = 0; i < ENTRIES; i++)
		free(thread->memory[i]);
	free(thread->state);
	farnova_queue_destroy(thread->queue);
	assert_int_equal(farnova_close(thread->file), 0);
}

static void every_operation_completes_once(bool cuts)
{
	static struct thread threads[THREADS];
	pthread_t cutter;

	ended = false;
	done = failed = cancelled = late = 0;
	for (unsigned i = 0; i < THREADS; i++)
		start(&threads[i], i);
	if (cuts)
		assert_int_equal(pthread_create(&cutter, NULL, cut, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i].id, NULL), 0);
	ended = true;
	if (cuts)
		assert_int_equal(pthread_join(cutter, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		check(&threads[i]);
	print_message("%u done, %u failed, %u cancelled, %u too late\n", done, failed, cancelled, late);
	assert_true(done > total / 4);
}

static void without_cuts(void **state)
{
	every_operation_completes_once(false);
}

static void with_cuts(void **state)
{
	struct farnova_stats before = {.size = sizeof(before)}, after = before;

	assert_int_equal(farnova_get_stats(fs, &before), 0);
	every_operation_completes_once(true);
	assert_int_equal(farnova_get_stats(fs, &after), 0);
	assert_true(after.connections > before.connections);
}

static int begin(void **state)
{
	const char *text = getenv("FARNOVA_STORM");

	if (text)
		total = (unsigned)strtoul(text, NULL, 10);
	client_server_create(&server);
	fs = farnova_connect(server.url,
	                     &(struct farnova_options){.size = sizeof(struct farnova_options), .transport = "tcp"});
	return fs ? 0 : -1;
}

static int end(void **state)
{
	farnova_disconnect(fs);
	client_server_destroy(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_cuts),
	    cmocka_unit_test(with_cuts),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
