/*
 * pages.c -- drops pages of files from the kernel's cache before they show old data.
 */
#include "client/fuse/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DROP_ROUNDS 10
#define THREADS     4 /* one may wait while the kernel writes what a mapping has changed */

/* Pages to be dropped for another reason than an invalidation by the server. */
struct job {
	TAILQ_ENTRY(job) entry;
	int64_t due_ns; /* 0: now */
	fuse_ino_t ino;
	off_t offset, length; /* length 0: to the end */
	fuse_req_t req;       /* the write(2) to be answered afterwards, or NULL */
	size_t written;
};

static struct {
	struct mount_state *state;
	pthread_t threads[THREADS];
	unsigned started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct farnova_invalidation *first, **last;
	TAILQ_HEAD(, job) jobs;
	unsigned busy;      /* threads that are dropping */
	atomic_bool ending; /* nothing is dropped any more */
	bool stop;
} pages = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static atomic_uint_least64_t filled, filled_once, dropped;

struct pages_counts pages_count(void)
{
	return (struct pages_counts){.filled = filled, .filled_once = filled_once, .dropped = dropped};
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- dropping --------------------------------------------------------------------------------------------------- */

/*
 * write_back -- have the kernel write changed pages before they are dropped. To drop a page it writes each changed page by
 * a request of its own; so a recall would take too long. syncfs(2) writes many pages with one request, also those of
 * other files. The mount is opened only meanwhile, since an open directory would prevent unmounting.
 */
static void write_back(fuse_ino_t ino)
{
	const struct mount_state *state = pages.state;
	struct statx st;

	if (!nodes_is_open_for_writing(state->nodes, ino) || !nodes_is_filled(state->nodes, ino))
		return;
	int fd = open(state->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) == 0 && st.stx_dev_major == state->device_major &&
	    st.stx_dev_minor == state->device_minor)
		syncfs(fd);
	close(fd);
}

static void drop(fuse_ino_t ino, off_t offset, off_t length)
{
	/* Before the pages are dropped: a fill that begins later sets it again, and one that is under way is waited
	 * for. */
	if (offset == 0 && length == 0)
		nodes_set_filled(pages.state->nodes, ino, false);
	dropped++;
	/* An error means that the kernel has forgotten the inode or the mount, and the pages with it. */
	fuse_lowlevel_notify_inval_inode(pages.state->session, ino, offset, length);
}

static void carry_out(struct farnova_invalidation *invalidation, bool ending)
{
	fuse_ino_t ino = nodes_find(pages.state->nodes, invalidation->file);

	/* A page that is filled meanwhile may be behind the place that the kernel has reached: drop once more. */
	for (unsigned rounds = 0; ino && !ending && rounds < DROP_ROUNDS; rounds++) {
		uint64_t answered = nodes_answered(pages.state->nodes, ino);
		write_back(ino);
		drop(ino, 0, 0);
		if (nodes_answered(pages.state->nodes, ino) == answered)
			break;
	}
	if (ino)
		nodes_recalled(pages.state->nodes, ino, -1);
	farnova_invalidated(pages.state->fs, invalidation);
}

static void run(struct job *job, bool ending)
{
	if (!ending)
		drop(job->ino, job->offset, job->length);
	if (job->req)
		fuse_reply_write(job->req, job->written);
	free(job);
}

/* ---- the threads ------------------------------------------------------------------------------------------------ */

/* The first job that is due, else NULL and the time until when to wait, 0: for ever. Lock held. */
static struct job *due_job(int64_t *until_ns)
{
	int64_t now = 0;
	struct job *job;

	*until_ns = 0;
	TAILQ_FOREACH(job, &pages.jobs, entry)
	{
		if (job->due_ns && !now)
			now = now_ns();
		if (job->due_ns <= now || pages.ending)
			return job;
		if (!*until_ns || job->due_ns < *until_ns)
			*until_ns = job->due_ns;
	}
	return NULL;
}

static void wait_until(int64_t until_ns)
{
	struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};

	if (until_ns)
		pthread_cond_clockwait(&pages.wake, &pages.lock, CLOCK_MONOTONIC, &until);
	else
		pthread_cond_wait(&pages.wake, &pages.lock);
}

/* Take and do one thing, lock held, released meanwhile. False: there is nothing to do until `*until_ns`. */
static bool do_one(int64_t *until_ns)
{
	struct farnova_invalidation *invalidation = pages.first;
	struct job *job = invalidation ? NULL : due_job(until_ns);
	bool ending = pages.ending;

	if (invalidation) {
		pages.first = invalidation->next;
		if (!pages.first)
			pages.last = &pages.first;
	} else if (job) {
		TAILQ_REMOVE(&pages.jobs, job, entry);
	} else {
		return false;
	}
	pages.busy++;
	pthread_mutex_unlock(&pages.lock);
	if (invalidation)
		carry_out(invalidation, ending);
	else
		run(job, ending);
	pthread_mutex_lock(&pages.lock);
	pages.busy--;
	return true;
}

static void *serve(void *unused)
{
	int64_t until_ns;

	pthread_mutex_lock(&pages.lock);
	for (;;) {
		if (do_one(&until_ns))
			continue;
		if (pages.stop)
			break;
		wait_until(until_ns);
	}
	pthread_mutex_unlock(&pages.lock);
	return NULL;
}

/* In any thread, with the lock of the connection held. */
static void on_invalidate(void *unused, struct farnova_invalidation *invalidation)
{
	fuse_ino_t ino = nodes_find(pages.state->nodes, invalidation->file);

	if (ino)
		nodes_recalled(pages.state->nodes, ino, 1);
	pthread_mutex_lock(&pages.lock);
	invalidation->next = NULL;
	*pages.last = invalidation;
	pages.last = &invalidation->next;
	pthread_cond_signal(&pages.wake);
	pthread_mutex_unlock(&pages.lock);
}

int pages_start(struct mount_state *state)
{
	int error = 0;

	if (state->kernel_cache)
		return 0;
	pages.state = state;
	pages.last = &pages.first;
	TAILQ_INIT(&pages.jobs);
	while (!error && pages.started < THREADS) {
		error = pthread_create(&pages.threads[pages.started], NULL, serve, NULL);
		pages.started += !error;
	}
	if (error)
		pages_stop();
	else
		farnova_set_invalidate(state->fs, on_invalidate, NULL);
	return -error;
}

bool pages_end(void)
{
	pthread_mutex_lock(&pages.lock);
	pages.ending = true;
	pthread_cond_broadcast(&pages.wake);
	bool ended = pages.busy == 0;
	pthread_mutex_unlock(&pages.lock);
	return ended;
}

void pages_stop(void)
{
	if (pages.started == THREADS) /* no invalidation after this one: nobody would carry it out */
		farnova_set_invalidate(pages.state->fs, NULL, NULL);
	pthread_mutex_lock(&pages.lock);
	pages.ending = pages.stop = true;
	pthread_cond_broadcast(&pages.wake);
	pthread_mutex_unlock(&pages.lock);
	while (pages.started > 0)
		pthread_join(pages.threads[--pages.started], NULL);
}

/* ---- requests --------------------------------------------------------------------------------------------------- */

static void add(struct job *job)
{
	pthread_mutex_lock(&pages.lock);
	TAILQ_INSERT_TAIL(&pages.jobs, job, entry);
	pthread_cond_signal(&pages.wake);
	pthread_mutex_unlock(&pages.lock);
}

bool pages_are_filled(const struct mount_state *state, const struct fuse_file_info *info)
{
	return !state->kernel_cache && info->lock_owner == 0;
}

/* Read up to `size` bytes; `*kept`: the server will tell before another client changes them. -1 with errno. */
static ssize_t read_kept(struct farnova_file *file, char *data, size_t size, off_t offset, bool *kept)
{
	size_t done = 0;
	ssize_t n = 1;

	*kept = true;
	while (n > 0 && done < size) {
		bool part = false;
		n = farnova_pread_kept(file, data + done, size - done, offset + (off_t)done, &part);
		*kept = *kept && part;
		done += n > 0 ? (size_t)n : 0;
	}
	return n < 0 ? -1 : (ssize_t)done;
}

/*
 * read_for_mapping -- the same for a file that a mapping may change: wait until the data may be kept. Not during an
 * invalidation, which waits for the lock of this page: that drops the page after the answer, and first writes what a
 * mapping has changed in it.
 */
static ssize_t read_for_mapping(struct mount_state *state, fuse_ino_t ino, struct farnova_file *file, char *data,
                                size_t size, off_t offset, bool *kept)
{
	static const struct timespec rest = {.tv_nsec = 5000000};
	int64_t until_ns = now_ns() + PAGES_WAIT_NS;
	ssize_t n;

	while ((n = read_kept(file, data, size, offset, kept)) > 0 && !*kept && !pages.ending &&
	       !nodes_is_recalled(state->nodes, ino) && now_ns() < until_ns)
		nanosleep(&rest, NULL);
	return n;
}

void pages_reply_read(struct mount_state *state, fuse_req_t req, fuse_ino_t ino, struct farnova_file *file, void *data,
                      size_t size, off_t offset)
{
	struct job *job = calloc(1, sizeof(*job));
	bool kept;

	if (!job) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	/* Before the read: a write(2) that completes during the read must drop these pages. */
	nodes_set_filled(state->nodes, ino, true);
	ssize_t n = nodes_is_open_for_writing(state->nodes, ino)
	                ? read_for_mapping(state, ino, file, data, size, offset, &kept)
	                : read_kept(file, data, size, offset, &kept);
	recent_accessed(state->recent, ino);
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, data, (size_t)n);
	filled++;
	if (n > 0 && !kept) {
		filled_once++;
		*job = (struct job){.due_ns = now_ns() + PAGES_KEEP_NS, .ino = ino};
		add(job);
	} else {
		free(job);
	}
}

void pages_reply_write(struct mount_state *state, fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                       bool append)
{
	if (state->kernel_cache || !nodes_is_filled(state->nodes, ino)) {
		fuse_reply_write(req, size);
		return;
	}
	struct job *job = calloc(1, sizeof(*job));
	if (!job) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	*job = (struct job){.ino = ino, .req = req, .written = size};
	if (!append) {
		job->offset = offset;
		job->length = (off_t)size;
	}
	add(job);
}
