/*
 * bulk.h -- threads for work that would hold up a loop: copying of much data, changes of files in many pieces, reading of
 * long logs, freeing of what is dead.
 *
 * A loop gives a job away and goes on; the job's mail comes when it has run. Every job has an owner. Of one owner one job
 * runs at a time, in the order given; of several owners that wait, the one that has used the least CPU time is next. Who
 * has not waited for a while has, from then on, used no less than the owner that was next last. So nobody waits for a
 * row of somebody else's jobs, nor for others who always have one more, and owners share the threads' time equally.
 *
 *     (none) --bulk_submit--> queued --taken by a thread--> running --> its mail is posted
 *     queued --bulk_cancel--> (none)
 *     (none) --bulk_wait--> waiting for a running job --that one has run--> its mail is posted
 *
 * Thread safety: all may be called by any thread between bulk_start and bulk_stop.
 */
#ifndef FARNOVA_SERVER_BULK_H
#define FARNOVA_SERVER_BULK_H

#include "server/net/mailbox.h"
#include "server/nova/long.h"
#include "server/nova/nova.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define BULK_THREADS 2u
#define BULK_INODES  2u
#define BULK_NICE    10 /* the threads are so much nicer than the server */

struct bulk_owner;

/* Part of what it is about; stays until its mail has been delivered, or it has been cancelled. */
struct bulk_job {
	struct mail mail;        /* set `deliver`; first */
	struct mailbox *mailbox; /* to which the mail goes */
	struct bulk_owner *owner;
	void (*run)(struct bulk_job *job, struct nova_worker *worker);
	nova_ino inodes[BULK_INODES]; /* held while it runs: others that need them wait by bulk_wait; 0 = none */
	int64_t used_ns;              /* CPU time that it took; 0 = it has not run */
	/* bulk.c's */
	enum { BULK_IDLE, BULK_QUEUED, BULK_RUNNING } state;
	STAILQ_ENTRY(bulk_job) link;
	struct bulk_job *waiting; /* for this one; linked by next_waiting */
	struct bulk_job *next_waiting;
};

struct bulk {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	TAILQ_HEAD(, bulk_owner) owners; /* with queued jobs */
	int64_t used_ns;                 /* of the owner that was next last */
	bool started;
	bool stopping;
	unsigned threads;
	struct bulk_thread {
		struct bulk *bulk;
		struct nova_worker *worker;
		pthread_t thread;
		struct bulk_job *job; /* running, or NULL */
	} thread[BULK_THREADS];
};

/* bulk_start -- as many threads as there are journal rings for, perhaps none. bulk_stop -- runs no more jobs; the mail of
 * those that wait is posted all the same. */
void bulk_start(struct bulk *bulk, struct nova *nova);
void bulk_stop(struct bulk *bulk);

/* bulk_owner_make -- NULL without memory. bulk_owner_end -- submits no more; jobs of it may still be running. */
struct bulk_owner *bulk_owner_make(void);
void bulk_owner_end(struct bulk *bulk, struct bulk_owner *owner);

/* bulk_submit -- false if there are no threads: the caller does it. */
bool bulk_submit(struct bulk *bulk, struct bulk_job *job);

/* bulk_cancel -- the job is not to run. False if it has begun, or is not queued at all. */
bool bulk_cancel(struct bulk *bulk, struct bulk_job *job);

/* bulk_wait -- post the job's mail when no job that holds the inode is running, or at once. */
void bulk_wait(struct bulk *bulk, struct bulk_job *job, nova_ino ino);

#endif
