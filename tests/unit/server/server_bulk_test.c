/*
 * server_bulk_test.c -- in which order the bulk threads take jobs, and who waits for whom.
 */
#include "server/state/bulk.h"
#include "tests/support/nova_fixture.h"

#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define ROW      3   /* jobs that one owner gives at once */
#define CHAIN    500 /* jobs of each other one, who gives the next while the last one runs */
#define CHAINS   BULK_THREADS
#define EACH_NS  50000    /* CPU time of each: what the host adds to it by chance counts little */
#define LONG_NS  20000000 /* CPU time of a long job, */
#define NICEST   19       /* there is no lower priority */
#define SHORT_NS 2000000  /* and of a short one */

struct job {
	struct bulk_job bulk; /* first */
	unsigned at;          /* its place in its owner's row or chain */
};

static struct bulk bulk;
static struct mailbox mailbox;
static sem_t may_go, done;
static struct job blockers[BULK_THREADS], row[ROW], chains[CHAINS][CHAIN];
static struct bulk_owner *owners[2 * BULK_THREADS + 1];
static atomic_uint chained, delivered_jobs;
static unsigned chained_before[ROW]; /* jobs of chains that ran before this one of the row */

static void delivered(struct mail *mail)
{
	(void)mail;
	atomic_fetch_add(&delivered_jobs, 1);
}

static void submit(struct job *job, struct bulk_owner *owner,
                   void (*run)(struct bulk_job *job, struct nova_worker *worker))
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

static void wait_for(unsigned jobs)
{
	while (jobs-- > 0)
		sem_wait(&done);
}

static void go(unsigned jobs)
{
	while (jobs-- > 0)
		sem_post(&may_go);
}

/* With all threads taken, each by a job of one of the first owners. */
static int begin(void **state)
{
	struct fixture *f;

	if (fixture_setup_small(state) != 0)
		return -1;
	f = *state;
	sem_init(&may_go, 0, 0);
	sem_init(&done, 0, 0);
	assert_int_equal(mailbox_init(&mailbox), 0);
	bulk_start(&bulk, f->fs);
	assert_int_equal(bulk.threads, BULK_THREADS);
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
		owners[i] = bulk_owner_make();
	for (unsigned i = 0; i < BULK_THREADS; i++)
		submit(&blockers[i], owners[i], block);
	wait_for(BULK_THREADS); /* they run */
	return 0;
}

static int end(void **state)
{
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
		bulk_owner_end(&bulk, owners[i]);
	bulk_stop(&bulk);
	while (mailbox_deliver(&mailbox) > 0)
		;
	mailbox_destroy(&mailbox);
	return fixture_teardown(state);
}

/* ---- rows and chains -------------------------------------------------------------------------------------------- */

static void burn(int64_t ns)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	int64_t until = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + ns;
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	while ((int64_t)t.tv_sec * 1000000000 + t.tv_nsec < until);
}

static void run_row(struct bulk_job *bulk_job, struct nova_worker *worker)
{
	const struct job *job = (const struct job *)(const void *)bulk_job;

	(void)worker;
	burn(EACH_NS);
	chained_before[job->at] = atomic_load(&chained);
	sem_post(&done);
}

static void run_chain(struct bulk_job *bulk_job, struct nova_worker *worker)
{
	struct job *job = (struct job *)(void *)bulk_job;

	(void)worker;
	burn(EACH_NS);
	atomic_fetch_add(&chained, 1);
	if (job->at + 1 < CHAIN) {
		job[1].at = job->at + 1;
		submit(&job[1], job->bulk.owner, run_chain);
	} else {
		sem_post(&done);
	}
}

static void a_row_of_jobs_does_not_wait_for_others_that_go_on_for_ever(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROW; i++) {
		row[i].at = i;
		submit(&row[i], owners[2 * BULK_THREADS], run_row);
	}
	for (unsigned i = 0; i < CHAINS; i++)
		submit(&chains[i][0], owners[BULK_THREADS + i], run_chain);
	go(BULK_THREADS);
	wait_for(ROW + CHAINS);
	/* One of each chain between two of the row, and what the other thread did meanwhile. */
	assert_true(chained_before[ROW - 1] < CHAIN / 2);
}

/* ---- time ------------------------------------------------------------------------------------------------------- */

static atomic_uint longs, shorts, most_at_once, at_once;

static void run_long(struct bulk_job *job, struct nova_worker *worker)
{
	unsigned now = atomic_fetch_add(&at_once, 1) + 1;

	(void)job;
	(void)worker;
	if (now > atomic_load(&most_at_once))
		atomic_store(&most_at_once, now);
	burn(LONG_NS);
	atomic_fetch_sub(&at_once, 1);
	atomic_fetch_add(&longs, 1);
}

static void run_short(struct bulk_job *job, struct nova_worker *worker)
{
	(void)job;
	(void)worker;
	burn(SHORT_NS);
	if (atomic_fetch_add(&shorts, 1) + 1 == 20)
		sem_post(&done);
}

/* One thread stays taken. Of the other one both get as much, so there are ten short jobs for a long one. */
static void owners_share_the_time_not_the_jobs(void **state)
{
	static struct job long_jobs[20], short_jobs[20];

	(void)state;
	atomic_store(&longs, 0);
	for (unsigned i = 0; i < 20; i++)
		submit(&long_jobs[i], owners[BULK_THREADS], run_long);
	for (unsigned i = 0; i < 20; i++)
		submit(&short_jobs[i], owners[BULK_THREADS + 1], run_short);
	go(1);
	wait_for(1);
	assert_in_range(atomic_load(&longs), 1, 4);
	go(BULK_THREADS);
	for (unsigned i = 0; i < 20; i++)
		bulk_cancel(&bulk, &long_jobs[i].bulk);
}

/* The other thread is for others. */
static void of_one_owner_one_job_runs_at_a_time(void **state)
{
	static struct job jobs[6];

	(void)state;
	atomic_store(&longs, 0);
	atomic_store(&most_at_once, 0);
	for (unsigned i = 0; i < 6; i++)
		submit(&jobs[i], owners[BULK_THREADS], run_long);
	go(BULK_THREADS);
	while (atomic_load(&longs) < 6)
		sched_yield();
	assert_int_equal(atomic_load(&most_at_once), 1);
}

static atomic_int priority;

static void tell_priority(struct bulk_job *job, struct nova_worker *worker)
{
	(void)job;
	(void)worker;
	atomic_store(&priority, getpriority(PRIO_PROCESS, (id_t)gettid()));
	sem_post(&done);
}

static void the_threads_give_way_to_others(void **state)
{
	(void)state;
	go(BULK_THREADS);
	submit(&row[0], owners[BULK_THREADS], tell_priority);
	wait_for(1);
	int nicer = getpriority(PRIO_PROCESS, 0) + BULK_NICE;
	assert_int_equal(atomic_load(&priority), nicer < NICEST ? nicer : NICEST);
}

/* ---- cancelling and waiting ------------------------------------------------------------------------------------- */

static void what_has_not_begun_can_be_cancelled(void **state)
{
	(void)state;
	atomic_store(&delivered_jobs, 0);
	atomic_store(&chained, 0);
	submit(&row[0], owners[0], run_row);
	submit(&row[1], owners[BULK_THREADS], run_row);
	assert_true(bulk_cancel(&bulk, &row[0].bulk));
	assert_false(bulk_cancel(&bulk, &row[0].bulk));
	assert_false(bulk_cancel(&bulk, &blockers[0].bulk));
	go(BULK_THREADS);
	wait_for(1);
	while (atomic_load(&delivered_jobs) < BULK_THREADS + 1)
		mailbox_deliver(&mailbox);
	usleep(10000);
	assert_int_equal(mailbox_deliver(&mailbox), 0);
}

static void what_needs_an_inode_waits_for_the_job_that_holds_it(void **state)
{
	static struct job holder, waiters[3];

	(void)state;
	atomic_store(&delivered_jobs, 0);
	go(BULK_THREADS);
	while (atomic_load(&delivered_jobs) < BULK_THREADS)
		mailbox_deliver(&mailbox);
	holder.bulk = (struct bulk_job){
	    .mail.deliver = delivered, .mailbox = &mailbox, .owner = owners[0], .run = block, .inodes = {{7}, {8}}};
	assert_true(bulk_submit(&bulk, &holder.bulk));
	wait_for(1);
	for (unsigned i = 0; i < 3; i++) {
		waiters[i].bulk = (struct bulk_job){.mail.deliver = delivered, .mailbox = &mailbox};
		bulk_wait(&bulk, &waiters[i].bulk, (nova_ino){7 + i});
	}
	assert_int_equal(mailbox_deliver(&mailbox), 1); /* nobody holds 9 */
	usleep(10000);
	assert_int_equal(mailbox_deliver(&mailbox), 0);
	go(1);
	while (atomic_load(&delivered_jobs) < BULK_THREADS + 4)
		mailbox_deliver(&mailbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_row_of_jobs_does_not_wait_for_others_that_go_on_for_ever, begin, end),
	    cmocka_unit_test_setup_teardown(owners_share_the_time_not_the_jobs, begin, end),
	    cmocka_unit_test_setup_teardown(of_one_owner_one_job_runs_at_a_time, begin, end),
	    cmocka_unit_test_setup_teardown(the_threads_give_way_to_others, begin, end),
	    cmocka_unit_test_setup_teardown(what_has_not_begun_can_be_cancelled, begin, end),
	    cmocka_unit_test_setup_teardown(what_needs_an_inode_waits_for_the_job_that_holds_it, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
