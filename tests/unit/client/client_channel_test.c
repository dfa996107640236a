/*
 * client_channel_test.c -- channels: threads read by connections of their own, see what others have written, and go on
 * when a channel, the session's connection or the server is lost.
 *
 * The client reaches a real server through a relay of this program, which cuts the connections it is told to.
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
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define CHANNELS 2u
#define READERS  4u
#define BLOCKS   8u
#define CUTS     20u
#define PATIENCE 20000 /* ms until something must have happened */

/* ---- the relay -------------------------------------------------------------------------------------------------- */

static struct client_server server;
static int listener;
static uint16_t relay_port;
static atomic_bool ended;
static pthread_t relay_thread;

/* Connections in the order in which they were made: the session's comes first, and its channels after it. */
static struct relayed {
	pthread_t thread;
	int client, peer;
	atomic_bool cut, over;
} relayed[512];
static atomic_uint relayed_count;

static bool forward(int from, int to)
{
	char buffer[65536];
	ssize_t length = recv(from, buffer, sizeof(buffer), 0);
	return length > 0 && send(to, buffer, (size_t)length, MSG_NOSIGNAL) == length;
}

static void *relay_one(void *argument)
{
	struct relayed *one = argument;
	struct pollfd fds[2] = {{.fd = one->client, .events = POLLIN}, {.fd = one->peer, .events = POLLIN}};
	bool alive = true;

	while (alive && !atomic_load(&ended) && !atomic_load(&one->cut)) {
		poll(fds, 2, 1);
		if (fds[0].revents)
			alive = forward(one->client, one->peer);
		if (alive && fds[1].revents)
			alive = forward(one->peer, one->client);
	}
	close(one->client);
	close(one->peer);
	atomic_store(&one->over, true);
	return NULL;
}

static void *relay(void *argument)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)server.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct pollfd fd = {.fd = listener, .events = POLLIN};

	while (!atomic_load(&ended)) {
		if (poll(&fd, 1, 10) != 1)
			continue;
		unsigned number = atomic_load(&relayed_count);
		struct relayed *one = &relayed[number];
		CHECK(number < sizeof(relayed) / sizeof(relayed[0]));
		one->client = accept(listener, NULL, NULL);
		one->peer = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(one->peer, (struct sockaddr *)&address, sizeof(address)) != 0) {
			close(one->client);
			close(one->peer);
			continue;
		}
		CHECK(pthread_create(&one->thread, NULL, relay_one, one) == 0);
		atomic_store(&relayed_count, number + 1);
	}
	return NULL;
}

static void cut(unsigned number)
{
	atomic_store(&relayed[number].cut, true);
	while (!atomic_load(&relayed[number].over))
		usleep(100);
}

/* ---- set-up ----------------------------------------------------------------------------------------------------- */

static atomic_uint lost; /* connections, by the library's log */

static void note_loss(void *context, int level, const char *text)
{
	if (strstr(text, "was lost"))
		atomic_fetch_add(&lost, 1);
}

static int start(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(address);

	client_server_create(&server);
	atomic_store(&ended, false);
	atomic_store(&relayed_count, 0);
	memset(relayed, 0, sizeof(relayed));
	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	relay_port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&relay_thread, NULL, relay, NULL), 0);
	farnova_set_log(note_loss, NULL);
	atomic_store(&lost, 0);
	return 0;
}

static int end(void **state)
{
	farnova_set_log(NULL, NULL);
	atomic_store(&ended, true);
	assert_int_equal(pthread_join(relay_thread, NULL), 0);
	for (unsigned i = 0; i < atomic_load(&relayed_count); i++)
		assert_int_equal(pthread_join(relayed[i].thread, NULL), 0);
	close(listener);
	client_server_destroy(&server);
	return 0;
}

static struct farnova *connect_to(uint16_t port, unsigned channels)
{
	const struct farnova_options options = {
	    .size = sizeof(options), .transport = "tcp", .timeout_ms = PATIENCE, .channels = channels};
	char url[64];

	snprintf(url, sizeof(url), "farnova://127.0.0.1:%u/", port);
	struct farnova *fs = farnova_connect(url, &options);
	CHECK(fs);
	return fs;
}

static struct farnova_stats stats_of(struct farnova *fs)
{
	struct farnova_stats stats = {.size = sizeof(stats)};

	CHECK(farnova_get_stats(fs, &stats) == 0);
	return stats;
}

/* await_channels -- wait until so many channels are connected, after `connections` of the session. */
static void await_channels(struct farnova *fs, unsigned count, unsigned connections)
{
	struct farnova_stats stats;
	int ms = 0;

	do {
		CHECK(ms++ < PATIENCE);
		usleep(1000);
		stats = stats_of(fs);
	} while (stats.channels != count || stats.connections < connections);
}

/* ---- threads that read and write -------------------------------------------------------------------------------- */

/* Versions of the blocks of a file: each block is at least as new as what its last writer has published. */
struct shared {
	struct farnova *fs;
	struct farnova_file *file;
	atomic_uint_least64_t published[BLOCKS];
	atomic_bool stop;
	atomic_uint reads;
};

static void write_block(struct shared *shared, struct farnova_file *file, unsigned number, uint64_t version)
{
	struct block block;

	block_fill(&block, 3, number, version);
	CHECK(farnova_pwrite(file, &block, sizeof(block), number * BLOCK_SIZE) == sizeof(block));
	atomic_store(&shared->published[number], version);
}

static void open_shared(struct shared *shared, uint16_t port, unsigned channels)
{
	memset(shared, 0, sizeof(*shared));
	shared->fs = connect_to(port, channels);
	shared->file = farnova_open(shared->fs, "shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(shared->file);
	for (unsigned i = 0; i < BLOCKS; i++)
		write_block(shared, shared->file, i, 1);
}

static void close_shared(struct shared *shared)
{
	CHECK(farnova_close(shared->file) == 0);
	farnova_disconnect(shared->fs);
}

static void *read_blocks(void *argument)
{
	struct shared *shared = argument;
	struct block block;

	for (unsigned i = 0; !atomic_load(&shared->stop); i++) {
		unsigned number = i % BLOCKS;
		uint64_t known = atomic_load(&shared->published[number]);
		CHECK(farnova_pread(shared->file, &block, sizeof(block), number * BLOCK_SIZE) == sizeof(block));
		CHECK(block_version(&block, 3, number) >= known);
		atomic_fetch_add(&shared->reads, 1);
	}
	return NULL;
}

static void start_readers(struct shared *shared, pthread_t threads[READERS])
{
	for (unsigned i = 0; i < READERS; i++)
		CHECK(pthread_create(&threads[i], NULL, read_blocks, shared) == 0);
}

static void stop_readers(struct shared *shared, pthread_t threads[READERS])
{
	atomic_store(&shared->stop, true);
	for (unsigned i = 0; i < READERS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

/* await_reads -- wait until the readers have read so often again. */
static void await_reads(struct shared *shared, unsigned count)
{
	unsigned until = atomic_load(&shared->reads) + count;

	for (int ms = 0; (int)(until - atomic_load(&shared->reads)) > 0; ms++) {
		CHECK(ms < PATIENCE);
		usleep(1000);
	}
}

/* ---- cases ------------------------------------------------------------------------------------------------------ */

static void threads_read_by_channels_without_a_message(void **state)
{
	struct shared shared;
	pthread_t threads[READERS];

	open_shared(&shared, relay_port, CHANNELS);
	await_channels(shared.fs, CHANNELS, 1);
	start_readers(&shared, threads);
	await_reads(&shared, 1000); /* layouts are there now */
	struct farnova_stats before = stats_of(shared.fs);
	await_reads(&shared, 1000);
	stop_readers(&shared, threads);
	struct farnova_stats after = stats_of(shared.fs);
	/* A PING may be among them. */
	assert_in_range(after.requests - before.requests, 0, 2);
	assert_true(after.channel_reads - before.channel_reads >= 1000);
	assert_int_equal(after.channel_reads - before.channel_reads, after.reads - before.reads);
	close_shared(&shared);
	assert_int_equal(atomic_load(&lost), 0);
}

/* Large reads, holes and the end of the file: all that one round of READs does not cover. */
static void reads_by_a_channel_give_what_others_give(void **state)
{
	enum { SIZE = 3 << 20 };
	struct farnova *fs = connect_to(relay_port, 1), *plain = connect_to(relay_port, 0);
	static uint8_t data[SIZE], back[SIZE + 100], expected[SIZE + 100];
	struct farnova_file *file = farnova_open(fs, "large", O_RDWR | O_CREAT, 0600);

	CHECK(file);
	await_channels(fs, 1, 1);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (uint8_t)(i * 7 + i / 4096);
	CHECK(farnova_pwrite(file, data, SIZE, 0) == SIZE);
	CHECK(farnova_fallocate(file, 3 /* punch a hole */, 1 << 20, 500000) == 0);
	struct farnova_file *other = farnova_open(plain, "large", O_RDONLY, 0);
	CHECK(other);
	for (unsigned i = 0; i < 60; i++) {
		static const size_t lengths[] = {1, 4096, 5000, 65536, 300000, 1 << 20, SIZE + 100};
		size_t length = lengths[i % 7];
		off_t offset = (off_t)(i * 123457) % (SIZE + 50);
		memset(back, 1, sizeof(back));
		memset(expected, 2, sizeof(expected));
		ssize_t count = farnova_pread(file, back, length, offset);
		CHECK(count == farnova_pread(other, expected, length, offset));
		CHECK(count >= 0 && memcmp(back, expected, (size_t)count) == 0);
	}
	assert_true(stats_of(fs).channel_reads > 20);
	CHECK(farnova_close(other) == 0 && farnova_close(file) == 0);
	farnova_disconnect(fs);
	farnova_disconnect(plain);
}

/* A change that its writer knows of is seen by every channel, and no READ meets a block that was given away: the
 * layouts are returned only when the READs of all channels have ended. */
static void what_is_written_is_seen_by_all_channels(void **state)
{
	struct shared shared;
	pthread_t threads[READERS];

	open_shared(&shared, (uint16_t)server.port, CHANNELS);
	await_channels(shared.fs, CHANNELS, 1);
	struct farnova *fs = connect_to((uint16_t)server.port, 0);
	struct farnova_file *file = farnova_open(fs, "shared", O_RDWR, 0), *scratch;
	CHECK(file && (scratch = farnova_open(fs, "scratch", O_RDWR | O_CREAT, 0600)));
	start_readers(&shared, threads);
	for (uint64_t version = 2; version < 120; version++) {
		struct block block;

		/* In turn by another client and by a thread of this one; what they free is written to by others. */
		write_block(&shared, version % 2 ? file : shared.file, version % BLOCKS, version);
		block_fill(&block, 9, 0, version);
		CHECK(farnova_pwrite(scratch, &block, sizeof(block), 0) == sizeof(block));
		if (version % 3 == 0) /* so that there are layouts again */
			usleep(110000 / 8);
	}
	usleep(110000);
	await_reads(&shared, 200);
	write_block(&shared, file, 0, 1000);
	await_reads(&shared, 200);
	stop_readers(&shared, threads);
	assert_true(stats_of(shared.fs).channel_reads > 0);
	CHECK(farnova_close(file) == 0 && farnova_close(scratch) == 0);
	farnova_disconnect(fs);
	close_shared(&shared);
	assert_int_equal(atomic_load(&lost), 0);
}

static void lost_channels_come_back_and_cost_no_session(void **state)
{
	struct shared shared;
	pthread_t threads[READERS];

	open_shared(&shared, relay_port, CHANNELS);
	await_channels(shared.fs, CHANNELS, 1);
	start_readers(&shared, threads);
	for (unsigned i = 0; i < CUTS; i++) {
		await_reads(&shared, 20);
		cut(atomic_load(&relayed_count) - 1); /* the newest is a channel */
		write_block(&shared, shared.file, i % BLOCKS, 2 + i);
		await_channels(shared.fs, CHANNELS, 1);
	}
	stop_readers(&shared, threads);
	assert_int_equal(stats_of(shared.fs).connections, 1);
	close_shared(&shared);
}

static void channels_come_back_with_the_session(void **state)
{
	struct shared shared;
	pthread_t threads[READERS];

	open_shared(&shared, relay_port, CHANNELS);
	struct farnova_file *log = farnova_open(shared.fs, "log", O_RDWR | O_CREAT | O_APPEND, 0600);
	CHECK(log);
	await_channels(shared.fs, CHANNELS, 1);
	start_readers(&shared, threads);
	for (unsigned i = 0; i < 5; i++) {
		await_reads(&shared, 20);
		for (unsigned j = atomic_load(&relayed_count); j > 0; j--) /* which is the session's is not known */
			cut(j - 1);
		CHECK(farnova_append(log, "x", 1) == 1);
		await_channels(shared.fs, CHANNELS, 2 + i);
		write_block(&shared, shared.file, i % BLOCKS, 2 + i);
	}
	client_server_kill(&server);
	client_server_start(&server);
	CHECK(farnova_append(log, "x", 1) == 1);
	await_channels(shared.fs, CHANNELS, 7);
	await_reads(&shared, 100);
	stop_readers(&shared, threads);
	char text[10];
	assert_int_equal(farnova_pread(log, text, sizeof(text), 0), 6); /* each exactly once */
	CHECK(farnova_close(log) == 0);
	close_shared(&shared);
}

static void *read_until_cancelled(void *argument)
{
	struct farnova_file *file = argument;
	struct block block;

	farnova_set_tag(77);
	CHECK(farnova_pread(file, &block, sizeof(block), 0) == -1 && errno == EINTR);
	return NULL;
}

/* Who gives up a read leaves it to end by itself; a recall is answered then too. */
static void reads_by_channels_can_be_cancelled(void **state)
{
	struct farnova *fs = connect_to((uint16_t)server.port, 1), *other = connect_to((uint16_t)server.port, 0);
	struct farnova_file *file = farnova_open(fs, "slow", O_RDWR | O_CREAT, 0600);
	struct farnova_file *same = farnova_open(other, "slow", O_RDWR, 0);
	struct block block;
	pthread_t thread;

	block_fill(&block, 3, 0, 1);
	CHECK(same && file && farnova_pwrite(file, &block, sizeof(block), 0) == sizeof(block));
	await_channels(fs, 1, 1);
	while (stats_of(fs).channel_reads == 0)
		CHECK(farnova_pread(file, &block, sizeof(block), 0) == sizeof(block));
	uint64_t before = stats_of(fs).channel_reads;
	client_server_freeze(&server);
	CHECK(pthread_create(&thread, NULL, read_until_cancelled, file) == 0);
	while (stats_of(fs).channel_reads == before)
		usleep(1000);
	farnova_cancel(fs, 77);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(kill(server.pid, SIGCONT) == 0);
	block_fill(&block, 3, 0, 2);
	CHECK(farnova_pwrite(same, &block, sizeof(block), 0) == sizeof(block));
	CHECK(farnova_pread(file, &block, sizeof(block), 0) == sizeof(block));
	CHECK(block_version(&block, 3, 0) == 2);
	CHECK(farnova_close(file) == 0 && farnova_close(same) == 0);
	farnova_disconnect(fs);
	farnova_disconnect(other);
	assert_int_equal(atomic_load(&lost), 0);
}

static void child_of_a_fork_has_no_channels(void **state)
{
	struct shared shared;
	pthread_t threads[READERS];
	struct block block;
	int status;

	open_shared(&shared, relay_port, CHANNELS);
	await_channels(shared.fs, CHANNELS, 1);
	start_readers(&shared, threads);
	for (unsigned i = 0; i < 10; i++) {
		await_reads(&shared, 20);
		pid_t child = fork();
		CHECK(child >= 0);
		if (child == 0) {
			bool right = farnova_pread(shared.file, &block, sizeof(block), 0) == -1 && errno == ECHILD;
			farnova_disconnect(shared.fs);
			_exit(right ? 0 : 1);
		}
		CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
		write_block(&shared, shared.file, i % BLOCKS, 2 + i);
	}
	stop_readers(&shared, threads);
	close_shared(&shared);
	assert_int_equal(atomic_load(&lost), 0);
}

static void more_channels_than_there_may_be_are_refused(void **state)
{
	const struct farnova_options options = {.size = sizeof(options), .channels = 17};

	assert_null(farnova_connect(server.url, &options));
	assert_int_equal(errno, EINVAL);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
	    CASE(threads_read_by_channels_without_a_message),
	    CASE(reads_by_a_channel_give_what_others_give),
	    CASE(what_is_written_is_seen_by_all_channels),
	    CASE(lost_channels_come_back_and_cost_no_session),
	    CASE(channels_come_back_with_the_session),
	    CASE(reads_by_channels_can_be_cancelled),
	    CASE(child_of_a_fork_has_no_channels),
	    CASE(more_channels_than_there_may_be_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
