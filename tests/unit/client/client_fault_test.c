/*
 * client_fault_test.c -- a signal handler that resolves a fault within the library's own copy may call the library: the
 * interrupted call gets the right bytes, and nothing waits for ever. Where signals are blocked, memory that is not there
 * is EFAULT.
 *
 * The linker puts syscall of this program before the C library's. When the library has probed a page of the program
 * (client/link/user_memory.c) it takes the page away, so that the copy that follows faults. The handler makes calls on
 * the same connection, with all signals blocked, and brings the page back.
 */
#include "client/include/farnova.h"
#include "tests/integration/check.h"
#include "tests/support/client_server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

/* The handlers here may allocate memory: a fault in the library's copy of the program's data interrupts nothing that is
 * not safe. ThreadSanitizer, whose runtime asks for this at its start, does not tell that from other signals. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "report_signal_unsafe=0";
}

#define PAGE    4096u
#define LARGEST (5u << 20)
#define INNER   300000u

static struct client_server server;
static struct farnova *fs;
static struct farnova_file *file, *inner;
static struct farnova_queue *inner_queue;

/* ---- faults ------------------------------------------------------------------------------------------------------ */

/* How a page goes away. */
static enum way { PROTECT, TRUNCATE } way;

static uint8_t *memory; /* LARGEST bytes, of a memfd */
static uint8_t saved[LARGEST];
static int memory_fd;
static unsigned spacing; /* of the pages that go away once each; 0: none does */
static bool was_away[LARGEST / PAGE];
static unsigned away; /* the page that is */
static bool is_away;
static unsigned faults;

/* take_away -- the memory that `address` is in, if it is one that goes away. With TRUNCATE all that follows goes. */
static void take_away(uintptr_t address)
{
	uintptr_t page = (address - (uintptr_t)memory) / PAGE;

	if (!spacing || is_away || address < (uintptr_t)memory || page >= LARGEST / PAGE || page % spacing != 0 ||
	    was_away[page])
		return;
	away = (unsigned)page;
	is_away = was_away[page] = true;
	if (way == PROTECT) {
		CHECK(mprotect(memory + page * PAGE, PAGE, PROT_NONE) == 0);
		return;
	}
	memcpy(saved, memory + page * PAGE, LARGEST - page * PAGE);
	CHECK(ftruncate(memory_fd, (off_t)(page * PAGE)) == 0);
}

static void bring_back(void)
{
	is_away = false;
	if (way == PROTECT) {
		CHECK(mprotect(memory + away * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
		return;
	}
	CHECK(ftruncate(memory_fd, LARGEST) == 0);
	memcpy(memory + away * PAGE, saved, LARGEST - away * PAGE);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	va_list list;

	va_start(list, number);
	long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long), d = va_arg(list, long);
	va_end(list);
	long result = __real_syscall(number, a, b, c, d);
	int error = errno;
	if (number == SYS_rt_sigprocmask || number == SYS_getcpu)
		take_away((uintptr_t)(number == SYS_getcpu ? a : b));
	errno = error;
	return result;
}

static void inner_calls(void)
{
	static uint8_t data[INNER], back[INNER];
	static void *nowhere;
	struct stat st;

	data[faults % INNER]++;
	CHECK(farnova_stat(fs, "inner", &st) == 0);
	CHECK(farnova_pwrite(inner, data, 100, 0) == 100);
	CHECK(farnova_pread(inner, back, 100, 0) == 100 && memcmp(back, data, 100) == 0);
	CHECK(farnova_pwrite(inner, data, INNER, 4096) == INNER);
	CHECK(farnova_pread(inner, back, INNER, 4096) == INNER && memcmp(back, data, INNER) == 0);
	struct farnova_operation operation = {
	    .operation = FARNOVA_OP_READ, .file = inner, .buffer = back, .length = 5000, .offset = 4096};
	struct farnova_completion completion;
	CHECK(farnova_queue_submit(inner_queue, &operation, 1) == 1);
	CHECK(farnova_queue_reap(inner_queue, &completion, 1, 1, -1) == 1 && completion.result == 5000);
	/* SIGSEGV is blocked here: a fault would end the process. */
	if (!nowhere)
		nowhere = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(farnova_pwrite(inner, nowhere, 100, 0) == -1 && errno == EFAULT);
	CHECK(farnova_pread(inner, nowhere, 5000, 0) == -1 && errno == EFAULT);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	int before = errno;

	CHECK(is_away && (uintptr_t)info->si_addr / PAGE == (uintptr_t)memory / PAGE + away);
	faults++;
	inner_calls();
	bring_back();
	errno = before;
}

/* begin_faults -- every page that is a multiple of `every` is taken away when it is touched for the first time. */
static void begin_faults(unsigned every)
{
	memset(was_away, 0, sizeof(was_away));
	spacing = every;
	faults = 0;
}

static void end_faults(size_t length)
{
	unsigned every = spacing, pages = (unsigned)((length + PAGE - 1) / PAGE);

	spacing = 0;
	CHECK(faults == (pages + every - 1) / every);
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

static uint8_t expected[LARGEST];

/* In the message, staged, and several changes in a row. */
static const size_t sizes[] = {100, 2048, 4096, 20000, 300000, 1u << 20, LARGEST};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void fill(size_t seed)
{
	for (size_t i = 0; i < LARGEST; i++)
		expected[i] = (uint8_t)(i * 7 + i / PAGE + seed);
}

static unsigned spacing_for(size_t length)
{
	return length > 1u << 20 ? 256 : length > 300000 ? 64 : length > 20000 ? 16 : 1;
}

static void writes(void)
{
	static uint8_t back[LARGEST];

	for (size_t i = 0; i < SIZES; i++) {
		fill(i);
		memcpy(memory, expected, sizes[i]);
		begin_faults(spacing_for(sizes[i]));
		CHECK(farnova_pwrite(file, memory, sizes[i], 0) == (ssize_t)sizes[i]);
		end_faults(sizes[i]);
		CHECK(farnova_pread(file, back, sizes[i], 0) == (ssize_t)sizes[i]);
		CHECK(memcmp(back, expected, sizes[i]) == 0);
	}
}

static void reads(void)
{
	fill(99);
	CHECK(farnova_pwrite(file, expected, LARGEST, 0) == LARGEST);
	for (size_t i = 0; i < SIZES; i++) {
		memset(memory, 0, LARGEST);
		begin_faults(spacing_for(sizes[i]));
		CHECK(farnova_pread(file, memory, sizes[i], 0) == (ssize_t)sizes[i]);
		end_faults(sizes[i]);
		CHECK(memcmp(memory, expected, sizes[i]) == 0);
	}
}

static ssize_t queued(struct farnova_queue *queue, struct farnova_operation operation)
{
	struct farnova_completion completion;

	CHECK(farnova_queue_submit(queue, &operation, 1) == 1);
	CHECK(farnova_queue_reap(queue, &completion, 1, 1, -1) == 1);
	return completion.result;
}

static void operations_of_a_queue(void)
{
	struct farnova_queue *queue = farnova_queue_create(fs, 4);
	const size_t length = 300000;

	CHECK(queue);
	fill(5);
	memcpy(memory, expected, length);
	begin_faults(16);
	CHECK(queued(queue,
	             (struct farnova_operation){
	                 .operation = FARNOVA_OP_WRITE, .file = file, .data = memory, .length = length}) ==
	      (ssize_t)length);
	end_faults(length);
	memset(memory, 0, length);
	begin_faults(16);
	CHECK(queued(queue,
	             (struct farnova_operation){
	                 .operation = FARNOVA_OP_READ, .file = file, .buffer = memory, .length = length}) ==
	      (ssize_t)length);
	end_faults(length);
	CHECK(memcmp(memory, expected, length) == 0);
	farnova_queue_destroy(queue);
}

static void names_and_values(void)
{
	struct stat *st = (struct stat *)(void *)(memory + PAGE);

	memcpy(memory, "file", 5);
	begin_faults(1);
	CHECK(farnova_stat(fs, (char *)memory, st) == 0);
	end_faults(2 * PAGE);
	CHECK(S_ISREG(st->st_mode));
	fill(6);
	memcpy(memory, expected, 60000);
	begin_faults(4);
	CHECK(farnova_fsetxattr(file, "user.a", memory, 60000, 0) == 0);
	end_faults(60000);
	memset(memory, 0, 60000);
	begin_faults(4);
	CHECK(farnova_fgetxattr(file, "user.a", memory, 65536) == 60000);
	end_faults(60000);
	CHECK(memcmp(memory, expected, 60000) == 0);
}

static void all(enum way by)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	/* cmocka has set its own for each test. */
	sigfillset(&action.sa_mask);
	CHECK(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0);
	way = by;
	writes();
	reads();
	if (way == PROTECT) {
		operations_of_a_queue();
		names_and_values();
	}
}

static void handler_of_sigsegv_may_call_the_library(void **state)
{
	all(PROTECT);
}

static void handler_of_sigbus_may_call_the_library(void **state)
{
	all(TRUNCATE);
}

static void *blocked(void *argument)
{
	uint8_t *nowhere = mmap(NULL, LARGEST, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigset_t every;

	CHECK(nowhere != MAP_FAILED);
	sigfillset(&every);
	CHECK(pthread_sigmask(SIG_BLOCK, &every, NULL) == 0);
	for (size_t i = 0; i < SIZES; i++) {
		CHECK(farnova_pwrite(file, nowhere, sizes[i], 0) == -1 && errno == EFAULT);
		CHECK(farnova_pread(file, nowhere, sizes[i], 0) == -1 && errno == EFAULT);
	}
	inner_calls();
	munmap(nowhere, LARGEST);
	return argument;
}

static void missing_memory_is_efault_with_all_signals_blocked(void **state)
{
	pthread_t thread;

	assert_int_equal(farnova_pwrite(file, expected, LARGEST, 0), LARGEST);
	assert_int_equal(pthread_create(&thread, NULL, blocked, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static int start(void **state)
{
	client_server_create(&server);
	fs = farnova_connect(server.url, NULL);
	file = fs ? farnova_open(fs, "file", O_RDWR | O_CREAT, 0600) : NULL;
	inner = fs ? farnova_open(fs, "inner", O_RDWR | O_CREAT, 0600) : NULL;
	inner_queue = fs ? farnova_queue_create(fs, 4) : NULL;
	memory_fd = memfd_create("client_fault_test", MFD_CLOEXEC);
	if (!file || !inner || !inner_queue || memory_fd < 0 || ftruncate(memory_fd, LARGEST) != 0)
		return -1;
	memory = mmap(NULL, LARGEST, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	return memory == MAP_FAILED ? -1 : 0;
}

static int end(void **state)
{
	farnova_close(file);
	farnova_close(inner);
	farnova_disconnect(fs);
	client_server_destroy(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(handler_of_sigsegv_may_call_the_library),
	    cmocka_unit_test(handler_of_sigbus_may_call_the_library),
	    cmocka_unit_test(missing_memory_is_efault_with_all_signals_blocked),
	};
	alarm(110);
	return cmocka_run_group_tests(tests, start, end);
}
