/*
 * submit.c -- starts the operations of a queue.
 *
 * Preparation copies all that a request refers to, without the lock. An operation that cannot be started is finished
 * with the error.
 */
#include "client/api/attr.h"
#include "client/api/file.h"
#include "client/api/names.h"
#include "client/api/queue.h"
#include "client/api/space.h"
#include "client/io/read.h"
#include "client/io/write.h"
#include "client/link/user_memory.h"
#include "client/session/opening.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* on_call -- the call of an operation is done. */
static void on_call(struct farnova *fs, struct call *call)
{
	struct queued *queued = call->owner;
	int error = call->status;

	queued->call = NULL;
	call_free(fs, call);
	if (queued->operation == FARNOVA_OP_OPEN)
		queued->completion.file = file_opened(&queued->opened, error);
	queued->queue->finish(queued, error ? error : queued->success);
}

static void on_reading(struct farnova *fs, struct reading *reading)
{
	struct queued *queued = reading->owner;

	queued->queue->finish(queued, reading->count);
}

static int own_call(struct queued *queued, struct call *call)
{
	if (!call)
		return -ENOMEM;
	call->owner = queued;
	call->on_done = on_call;
	queued->call = call;
	return 0;
}

/* ---- vectors ---------------------------------------------------------------------------------------------------- */

/* copy_iov -- copy a vector and return its sum, cut to `most`; -EINVAL, -EFAULT, -ENOMEM. */
static ssize_t copy_iov(const struct iovec *given, size_t count, size_t most, struct iovec **out)
{
	size_t sum = 0;

	if (count > IOV_MAX)
		return -EINVAL;
	struct iovec *iov = malloc((count ? count : 1) * sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	int error = user_copy_in(iov, given, count * sizeof(*iov));
	for (size_t i = 0; i < count && error == 0; i++) {
		if (iov[i].iov_len > SSIZE_MAX - sum)
			error = -EINVAL;
		else
			sum += iov[i].iov_len;
	}
	if (error) {
		free(iov);
		return error;
	}
	*out = iov;
	return (ssize_t)(sum < most ? sum : most);
}

/* gather -- copy `length` bytes from the parts of a vector. */
static int gather(uint8_t *to, const struct iovec *iov, size_t length)
{
	int error = 0;

	for (size_t done = 0; done < length && error == 0; iov++) {
		size_t part = iov->iov_len < length - done ? iov->iov_len : length - done;
		error = user_copy_in(to + done, iov->iov_base, part);
		done += part;
	}
	return error;
}

/* ---- data ------------------------------------------------------------------------------------------------------- */

static int prepare_read(struct queued *queued, const struct farnova_operation *values, size_t length)
{
	int error = values->offset < 0 ? -EINVAL : read_limit(values->file, (uint64_t)values->offset, &length);

	if (error || length == 0)
		return error;
	if (length > READING_MAX)
		length = READING_MAX;
	struct reading *reading = reading_new(values->file, length, (uint64_t)values->offset);
	if (!reading)
		return -ENOMEM;
	reading->owner = queued;
	reading->on_done = on_reading;
	queued->reading = reading;
	return 0;
}

static int prepare_write(struct queued *queued, const struct farnova_operation *values, const struct iovec *iov,
                         size_t length)
{
	struct farnova_file *file = values->file;
	bool append = values->operation == FARNOVA_OP_APPEND;
	int error = values->offset < 0 ? -EINVAL : write_limit(file, (uint64_t)values->offset, &length);

	if (error || length == 0)
		return error;
	if (length > write_most(file->fs))
		length = write_most(file->fs);
	error = own_call(queued, write_new(file, (uint32_t)length, (uint64_t)values->offset,
	                                   append || file->flags & PROTO_OPEN_APPEND, &queued->end));
	if (error)
		return error;
	queued->success = (ssize_t)length;
	return iov ? gather(queued->call->memory, iov, length)
	           : user_copy_in(queued->call->memory, values->data, length);
}

static int prepare_vector(struct queued *queued, const struct farnova_operation *values)
{
	struct iovec *iov = NULL;
	ssize_t sum = copy_iov(values->iov, values->length, READING_MAX, &iov);

	if (sum < 0)
		return (int)sum;
	if (values->operation == FARNOVA_OP_READV) {
		queued->iov = iov;
		queued->iov_count = (unsigned)values->length;
		return prepare_read(queued, values, (size_t)sum);
	}
	int error = prepare_write(queued, values, iov, (size_t)sum);
	free(iov);
	return error;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

static int prepare_open(struct queued *queued, const struct farnova_operation *values, struct proto_string path)
{
	struct farnova *fs = queued->queue->fs;
	struct proto_request request;
	struct call *call;
	uint32_t proto;
	int error = file_request(fs, path, (int)values->flags, values->mode, &request, &proto);

	if (error == 0)
		error = file_opening(fs, &request, proto, NULL, &queued->opened, &call);
	return error ? error : own_call(queued, call);
}

static int prepare_rename(struct queued *queued, const struct farnova_operation *values, struct proto_string paths[2])
{
	struct farnova *fs = queued->queue->fs;
	struct call *call;
	int error = names_rename_call(fs, fs->root, paths[0], fs->root, paths[1], values->flags, &call);

	return error ? error : own_call(queued, call);
}

static int prepare_names(struct queued *queued, const struct farnova_operation *values)
{
	struct farnova *fs = queued->queue->fs;
	struct proto_string paths[2];
	bool two = values->operation == FARNOVA_OP_RENAME || values->operation == FARNOVA_OP_SYMLINK;
	int error = names_copy_paths(values->path, two ? values->to : NULL, &queued->paths, paths);

	if (error)
		return error;
	switch (values->operation) {
	case FARNOVA_OP_OPEN:
		return prepare_open(queued, values, paths[0]);
	case FARNOVA_OP_STAT:
		return own_call(queued, names_lookup_call(fs, fs->root, paths[0], 0, &queued->attr));
	case FARNOVA_OP_LSTAT:
		return own_call(queued,
		                names_lookup_call(fs, fs->root, paths[0], PROTO_LOOKUP_NOFOLLOW, &queued->attr));
	case FARNOVA_OP_UNLINK:
		return own_call(queued, names_remove_call(fs, PROTO_UNLINK, fs->root, paths[0]));
	case FARNOVA_OP_RMDIR:
		return own_call(queued, names_remove_call(fs, PROTO_RMDIR, fs->root, paths[0]));
	case FARNOVA_OP_MKDIR:
		return own_call(queued,
		                names_create_call(fs, fs->root, paths[0], S_IFDIR | (values->mode & 07777), 0, NULL));
	case FARNOVA_OP_SYMLINK:
		return own_call(queued, names_symlink_call(fs, paths[1], fs->root, paths[0], NULL));
	default:
		return prepare_rename(queued, values, paths);
	}
}

/* ---- all -------------------------------------------------------------------------------------------------------- */

static int prepare_truncate(struct queued *queued, const struct farnova_operation *values)
{
	const struct attr_change change = {.mask = PROTO_SET_SIZE, .size = (uint64_t)values->offset};
	struct farnova_file *file = values->file;

	if (values->offset < 0 || !(file->flags & PROTO_OPEN_WRITE))
		return -EINVAL;
	return own_call(queued, attr_set_call(file->fs, file->inode->handle, file, &change, NULL));
}

static int prepare_allocate(struct queued *queued, const struct farnova_operation *values)
{
	struct call *call;
	int error = values->length > INT64_MAX ? -EFBIG
	                                       : space_allocate_call(values->file, (int)values->flags, values->offset,
	                                                             (off_t)values->length, &call);

	return error ? error : own_call(queued, call);
}

static int prepare_copy(struct queued *queued, const struct farnova_operation *values)
{
	struct call *call;

	if (!values->source)
		return -EBADF;
	int error = values->offset < 0 || values->source_offset < 0
	                ? -EINVAL
	                : space_copy_call(values->source, (uint64_t)values->source_offset, values->file,
	                                  (uint64_t)values->offset, values->length, &queued->success, &call);
	return error || !call ? error : own_call(queued, call);
}

/* takes_flags -- whether `flags` may be set. */
static bool takes_flags(unsigned operation)
{
	switch (operation) {
	case FARNOVA_OP_OPEN:
	case FARNOVA_OP_RENAME:
	case FARNOVA_OP_FALLOCATE:
		return true;
	default:
		return submit_is_action(operation);
	}
}

static bool is_by_path(unsigned operation)
{
	switch (operation) {
	case FARNOVA_OP_OPEN:
	case FARNOVA_OP_STAT:
	case FARNOVA_OP_LSTAT:
	case FARNOVA_OP_SYMLINK:
		return true;
	default:
		return operation >= FARNOVA_OP_UNLINK && operation <= FARNOVA_OP_RENAME;
	}
}

static int prepare(struct queued *queued, const struct farnova_operation *values)
{

	for (size_t i = 0; i < sizeof(values->reserved) / sizeof(values->reserved[0]); i++) {
		if (values->reserved[i])
			return -EINVAL;
	}
	if (values->flags && !takes_flags(values->operation))
		return -EINVAL;
	if (is_by_path(values->operation))
		return prepare_names(queued, values);
	if (submit_is_action(values->operation))
		return submit_action_prepare(queued, values);
	if (!values->file || values->file->fs != queued->queue->fs)
		return -EBADF;
	switch (values->operation) {
	case FARNOVA_OP_READ:
		return prepare_read(queued, values, values->length);
	case FARNOVA_OP_WRITE:
	case FARNOVA_OP_APPEND:
		return prepare_write(queued, values, NULL, values->length);
	case FARNOVA_OP_READV:
	case FARNOVA_OP_WRITEV:
		return prepare_vector(queued, values);
	case FARNOVA_OP_FSTAT:
		return own_call(queued, attr_get_call(queued->queue->fs, values->file->inode->handle, &queued->attr));
	case FARNOVA_OP_FTRUNCATE:
		return prepare_truncate(queued, values);
	case FARNOVA_OP_FALLOCATE:
		return prepare_allocate(queued, values);
	case FARNOVA_OP_COPY:
		return prepare_copy(queued, values);
	case FARNOVA_OP_FSYNC:
	case FARNOVA_OP_CLOSE:
		queued->file = values->file;
		return 0;
	default:
		return -EINVAL;
	}
}

/* drop_call -- free what was prepared and will not be started. */
static void drop_call(struct queued *queued)
{
	if (queued->opened.file)
		file_opened(&queued->opened, -ECANCELED);
	if (queued->call)
		call_free(queued->queue->fs, queued->call);
	queued->call = NULL;
}

void submit_prepare(struct queued *queued, const struct farnova_operation *values)
{
	queued->operation = values->operation;
	queued->completion = (struct farnova_completion){.user_data = values->user_data};
	queued->call = NULL;
	queued->reading = NULL;
	queued->buffer = values->buffer;
	queued->iov = NULL;
	queued->iov_count = 0;
	queued->st = values->st;
	queued->action = NULL;
	queued->statvfs = values->statvfs;
	queued->size = values->length;
	queued->success = 0;
	queued->paths = NULL;
	queued->file = NULL;
	queued->opened = (struct opened){0};
	queued->error = prepare(queued, values);
	if (queued->error)
		drop_call(queued);
}

void submit_refuse(struct queued *queued, int error)
{
	if (queued->error || (!queued->call && !queued->reading && !queued->action))
		return;
	drop_call(queued);
	queued->error = error;
}

void submit_start(struct queued *queued)
{
	struct farnova *fs = queued->queue->fs;

	if (queued->error) {
		queued->queue->finish(queued, queued->error);
	} else if (queued->call) {
		call_start(fs, queued->call, NULL);
	} else if (queued->reading) {
		reading_start(queued->reading);
	} else if (queued->action) {
		submit_action_start(queued);
	} else if (queued->operation == FARNOVA_OP_CLOSE) {
		file_put(queued->file);
		queued->queue->finish(queued, 0);
	} else {
		queued->queue->finish(queued,
		                      queued->file ? queued->file->error : 0); /* fsync, or a transfer of no bytes */
	}
}

void submit_abandon(struct queued *queued)
{
	if (queued->call)
		call_abandon(queued->queue->fs, queued->call);
	else if (queued->reading)
		reading_abandon(queued->reading);
	else if (queued->action)
		submit_action_abandon(queued);
	if (queued->operation == FARNOVA_OP_OPEN && queued->opened.file)
		file_opened(&queued->opened, -ECANCELED);
	queued->call = NULL;
	queued->reading = NULL;
}

/* ---- results ---------------------------------------------------------------------------------------------------- */

/* scatter -- copy what was read to the parts of a vector; the bytes copied. */
static size_t scatter(const struct reading *reading, const struct iovec *iov, unsigned count)
{
	size_t length = (size_t)reading->count, done = 0;

	for (unsigned i = 0; i < count && done < length; i++) {
		size_t part = iov[i].iov_len < length - done ? iov[i].iov_len : length - done;
		size_t copied = reading_copy_out(reading, done, iov[i].iov_base, part);
		done += copied;
		if (copied < part)
			break;
	}
	return done;
}

void submit_deliver(struct queued *queued)
{
	struct farnova *fs = queued->queue->fs;
	struct reading *reading = queued->reading;
	ssize_t *result = &queued->completion.result;

	if (reading && *result > 0) {
		size_t copied = queued->iov ? scatter(reading, queued->iov, queued->iov_count)
		                            : reading_copy_out(reading, 0, queued->buffer, (size_t)*result);
		*result = copied > 0 ? (ssize_t)copied : -EFAULT;
	}
	if (*result == 0 && (queued->operation == FARNOVA_OP_STAT || queued->operation == FARNOVA_OP_LSTAT ||
	                     queued->operation == FARNOVA_OP_FSTAT))
		*result = attr_give_stat(fs, &queued->attr, queued->st);
	if (*result == 0 && queued->action)
		submit_action_deliver(queued);
}

void submit_release(struct queued *queued)
{
	if (queued->reading)
		reading_free(queued->reading);
	if (queued->action)
		submit_action_release(queued);
	free(queued->iov);
	free(queued->paths);
	queued->reading = NULL;
	queued->action = NULL;
	queued->iov = NULL;
	queued->paths = NULL;
}
