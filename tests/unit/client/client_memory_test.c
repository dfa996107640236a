/*
 * client_memory_test.c -- the library touches the program's memory as the kernel would: by the calling thread, with no
 * lock held, and memory that is not there is EFAULT for that call alone.
 *
 * Each test runs in a child of its own, since what it tests for may end or stop the process.
 */
#include "client/include/farnova.h"
#include "tests/integration/check.h"
#include "tests/support/client_server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define PAGE        4096u
#define CHILD_LIMIT 60 /* seconds; a test that hangs is ended */
#define SKIPPED     77

static struct client_server server;

static struct farnova *fs;
static struct farnova_file *file;

/* in_child -- run `test` with a connection and an open file; it has passed if it returns. */
static int in_child(void (*test)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL); /* cmocka would go on */
		alarm(CHILD_LIMIT);
		struct farnova_options options = {
		    .size = sizeof(options), .transport = "tcp", .timeout_ms = CHILD_LIMIT * 1000};
		fs = farnova_connect(server.url, &options);
		CHECK(fs);
		file = farnova_open(fs, "file", O_RDWR | O_CREAT | O_TRUNC, 0600);
		CHECK(file);
		test();
		CHECK(farnova_close(file) == 0);
		struct farnova_stats stats = {.size = sizeof(stats)};
		CHECK(farnova_get_stats(fs, &stats) == 0);
		CHECK(stats.connections == 1);
		farnova_disconnect(fs);
		exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
		return SKIPPED;
	if (status)
		print_error("the child ended with status %#x\n", (unsigned)status);
	assert_int_equal(status, 0);
	return 0;
}

/* pages -- `count` pages, followed by one that nobody may touch. */
static uint8_t *pages(size_t count)
{
	uint8_t *memory = mmap(NULL, (count + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	CHECK(mprotect(memory + count * PAGE, PAGE, PROT_NONE) == 0);
	return memory;
}

static void *read_only(size_t count)
{
	uint8_t *memory = pages(count);

	CHECK(mprotect(memory, count * PAGE, PROT_READ) == 0);
	return memory;
}

#define CHECK_FAULT(call)                                                                                              \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		CHECK((call) == -1);                                                                                   \
		CHECK(errno == EFAULT);                                                                                \
	} while (0)

/* ---- memory that is not there ----------------------------------------------------------------------------------- */

static const size_t sizes[] = {1, 3, 100, 2048, 2049, 4096, 9000, 65536, 300000, 1u << 20, 5u << 20};

static void write_faults(void)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t count = (sizes[i] + PAGE - 1) / PAGE;
		uint8_t *memory = pages(count);
		CHECK_FAULT(farnova_pwrite(file, memory + count * PAGE, sizes[i], 0));
		CHECK_FAULT(farnova_write(file, memory + count * PAGE, sizes[i]));
		CHECK_FAULT(farnova_pwrite(file, (void *)8, sizes[i], 0));
		if (sizes[i] > 1 && sizes[i] <= 1u << 20) /* the last byte is not there */
			CHECK_FAULT(farnova_pwrite(file, memory + count * PAGE - sizes[i] + 1, sizes[i], 0));
		struct stat st;
		CHECK(farnova_fstat(file, &st) == 0 && st.st_size == 0);
		munmap(memory, (count + 1) * PAGE);
	}
	/* What comes before is written: a row of changes ends where memory does. */
	uint8_t *memory = pages(1024);
	CHECK(farnova_pwrite(file, memory, 1024 * PAGE + 1, 0) == 1024 * PAGE);
	CHECK(farnova_ftruncate(file, 0) == 0);
}

static void fill(size_t size)
{
	static uint8_t data[5u << 20];

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 7 + i / PAGE);
	CHECK(farnova_pwrite(file, data, size, 0) == (ssize_t)size);
}

static void read_faults(void)
{
	fill(5u << 20);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t count = (sizes[i] + PAGE - 1) / PAGE;
		uint8_t *memory = pages(count), *constant = read_only(count);
		CHECK_FAULT(farnova_pread(file, memory + count * PAGE, sizes[i], 0));
		CHECK_FAULT(farnova_read(file, memory + count * PAGE, sizes[i]));
		CHECK_FAULT(farnova_pread(file, constant, sizes[i], 0));
		CHECK_FAULT(farnova_pread(file, (void *)8, sizes[i], 0));
		/* Where memory ends, so does what is read. */
		CHECK(farnova_pread(file, memory + count * PAGE - 1, sizes[i], 0) == 1);
		/* Memory beyond what the file has is not touched. */
		CHECK(farnova_pread(file, memory + count * PAGE - 2, sizes[i] + 2, (5 << 20) - 2) == 2);
		munmap(memory, (count + 1) * PAGE);
		munmap(constant, (count + 1) * PAGE);
	}
	/* Holes, too. */
	CHECK(farnova_ftruncate(file, 0) == 0 && farnova_ftruncate(file, 100000) == 0);
	CHECK_FAULT(farnova_pread(file, read_only(25), 100000, 0));
}

static void name_faults(void)
{
	char *bad = (char *)pages(1) + PAGE, *end = bad - 1;
	struct stat st;

	*end = 'x'; /* not terminated */
	for (int i = 0; i < 2; i++) {
		const char *name = i ? bad : end;
		CHECK(!farnova_open(fs, name, O_RDONLY, 0) && errno == EFAULT);
		CHECK(!farnova_opendir(fs, name) && errno == EFAULT);
		CHECK_FAULT(farnova_stat(fs, name, &st));
		CHECK_FAULT(farnova_access(fs, name, 0));
		CHECK_FAULT(farnova_truncate(fs, name, 0));
		CHECK_FAULT(farnova_mkdir(fs, name, 0700));
		CHECK_FAULT(farnova_rmdir(fs, name));
		CHECK_FAULT(farnova_unlink(fs, name));
		CHECK_FAULT(farnova_rename(fs, name, "other", 0));
		CHECK_FAULT(farnova_rename(fs, "file", name, 0));
		CHECK_FAULT(farnova_link(fs, "file", name));
		CHECK_FAULT(farnova_link(fs, name, "other"));
		CHECK_FAULT(farnova_flink(file, name));
		CHECK_FAULT(farnova_symlink(fs, name, "other"));
		CHECK_FAULT(farnova_symlink(fs, "target", name));
		CHECK_FAULT(farnova_chmod(fs, name, 0600));
		CHECK_FAULT(farnova_getxattr(fs, "file", name, NULL, 0));
		CHECK_FAULT(farnova_getxattr(fs, name, "user.a", NULL, 0));
		CHECK_FAULT(farnova_setxattr(fs, "file", name, "v", 1, 0));
		CHECK_FAULT(farnova_removexattr(fs, "file", name));
		CHECK_FAULT(farnova_lookup_at(fs, farnova_root(fs), name, NULL, NULL));
		CHECK_FAULT(farnova_unlink_at(fs, farnova_root(fs), name));
		CHECK_FAULT(farnova_rename_at(fs, farnova_root(fs), name, farnova_root(fs), "other", 0));
		CHECK_FAULT(farnova_symlink_at(fs, name, farnova_root(fs), "other", NULL, NULL));
	}
}

static void value_faults(void)
{
	void *bad = pages(1) + PAGE, *constant = read_only(16);
	char value[60000], text[100];

	memset(value, 'v', sizeof(value));
	CHECK_FAULT(farnova_setxattr(fs, "file", "user.a", bad, 100, 0));
	CHECK_FAULT(farnova_setxattr(fs, "file", "user.a", bad, 60000, 0));
	CHECK(farnova_setxattr(fs, "file", "user.a", value, sizeof(value), 0) == 0);
	CHECK_FAULT(farnova_getxattr(fs, "file", "user.a", constant, 65536));
	CHECK_FAULT(farnova_getxattr(fs, "file", "user.a", bad, 65536));
	CHECK_FAULT(farnova_listxattr(fs, "file", constant, 100));
	CHECK(farnova_getxattr(fs, "file", "user.a", value, sizeof(value)) == sizeof(value));
	CHECK(farnova_symlink(fs, "target", "link") == 0);
	CHECK_FAULT(farnova_readlink(fs, "link", constant, 100));
	CHECK_FAULT(farnova_readlink(fs, "link", bad, 100));
	CHECK(farnova_readlink(fs, "link", text, sizeof(text)) == 6);
	CHECK(farnova_unlink(fs, "link") == 0);
}

static void structure_faults(void)
{
	void *bad = pages(1) + PAGE, *constant = read_only(1);

	CHECK_FAULT(farnova_stat(fs, "file", constant));
	CHECK_FAULT(farnova_lstat(fs, "file", bad));
	CHECK_FAULT(farnova_fstat(file, constant));
	CHECK_FAULT(farnova_stat_at(fs, farnova_root(fs), constant));
	CHECK_FAULT(farnova_lookup_at(fs, farnova_root(fs), "file", constant, NULL));
	CHECK_FAULT(farnova_lookup_at(fs, farnova_root(fs), "file", NULL, constant));
	CHECK_FAULT(farnova_statvfs(fs, constant));
	CHECK_FAULT(farnova_statx(fs, "file", 0, bad));
	CHECK_FAULT(farnova_getflags(fs, "file", constant));
	CHECK_FAULT(farnova_quota_get(fs, 7, constant));
	CHECK_FAULT(farnova_utimens(fs, "file", bad, 0));
	CHECK_FAULT(farnova_futimens(file, bad));
	CHECK_FAULT(farnova_setattr_at(fs, farnova_root(fs), NULL, 0, bad));
	CHECK_FAULT(farnova_set_cred(fs, bad));
	CHECK_FAULT(farnova_set_cred(fs, &(struct farnova_cred){.group_count = 3, .groups = bad}));
	CHECK_FAULT(farnova_copy_file_range(file, bad, file, NULL, 1, 0));
}

/* The null pointer is an address as any other, but to the system calls that probe. */
static void null_faults(void)
{
	fill(5000);
	CHECK_FAULT(farnova_pwrite(file, NULL, 1, 0));
	CHECK_FAULT(farnova_pwrite(file, NULL, 5000, 0));
	CHECK_FAULT(farnova_pread(file, NULL, 1, 0));
	CHECK_FAULT(farnova_pread(file, NULL, 5000, 0));
	CHECK_FAULT(farnova_pread(file, (void *)3, 5000, 0));
	CHECK_FAULT(farnova_stat(fs, NULL, NULL));
	CHECK_FAULT(farnova_stat(fs, "file", NULL));
	CHECK_FAULT(farnova_unlink(fs, NULL));
	CHECK_FAULT(farnova_unlink(fs, (char *)1));
	CHECK_FAULT(farnova_getxattr(fs, "file", NULL, NULL, 0));
	CHECK_FAULT(farnova_fgetxattr(file, NULL, NULL, 0));
	CHECK_FAULT(farnova_setxattr(fs, "file", "user.a", NULL, 10, 0));
	CHECK(!farnova_open(fs, NULL, O_RDONLY, 0) && errno == EFAULT);
}

static void null_pointers_are_efault(void **state)
{
	in_child(null_faults);
}

static void unreadable_data_are_efault_for_that_call_alone(void **state)
{
	in_child(write_faults);
}

static void unwritable_buffers_are_efault_for_that_call_alone(void **state)
{
	in_child(read_faults);
}

static void unreadable_names_are_efault(void **state)
{
	in_child(name_faults);
}

static void unreadable_values_are_efault(void **state)
{
	in_child(value_faults);
}

static void unusable_structures_are_efault(void **state)
{
	in_child(structure_faults);
}

/* ---- memory whose faults the program serves ---------------------------------------------------------------------- */

#define SERVED (16u * 256) /* pages */

static int faults;
static uint8_t *served;

/* serve -- give each page that is missing, but make calls of the library first. */
static void *serve(void *argument)
{
	static uint8_t page[PAGE], data[300000];
	struct stat st;

	for (;;) {
		struct pollfd fd = {.fd = faults, .events = POLLIN};
		struct uffd_msg message;
		poll(&fd, 1, -1);
		if (read(faults, &message, sizeof(message)) != sizeof(message))
			continue;
		CHECK(farnova_stat(fs, "file", &st) == 0);
		CHECK(farnova_pwrite(file, data, sizeof(data), 64 << 20) == sizeof(data));
		CHECK(farnova_pread(file, data, sizeof(data), 64 << 20) == sizeof(data));
		struct uffdio_copy copy = {
		    .dst = message.arg.pagefault.address & ~(uint64_t)(PAGE - 1), .src = (uintptr_t)page, .len = PAGE};
		CHECK(ioctl(faults, UFFDIO_COPY, &copy) == 0 || errno == EEXIST);
	}
	return argument;
}

static void start_serving(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	pthread_t thread;

	faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0) {
		printf("skipped: faults cannot be served here: %s\n", strerror(errno));
		exit(SKIPPED);
	}
	served = mmap(NULL, SERVED * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(served != MAP_FAILED);
	struct uffdio_register range = {.range = {.start = (uintptr_t)served, .len = SERVED * PAGE},
	                                .mode = UFFDIO_REGISTER_MODE_MISSING};
	CHECK(ioctl(faults, UFFDIO_REGISTER, &range) == 0);
	CHECK(pthread_create(&thread, NULL, serve, NULL) == 0);
}

static void *copy_through_served(void *argument)
{
	uint8_t *memory = served + (uintptr_t)argument * SERVED / 8 * PAGE;
	sigset_t every;

	/* No signal is needed for any of it. */
	sigfillset(&every);
	CHECK(pthread_sigmask(SIG_BLOCK, &every, NULL) == 0);
	CHECK(farnova_pwrite(file, memory, 100, 0) == 100);
	CHECK(farnova_pwrite(file, memory + 3 * PAGE, 4096, 4096) == 4096);
	CHECK(farnova_pwrite(file, memory + 5 * PAGE, 1 << 18, 1 << 20) == 1 << 18);
	CHECK(farnova_pread(file, memory + 80 * PAGE, 100, 0) == 100);
	CHECK(farnova_pread(file, memory + 83 * PAGE, 4096, 4096) == 4096);
	CHECK(farnova_pread(file, memory + 90 * PAGE, 1 << 18, 1 << 20) == 1 << 18);
	return NULL;
}

/* Four threads at a time, so that none is served alone: each waits with what it holds while the others go on. */
static void served_faults(void)
{
	pthread_t threads[4];

	start_serving();
	for (uintptr_t i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, copy_through_served, (void *)i) == 0);
	for (unsigned i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

static void fault_handler_may_call_the_library(void **state)
{
	if (in_child(served_faults) == SKIPPED)
		skip();
}

/* ---- who touches memory ------------------------------------------------------------------------------------------ */

static void *call_all_the_time(void *argument)
{
	struct stat st;

	while (!*(atomic_bool *)argument)
		CHECK(farnova_stat(fs, "file", &st) == 0);
	return NULL;
}

/* Were the data of a reply copied by whoever polls, the thread that calls all the time would meet the fault. */
static void other_threads_poll(void)
{
	static atomic_bool stop;
	pthread_t threads[2];

	fill(1 << 20);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&threads[i], NULL, call_all_the_time, &stop) == 0);
	uint8_t *constant = read_only(256);
	for (int i = 0; i < 50; i++) {
		CHECK_FAULT(farnova_pread(file, constant, 4096, 0));
		CHECK_FAULT(farnova_pread(file, constant, 1 << 20, 0));
		CHECK_FAULT(farnova_readlink(fs, "file-link", (char *)constant, 100));
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

static void replies_are_copied_by_their_own_caller(void **state)
{
	struct farnova *own = farnova_connect(server.url, NULL);

	assert_non_null(own);
	assert_int_equal(farnova_symlink(own, "target", "file-link"), 0);
	farnova_disconnect(own);
	in_child(other_threads_poll);
}

static int start(void **state)
{
	client_server_create(&server);
	return 0;
}

static int end(void **state)
{
	client_server_destroy(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(unreadable_data_are_efault_for_that_call_alone),
	    cmocka_unit_test(unwritable_buffers_are_efault_for_that_call_alone),
	    cmocka_unit_test(unreadable_names_are_efault),
	    cmocka_unit_test(unreadable_values_are_efault),
	    cmocka_unit_test(unusable_structures_are_efault),
	    cmocka_unit_test(null_pointers_are_efault),
	    cmocka_unit_test(fault_handler_may_call_the_library),
	    cmocka_unit_test(replies_are_copied_by_their_own_caller),
	};
	return cmocka_run_group_tests(tests, start, end);
}
