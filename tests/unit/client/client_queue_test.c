/*
 * client_queue_test.c -- queues of operations do what farnova.h says, against a real server.
 */
#include "client/include/farnova.h"
#include "tests/integration/check.h"
#include "tests/support/client_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define ENTRIES 64u
#define BLOCK   4096u

static struct client_server server;
static struct farnova *fs;
static struct farnova_queue *queue;

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* reap_one -- the only completion that there is to come. */
static struct farnova_completion reap_one(void)
{
	struct farnova_completion completion;

	assert_int_equal(farnova_queue_reap(queue, &completion, 1, 1, 20000), 1);
	return completion;
}

/* result_of -- submit one operation and wait for it. */
static ssize_t result_of(struct farnova_operation operation)
{
	operation.user_data = 7;
	assert_int_equal(farnova_queue_submit(queue, &operation, 1), 1);
	struct farnova_completion completion = reap_one();
	assert_int_equal(completion.user_data, 7);
	return completion.result;
}

#define RESULT(...) result_of((struct farnova_operation){__VA_ARGS__})

static struct farnova_file *opened(const char *path, int flags)
{
	struct farnova_operation operation = {
	    .operation = FARNOVA_OP_OPEN, .path = path, .flags = (unsigned)flags, .mode = 0640, .user_data = 9};

	assert_int_equal(farnova_queue_submit(queue, &operation, 1), 1);
	struct farnova_completion completion = reap_one();
	assert_int_equal(completion.result, 0);
	assert_non_null(completion.file);
	return completion.file;
}

static void each_operation_does_what_its_call_does(void **state)
{
	struct farnova_file *file = opened("/file", O_CREAT | O_RDWR | O_EXCL);
	char back[16] = "", more[16] = "";
	struct iovec out[3] = {{"ab", 2}, {"", 0}, {"cdef", 4}};
	struct iovec in[2] = {{back, 3}, {more, sizeof(more)}};
	struct stat st;

	assert_int_equal(RESULT(.operation = FARNOVA_OP_WRITE, .file = file, .data = "hello", .length = 5), 5);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_WRITEV, .file = file, .iov = out, .length = 3, .offset = 5), 6);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_READ, .file = file, .buffer = back, .length = 16), 11);
	assert_memory_equal(back, "helloabcdef", 11);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_READV, .file = file, .iov = in, .length = 2, .offset = 5), 6);
	assert_memory_equal(back, "abc", 3);
	assert_memory_equal(more, "def", 3);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_READ, .file = file, .buffer = back, .length = 9, .offset = 99),
	                 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_FSYNC, .file = file), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_FTRUNCATE, .file = file, .offset = 3), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_FSTAT, .file = file, .st = &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_CLOSE, .file = file), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_MKDIR, .path = "/dir", .mode = 0700), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_RENAME, .path = "/file", .to = "/dir/new"), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_STAT, .path = "/dir/new", .st = &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(farnova_symlink(fs, "dir/new", "/link"), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_LSTAT, .path = "/link", .st = &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(RESULT(.operation = FARNOVA_OP_RMDIR, .path = "/dir"), -ENOTEMPTY);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_UNLINK, .path = "/dir/new"), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_UNLINK, .path = "/dir/new"), -ENOENT);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_RMDIR, .path = "/dir"), 0);
}

/* Operations on a file by path, and on an open one; what they have done, the calls of the same name see. */
static void operations_by_path_do_what_their_calls_do(void **state)
{
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
	struct farnova_file *file = opened("/path", O_CREAT | O_RDWR | O_EXCL), *open = file;
	char text[64] = "";
	struct statvfs vfs = {0}, same;
	struct stat st;

	assert_int_equal(RESULT(.operation = FARNOVA_OP_APPEND, .file = file, .data = "hello", .length = 5), 5);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_APPEND, .file = file, .data = "world", .length = 5), 5);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_TRUNCATE, .path = "/path", .offset = 7), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_READ, .file = file, .buffer = text, .length = 64), 7);
	assert_memory_equal(text, "hellowo", 7);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_FALLOCATE, .file = file, .length = 8192), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_COPY, .file = file, .offset = 8192, .source = file,
	                        .source_offset = 5, .length = 2),
	                 2);
	assert_int_equal(farnova_pread(file, text, 64, 8192), 2);
	assert_memory_equal(text, "wo", 2);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_SYMLINK, .path = "/slink", .to = "path"), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_READLINK, .path = "/slink", .buffer = text, .length = 3), 3);
	assert_memory_equal(text, "pat", 3);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_ACCESS, .path = "/slink", .mode = R_OK), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_CHMOD, .path = "/slink", .mode = 0604), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_CHOWN, .path = "/slink", .uid = 3, .gid = (gid_t)-1), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_UTIMENS, .file = open, .times = times), 0);
	assert_int_equal(farnova_stat(fs, "/path", &st), 0);
	assert_true(st.st_mode == (S_IFREG | 0604) && st.st_uid == 3 && st.st_mtim.tv_sec == 2000);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_CHMOD, .file = open, .mode = 0640), 0);
	assert_int_equal(
	    RESULT(.operation = FARNOVA_OP_CHOWN, .path = "/slink", .uid = 4, .flags = AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(farnova_lstat(fs, "/slink", &st), 0);
	assert_int_equal(st.st_uid, 4);
	assert_int_equal(farnova_fstat(file, &st), 0);
	assert_true(st.st_mode == (S_IFREG | 0640) && st.st_uid == 3);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_LINK, .path = "/slink", .to = "/slink2"), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_LINK, .file = file, .to = "/path2"), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_LINK, .path = "/path", .to = "/path2"), -EEXIST);
	assert_true(farnova_lstat(fs, "/slink2", &st) == 0 && S_ISLNK(st.st_mode) && st.st_nlink == 2);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_STATVFS, .statvfs = &vfs), 0);
	assert_true(farnova_statvfs(fs, &same) == 0 && vfs.f_blocks == same.f_blocks && vfs.f_fsid == same.f_fsid);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_STATVFS, .path = "/path", .statvfs = &vfs), 0);
	assert_int_equal(farnova_close(file), 0);
}

static void operations_on_attributes_do_what_their_calls_do(void **state)
{
	static char value[60000], back[65536];
	struct farnova_file *file = opened("/attributes", O_CREAT | O_RDWR | O_EXCL);

	memset(value, 'v', sizeof(value));
	assert_int_equal(RESULT(.operation = FARNOVA_OP_SETXATTR, .path = "/attributes", .name = "user.a",
	                        .data = "1234", .length = 4, .flags = XATTR_CREATE),
	                 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_SETXATTR, .file = file, .name = "user.a", .data = "5",
	                        .length = 1, .flags = XATTR_CREATE),
	                 -EEXIST);
	assert_int_equal(
	    RESULT(.operation = FARNOVA_OP_GETXATTR, .file = file, .name = "user.a", .buffer = back, .length = 9), 4);
	assert_memory_equal(back, "1234", 4);
	assert_int_equal(
	    RESULT(.operation = FARNOVA_OP_GETXATTR, .file = file, .name = "user.a", .buffer = back, .length = 3),
	    -ERANGE);
	/* It takes several replies. */
	assert_int_equal(RESULT(.operation = FARNOVA_OP_SETXATTR, .file = file, .name = "user.b", .data = value,
	                        .length = sizeof(value)),
	                 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_GETXATTR, .path = "/attributes", .name = "user.b",
	                        .buffer = back, .length = sizeof(back)),
	                 sizeof(value));
	assert_memory_equal(back, value, sizeof(value));
	assert_int_equal(
	    RESULT(.operation = FARNOVA_OP_LISTXATTR, .path = "/attributes", .buffer = back, .length = 100), 14);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_LISTXATTR, .file = file), 14);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_REMOVEXATTR, .path = "/attributes", .name = "user.a"), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_REMOVEXATTR, .file = file, .name = "user.a"), -ENODATA);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_GETXATTR, .file = file), -EFAULT);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_REMOVEXATTR, .path = "/none", .name = "user.a"), -ENOENT);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_CHMOD, .path = "/attributes", .flags = 1), -EINVAL);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_CHMOD, .mode = 0600), -EBADF);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_TRUNCATE, .file = file), -EFAULT);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_LINK, .file = file), -EFAULT);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_COPY, .file = file, .length = 1), -EBADF);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_FALLOCATE, .file = file), -EINVAL);
	assert_int_equal(farnova_close(file), 0);
}

/* Whoever polls may send the second message of an operation: on behalf of the thread that submitted it all the same. */
static void operations_have_the_credential_of_their_thread(void **state)
{
	const struct farnova_operation operation = {.operation = FARNOVA_OP_CHMOD, .path = "/mine", .mode = 0600};
	struct stat st;

	assert_int_equal(farnova_close(opened("/mine", O_CREAT | O_RDWR | O_EXCL)), 0);
	assert_int_equal(farnova_set_cred(fs, &(struct farnova_cred){.uid = 1000, .gid = 1000}), 0);
	assert_int_equal(farnova_queue_submit(queue, &operation, 1), 1);
	assert_int_equal(farnova_set_cred(fs, NULL), 0);
	assert_int_equal(reap_one().result, -EPERM);
	assert_int_equal(farnova_queue_submit(queue, &operation, 1), 1);
	assert_int_equal(farnova_set_cred(fs, &(struct farnova_cred){.uid = 1000, .gid = 1000}), 0);
	assert_int_equal(reap_one().result, 0);
	assert_int_equal(farnova_set_cred(fs, NULL), 0);
	assert_true(farnova_stat(fs, "/mine", &st) == 0 && st.st_mode == (S_IFREG | 0600));
}

static void operations_that_are_not_valid_fail_by_themselves(void **state)
{
	struct farnova_file *file = opened("/reader", O_CREAT | O_RDONLY);
	void *nowhere = mmap(NULL, BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct stat st;
	char byte;

	assert_ptr_not_equal(nowhere, MAP_FAILED);
	assert_int_equal(RESULT(.operation = 99, .file = file), -EINVAL);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_FSYNC, .file = file, .reserved = {1}), -EINVAL);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_FSYNC), -EBADF);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_WRITE, .file = file, .data = "x", .length = 1), -EBADF);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_READ, .file = file, .buffer = &byte, .length = 1, .offset = -1),
	                 -EINVAL);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_STAT, .path = nowhere, .st = &st), -EFAULT);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_STAT, .path = "/reader", .st = nowhere), -EFAULT);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_OPEN, .path = "/none", .flags = O_RDONLY), -ENOENT);
	struct farnova_file *both = opened("/writer", O_CREAT | O_RDWR);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_WRITE, .file = both, .data = nowhere, .length = 9), -EFAULT);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_WRITE, .file = both, .data = "123456789", .length = 9), 9);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_READ, .file = both, .buffer = nowhere, .length = 9), -EFAULT);
	/* Completions that cannot be stored are not lost. */
	assert_int_equal(
	    farnova_queue_submit(queue, &(struct farnova_operation){.operation = FARNOVA_OP_FSYNC, .file = both}, 1),
	    1);
	assert_int_equal(farnova_queue_reap(queue, nowhere, 1, 1, 1000), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(reap_one().result, 0);
	assert_int_equal(farnova_queue_submit(queue, nowhere, 1), 1);
	assert_int_equal(reap_one().result, -EFAULT);
	assert_int_equal(farnova_close(both), 0);
	assert_int_equal(farnova_close(file), 0);
	munmap(nowhere, BLOCK);
}

/* As many as the queue has entries, of every size, each with its own bytes. */
static void many_reads_and_writes_run_at_a_time(void **state)
{
	static uint8_t data[ENTRIES][BLOCK], back[ENTRIES][BLOCK];
	struct farnova_operation operations[ENTRIES + 1];
	struct farnova_completion completions[ENTRIES];
	struct farnova_file *file = opened("/many", O_CREAT | O_RDWR);

	for (unsigned round = 0; round < 30; round++) {
		for (unsigned i = 0; i < ENTRIES; i++) {
			memset(data[i], (int)(round + i), BLOCK);
			operations[i] = (struct farnova_operation){.operation = FARNOVA_OP_WRITE,
			                                           .file = file,
			                                           .data = data[i],
			                                           .length = BLOCK - round,
			                                           .offset = i * BLOCK,
			                                           .user_data = i};
		}
		operations[ENTRIES] = operations[0];
		assert_int_equal(farnova_queue_submit(queue, operations, ENTRIES + 1), ENTRIES);
		assert_int_equal(farnova_queue_submit(queue, operations, 1), -1);
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(farnova_queue_reap(queue, completions, ENTRIES, ENTRIES, 20000), ENTRIES);
		for (unsigned i = 0; i < ENTRIES; i++)
			assert_int_equal(completions[i].result, BLOCK - round);
		memset(back, 0, sizeof(back));
		for (unsigned i = 0; i < ENTRIES; i++) {
			operations[i].operation = FARNOVA_OP_READ;
			operations[i].data = NULL;
			operations[i].buffer = back[i];
		}
		assert_int_equal(farnova_queue_submit(queue, operations, ENTRIES), ENTRIES);
		uint64_t seen = 0;
		for (unsigned got = 0; got < ENTRIES;) {
			int count = farnova_queue_reap(queue, completions, 1, 7, 20000);
			assert_true(count > 0);
			for (int i = 0; i < count; i++) {
				assert_int_equal(completions[i].result, BLOCK - round);
				seen |= 1ull << completions[i].user_data;
			}
			got += (unsigned)count;
		}
		assert_true(seen == UINT64_MAX);
		for (unsigned i = 0; i < ENTRIES; i++)
			assert_memory_equal(back[i], data[i], BLOCK - round);
	}
	/* The file may be closed with operations in flight. */
	assert_int_equal(farnova_queue_submit(queue, operations, 10), 10);
	assert_int_equal(farnova_close(file), 0);
	assert_int_equal(farnova_queue_reap(queue, completions, 10, 10, 20000), 10);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(completions[i].result, BLOCK - 29);
	/* Nothing is in flight: nobody waits. */
	assert_int_equal(farnova_queue_reap(queue, completions, 1, 1, -1), 0);
}

static void a_large_read_and_write_have_up_to_a_mebibyte(void **state)
{
	static uint8_t data[3 << 20], back[3 << 20];
	struct farnova_file *file = opened("/large", O_CREAT | O_RDWR);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 2654435761u >> 24);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_WRITE, .file = file, .data = data, .length = sizeof(data)),
	                 1 << 20);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_FTRUNCATE, .file = file, .offset = 2 << 20), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_READ, .file = file, .buffer = back, .length = sizeof(back)),
	                 1 << 20);
	assert_memory_equal(data, back, 1 << 20);
	/* Data, a hole, and the end of the file in one. */
	memset(back, 1, sizeof(back));
	assert_int_equal(RESULT(.operation = FARNOVA_OP_READ, .file = file, .buffer = back, .length = 1 << 20,
	                        .offset = (1 << 20) - 5000),
	                 1 << 20);
	assert_memory_equal(data + (1 << 20) - 5000, back, 5000);
	for (unsigned i = 5000; i < 1 << 20; i++)
		assert_int_equal(back[i], 0);
	assert_int_equal(farnova_close(file), 0);
}

static void the_descriptor_tells_of_completions(void **state)
{
	struct farnova_operation operation = {.operation = FARNOVA_OP_STAT, .path = "/"};
	struct farnova_completion completion;
	struct pollfd fd = {.fd = farnova_queue_fd(queue), .events = POLLIN};
	struct stat st;

	operation.st = &st;
	assert_true(fd.fd >= 0);
	assert_int_equal(farnova_queue_fd(queue), fd.fd);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(poll(&fd, 1, 0), 0);
		assert_int_equal(farnova_queue_submit(queue, &operation, 1), 1);
		/* Nobody of this program polls the connection. */
		assert_int_equal(poll(&fd, 1, 20000), 1);
		assert_int_equal(farnova_queue_reap(queue, &completion, 0, 1, 0), 1);
		assert_int_equal(completion.result, 0);
	}
}

static void operations_are_cancelled_and_time_out(void **state)
{
	static char data[1 << 20];
	struct farnova_file *file = opened("/stopped", O_CREAT | O_RDWR), *other = opened("/other", O_CREAT | O_RDWR);
	struct farnova_completion completions[8];
	struct pollfd fd = {.fd = farnova_queue_fd(queue), .events = POLLIN};
	struct stat st;

	assert_int_equal(RESULT(.operation = FARNOVA_OP_WRITE, .file = file, .data = data, .length = sizeof(data)),
	                 sizeof(data));
	assert_int_equal(RESULT(.operation = FARNOVA_OP_READ, .file = file, .buffer = data, .length = 10), 10);
	client_server_freeze(&server);
	const struct farnova_operation operations[] = {
	    {.operation = FARNOVA_OP_READ, .file = file, .buffer = data, .length = 100, .user_data = 1},
	    {.operation = FARNOVA_OP_WRITE, .file = other, .data = data, .length = 100, .user_data = 2},
	    {.operation = FARNOVA_OP_WRITE, .file = other, .data = data, .length = sizeof(data), .user_data = 3},
	    {.operation = FARNOVA_OP_STAT, .path = "/", .st = &st, .user_data = 4},
	    {.operation = FARNOVA_OP_OPEN, .path = "/opened", .flags = O_CREAT | O_RDWR, .user_data = 5},
	    {.operation = FARNOVA_OP_STAT, .path = "/", .st = &st, .user_data = 6, .timeout_ms = 300},
	    {.operation = FARNOVA_OP_READ,
	     .file = file,
	     .buffer = data,
	     .length = 100,
	     .user_data = 7,
	     .timeout_ms = 200},
	};
	int64_t begun = now_ms();
	assert_int_equal(farnova_queue_submit(queue, operations, 7), 7);
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_int_equal(poll(&fd, 1, 20000), 1); /* the first deadline */
	assert_in_range(now_ms() - begun, 190, 20000);
	assert_int_equal(farnova_queue_reap(queue, completions, 2, 8, 10000), 2);
	/* On a crowded host both deadlines have passed before the first is seen: then they come in any order. */
	assert_int_equal(completions[0].user_data ^ completions[1].user_data, 6 ^ 7);
	assert_in_range(completions[0].user_data, 6, 7);
	assert_true(completions[0].result == -ETIMEDOUT && completions[1].result == -ETIMEDOUT);
	for (uint64_t i = 1; i <= 5; i++) {
		assert_int_equal(farnova_queue_cancel(queue, i), 1);
		assert_int_equal(farnova_queue_cancel(queue, i), 0);
	}
	assert_int_equal(farnova_queue_reap(queue, completions, 8, 8, -1), 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(completions[i].result, -ECANCELED);
	/* What was given up harms nobody afterwards. */
	assert_int_equal(kill(server.pid, SIGCONT), 0);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_WRITE, .file = other, .data = "yes", .length = 3), 3);
	assert_int_equal(RESULT(.operation = FARNOVA_OP_READ, .file = other, .buffer = data, .length = 3), 3);
	assert_memory_equal(data, "yes", 3);
	assert_int_equal(farnova_close(file), 0);
	assert_int_equal(farnova_close(other), 0);
}

static void a_queue_may_be_destroyed_with_operations_in_flight(void **state)
{
	static uint8_t data[ENTRIES][BLOCK];
	struct farnova_operation operations[ENTRIES];
	struct farnova_file *file = opened("/destroyed", O_CREAT | O_RDWR);
	struct farnova_completion completions[ENTRIES];

	for (unsigned i = 0; i < ENTRIES; i++)
		operations[i] = (struct farnova_operation){.operation = i % 3 == 0   ? FARNOVA_OP_READ
		                                                        : i % 3 == 1 ? FARNOVA_OP_WRITE
		                                                                     : FARNOVA_OP_OPEN,
		                                           .file = file,
		                                           .buffer = data[i],
		                                           .data = data[i],
		                                           .path = "/destroyed",
		                                           .length = BLOCK,
		                                           .offset = i * BLOCK};
	for (unsigned round = 0; round < 20; round++) {
		struct farnova_queue *other = farnova_queue_create(fs, ENTRIES);
		assert_non_null(other);
		assert_int_equal(farnova_queue_submit(other, operations, ENTRIES), ENTRIES);
		int count = farnova_queue_reap(other, completions, round, ENTRIES, 20000);
		for (int i = 0; i < count; i++) {
			if (completions[i].file)
				assert_int_equal(farnova_close(completions[i].file), 0);
		}
		farnova_queue_destroy(other);
	}
	assert_int_equal(farnova_close(file), 0);
	/* The connection destroys what is left. */
	struct farnova *short_lived = farnova_connect(server.url, NULL);
	assert_non_null(short_lived);
	struct farnova_queue *left = farnova_queue_create(short_lived, 4);
	struct farnova_operation operation = {.operation = FARNOVA_OP_OPEN, .path = "/destroyed", .flags = O_RDWR};
	assert_int_equal(farnova_queue_submit(left, &operation, 1), 1);
	assert_true(farnova_queue_fd(left) >= 0);
	farnova_disconnect(short_lived);
}

static int begin(void **state)
{
	client_server_create(&server);
	fs = farnova_connect(server.url,
	                     &(struct farnova_options){.size = sizeof(struct farnova_options), .transport = "tcp"});
	queue = fs ? farnova_queue_create(fs, ENTRIES) : NULL;
	return queue ? 0 : -1;
}

static int end(void **state)
{
	farnova_queue_destroy(queue);
	farnova_disconnect(fs);
	client_server_destroy(&server);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_operation_does_what_its_call_does),
	    cmocka_unit_test(operations_by_path_do_what_their_calls_do),
	    cmocka_unit_test(operations_on_attributes_do_what_their_calls_do),
	    cmocka_unit_test(operations_have_the_credential_of_their_thread),
	    cmocka_unit_test(operations_that_are_not_valid_fail_by_themselves),
	    cmocka_unit_test(many_reads_and_writes_run_at_a_time),
	    cmocka_unit_test(a_large_read_and_write_have_up_to_a_mebibyte),
	    cmocka_unit_test(the_descriptor_tells_of_completions),
	    cmocka_unit_test(operations_are_cancelled_and_time_out),
	    cmocka_unit_test(a_queue_may_be_destroyed_with_operations_in_flight),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	alarm(280);
	return cmocka_run_group_tests(tests, begin, end);
}
