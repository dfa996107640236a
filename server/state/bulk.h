/*
 * bulk.h -- threads for work that would hold up a loop: copying of much data, reading of long logs, what a crash left.
 *
 * A loop gives a job away and goes on; the job's mail comes when it has run. Of each owner one job runs in a turn: nobody
 * waits for a long row of somebody else's, nor for others who always have one more.
 *
 * Thread safety: bulk_submit may be called by any thread between bulk_start and bulk_stop.
 */
#ifndef FARNOVA_SERVER_BULK_H
#define FARNOVA_SERVER_BULK_H

#include "server/net/mailbox.h"
#include "server/nova/nova.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define BULK_THREADS 2u

/* Part of what it is about; stays until its mail has been delivered. */
struct bulk_job {
	struct mail mail;        /* set `deliver`; first */
	struct mailbox *mailbox; /* to which the mail goes */
	const void *owner;       /* only compared */
	void (*run)(struct bulk_job *job, struct nova_worker *worker);
	struct bulk_job *next;
	uint64_t turn; /* in which it is to run: the next one, or the one after its owner's last */
};

struct bulk {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct bulk_job *first; /* by turns */
	uint64_t turn;          /* of the job that was taken last */
	bool started;
	bool stopping;
	unsigned threads;
	struct bulk_thread {
		struct bulk *bulk;
		struct nova_worker *worker;
		pthread_t thread;
	} thread[BULK_THREADS];
};

/* bulk_start -- as many threads as there are journal rings for, perhaps none. bulk_stop -- runs no more jobs; the mail of
 * those that wait is posted all the same. */
void bulk_start(struct bulk *bulk, struct nova *nova);
void bulk_stop(struct bulk *bulk);

/* bulk_submit -- false if there are no threads: the caller does it. */
bool bulk_submit(struct bulk *bulk, struct bulk_job *job);

#endif
