/*
 * server_bulk_test.c -- in which order the bulk threads take jobs.
 */
#include "server/state/bulk.h"
#include "tests/support/nova_fixture.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define ROW    3   /* jobs that one owner gives at once */
#define CHAIN  500 /* jobs of each other one, who gives the next while the last one runs */
#define CHAINS BULK_THREADS

struct job {
	struct bulk_job bulk; /* first */
	unsigned at;          /* its place in its owner's row or chain */
};

static struct bulk bulk;
static struct mailbox mailbox;
static sem_t may_go, done;
static struct job blockers[BULK_THREADS], row[ROW], chains[CHAINS][CHAIN];
static atomic_uint chained;
static unsigned chained_before[ROW]; /* jobs of chains that ran before this one of the row */

static void delivered(struct mail *mail)
{
	(void)mail;
}

static void submit(struct job *job, const void *owner, void (*run)(struct bulk_job *job, struct nova_worker *worker))
{
	job->bulk = (struct bulk_job){.mail.deliver = delivered, .mailbox = &mailbox, .owner = owner, .run = run};
	assert_true(bulk_submit(&bulk, &job->bulk));
}

static void block(struct bulk_job *job, struct nova_worker *worker)
{
	(void)job;
	(void)worker;
	sem_post(&done);
	sem_wait(&may_go);
}

static void run_row(struct bulk_job *bulk_job, struct nova_worker *worker)
{
	const struct job *job = (const struct job *)(const void *)bulk_job;

	(void)worker;
	chained_before[job->at] = atomic_load(&chained);
	sem_post(&done);
}

static void run_chain(struct bulk_job *bulk_job, struct nova_worker *worker)
{
	struct job *job = (struct job *)(void *)bulk_job;

	(void)worker;
	atomic_fetch_add(&chained, 1);
	if (job->at + 1 < CHAIN) {
		job[1].at = job->at + 1;
		submit(&job[1], job->bulk.owner, run_chain);
	} else {
		sem_post(&done);
	}
}

static void wait_for(unsigned jobs)
{
	while (jobs-- > 0)
		sem_wait(&done);
}

static void a_row_of_jobs_does_not_wait_for_others_that_go_on_for_ever(void **state)
{
	struct fixture *f = *state;

	sem_init(&may_go, 0, 0);
	sem_init(&done, 0, 0);
	assert_int_equal(mailbox_init(&mailbox), 0);
	bulk_start(&bulk, f->fs);
	assert_int_equal(bulk.threads, BULK_THREADS);
	for (unsigned i = 0; i < BULK_THREADS; i++)
		submit(&blockers[i], &blockers[i], block);
	wait_for(BULK_THREADS); /* they run */
	for (unsigned i = 0; i < ROW; i++) {
		row[i].at = i;
		submit(&row[i], row, run_row);
	}
	for (unsigned i = 0; i < CHAINS; i++)
		submit(&chains[i][0], chains[i], run_chain);
	for (unsigned i = 0; i < BULK_THREADS; i++)
		sem_post(&may_go);
	wait_for(ROW + CHAINS);
	bulk_stop(&bulk);
	while (mailbox_deliver(&mailbox) > 0)
		;
	mailbox_destroy(&mailbox);
	/* One of each chain between two of the row, and what the other thread did meanwhile. */
	assert_true(chained_before[ROW - 1] < CHAIN / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_row_of_jobs_does_not_wait_for_others_that_go_on_for_ever,
	                                    fixture_setup_small, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
