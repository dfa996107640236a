/*
 * queue.c -- the public calls on queues of operations.
 */
#include "client/api/queue.h"

#include "client/api/result.h"
#include "client/link/cancel.h"
#include "client/link/user_memory.h"
#include "common/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define ENTRIES_MOST 65536u
#define BATCH        32u /* completions and operations that are handled between two holds of the lock */

/* ---- states ----------------------------------------------------------------------------------------------------- */

/* arm -- have the descriptor become readable at the queue's next deadline. */
static void arm(struct farnova_queue *queue)
{
	struct itimerspec at = {.it_value = clock_timespec(queue->next_deadline_ns)};

	if (queue->fd >= 0)
		timerfd_settime(queue->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void run(struct queued *queued)
{
	struct farnova_queue *queue = queued->queue;
	int64_t deadline_ns = queued->deadline_ns;

	queued->running = true;
	TAILQ_INSERT_TAIL(&queue->running, queued, entry);
	if (queue->running_count++ == 0 && queue->fd >= 0)
		queue->fs->link.poller.watched++;
	if (deadline_ns && (queue->next_deadline_ns == 0 || deadline_ns < queue->next_deadline_ns)) {
		queue->next_deadline_ns = deadline_ns;
		arm(queue);
	}
}

/* stop -- take an operation out of those that run. */
static void stop(struct queued *queued)
{
	struct farnova_queue *queue = queued->queue;

	TAILQ_REMOVE(&queue->running, queued, entry);
	queued->running = false;
	if (--queue->running_count == 0 && queue->fd >= 0)
		queue->fs->link.poller.watched--;
}

/* finish -- the operation, which runs, has ended with `result`. */
static void finish(struct queued *queued, ssize_t result)
{
	struct farnova_queue *queue = queued->queue;
	const uint64_t one = 1;
	struct reaper *reaper;

	stop(queued);
	queued->completion.result = result;
	TAILQ_INSERT_TAIL(&queue->finished, queued, entry);
	if (queue->finished_count++ == 0 && queue->fd >= 0 && write(queue->event_fd, &one, sizeof(one)) < 0)
		return; /* impossible: the counter is 0 */
	LIST_FOREACH(reaper, &queue->reapers, entry)
	{
		if (queue->finished_count >= reaper->need || queue->running_count == 0)
			poller_wake(&queue->fs->link, reaper->waiter);
	}
}

/* give_up -- end an operation in flight. */
static void give_up(struct queued *queued, int error)
{
	submit_abandon(queued);
	finish(queued, error);
}

/* go_on -- the next operation of a walk over those that run, after one was given up. That may have ended `next`, too:
 * then the walk begins again. */
static struct queued *go_on(struct farnova_queue *queue, struct queued *next)
{
	return next && !next->running ? TAILQ_FIRST(&queue->running) : next;
}

/* expire -- give up operations whose deadline has passed. */
static void expire(struct farnova_queue *queue)
{
	int64_t now = queue->next_deadline_ns ? clock_now_ns() : 0, earliest = 0;
	struct queued *queued, *next;

	if (queue->next_deadline_ns == 0 || now < queue->next_deadline_ns)
		return;
	for (queued = TAILQ_FIRST(&queue->running); queued; queued = next) {
		next = TAILQ_NEXT(queued, entry);
		if (queued->deadline_ns && queued->deadline_ns <= now) {
			give_up(queued, -ETIMEDOUT);
			next = go_on(queue, next);
		} else if (queued->deadline_ns && (earliest == 0 || queued->deadline_ns < earliest)) {
			earliest = queued->deadline_ns;
		}
	}
	queue->next_deadline_ns = earliest;
	arm(queue);
}

/* cancel -- give up operations in flight: those of a tag, or all if it is 0. */
static void cancel(struct farnova *fs, uint64_t tag, int error)
{
	struct farnova_queue *queue;
	struct queued *queued, *next;

	LIST_FOREACH(queue, &fs->queues, entry)
	{
		for (queued = TAILQ_FIRST(&queue->running); queued; queued = next) {
			next = TAILQ_NEXT(queued, entry);
			if (tag != 0 && queued->tag != tag)
				continue;
			give_up(queued, error);
			next = go_on(queue, next);
		}
	}
}

void queue_cancel_tag(struct farnova *fs, uint64_t tag)
{
	cancel(fs, tag, -EINTR);
}

void queue_cancel_all(struct farnova *fs)
{
	cancel(fs, 0, -ETIMEDOUT);
}

/* ---- making ----------------------------------------------------------------------------------------------------- */

struct farnova_queue *farnova_queue_create(struct farnova *fs, unsigned entries)
{
	struct farnova_queue *queue = calloc(1, sizeof(*queue));
	int error = fs->link.forked ? ECHILD : entries == 0 || entries > ENTRIES_MOST ? EINVAL : 0;

	if (queue && !error)
		queue->entries = calloc(entries, sizeof(*queue->entries));
	if (!queue || !queue->entries) {
		free(queue);
		error_set(error ? error : ENOMEM, "make a queue of %u operations on %s", entries,
		          connection_name(&fs->link));
		return NULL;
	}
	queue->fs = fs;
	queue->finish = finish;
	queue->fd = queue->event_fd = queue->timer_fd = -1;
	TAILQ_INIT(&queue->free);
	TAILQ_INIT(&queue->running);
	TAILQ_INIT(&queue->finished);
	LIST_INIT(&queue->reapers);
	for (unsigned i = 0; i < entries; i++) {
		queue->entries[i].queue = queue;
		TAILQ_INSERT_TAIL(&queue->free, &queue->entries[i], entry);
	}
	connection_lock(&fs->link);
	LIST_INSERT_HEAD(&fs->queues, queue, entry);
	connection_unlock(&fs->link);
	return queue;
}

static void close_descriptors(struct farnova_queue *queue)
{
	if (queue->event_fd >= 0)
		close(queue->event_fd);
	if (queue->timer_fd >= 0)
		close(queue->timer_fd);
	if (queue->fd >= 0)
		close(queue->fd);
	queue->fd = queue->event_fd = queue->timer_fd = -1;
}

void farnova_queue_destroy(struct farnova_queue *queue)
{
	struct farnova *fs = queue->fs;
	struct queued *queued;

	if (fs->link.forked)
		return;
	connection_lock(&fs->link);
	while ((queued = TAILQ_FIRST(&queue->running)) != NULL)
		give_up(queued, -ECANCELED);
	TAILQ_FOREACH(queued, &queue->finished, entry)
	{
		if (queued->completion.file)
			file_put(queued->completion.file);
	}
	LIST_REMOVE(queue, entry);
	connection_unlock(&fs->link);
	TAILQ_FOREACH(queued, &queue->finished, entry)
	submit_release(queued);
	close_descriptors(queue);
	free(queue->entries);
	free(queue);
}

/* watch -- add a descriptor to those of the queue. */
static int watch(struct farnova_queue *queue, int fd, int part)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (part < 0 || fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, part, &event) != 0)
		return -errno;
	return 0;
}

static int open_descriptors(struct farnova_queue *queue)
{
	int fd = epoll_create1(EPOLL_CLOEXEC), error = fd < 0 ? -errno : 0;

	if (error == 0)
		queue->event_fd = eventfd(queue->finished_count > 0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (error == 0)
		error = watch(queue, fd, queue->event_fd);
	if (error == 0)
		queue->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (error == 0)
		error = watch(queue, fd, queue->timer_fd);
	queue->fd = fd;
	if (error)
		close_descriptors(queue);
	return error;
}

int farnova_queue_fd(struct farnova_queue *queue)
{
	struct farnova *fs = queue->fs;
	int error = 0;

	connection_lock(&fs->link);
	if (queue->fd < 0) {
		error = open_descriptors(queue);
		if (error == 0 && queue->running_count > 0)
			fs->link.poller.watched++;
		if (error == 0 && queue->next_deadline_ns)
			arm(queue);
		poller_watch(&fs->link);
	}
	int fd = queue->fd;
	connection_unlock(&fs->link);
	return error ? error_set(-error, "make a descriptor for a queue on %s", connection_name(&fs->link)) : fd;
}

/* ---- submitting ------------------------------------------------------------------------------------------------- */

static int64_t deadline_of(const struct farnova *fs, int timeout_ms)
{
	if (timeout_ms == 0)
		return call_deadline(fs);
	return timeout_ms < 0 ? 0 : clock_now_ns() + timeout_ms * CLOCK_NS_PER_MS;
}

/* take_free -- take up to `most` operations out of the free list. */
static unsigned take_free(struct farnova_queue *queue, struct queued *out[], unsigned most)
{
	struct queued *queued;
	unsigned count = 0;

	connection_lock(&queue->fs->link);
	while (count < most && (queued = TAILQ_FIRST(&queue->free)) != NULL) {
		TAILQ_REMOVE(&queue->free, queued, entry);
		out[count++] = queued;
	}
	connection_unlock(&queue->fs->link);
	return count;
}

/* start_all -- start operations; what they send goes in as few system calls as possible. */
static void start_all(struct farnova_queue *queue, struct queued *all[], unsigned count)
{
	struct connection *link = &queue->fs->link;

	connection_lock(link);
	link->more = true;
	for (unsigned i = 0; i < count; i++) {
		run(all[i]);
		all[i]->tag = poller_self()->tag;
		if (poller_cancelled(link, poller_self()))
			submit_refuse(all[i], cancel_is_set() ? -EINTR : -ETIMEDOUT);
		submit_start(all[i]);
	}
	link->more = false;
	if (link->state == CONNECTION_UP)
		transport_flush(link->transport);
	poller_watch(link);
	connection_unlock(link);
}

int farnova_queue_submit(struct farnova_queue *queue, const struct farnova_operation *operations, unsigned count)
{
	struct farnova *fs = queue->fs;
	struct queued *all[BATCH];
	unsigned accepted = 0, taken;

	if (fs->link.forked)
		return error_set(ECHILD, "submit operations to a queue on %s", connection_name(&fs->link));
	if (count > INT32_MAX)
		count = INT32_MAX;
	while (accepted < count) {
		unsigned want = count - accepted < BATCH ? count - accepted : BATCH;
		taken = take_free(queue, all, want);
		for (unsigned i = 0; i < taken; i++) {
			struct farnova_operation values;
			if (user_copy_in(&values, &operations[accepted + i], sizeof(values)) != 0)
				values = (struct farnova_operation){0}; /* its completion says EFAULT */
			submit_prepare(all[i], &values);
			if (values.operation == 0)
				all[i]->error = -EFAULT;
			all[i]->deadline_ns = deadline_of(fs, values.timeout_ms);
		}
		start_all(queue, all, taken);
		accepted += taken;
		if (taken < want)
			break;
	}
	if (accepted == 0 && count > 0)
		return error_set(EAGAIN, "submit an operation to a queue on %s: it is full, reap completions first",
		                 connection_name(&fs->link));
	return (int)accepted;
}

int farnova_queue_cancel(struct farnova_queue *queue, uint64_t user_data)
{
	struct queued *queued, *next;
	int count = 0;

	connection_lock(&queue->fs->link);
	for (queued = TAILQ_FIRST(&queue->running); queued; queued = next) {
		next = TAILQ_NEXT(queued, entry);
		if (queued->completion.user_data != user_data)
			continue;
		give_up(queued, -ECANCELED);
		next = go_on(queue, next);
		count++;
	}
	connection_unlock(&queue->fs->link);
	return count;
}

/* ---- reaping ---------------------------------------------------------------------------------------------------- */

/* take_finished -- take up to `most` finished operations; lock held. */
static unsigned take_finished(struct farnova_queue *queue, struct queued *out[], unsigned most)
{
	struct queued *queued;
	uint64_t value;
	unsigned count = 0;

	while (count < most && (queued = TAILQ_FIRST(&queue->finished)) != NULL) {
		TAILQ_REMOVE(&queue->finished, queued, entry);
		queue->finished_count--;
		out[count++] = queued;
	}
	if (count > 0 && queue->finished_count == 0 && queue->fd >= 0 &&
	    read(queue->event_fd, &value, sizeof(value)) < 0)
		return count; /* impossible: it was written when there was the first */
	return count;
}

/* deliver -- hand out completions; the lock is not held. Those that cannot be stored are finished again. Returns how
 * many were stored. */
static unsigned deliver(struct farnova_queue *queue, struct queued *all[], unsigned count,
                        struct farnova_completion *completions)
{
	unsigned stored = 0;

	while (stored < count) {
		struct queued *queued = all[stored];
		submit_deliver(queued);
		if (user_give(&completions[stored], &queued->completion, sizeof(queued->completion)) != 0)
			break;
		submit_release(queued);
		stored++;
	}
	connection_lock(&queue->fs->link);
	for (unsigned i = 0; i < stored; i++)
		TAILQ_INSERT_HEAD(&queue->free, all[i], entry);
	for (unsigned i = stored; i < count; i++) {
		run(all[i]);
		finish(all[i], all[i]->completion.result);
	}
	connection_unlock(&queue->fs->link);
	return stored;
}

/* wait_for -- wait until there are `need` completions; lock held. False: the time is up. */
static bool wait_for(struct farnova_queue *queue, unsigned need, int64_t deadline_ns)
{
	struct farnova *fs = queue->fs;
	/* On verbs finished READs hold buffers that others may need. */
	struct reaper reaper = {.waiter = poller_self(), .need = fs->lane.bounce.memory ? 1 : need};
	int64_t until_ns = queue->next_deadline_ns;

	if (deadline_ns && (until_ns == 0 || deadline_ns < until_ns))
		until_ns = deadline_ns;
	if (call_passed(fs, deadline_ns))
		return false;
	LIST_INSERT_HEAD(&queue->reapers, &reaper, entry);
	poller_wait(&fs->link, reaper.waiter, until_ns);
	LIST_REMOVE(&reaper, entry);
	return true;
}

/* gather -- take what has finished, waiting if fewer than `need` have; lock held. */
static unsigned gather(struct farnova_queue *queue, struct queued *out[], unsigned need, unsigned most,
                       int64_t deadline_ns)
{
	poller_called(&queue->fs->link.poller);
	if (queue->finished_count < need || queue->finished_count == 0)
		poller_look(&queue->fs->link);
	expire(queue);
	while (queue->finished_count < need && queue->running_count > 0) {
		bool in_time = wait_for(queue, need, deadline_ns);
		expire(queue);
		if (!in_time || (queue->fs->lane.bounce.memory && queue->finished_count > 0))
			break;
	}
	return take_finished(queue, out, most);
}

int farnova_queue_reap(struct farnova_queue *queue, struct farnova_completion *completions, unsigned min, unsigned max,
                       int timeout_ms)
{
	struct farnova *fs = queue->fs;
	int64_t deadline_ns = timeout_ms < 0 ? 0 : clock_now_ns() + timeout_ms * CLOCK_NS_PER_MS;
	struct queued *all[BATCH];
	unsigned got = 0;

	if (fs->link.forked)
		return error_set(ECHILD, "reap completions of a queue on %s", connection_name(&fs->link));
	if (max > INT32_MAX)
		max = INT32_MAX;
	if (min > max)
		min = max;
	while (got < max) {
		unsigned most = max - got < BATCH ? max - got : BATCH, need = min > got ? min - got : 0;
		connection_lock(&fs->link);
		unsigned count = gather(queue, all, need < most ? need : most, most, deadline_ns);
		connection_unlock(&fs->link);
		if (count == 0)
			break;
		unsigned stored = deliver(queue, all, count, &completions[got]);
		got += stored;
		if (stored < count)
			return got > 0
			           ? (int)got
			           : error_set(EFAULT, "reap completions of a queue on %s", connection_name(&fs->link));
	}
	return (int)got;
}
