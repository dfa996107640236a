/*
 * client_resume_test.c -- when only the connection is lost the session goes on: every request is executed exactly once,
 * and open files stay open, those without a name too. They do over a restart of the server as well, whatever their
 * mode.
 *
 * The client reaches a real server through a relay of this program, which cuts all connections when told.
 */
#include "client/include/farnova.h"
#include "tests/integration/blocks.h"
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
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define THREADS 4u
#define CUTS    25u

/* ---- the relay -------------------------------------------------------------------------------------------------- */

static struct client_server server;
static int server_port; /* for the relay's thread: each start writes server.port anew */
static int listener;
static int relay_port;
static atomic_bool cut, ended, stop;
static atomic_uint cuts;

/* forward -- what there is from one end to the other; false once either has closed. */
static bool forward(int from, int to)
{
	char buffer[65536];
	ssize_t length = recv(from, buffer, sizeof(buffer), 0);
	/* In the middle of a message is where a connection breaks best. */
	ssize_t part = length > 1 && atomic_load(&cut) ? length / 2 : length;
	return length > 0 && send(to, buffer, (size_t)part, MSG_NOSIGNAL) == part;
}

static void relay_connection(int client)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)server_port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int peer = socket(AF_INET, SOCK_STREAM, 0);

	/* While the server is being restarted the client is turned away, and comes again. */
	if (connect(peer, (struct sockaddr *)&address, sizeof(address)) != 0) {
		CHECK(errno == ECONNREFUSED);
		close(peer);
		close(client);
		return;
	}
	struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = peer, .events = POLLIN}};
	bool alive = true;
	while (alive && !atomic_load(&ended)) {
		poll(fds, 2, 10);
		if (fds[0].revents)
			alive = forward(client, peer);
		if (alive && fds[1].revents)
			alive = forward(peer, client);
		if (atomic_exchange(&cut, false)) {
			atomic_fetch_add(&cuts, 1);
			alive = false;
		}
	}
	close(client);
	close(peer);
}

/* relay -- one connection after the other: the tests have one client. */
static void *relay(void *argument)
{
	while (!atomic_load(&ended)) {
		struct pollfd fd = {.fd = listener, .events = POLLIN};
		if (poll(&fd, 1, 10) == 1)
			relay_connection(accept(listener, NULL, NULL));
	}
	return NULL;
}

static pthread_t relay_thread;

static int start(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(address);

	client_server_create(&server);
	server_port = server.port;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	relay_port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&relay_thread, NULL, relay, NULL), 0);
	return 0;
}

static int end(void **state)
{
	atomic_store(&ended, true);
	assert_int_equal(pthread_join(relay_thread, NULL), 0);
	close(listener);
	client_server_destroy(&server);
	return 0;
}

static struct farnova *connect_through_relay(void)
{
	char url[64];
	snprintf(url, sizeof(url), "farnova://127.0.0.1:%d/", relay_port);
	struct farnova *fs = farnova_connect(url, NULL);
	CHECK(fs);
	return fs;
}

/* cut_often -- and see to it that each cut has happened. */
static void cut_often(void)
{
	for (unsigned i = 0; i < CUTS; i++) {
		unsigned before = atomic_load(&cuts);
		usleep(20000);
		atomic_store(&cut, true);
		for (int wait = 0; wait < 1000 && atomic_load(&cuts) == before; wait++)
			usleep(10000);
		CHECK(atomic_load(&cuts) == before + 1);
	}
}

/* ---- the tests -------------------------------------------------------------------------------------------------- */

struct task {
	struct farnova *fs;
	unsigned number;
	uint64_t appended;
};

/* change_things -- none of which may fail, or be done twice. */
static void *change_things(void *argument)
{
	struct task *task = argument;
	char name[64], other[64];
	static _Thread_local struct block blocks[4];

	snprintf(name, sizeof(name), "log-%u", task->number);
	struct farnova_file *log = farnova_open(task->fs, name, O_RDWR | O_CREAT | O_EXCL | O_APPEND, 0600);
	CHECK(log);
	for (uint64_t i = 0; !atomic_load(&stop); i++) {
		/* by message, and through the staging ring */
		for (unsigned b = 0; b < 4; b++)
			block_fill(&blocks[b], task->number, task->appended + b, i);
		size_t count = i % 2 ? 1 : 4;
		CHECK(farnova_write(log, blocks, count * BLOCK_SIZE) == (ssize_t)(count * BLOCK_SIZE));
		task->appended += count;
		uint64_t place = i % task->appended;
		CHECK(farnova_pread(log, blocks, BLOCK_SIZE, (off_t)(place * BLOCK_SIZE)) == BLOCK_SIZE);
		block_version(blocks, task->number, place);

		snprintf(name, sizeof(name), "dir-%u-%llu", task->number, (unsigned long long)i);
		snprintf(other, sizeof(other), "moved-%u", task->number);
		CHECK(farnova_mkdir(task->fs, name, 0700) == 0);
		CHECK(farnova_rename(task->fs, name, other, 0) == 0);
		CHECK(farnova_rmdir(task->fs, other) == 0);
		struct farnova_file *file = farnova_open(task->fs, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
		CHECK(file && farnova_close(file) == 0);
		CHECK(farnova_link(task->fs, name, other) == 0);
		CHECK(farnova_unlink(task->fs, name) == 0);
		CHECK(farnova_unlink(task->fs, other) == 0);
	}
	struct stat st;
	CHECK(farnova_fstat(log, &st) == 0 && (uint64_t)st.st_size == task->appended * BLOCK_SIZE);
	for (uint64_t i = 0; i < task->appended; i++) {
		CHECK(farnova_pread(log, blocks, BLOCK_SIZE, (off_t)(i * BLOCK_SIZE)) == BLOCK_SIZE);
		block_version(blocks, task->number, i);
	}
	CHECK(farnova_close(log) == 0);
	return NULL;
}

static void requests_are_executed_exactly_once(void **state)
{
	struct farnova *fs = connect_through_relay();
	pthread_t threads[THREADS];
	struct task tasks[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		tasks[i] = (struct task){.fs = fs, .number = i};
		CHECK(pthread_create(&threads[i], NULL, change_things, &tasks[i]) == 0);
	}
	cut_often();
	atomic_store(&stop, true);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	farnova_disconnect(fs);
}

static void file_without_a_name_stays_open(void **state)
{
	struct farnova *fs = connect_through_relay();
	struct farnova_file *file = farnova_open(fs, "nameless", O_RDWR | O_CREAT, 0600);
	char buffer[5];

	CHECK(file && farnova_pwrite(file, "still", 5, 0) == 5);
	CHECK(farnova_unlink(fs, "nameless") == 0);
	unsigned before = atomic_load(&cuts);
	atomic_store(&cut, true);
	while (atomic_load(&cuts) == before)
		usleep(1000);
	CHECK(farnova_pread(file, buffer, 5, 0) == 5 && memcmp(buffer, "still", 5) == 0);
	CHECK(farnova_close(file) == 0);
	farnova_disconnect(fs);
}

/* What a restart of the server takes is what the mode allowed when it was opened, also where it does not now. */
static void files_opened_once_outlive_a_restart(void **state)
{
	struct farnova *fs = connect_through_relay();
	char buffer[5];

	CHECK(farnova_mkdir(fs, "all", 0777) == 0);
	struct farnova_file *program = farnova_open(fs, "all/program", O_WRONLY | O_CREAT, 0711);
	CHECK(program && farnova_write(program, "#!bin", 5) == 5 && farnova_close(program) == 0);
	CHECK(farnova_set_cred(fs, &(struct farnova_cred){.uid = 1000, .gid = 1000}) == 0);
	struct farnova_file *file = farnova_open(fs, "all/read-only", O_RDWR | O_CREAT, 0444);
	CHECK(file);
	CHECK(!farnova_open(fs, "all/read-only", O_RDWR, 0) && errno == EACCES);
	CHECK(!farnova_open(fs, "all/program", O_RDONLY, 0) && errno == EACCES);
	CHECK(!farnova_open(fs, "all/program", O_RDWR | FARNOVA_O_EXEC, 0) && errno == EINVAL);
	program = farnova_open(fs, "all/program", O_RDONLY | FARNOVA_O_EXEC, 0);
	CHECK(program);
	client_server_kill(&server);
	client_server_start(&server);
	CHECK(farnova_pwrite(file, "still", 5, 0) == 5);
	CHECK(farnova_pread(program, buffer, 5, 0) == 5 && memcmp(buffer, "#!bin", 5) == 0);
	CHECK(farnova_close(file) == 0 && farnova_close(program) == 0);
	farnova_disconnect(fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_executed_exactly_once),
	    cmocka_unit_test(file_without_a_name_stays_open),
	    cmocka_unit_test(files_opened_once_outlive_a_restart),
	};
	return cmocka_run_group_tests(tests, start, end);
}
