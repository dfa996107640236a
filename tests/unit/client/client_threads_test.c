/*
 * client_threads_test.c -- any thread may call anything at any time, also while the server dies, layouts are recalled
 * and signals arrive. Meant for ThreadSanitizer as much as for its checks.
 */
#include "client/include/farnova.h"
#include "tests/integration/blocks.h"
#include "tests/integration/check.h"
#include "tests/support/client_server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define MANY 80u /* more than a session has slots */

static struct client_server server;

struct task {
	struct farnova *fs;
	struct farnova_file *file;
	unsigned number;
	atomic_bool *stop;
	unsigned rounds;
};

static struct farnova *connect_or_fail(void)
{
	struct farnova *fs = farnova_connect(server.url, NULL);
	CHECK(fs);
	return fs;
}

static void in_threads(void *(*function)(void *), const struct task *model, unsigned count)
{
	pthread_t threads[MANY];
	struct task tasks[MANY];

	for (unsigned i = 0; i < count; i++) {
		tasks[i] = *model;
		tasks[i].number = i;
		CHECK(pthread_create(&threads[i], NULL, function, &tasks[i]) == 0);
	}
	for (unsigned i = 0; i < count; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

/* live_in_directory -- make, write, read, rename, list and remove in a directory of the thread's own. */
static void *live_in_directory(void *argument)
{
	struct task *task = argument;
	struct block blocks[2], back[2];
	char dir[32], path[64], other[64];
	struct stat st;

	snprintf(dir, sizeof(dir), "dir-%u", task->number);
	CHECK(farnova_mkdir(task->fs, dir, 0755) == 0);
	for (unsigned round = 0; round < task->rounds; round++) {
		snprintf(path, sizeof(path), "%s/a-%u", dir, round);
		snprintf(other, sizeof(other), "%s/b-%u", dir, round);
		struct farnova_file *file = farnova_open(task->fs, path, O_RDWR | O_CREAT | O_EXCL, 0600);
		CHECK(file);
		block_fill(&blocks[0], task->number, 0, round);
		block_fill(&blocks[1], task->number, 1, round);
		CHECK(farnova_write(file, blocks, sizeof(blocks)) == sizeof(blocks));
		CHECK(farnova_pread(file, back, sizeof(back), 0) == sizeof(back));
		CHECK(block_version(&back[0], task->number, 0) == round);
		CHECK(block_version(&back[1], task->number, 1) == round);
		CHECK(farnova_rename(task->fs, path, other, 0) == 0);
		CHECK(farnova_close(file) == 0);
		CHECK(farnova_stat(task->fs, other, &st) == 0 && st.st_size == sizeof(blocks));
		CHECK(farnova_stat(task->fs, path, &st) == -1 && errno == ENOENT);
		if (round % 2)
			CHECK(farnova_unlink(task->fs, other) == 0);
	}
	struct farnova_dir *listing = farnova_opendir(task->fs, dir);
	unsigned count = 0;
	CHECK(listing);
	while (farnova_readdir(listing))
		count++;
	CHECK(count == 2 + (task->rounds + 1) / 2);
	CHECK(farnova_closedir(listing) == 0);
	for (unsigned round = 0; round < task->rounds; round += 2) {
		snprintf(other, sizeof(other), "%s/b-%u", dir, round);
		CHECK(farnova_unlink(task->fs, other) == 0);
	}
	CHECK(farnova_rmdir(task->fs, dir) == 0);
	return NULL;
}

static void threads_share_a_connection(void **state)
{
	struct farnova *fs = connect_or_fail();
	in_threads(live_in_directory, &(struct task){.fs = fs, .rounds = 60}, 8);
	farnova_disconnect(fs);
}

static void there_may_be_more_threads_than_slots(void **state)
{
	struct farnova *fs = connect_or_fail();
	in_threads(live_in_directory, &(struct task){.fs = fs, .rounds = 3}, MANY);
	farnova_disconnect(fs);
}

static void *write_records(void *argument)
{
	struct task *task = argument;
	struct block block;

	for (unsigned round = 0; round < task->rounds; round++) {
		block_fill(&block, 1, task->number, round);
		CHECK(farnova_write(task->file, &block, sizeof(block)) == sizeof(block));
	}
	return NULL;
}

/* records_are_there -- each of the threads' records once, those of a thread in its order. */
static void records_are_there(struct farnova *fs, const char *path, unsigned threads, unsigned rounds)
{
	struct farnova_file *file = farnova_open(fs, path, O_RDONLY, 0);
	unsigned next[MANY] = {0};
	struct block block;

	CHECK(file);
	for (unsigned i = 0; i < threads * rounds; i++) {
		CHECK(farnova_read(file, &block, sizeof(block)) == sizeof(block));
		uint64_t number = block.lines[0].number;
		CHECK(number < threads && block_version(&block, 1, number) == next[number]++);
	}
	CHECK(farnova_read(file, &block, sizeof(block)) == 0);
	CHECK(farnova_close(file) == 0);
}

static void position_is_shared(void **state)
{
	struct farnova *fs = connect_or_fail();
	struct farnova_file *file = farnova_open(fs, "records", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(file);
	in_threads(write_records, &(struct task){.fs = fs, .file = file, .rounds = 50}, 6);
	CHECK(farnova_close(file) == 0);
	records_are_there(fs, "records", 6, 50);
	farnova_disconnect(fs);
}

static void *append_records(void *argument)
{
	struct task task = *(struct task *)argument;

	task.file = farnova_open(task.fs, "log", O_WRONLY | O_APPEND, 0);
	CHECK(task.file);
	write_records(&task);
	CHECK(farnova_close(task.file) == 0);
	return NULL;
}

static void appends_of_all_are_kept(void **state)
{
	struct farnova *fs = connect_or_fail();
	struct farnova_file *file = farnova_open(fs, "log", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(file && farnova_close(file) == 0);
	in_threads(append_records, &(struct task){.fs = fs, .rounds = 50}, 6);
	records_are_there(fs, "log", 6, 50);
	farnova_disconnect(fs);
}

static void *read_shared(void *argument)
{
	struct task *task = argument;
	uint64_t newest = 0;
	struct block blocks[4];

	while (!atomic_load(task->stop)) {
		CHECK(farnova_pread(task->file, blocks, sizeof(blocks), 0) == sizeof(blocks));
		uint64_t version = block_version(&blocks[0], 5, 0);
		CHECK(version >= newest);
		newest = version;
		for (unsigned i = 1; i < 4; i++)
			block_version(&blocks[i], 5, i);
	}
	return NULL;
}

static void *write_shared(void *argument)
{
	struct task *task = argument;
	struct block blocks[4];

	for (unsigned round = 2; round < task->rounds; round++) {
		for (unsigned i = 0; i < 4; i++)
			block_fill(&blocks[i], 5, i, round);
		CHECK(farnova_pwrite(task->file, blocks, sizeof(blocks), 0) == sizeof(blocks));
		/* Longer than sharing forbids layouts, now and then: so that there are some to recall. */
		usleep(round % 20 ? 1000 : 150000);
	}
	atomic_store(task->stop, true);
	return NULL;
}

static void layouts_are_recalled_under_readers(void **state)
{
	struct farnova *fs[2] = {connect_or_fail(), connect_or_fail()};
	struct farnova_file *files[2];
	struct block blocks[4];
	atomic_bool stop = false;
	pthread_t threads[6];
	struct task tasks[6];

	for (unsigned i = 0; i < 4; i++)
		block_fill(&blocks[i], 5, i, 1);
	for (unsigned i = 0; i < 2; i++) {
		CHECK((files[i] = farnova_open(fs[i], "shared", O_RDWR | O_CREAT, 0600)));
		CHECK(i || farnova_write(files[i], blocks, sizeof(blocks)) == sizeof(blocks));
	}
	for (unsigned i = 0; i < 6; i++) {
		tasks[i] = (struct task){.file = files[i % 2], .stop = &stop, .rounds = 200};
		CHECK(pthread_create(&threads[i], NULL, i ? read_shared : write_shared, &tasks[i]) == 0);
	}
	for (unsigned i = 0; i < 6; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (unsigned i = 0; i < 2; i++) {
		CHECK(farnova_close(files[i]) == 0);
		farnova_disconnect(fs[i]);
	}
}

/* live_and_die -- as user `number`; what it opens once must go on working. */
static void *outlive_the_server(void *argument)
{
	struct task *task = argument;
	struct farnova_cred cred = {.uid = 1000 + task->number, .gid = 1000};
	struct block block;
	char path[32];
	struct stat st;

	CHECK(farnova_set_cred(task->fs, &cred) == 0);
	snprintf(path, sizeof(path), "free/user-%u", task->number);
	struct farnova_file *file = farnova_open(task->fs, path, O_RDWR | O_CREAT, 0600);
	CHECK(file);
	for (uint64_t version = 1; !atomic_load(task->stop); version++) {
		block_fill(&block, task->number, 0, version);
		CHECK(farnova_pwrite(file, &block, sizeof(block), 0) == sizeof(block));
		CHECK(farnova_pread(file, &block, sizeof(block), 0) == sizeof(block));
		CHECK(block_version(&block, task->number, 0) == version);
		CHECK(farnova_stat(task->fs, path, &st) == 0 && st.st_uid == cred.uid);
	}
	CHECK(farnova_close(file) == 0);
	return NULL;
}

static void server_may_die_under_threads(void **state)
{
	struct farnova *fs = connect_or_fail();
	atomic_bool stop = false;
	pthread_t threads[6];
	struct task tasks[6];

	CHECK(farnova_mkdir(fs, "free", 0777) == 0 && farnova_chmod(fs, "free", 0777) == 0);
	for (unsigned i = 0; i < 6; i++) {
		tasks[i] = (struct task){.fs = fs, .number = i, .stop = &stop};
		CHECK(pthread_create(&threads[i], NULL, outlive_the_server, &tasks[i]) == 0);
	}
	for (int i = 0; i < 4; i++) {
		usleep(300000);
		client_server_kill(&server);
		usleep(50000);
		client_server_start(&server);
	}
	usleep(300000);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 6; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	farnova_disconnect(fs);
}

static void interrupted(int number)
{
}

static void *interrupt(void *argument)
{
	struct task *task = argument;
	pthread_t *victim = (pthread_t *)task->file;

	while (!atomic_load(task->stop)) {
		pthread_kill(*victim, SIGUSR1);
		usleep(200);
	}
	return NULL;
}

static void signals_do_not_break_calls(void **state)
{
	struct sigaction action = {.sa_handler = interrupted}; /* without SA_RESTART */
	struct farnova *fs = connect_or_fail();
	atomic_bool stop = false;
	pthread_t self = pthread_self(), thread;
	struct task task = {.stop = &stop, .file = (void *)&self}, own = {.fs = fs, .number = 99, .rounds = 100};

	sigaction(SIGUSR1, &action, NULL);
	CHECK(pthread_create(&thread, NULL, interrupt, &task) == 0);
	live_in_directory(&own);
	atomic_store(&stop, true);
	CHECK(pthread_join(thread, NULL) == 0);
	farnova_disconnect(fs);
}

static void *call_once(void *argument)
{
	struct task *task = argument;
	struct stat st;
	CHECK(farnova_stat(task->fs, "/", &st) == 0);
	return NULL;
}

static void threads_may_come_and_go(void **state)
{
	struct farnova *fs = connect_or_fail();
	for (int i = 0; i < 50; i++)
		in_threads(call_once, &(struct task){.fs = fs}, 1 + (unsigned)i % 4);
	farnova_disconnect(fs);
}

static int start_server(void **state)
{
	client_server_create(&server);
	return 0;
}

static int end_server(void **state)
{
	client_server_destroy(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(threads_share_a_connection),
	    cmocka_unit_test(there_may_be_more_threads_than_slots),
	    cmocka_unit_test(position_is_shared),
	    cmocka_unit_test(appends_of_all_are_kept),
	    cmocka_unit_test(layouts_are_recalled_under_readers),
	    cmocka_unit_test(signals_do_not_break_calls),
	    cmocka_unit_test(threads_may_come_and_go),
	    cmocka_unit_test(server_may_die_under_threads),
	};
	return cmocka_run_group_tests(tests, start_server, end_server);
}
