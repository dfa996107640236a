/*
 * bulk.c -- threads for work that would hold up a loop.
 */
#include "server/state/bulk.h"

#include "common/log.h"

#include <string.h>

static void *serve(void *argument)
{
	struct bulk_thread *self = argument;
	struct bulk *bulk = self->bulk;

	pthread_mutex_lock(&bulk->lock);
	while (!bulk->stopping) {
		struct bulk_job *job = bulk->first;

		if (!job) {
			pthread_cond_wait(&bulk->wake, &bulk->lock);
			continue;
		}
		bulk->first = job->next;
		bulk->turn = job->turn;
		pthread_mutex_unlock(&bulk->lock);
		job->run(job, self->worker);
		mailbox_post(job->mailbox, &job->mail);
		pthread_mutex_lock(&bulk->lock);
	}
	pthread_mutex_unlock(&bulk->lock);
	return NULL;
}

static int start_one(struct bulk *bulk, struct nova *nova)
{
	struct bulk_thread *thread = &bulk->thread[bulk->threads];
	int rc = nova_worker_open(nova, &thread->worker);

	if (rc < 0)
		return rc;
	thread->bulk = bulk;
	rc = -pthread_create(&thread->thread, NULL, serve, thread);
	if (rc < 0)
		nova_worker_close(thread->worker);
	else
		bulk->threads++;
	return rc;
}

void bulk_start(struct bulk *bulk, struct nova *nova)
{
	int rc = 0;

	bulk->started = true;
	pthread_mutex_init(&bulk->lock, NULL);
	pthread_cond_init(&bulk->wake, NULL);
	while (rc == 0 && bulk->threads < BULK_THREADS)
		rc = start_one(bulk, nova);
	if (rc < 0)
		log_warn("bulk", "%u of %u threads for long requests: %s", bulk->threads, BULK_THREADS, strerror(-rc));
}

void bulk_stop(struct bulk *bulk)
{
	if (!bulk->started)
		return;
	pthread_mutex_lock(&bulk->lock);
	bulk->stopping = true;
	pthread_cond_broadcast(&bulk->wake);
	pthread_mutex_unlock(&bulk->lock);
	for (unsigned i = 0; i < bulk->threads; i++) {
		pthread_join(bulk->thread[i].thread, NULL);
		nova_worker_close(bulk->thread[i].worker);
	}
	while (bulk->first) {
		struct bulk_job *job = bulk->first;

		bulk->first = job->next;
		mailbox_post(job->mailbox, &job->mail);
	}
	pthread_cond_destroy(&bulk->wake);
	pthread_mutex_destroy(&bulk->lock);
	bulk->threads = 0;
	bulk->started = false;
}

bool bulk_submit(struct bulk *bulk, struct bulk_job *job)
{
	if (bulk->threads == 0)
		return false;
	pthread_mutex_lock(&bulk->lock);
	job->turn = bulk->turn + 1;
	for (const struct bulk_job *other = bulk->first; other; other = other->next)
		if (other->owner == job->owner && other->turn >= job->turn)
			job->turn = other->turn + 1;
	struct bulk_job **link = &bulk->first;
	while (*link && (*link)->turn <= job->turn)
		link = &(*link)->next;
	job->next = *link;
	*link = job;
	pthread_cond_signal(&bulk->wake);
	pthread_mutex_unlock(&bulk->lock);
	return true;
}
