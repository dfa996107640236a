/*
 * fork.c -- what fork(2) does to connections.
 */
#include "client/link/fork.h"

#include "client/link/connection.h"

#include <pthread.h>

/* All connections of the process. Its lock comes before those of the connections, and is taken here alone. */
static struct {
	pthread_once_t once;
	int error; /* of pthread_atfork */
	pthread_mutex_t lock;
	TAILQ_HEAD(, connection) all; /* oldest first: their locks are taken in this order */
} forks = {.once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER, .all = TAILQ_HEAD_INITIALIZER(forks.all)};

static void before(void)
{
	struct connection *link;

	pthread_mutex_lock(&forks.lock);
	TAILQ_FOREACH(link, &forks.all, forks)
	connection_lock(link);
}

static void in_parent(void)
{
	struct connection *link;

	TAILQ_FOREACH(link, &forks.all, forks)
	connection_unlock(link);
	pthread_mutex_unlock(&forks.lock);
}

static void in_child(void)
{
	struct connection *link;

	TAILQ_FOREACH(link, &forks.all, forks)
	{
		link->forked = true;
		link->state = CONNECTION_ENDED;
		connection_unlock(link);
	}
	TAILQ_INIT(&forks.all);
	pthread_mutex_unlock(&forks.lock);
}

static void register_handlers(void)
{
	forks.error = -pthread_atfork(before, in_parent, in_child);
}

int fork_watch(struct connection *link)
{
	pthread_once(&forks.once, register_handlers);
	if (forks.error)
		return forks.error;
	pthread_mutex_lock(&forks.lock);
	TAILQ_INSERT_TAIL(&forks.all, link, forks);
	pthread_mutex_unlock(&forks.lock);
	return 0;
}

void fork_forget(struct connection *link)
{
	pthread_mutex_lock(&forks.lock);
	TAILQ_REMOVE(&forks.all, link, forks);
	pthread_mutex_unlock(&forks.lock);
}
