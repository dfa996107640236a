/*
 * client_channel_lines_test.c -- two threads that read by two channels take no lock in common, and write to nothing that
 * they share.
 *
 * The linker leads the library's allocations and locks here. What threads share of a connection lies on pages of its
 * own; while two threads read, these pages cannot be written to: a reader that tries ends the test, and the library's
 * own threads wait until the readers are through.
 */
#include "client/session/open_files.h"
#include "client/session/session.h"
#include "tests/integration/check.h"
#include "tests/support/client_server.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define READERS     2u
#define BLOCKS      64u
#define BLOCK       4096u
#define ROUNDS      20u
#define ARENA       (4u << 20)
#define LOCKS       64u
#define EXTENT_NODE 56u /* bytes of a node of the tree of extents */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *memory);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *memory);
int __real_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);

/* ---- memory that is shared --------------------------------------------------------------------------------------- */

static uint8_t *arena;
static atomic_size_t used;
static atomic_bool frozen;

static void *take(size_t size)
{
	return arena + atomic_fetch_add(&used, (size + 127) & ~(size_t)127);
}

static bool is_shared(size_t size)
{
	return size == sizeof(struct farnova) || size == sizeof(struct farnova_file) || size == sizeof(struct inode) ||
	       size == EXTENT_NODE;
}

void *__wrap_malloc(size_t size)
{
	return arena && is_shared(size) ? take(size) : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return arena && is_shared(count * size) ? take(count * size) : __real_calloc(count, size);
}

void __wrap_free(void *memory)
{
	if (!arena || (uint8_t *)memory < arena || (uint8_t *)memory >= arena + ARENA)
		__real_free(memory);
}

/* ---- who does what ----------------------------------------------------------------------------------------------- */

static _Thread_local struct reader *self; /* of a reader that reads */

struct reader {
	pthread_t thread;
	struct farnova_file *file;
	uint64_t reads;
	unsigned lock_count;
	const void *locks[LOCKS]; /* that it has taken */
};

static pthread_barrier_t barrier;

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	unsigned i = 0;

	while (self && i < self->lock_count && self->locks[i] != mutex)
		i++;
	if (self && i == self->lock_count) {
		CHECK(i < LOCKS);
		self->locks[self->lock_count++] = mutex;
	}
	return __real_pthread_mutex_lock(mutex);
}

/* The library's threads block all signals; a fault would end the process then. */
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	sigset_t most = *set;

	sigdelset(&most, SIGSEGV);
	return __real_pthread_sigmask(how, &most, old);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	static const char words[] = "a reader writes to what others read\n";
	const uint8_t *address = info->si_addr;

	(void)number, (void)context;
	if (address < arena || address >= arena + ARENA || self) {
		(void)!write(STDERR_FILENO, words, sizeof(words) - 1);
		_exit(1);
	}
	while (atomic_load(&frozen)) /* a thread of the library: its write is tried again */
		usleep(100);
}

static void read_all(struct reader *reader)
{
	char block[BLOCK];

	for (unsigned i = 0; i < ROUNDS * BLOCKS; i++) {
		CHECK(farnova_pread(reader->file, block, BLOCK, (off_t)(i % BLOCKS * BLOCK)) == BLOCK);
		CHECK(block[0] == (char)('a' + i % BLOCKS % 26) && block[BLOCK - 1] == block[0]);
		reader->reads++;
	}
}

static void *read_by_channel(void *argument)
{
	struct reader *reader = argument;

	read_all(reader); /* it has a channel now, and the channel has buffers */
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	self = reader;
	read_all(reader);
	self = NULL;
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void threads_on_two_channels_share_no_lock_and_write_nothing_shared(void **state)
{
	const struct farnova_options options = {
	    .size = sizeof(options), .transport = "tcp", .timeout_ms = -1, .channels = READERS};
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	struct farnova_stats before = {.size = sizeof(before)}, after = {.size = sizeof(after)};
	struct reader readers[READERS] = {{0}};
	struct client_server server = {0};
	char block[BLOCK];

	(void)state;
	client_server_create(&server);
	arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(arena != MAP_FAILED && sigaction(SIGSEGV, &action, NULL) == 0);
	struct farnova *fs = farnova_connect(server.url, &options);
	CHECK(fs && (uint8_t *)fs >= arena && (uint8_t *)fs < arena + ARENA);
	struct farnova_file *file = farnova_open(fs, "file", O_RDWR | O_CREAT, 0600);
	CHECK(file);
	for (unsigned i = 0; i < BLOCKS; i++) {
		memset(block, 'a' + (int)(i % 26), BLOCK);
		CHECK(farnova_pwrite(file, block, BLOCK, (off_t)(i * BLOCK)) == BLOCK);
	}
	pthread_barrier_init(&barrier, NULL, READERS + 1);
	for (unsigned i = 0; i < READERS; i++) {
		readers[i].file = file;
		CHECK(pthread_create(&readers[i].thread, NULL, read_by_channel, &readers[i]) == 0);
	}
	pthread_barrier_wait(&barrier);
	CHECK(farnova_get_stats(fs, &before) == 0);
	assert_int_equal(before.channels, READERS);

	/* No thread of the library is in the middle of a change. */
	connection_lock(&fs->link);
	connection_unlock(&fs->link);
	atomic_store(&frozen, true);
	CHECK(mprotect(arena, ARENA, PROT_READ) == 0);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	CHECK(mprotect(arena, ARENA, PROT_READ | PROT_WRITE) == 0);
	atomic_store(&frozen, false);

	for (unsigned i = 0; i < READERS; i++)
		CHECK(pthread_join(readers[i].thread, NULL) == 0);
	CHECK(farnova_get_stats(fs, &after) == 0);
	assert_int_equal(after.channel_reads - before.channel_reads, READERS * ROUNDS * BLOCKS);
	assert_int_equal(after.requests, before.requests);
	assert_true(readers[0].lock_count > 0 && readers[1].lock_count > 0);
	for (unsigned i = 0; i < readers[0].lock_count; i++) {
		for (unsigned k = 0; k < readers[1].lock_count; k++)
			assert_ptr_not_equal(readers[0].locks[i], readers[1].locks[k]);
	}
	CHECK(farnova_close(file) == 0);
	farnova_disconnect(fs);
	client_server_destroy(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(threads_on_two_channels_share_no_lock_and_write_nothing_shared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
