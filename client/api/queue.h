/*
 * queue.h -- queues of operations, inside: what the parts of their implementation share.
 *
 * docs/client.md has the states. The connection's lock guards a queue and its operations; where an operation is not in
 * a list, the thread that took it out of one has it alone.
 */
#ifndef FARNOVA_CLIENT_QUEUE_H
#define FARNOVA_CLIENT_QUEUE_H

#include "client/api/action.h"
#include "client/io/reading.h"
#include "client/session/opening.h"

TAILQ_HEAD(queued_list, queued);

/* An operation of a queue. */
struct queued {
	TAILQ_ENTRY(queued) entry;
	struct farnova_queue *queue;
	bool running; /* in queue->running */
	unsigned operation;
	struct farnova_completion completion;
	int64_t deadline_ns; /* 0: none */

	uint64_t tag; /* that the thread had which submitted it; 0: none */

	/* what it runs as: one of them */
	struct call *call;
	struct queued_action *action; /* submit_action.c; also when it is done: it has the result */
	struct reading *reading;      /* also when it is done: it has the data */

	/* where its result goes */
	void *buffer;
	struct iovec *iov; /* a copy, to be freed; of a READV */
	unsigned iov_count;
	struct stat *st;
	struct proto_attr attr;
	struct statvfs *statvfs;
	size_t size;               /* of `buffer`, for what is not data of a file */
	uint64_t end;              /* of a write */
	ssize_t success;           /* its result if it succeeds */
	char *paths;               /* copies that the request refers to, to be freed */
	struct opened opened;      /* of an OPEN in flight */
	struct farnova_file *file; /* of an FSYNC or a CLOSE */
	int error;                 /* it could not be prepared */
};

/* A thread that waits for completions. */
struct reaper {
	LIST_ENTRY(reaper) entry;
	struct waiter *waiter;
	unsigned need; /* completions */
};

struct farnova_queue {
	LIST_ENTRY(farnova_queue) entry; /* in fs->queues */
	struct farnova *fs;
	/* finish -- an operation that runs has ended with `result`; lock held. */
	void (*finish)(struct queued *queued, ssize_t result);
	struct queued_list free, running, finished;
	unsigned running_count, finished_count;
	int64_t next_deadline_ns; /* no deadline of an operation in flight is earlier; 0: none has one */
	LIST_HEAD(, reaper) reapers;
	int fd;       /* an epoll descriptor over the two below; -1: the program has not asked for it */
	int event_fd; /* readable: there are completions */
	int timer_fd; /* readable: a deadline has passed */
	struct queued *entries;
};

/* submit_prepare -- prepare an operation that the caller has taken out of the free list; `values` is a copy of what the
 * program gave. The lock is not held. submit_start -- start it; it may be finished on return. Lock held. */
void submit_prepare(struct queued *queued, const struct farnova_operation *values);
void submit_start(struct queued *queued);
/* submit_refuse -- have an operation that was prepared fail with `error` when it is started, if it needs the server; lock
 * held. */
void submit_refuse(struct queued *queued, int error);
/* submit_abandon -- give up an operation in flight; lock held. */
void submit_abandon(struct queued *queued);
/* submit_deliver -- store the results of a finished operation in the program's memory, which may change
 * completion.result. submit_release -- free what it has. The lock is not held. */
void submit_deliver(struct queued *queued);
void submit_release(struct queued *queued);

/* The operations that find a file by path first, if they are not given one. submit_is_action -- whether it is one of
 * these. The others are their parts of the functions above. */
bool submit_is_action(unsigned operation);
int submit_action_prepare(struct queued *queued, const struct farnova_operation *values);
void submit_action_start(struct queued *queued);
void submit_action_abandon(struct queued *queued);
void submit_action_deliver(struct queued *queued);
void submit_action_release(struct queued *queued);

/* queue_cancel_tag -- end the operations of a tag, not 0, with -EINTR; lock held. queue_cancel_all -- end all, with
 * -ETIMEDOUT. */
void queue_cancel_tag(struct farnova *fs, uint64_t tag);
void queue_cancel_all(struct farnova *fs);

#endif
