/*
 * read.c -- reads of file data that wait: a row of readings.
 */
#include "client/io/read.h"

#include "client/io/channel_read.h"
#include "client/io/reading.h"
#include "client/link/user_memory.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

/* wait_for -- wait until a reading that was started is done; lock held. -ETIMEDOUT: it was abandoned. */
static int wait_for(struct farnova *fs, struct reading *reading, int64_t deadline_ns)
{
	while (!reading->done) {
		if (call_passed(fs, deadline_ns)) {
			reading_abandon(reading);
			return -ETIMEDOUT;
		}
		poller_wait(&fs->link, reading->waiter, deadline_ns);
	}
	return 0;
}

bool read_ask_layout(struct farnova_file *file, uint64_t offset)
{
	struct farnova *fs = file->fs;
	struct call *call = reading_may_ask(file) ? reading_ask(file, offset) : NULL;

	if (!call)
		return false;
	call_start(fs, call, poller_self());
	return reading_asked(file, offset, call_finish(fs, call));
}

/* read_chunk -- read up to READING_MAX bytes into the caller's memory; the lock is not held. */
static ssize_t read_chunk(struct farnova_file *file, uint8_t *to, size_t length, uint64_t offset, bool *end)
{
	struct farnova *fs = file->fs;
	ssize_t count = channel_read(file, to, length, offset, end);
	struct reading *reading = count == -EAGAIN ? reading_new(file, length, offset) : NULL;

	if (!reading)
		return count == -EAGAIN ? -ENOMEM : count;
	connection_lock(&fs->link);
	reading->waiter = poller_self();
	reading_start(reading);
	int error = wait_for(fs, reading, call_deadline(fs));
	connection_unlock(&fs->link);
	if (error)
		return error;
	count = reading->count;
	*end = reading->end || count <= 0;
	if (count > 0) {
		size_t copied = reading_copy_out(reading, 0, to, (size_t)count);
		*end = *end || copied < (size_t)count;
		count = copied > 0 ? (ssize_t)copied : -EFAULT;
	}
	reading_free(reading);
	return count;
}

int read_limit(const struct farnova_file *file, uint64_t offset, size_t *length)
{
	if (file->fs->link.forked)
		return -ECHILD;
	if (!(file->flags & PROTO_OPEN_READ))
		return -EBADF;
	if (S_ISDIR(file->mode))
		return -EISDIR;
	if (*length > SSIZE_MAX)
		*length = SSIZE_MAX;
	if (offset >= INT64_MAX)
		*length = 0;
	else if (*length > INT64_MAX - offset)
		*length = INT64_MAX - offset;
	return 0;
}

ssize_t read_file(struct farnova_file *file, void *buffer, size_t length, uint64_t offset)
{
	int error = read_limit(file, offset, &length);
	size_t done = 0;
	ssize_t count = 0;
	bool end = false;

	if (error)
		return error;
	while (done < length && !end) {
		size_t part = length - done < READING_MAX ? length - done : READING_MAX;
		count = read_chunk(file, user_at(buffer, done), part, offset + done, &end);
		if (count < 0)
			break;
		done += (size_t)count;
	}
	return count < 0 && done == 0 ? count : (ssize_t)done;
}
