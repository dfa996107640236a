/*
 * bulk.h -- threads for work that would hold up a loop: copying much data, changing files of very many extents, reading
 * long logs, freeing dead files.
 *
 * A loop submits a job and goes on; when the job has run, its mail is posted to the loop. Every job has an owner. The
 * jobs of one owner run one at a time, in the order in which they were submitted. If several owners have jobs queued, a
 * free thread takes one of the owner that has used the least CPU time. When an owner starts to wait, its used time is
 * raised at least to that of the owner that was served last, so that an idle owner saves up no claim. Owners so share
 * the threads' time equally, and none waits for a long row of another's jobs.
 *
 *     (none) --bulk_submit--> queued --taken by a thread--> running --> its mail is posted
 *     queued --bulk_cancel--> (none)
 *     (none) --bulk_wait--> waiting for a running job --that job has run--> its mail is posted
 *
 * Thread safety: any thread may call all functions between bulk_start and bulk_stop.
 */
#ifndef FARNOVA_SERVER_BULK_H
#define FARNOVA_SERVER_BULK_H

#include "server/net/mailbox.h"
#include "server/nova/long.h"
#include "server/nova/nova.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define BULK_THREADS 2u
#define BULK_INODES  2u
#define BULK_NICE    10 /* the threads are so much nicer than the server */

struct bulk_owner;

/* Embedded in the submitter's structure, which must stay until the mail is delivered or the job is cancelled. */
struct bulk_job {
	struct mail mail;        /* set `deliver`; first */
	struct mailbox *mailbox; /* of the loop that gets the mail */
	struct bulk_owner *owner;
	void (*run)(struct bulk_job *job, struct nova_worker *worker);
	nova_ino inodes[BULK_INODES]; /* held while it runs: requests that need them call bulk_wait; 0 = none */
	int64_t used_ns;              /* CPU time that it took; 0 = it has not run */
	/* Private: */
	enum { BULK_IDLE, BULK_QUEUED, BULK_RUNNING } state;
	STAILQ_ENTRY(bulk_job) link;
	struct bulk_job *waiting; /* jobs that wait for this one, linked by next_waiting */
	struct bulk_job *next_waiting;
};

struct bulk {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	TAILQ_HEAD(, bulk_owner) owners; /* with queued jobs */
	int64_t used_ns;                 /* of the owner that was served last; never falls */
	bool started;
	bool stopping;
	unsigned threads;
	atomic_uint jobs; /* queued or running */
	struct bulk_thread {
		struct bulk *bulk;
		struct nova_worker *worker;
		pthread_t thread;
		struct bulk_job *job; /* running, or NULL */
	} thread[BULK_THREADS];
};

/* bulk_start -- start BULK_THREADS threads, or fewer or none if there are not enough journal rings. bulk_stop -- run no
 * more jobs; the mail of queued jobs is posted without running them. */
void bulk_start(struct bulk *bulk, struct nova *nova);
void bulk_stop(struct bulk *bulk);

/* bulk_owner_make -- NULL: no memory. bulk_owner_end -- the owner submits no more jobs; some may still run. */
struct bulk_owner *bulk_owner_make(void);
void bulk_owner_end(struct bulk *bulk, struct bulk_owner *owner);

/* bulk_busy -- whether a job runs, or is about to. */
static inline bool bulk_busy(const struct bulk *bulk)
{
	return atomic_load_explicit(&bulk->jobs, memory_order_relaxed) > 0;
}

/* bulk_submit -- queue the job. False if there are no threads: the caller does the work itself. */
bool bulk_submit(struct bulk *bulk, struct bulk_job *job);

/* bulk_cancel -- remove the job from the queue. False if it has begun or is not queued. */
bool bulk_cancel(struct bulk *bulk, struct bulk_job *job);

/* bulk_wait -- post the mail of `job` once the running job that holds the inode has run; at once if there is none. */
void bulk_wait(struct bulk *bulk, struct bulk_job *job, nova_ino ino);

#endif
