/*
 * client_locks.c -- clients that exclude each other by a file's name while the server is killed again and again.
 *
 *   client_locks URL STOP -- run until the file STOP is there, then check the history; tells each 50th turn on stdout
 *
 * A turn: make the file "lock" exclusively, add 1 to the number in "counter", append a record to "log", remove "lock".
 * A call that is executed twice, or told wrongly whether it was executed, breaks the exclusion, the number or the log.
 * No call may fail, but that the lock is another's. Beside that each client exchanges two files of its own.
 */
#include "client/include/farnova.h"
#include "tests/integration/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS    4u
#define TURNS_MOST 200000u

struct record {
	uint32_t client;
	uint32_t turn; /* of all clients */
};

struct client {
	const char *url, *stop;
	uint32_t number;
	uint32_t turns;
	uint32_t *taken; /* turns of all clients that were this one's */
};

static atomic_uint holders;

static struct farnova *connect_to(const char *url)
{
	struct farnova *fs = NULL;

	/* The first connection is not made again by itself. */
	for (int i = 0; !fs && i < 1000; i++) {
		fs = farnova_connect(url, NULL);
		if (!fs)
			usleep(20000);
	}
	CHECK(fs);
	return fs;
}

static void take_lock(struct farnova *fs)
{
	struct farnova_file *lock;

	while (!(lock = farnova_open(fs, "lock", O_WRONLY | O_CREAT | O_EXCL, 0600))) {
		CHECK(errno == EEXIST);
		sched_yield();
	}
	CHECK(atomic_fetch_add(&holders, 1) == 0);
	CHECK(farnova_close(lock) == 0);
}

static void give_lock(struct farnova *fs)
{
	CHECK(atomic_fetch_sub(&holders, 1) == 1);
	CHECK(farnova_unlink(fs, "lock") == 0);
}

static void fill(struct farnova *fs, const char *path, uint32_t value)
{
	struct farnova_file *file = farnova_open(fs, path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	CHECK(file);
	CHECK(farnova_pwrite(file, &value, sizeof(value), 0) == sizeof(value));
	CHECK(farnova_close(file) == 0);
}

static uint32_t value_of(struct farnova *fs, const char *path)
{
	struct farnova_file *file = farnova_open(fs, path, O_RDONLY, 0);
	uint32_t value;

	CHECK(file);
	CHECK(farnova_pread(file, &value, sizeof(value), 0) == sizeof(value));
	CHECK(farnova_close(file) == 0);
	return value;
}

/* Two files of its own, and a directory: they change places at each turn. */
static void own_turn(struct farnova *fs, const struct client *client)
{
	char odd[32], even[32], dir[32];

	snprintf(odd, sizeof(odd), "odd-%u", client->number);
	snprintf(even, sizeof(even), "even-%u", client->number);
	snprintf(dir, sizeof(dir), "dir-%u", client->number);
	if (client->turns == 0) {
		fill(fs, odd, 1);
		fill(fs, even, 0);
	}
	CHECK(farnova_mkdir(fs, dir, 0700) == 0);
	CHECK(farnova_rename(fs, odd, even, RENAME_EXCHANGE) == 0);
	CHECK(farnova_rmdir(fs, dir) == 0);
	CHECK(value_of(fs, odd) == client->turns % 2);
}

static void *take_turns(void *argument)
{
	struct client *client = argument;
	struct farnova *fs = connect_to(client->url);
	struct farnova_file *log = farnova_open(fs, "log", O_WRONLY | O_CREAT | O_APPEND, 0600);
	struct farnova_file *counter = farnova_open(fs, "counter", O_RDWR | O_CREAT, 0600);

	CHECK(log && counter);
	while (access(client->stop, F_OK) != 0 && client->turns < TURNS_MOST) {
		struct record record = {.client = client->number, .turn = 0};
		own_turn(fs, client);
		take_lock(fs);
		ssize_t count = farnova_pread(counter, &record.turn, sizeof(record.turn), 0);
		CHECK(count == 0 || count == sizeof(record.turn));
		record.turn++;
		CHECK(farnova_pwrite(counter, &record.turn, sizeof(record.turn), 0) == sizeof(record.turn));
		CHECK(farnova_write(log, &record, sizeof(record)) == sizeof(record));
		/* The append was told where it lies. */
		CHECK(farnova_lseek(log, 0, SEEK_CUR) == (off_t)(record.turn * sizeof(record)));
		give_lock(fs);
		client->taken[client->turns++] = record.turn;
		if (record.turn % 50 == 0) {
			printf("%u\n", record.turn);
			fflush(stdout);
		}
	}
	CHECK(farnova_close(log) == 0 && farnova_close(counter) == 0);
	farnova_disconnect(fs);
	return NULL;
}

/* Each turn is in the log once, in order, and was that client's that the log names. */
static void check_history(const char *url, const struct client *clients)
{
	static uint32_t seen[CLIENTS];
	struct farnova *fs = connect_to(url);
	struct farnova_file *log = farnova_open(fs, "log", O_RDONLY, 0);
	uint32_t turns = 0;
	struct record record;

	CHECK(log);
	while (farnova_read(log, &record, sizeof(record)) == sizeof(record)) {
		CHECK(record.turn == ++turns && record.client < CLIENTS);
		CHECK(clients[record.client].taken[seen[record.client]++] == record.turn);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		CHECK(seen[i] == clients[i].turns);
	CHECK(turns == 0 || value_of(fs, "counter") == turns);
	CHECK(farnova_close(log) == 0);
	farnova_disconnect(fs);
	printf("%u turns, each once\n", turns);
}

int main(int argc, char **argv)
{
	static struct client clients[CLIENTS];
	pthread_t threads[CLIENTS];

	if (argc != 3)
		return fprintf(stderr, "usage: client_locks URL STOP\n"), 2;
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){.url = argv[1], .stop = argv[2], .number = i};
		CHECK((clients[i].taken = calloc(TURNS_MOST, sizeof(*clients[i].taken))) != NULL);
		CHECK(pthread_create(&threads[i], NULL, take_turns, &clients[i]) == 0);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	check_history(argv[1], clients);
	return 0;
}
