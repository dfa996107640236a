/*
 * file_calls.c -- what simulated clients do with the contents of files.
 */
#include "tests/sim/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define WRITTEN_UNITS  16u /* writes and truncations stay within; the rest is for appends */
#define APPENDED_UNITS 30u
#define QUEUE_MS       3600000 /* the time that an operation in a queue has: it arms the queue's timer */
/* What one READ of the protocol brings: a longer read without a layout is a row of them, which is not atomic. */
#define READ_BYTES     16384u

static unsigned appended[HISTORY_FILES];

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
		for (unsigned i = 0; i < workload_options.unit; i++)
			*out++ = byte_of(tag, i);
}

static uint16_t tag_of(const uint8_t *unit, const struct call *call, unsigned number)
{
	uint16_t tag = (uint16_t)(unit[0] | unit[1] << 8);

	for (unsigned i = 0; i < workload_options.unit; i++) {
		if (unit[i] != byte_of(tag, i)) {
			history_print(call);
			sim_failed("unit %u of file %u has bytes of several writes, or of none: %u, then at %u byte %u",
			           number, call->file, tag, i, unit[i]);
		}
	}
	return tag;
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
	ssize_t got =
	    read_units(thread, file, (size_t)call->b * workload_options.unit, (off_t)call->a * workload_options.unit);

	if (got >= 0 && got % workload_options.unit != 0)
		sim_failed("a read gets %zd bytes, which is no number of units", got);
	for (unsigned i = 0; got > 0 && i < (size_t)got / workload_options.unit; i++)
		call->tags[i] = tag_of(thread->buffer + (size_t)i * workload_options.unit, call, call->a + i);
	call->count = got > 0 ? (unsigned)got / workload_options.unit : 0;
	workload_note(call, got, errno);
}

#define XATTR "user.tag"

/* Its value is one unit. */
static void run_xattr(struct thread *thread, struct call *call)
{
	struct farnova_file *file = thread->files[call->file];
	ssize_t result;

	switch (call->type) {
	case CALL_SET_XATTR:
		make_bytes(thread->buffer, 1, call->tag);
		result = farnova_fsetxattr(file, XATTR, thread->buffer, workload_options.unit, (int)call->a);
		break;
	case CALL_REMOVE_XATTR:
		result = farnova_fremovexattr(file, XATTR);
		break;
	default:
		result = farnova_fgetxattr(file, XATTR, thread->buffer, (size_t)HISTORY_UNITS * workload_options.unit);
		if (result >= 0 && result != (ssize_t)workload_options.unit)
			sim_failed("a value of %zd bytes, which is no unit", result);
		call->count = result >= 0 ? tag_of(thread->buffer, call, 0) : 0;
	}
	workload_note(call, result, errno);
}

unsigned workload_units_at_once(unsigned units)
{
	unsigned most = READ_BYTES / workload_options.unit;

	return units < most ? units : most;
}

void workload_run_on_file(struct thread *thread, struct call *call)
{
	struct farnova_file *file = thread->files[call->file];
	size_t length = (size_t)call->b * workload_options.unit;
	off_t offset = (off_t)call->a * workload_options.unit;
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
	case CALL_SET_XATTR:
	case CALL_REMOVE_XATTR:
	case CALL_GET_XATTR:
		run_xattr(thread, call);
		return;
	case CALL_READ:
		run_read(thread, call);
		return;
	default:
		result = farnova_fstat(file, &st);
		if (result == 0 && st.st_size % workload_options.unit != 0)
			sim_failed("a size of %lld, which is no number of units", (long long)st.st_size);
		call->count = result == 0 ? (unsigned)(st.st_size / workload_options.unit) : 0;
	}
	int error = errno;
	if ((call->type == CALL_WRITE || call->type == CALL_APPEND) && result >= 0 && result != (ssize_t)length)
		sim_failed("a write of %zu bytes gets %zd", length, result);
	workload_note(call, result, error);
}

void workload_choose_on_file(struct thread *thread)
{
	static const enum call_type changing[] = {CALL_WRITE, CALL_WRITE,     CALL_WRITE,
	                                          CALL_WRITE, CALL_APPEND,    CALL_TRUNCATE,
	                                          CALL_PUNCH, CALL_SET_XATTR, CALL_REMOVE_XATTR};
	static const enum call_type reading[] = {CALL_READ, CALL_READ, CALL_READ, CALL_READ,
	                                         CALL_READ, CALL_SIZE, CALL_SIZE, CALL_GET_XATTR};
	static const int flags[] = {0, 0, XATTR_CREATE, XATTR_REPLACE};
	unsigned file = workload_below(1024) < workload_options.of_own
	                    ? thread->client->number
	                    : (unsigned)workload_below(workload_options.files);
	enum call_type type = changing[workload_below(sizeof(changing) / sizeof(changing[0]))];
	unsigned first = (unsigned)workload_below(WRITTEN_UNITS),
	         count = 1 + (unsigned)workload_below(WRITTEN_UNITS - first);
	struct call *call;

	if (count > 4 && workload_below(2) == 0)
		count = 1 + (unsigned)workload_below(3);
	if (workload_below(1024) < workload_options.of_reads)
		type = reading[workload_below(sizeof(reading) / sizeof(reading[0]))];
	if (type == CALL_APPEND && appended[file] + 2 > APPENDED_UNITS)
		type = CALL_WRITE;
	if (type == CALL_APPEND) {
		count = 1 + (unsigned)workload_below(2);
		appended[file] += count;
	}
	call = history_begin(&workload_calls, type, thread->number);
	if (!call)
		return;
	call->file = file;
	call->a = type == CALL_APPEND ? 0 : type == CALL_SET_XATTR ? (unsigned)flags[workload_below(4)] : first;
	call->b =
	    type == CALL_READ ? workload_units_at_once(workload_below(3) == 0 ? HISTORY_UNITS - first : count) : count;
	thread->by_queue = workload_below(4) == 0;
	workload_run_on_file(thread, call);
}
