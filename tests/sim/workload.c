/*
 * workload.c -- what the simulated clients do.
 */
#include "tests/sim/workload.h"

#include "client/include/farnova.h"
#include "tests/sim/cluster.h"
#include "tests/sim/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WRITTEN_UNITS  16u /* writes and truncations stay within; the rest is for appends */
#define APPENDED_UNITS 30u
#define ATTEMPTS       400u
#define QUEUE_MS       3600000 /* the time that an operation in a queue has: it arms the queue's timer */
/* What one READ of the protocol brings: a longer read without a layout is a row of them, which is not atomic. */
#define READ_BYTES     16384u

struct client {
	unsigned number;
	struct sim_process *process;
	struct farnova *fs;
	unsigned left[WORKLOAD_THREADS]; /* calls */
	unsigned running;
	unsigned life; /* which of its processes */
};

struct thread {
	struct client *client;
	struct sim_process *process;
	struct farnova *fs;
	unsigned index, number;
	struct farnova_file *files[HISTORY_FILES];
	struct farnova_handle dir;
	struct farnova_handle seen; /* of what was looked up last; ino 0: nothing */
	uint8_t *buffer;
	struct farnova_queue *queue; /* NULL until it is first used */
	bool by_queue;               /* the call goes by it */
};

static struct workload_options options;
static struct history history;
static struct client clients[WORKLOAD_CLIENTS];
static unsigned appended[HISTORY_FILES];
static unsigned thread_count;

const struct history *workload_history(void)
{
	return &history;
}

static uint64_t below(uint64_t limit)
{
	return sim_below(SIM_WORKLOAD, limit);
}

/* ---- bytes ------------------------------------------------------------------------------------------------------ */

static uint8_t byte_of(uint16_t tag, unsigned unit_byte)
{
	if (tag == 0)
		return 0;
	return unit_byte == 0 ? (uint8_t)tag : unit_byte == 1 ? (uint8_t)(tag >> 8) : (uint8_t)(tag * 31 + unit_byte);
}

static void make_bytes(uint8_t *out, unsigned units, uint16_t tag)
{
	for (unsigned unit = 0; unit < units; unit++)
		for (unsigned i = 0; i < options.unit; i++)
			*out++ = byte_of(tag, i);
}

static uint16_t tag_of(const uint8_t *unit, const struct call *call, unsigned number)
{
	uint16_t tag = (uint16_t)(unit[0] | unit[1] << 8);

	for (unsigned i = 0; i < options.unit; i++) {
		if (unit[i] != byte_of(tag, i)) {
			history_print(call);
			sim_failed("unit %u of file %u has bytes of several writes, or of none: %u, then at %u byte %u",
			           number, call->file, tag, i, unit[i]);
		}
	}
	return tag;
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */

/* What became of the call: `result` is that of the library. */
static void note_result(struct call *call, int64_t result, int error)
{
	if (result >= 0) {
		history_end(&history, call);
		return;
	}
	switch (error) {
	case ECONNRESET: /* an exclusive open, whose file is gone when the reply is asked for again (durability.md) */
		if (call->type != CALL_CREATE && options.room_kib == 0) /* or that of a client without a record */
			sim_failed("a call gets ECONNRESET: %s", farnova_last_error());
		history_end(&history, call);
		call->perhaps = true;
		break;
	case ENOSPC:
	case ENOENT:
	case EEXIST:
		if (error != ENOSPC && CALL_IS_OF_FILE(call->type))
			sim_failed("a call on a file gets %s: %s", strerror(error), farnova_last_error());
		call->error = error;
		history_end(&history, call);
		break;
	default:
		history_print(call);
		sim_failed("a call gets %s: %s", strerror(error), farnova_last_error());
	}
	sim_note("error", call->tag, (uint64_t)error);
}

/* by_queue -- run one operation by the thread's queue, and wait for it as a program with a loop of its own does. */
static ssize_t by_queue(struct thread *thread, struct farnova_operation operation)
{
	struct farnova_completion completion;
	struct pollfd wait = {.events = POLLIN};

	if (!thread->queue)
		thread->queue = farnova_queue_create(thread->fs, 1);
	if (!thread->queue || (wait.fd = farnova_queue_fd(thread->queue)) < 0)
		sim_failed("no queue: %s", farnova_last_error());
	operation.timeout_ms = QUEUE_MS;
	if (farnova_queue_submit(thread->queue, &operation, 1) != 1)
		sim_failed("an empty queue takes nothing: %s", farnova_last_error());
	do
		poll(&wait, 1, -1);
	while (farnova_queue_reap(thread->queue, &completion, 0, 1, 0) == 0);
	if (completion.result >= 0)
		return completion.result;
	errno = (int)-completion.result;
	return -1;
}

static ssize_t read_units(struct thread *thread, struct farnova_file *file, size_t length, off_t offset)
{
	if (!thread->by_queue)
		return farnova_pread(file, thread->buffer, length, offset);
	return by_queue(thread, (struct farnova_operation){.operation = FARNOVA_OP_READ,
	                                                   .file = file,
	                                                   .buffer = thread->buffer,
	                                                   .length = length,
	                                                   .offset = offset});
}

static ssize_t write_units(struct thread *thread, struct farnova_file *file, size_t length, off_t offset)
{
	if (!thread->by_queue)
		return farnova_pwrite(file, thread->buffer, length, offset);
	return by_queue(thread, (struct farnova_operation){.operation = FARNOVA_OP_WRITE,
	                                                   .file = file,
	                                                   .data = thread->buffer,
	                                                   .length = length,
	                                                   .offset = offset});
}

static void run_read(struct thread *thread, struct call *call)
{
	struct farnova_file *file = thread->files[call->file];
	ssize_t got = read_units(thread, file, (size_t)call->b * options.unit, (off_t)call->a * options.unit);

	if (got >= 0 && got % options.unit != 0)
		sim_failed("a read gets %zd bytes, which is no number of units", got);
	for (unsigned i = 0; got > 0 && i < (size_t)got / options.unit; i++)
		call->tags[i] = tag_of(thread->buffer + (size_t)i * options.unit, call, call->a + i);
	call->count = got > 0 ? (unsigned)got / options.unit : 0;
	note_result(call, got, errno);
}

static unsigned units_at_once(unsigned units)
{
	unsigned most = READ_BYTES / options.unit;

	return units < most ? units : most;
}

static void run_file_call(struct thread *thread, struct call *call)
{
	struct farnova_file *file = thread->files[call->file];
	size_t length = (size_t)call->b * options.unit;
	off_t offset = (off_t)call->a * options.unit;
	struct stat st;
	ssize_t result = -1;

	switch (call->type) {
	case CALL_WRITE:
		make_bytes(thread->buffer, call->b, call->tag);
		result = write_units(thread, file, length, offset);
		break;
	case CALL_APPEND:
		make_bytes(thread->buffer, call->b, call->tag);
		result = farnova_append(file, thread->buffer, length);
		break;
	case CALL_TRUNCATE:
		result = farnova_ftruncate(file, offset);
		break;
	case CALL_PUNCH:
		result = farnova_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, (off_t)length);
		break;
	case CALL_READ:
		run_read(thread, call);
		return;
	default:
		result = farnova_fstat(file, &st);
		if (result == 0 && st.st_size % options.unit != 0)
			sim_failed("a size of %lld, which is no number of units", (long long)st.st_size);
		call->count = result == 0 ? (unsigned)(st.st_size / options.unit) : 0;
	}
	int error = errno;
	if ((call->type == CALL_WRITE || call->type == CALL_APPEND) && result >= 0 && result != (ssize_t)length)
		sim_failed("a write of %zu bytes gets %zd", length, result);
	note_result(call, result, error);
}

static void choose_file_call(struct thread *thread)
{
	static const enum call_type changing[] = {CALL_WRITE,  CALL_WRITE,    CALL_WRITE, CALL_WRITE,
	                                          CALL_APPEND, CALL_TRUNCATE, CALL_PUNCH};
	unsigned file = below(1024) < options.of_own ? thread->client->number : (unsigned)below(options.files);
	enum call_type type = changing[below(sizeof(changing) / sizeof(changing[0]))];
	unsigned first = (unsigned)below(WRITTEN_UNITS), count = 1 + (unsigned)below(WRITTEN_UNITS - first);
	struct call *call;

	if (count > 4 && below(2) == 0)
		count = 1 + (unsigned)below(3);
	if (below(1024) < options.of_reads)
		type = below(4) == 0 ? CALL_SIZE : CALL_READ;
	if (type == CALL_APPEND && appended[file] + 2 > APPENDED_UNITS)
		type = CALL_WRITE;
	if (type == CALL_APPEND) {
		count = 1 + (unsigned)below(2);
		appended[file] += count;
	}
	call = history_begin(&history, type, thread->number);
	if (!call)
		return;
	call->file = file;
	call->a = type == CALL_APPEND ? 0 : first;
	call->b = type == CALL_READ ? units_at_once(below(3) == 0 ? HISTORY_UNITS - first : count) : count;
	thread->by_queue = below(4) == 0;
	run_file_call(thread, call);
}

/* A handle as one number: that of the inode is given to another file in time, with another generation. */
static uint32_t identity(struct farnova_handle handle)
{
	uint32_t mixed = ((uint32_t)handle.ino * 64 + handle.generation) & 0x7fffffff;

	return mixed ? mixed : 1;
}

static int run_create(struct thread *thread, struct call *call, const char *name)
{
	struct farnova_handle handle = {0};
	struct stat st;
	struct farnova_file *file =
	    farnova_create_at(thread->fs, thread->dir, name, O_RDWR | O_EXCL, 0644, &handle, &st);
	int error = errno;

	if (file) {
		call->ino = identity(handle);
		farnova_close(file);
	}
	errno = error;
	return file ? 0 : -1;
}

static int run_stat(struct thread *thread, struct call *call, const char *name)
{
	struct farnova_handle handle = {0};
	struct stat st;
	int result = farnova_lookup_at(thread->fs, thread->dir, name, &handle, &st);

	if (result == 0) {
		call->ino = identity(handle);
		/* As with stat(2) the name is found first, then the attributes, which may be those after an unlink. */
		call->links = thread->client ? 0 : (unsigned)st.st_nlink;
		thread->seen = handle;
	}
	return result;
}

/* What was looked up last gets another name. That it may be gone is ENOENT in the history. */
static int run_link(struct thread *thread, struct call *call, const char *name)
{
	struct stat st;
	int result;

	call->ino = identity(thread->seen);
	result = farnova_link_at(thread->fs, thread->seen, thread->dir, name, &st);
	if (result != 0 && errno == ESTALE)
		errno = ENOENT;
	return result;
}

static void run_name_call(struct thread *thread, struct call *call)
{
	char a[16], b[16];
	int result = -1;

	snprintf(a, sizeof(a), "n%u", call->a);
	snprintf(b, sizeof(b), "n%u", call->b);
	switch (call->type) {
	case CALL_CREATE:
		result = run_create(thread, call, a);
		break;
	case CALL_UNLINK:
		result = farnova_unlink_at(thread->fs, thread->dir, a);
		break;
	case CALL_RENAME:
		result = farnova_rename_at(thread->fs, thread->dir, a, thread->dir, b, 0);
		break;
	case CALL_RENAME_NOREPLACE:
		result = farnova_rename_at(thread->fs, thread->dir, a, thread->dir, b, RENAME_NOREPLACE);
		break;
	case CALL_EXCHANGE:
		result = farnova_rename_at(thread->fs, thread->dir, a, thread->dir, b, RENAME_EXCHANGE);
		break;
	case CALL_LINK:
		result = run_link(thread, call, b);
		break;
	default:
		result = run_stat(thread, call, a);
	}
	note_result(call, result, errno);
}

static void choose_name_call(struct thread *thread)
{
	static const enum call_type types[] = {
	    CALL_CREATE,   CALL_CREATE, CALL_UNLINK, CALL_RENAME, CALL_RENAME_NOREPLACE,
	    CALL_EXCHANGE, CALL_LINK,   CALL_STAT,   CALL_STAT,   CALL_STAT};
	enum call_type type = types[below(sizeof(types) / sizeof(types[0]))];
	unsigned a = (unsigned)below(options.names);
	unsigned b = (a + 1 + (unsigned)below(options.names - 1)) % options.names;
	struct call *call;

	if (type == CALL_LINK && !thread->seen.ino)
		type = CALL_STAT;
	call = history_begin(&history, type, thread->number);
	if (!call)
		return;
	call->a = a;
	call->b = b;
	run_name_call(thread, call);
}

/* ---- clients ---------------------------------------------------------------------------------------------------- */

static bool may_try_again(int error)
{
	return error == ECONNREFUSED || error == ETIMEDOUT || error == ECONNRESET || error == EHOSTUNREACH ||
	       error == EUSERS;
}

static struct farnova *connect_client(bool verbs)
{
	const struct farnova_options given = {
	    .size = sizeof(given), .transport = verbs ? "verbs" : "tcp", .timeout_ms = options.timeout_ms};

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct farnova *fs = farnova_connect(CLUSTER_URL, &given);

		if (fs)
			return fs;
		if (!may_try_again(errno))
			break;
		sim_sleep_until(sim_now() + 50 * SIM_NS_PER_MS);
	}
	sim_failed("a client cannot connect: %s", farnova_last_error());
}

static struct farnova_file *open_file(struct farnova *fs, unsigned number, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/f%u", number);
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct farnova_file *file = farnova_open(fs, path, flags, 0644);

		if (file)
			return file;
		if (!may_try_again(errno))
			break;
	}
	sim_failed("file %u cannot be opened: %s", number, farnova_last_error());
}

static struct farnova_handle open_names(struct farnova *fs)
{
	struct farnova_handle dir;
	struct stat st;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		if (farnova_lookup_at(fs, farnova_root(fs), "names", &dir, &st) == 0)
			return dir;
		if (!may_try_again(errno))
			break;
	}
	sim_failed("the directory cannot be looked up: %s", farnova_last_error());
}

static void set_up(struct thread *thread)
{
	thread->dir = open_names(thread->fs);
	thread->number = thread_count++;
	thread->buffer = calloc(HISTORY_UNITS, options.unit);
	if (!thread->buffer)
		sim_failed("out of memory");
	for (unsigned i = 0; i < options.files; i++)
		thread->files[i] = open_file(thread->fs, i, O_RDWR);
}

static void *thread_main(void *argument)
{
	struct thread *thread = argument;
	struct client *client = thread->client;

	set_up(thread);
	while (client->left[thread->index] > 0) {
		client->left[thread->index]--;
		if (options.pause_ns > 0)
			sim_sleep_until(sim_now() + (int64_t)below((uint64_t)options.pause_ns));
		if (below(1024) < options.of_names)
			choose_name_call(thread);
		else
			choose_file_call(thread);
	}
	client->running--;
	sim_wake(client);
	return NULL;
}

static void *client_main(void *argument)
{
	struct client *client = argument;
	struct sim_process *process = sim_process_current();
	struct farnova *fs = connect_client(options.verbs[client->number]);

	client->running = options.threads;
	for (unsigned i = 0; i < options.threads; i++) {
		struct thread *thread = calloc(1, sizeof(*thread));

		if (!thread)
			sim_failed("out of memory");
		*thread = (struct thread){.client = client, .process = process, .fs = fs, .index = i};
		sim_start(process, thread_main, thread);
	}
	while (client->running > 0)
		sim_wait(client, SIM_FOREVER);
	farnova_disconnect(fs);
	client->process = NULL;
	sim_wake(&clients);
	return NULL;
}

static void start_client(struct client *client)
{
	char name[24];

	snprintf(name, sizeof(name), "client %u.%u", client->number, client->life++);
	client->process = sim_process_create(name);
	client->process->clock_drift = options.drift[client->number];
	sim_start(client->process, client_main, client);
}

struct preparing {
	bool done;
};

/* Blocks are used again at once where few are left. */
static void fill_pool(struct farnova *fs)
{
	struct farnova_file *file = farnova_open(fs, "/ballast", O_RDWR | O_CREAT, 0644);
	off_t size = 0;

	if (!file)
		sim_failed("no ballast: %s", farnova_last_error());
	for (off_t step = 1 << 20; step >= 4096; step /= 4)
		while (farnova_fallocate(file, 0, size, step) == 0)
			size += step;
	if (size < (off_t)options.room_kib * 1024 ||
	    farnova_ftruncate(file, size - (off_t)options.room_kib * 1024) != 0)
		sim_failed("ballast of %lld bytes: %s", (long long)size, farnova_last_error());
	farnova_close(file);
}

static void *prepare_main(void *argument)
{
	struct preparing *preparing = argument;
	struct farnova *fs = connect_client(false);

	for (unsigned i = 0; i < options.files; i++)
		farnova_close(open_file(fs, i, O_RDWR | O_CREAT));
	if (farnova_mkdir(fs, "/names", 0777) != 0)
		sim_failed("no directory: %s", farnova_last_error());
	if (options.room_kib > 0)
		fill_pool(fs);
	farnova_disconnect(fs);
	preparing->done = true;
	sim_wake(preparing);
	return NULL;
}

static void *look_main(void *argument)
{
	struct preparing *looking = argument;
	struct thread thread = {.fs = connect_client(false)};
	struct call *call;

	set_up(&thread);
	for (unsigned i = 0; i < options.files; i++) {
		for (unsigned at = 0; at < HISTORY_UNITS; at += units_at_once(HISTORY_UNITS)) {
			if ((call = history_begin(&history, CALL_READ, thread.number)) == NULL)
				break;
			call->file = i;
			call->a = at;
			call->b = units_at_once(HISTORY_UNITS - at);
			run_file_call(&thread, call);
		}
		if ((call = history_begin(&history, CALL_SIZE, thread.number)) != NULL) {
			call->file = i;
			run_file_call(&thread, call);
		}
	}
	for (unsigned i = 0; i < options.names; i++) {
		if ((call = history_begin(&history, CALL_STAT, thread.number)) != NULL) {
			call->a = i;
			run_name_call(&thread, call);
		}
	}
	farnova_disconnect(thread.fs);
	looking->done = true;
	sim_wake(looking);
	return NULL;
}

static void run_alone(const char *name, void *(*run)(void *))
{
	struct preparing preparing = {0};

	sim_start(sim_process_create(name), run, &preparing);
	while (!preparing.done)
		sim_wait(&preparing, SIM_FOREVER);
}

void workload_prepare(const struct workload_options *given)
{
	options = *given;
	run_alone("prepare", prepare_main);
}

void workload_start(void)
{
	for (unsigned i = 0; i < options.clients; i++) {
		clients[i] = (struct client){.number = i};
		for (unsigned k = 0; k < options.threads; k++)
			clients[i].left[k] = options.calls;
		start_client(&clients[i]);
	}
}

struct sim_process *workload_client(unsigned number)
{
	return clients[number].process;
}

void workload_kill(unsigned number)
{
	struct client *client = &clients[number];

	sim_note("client killed", number, client->life);
	sim_process_kill(client->process);
	network_died(client->process);
	start_client(client);
}

void workload_wait(void)
{
	for (unsigned i = 0; i < options.clients; i++)
		while (clients[i].process)
			sim_wait(&clients, SIM_FOREVER);
}

void workload_look(void)
{
	run_alone("look", look_main);
}
