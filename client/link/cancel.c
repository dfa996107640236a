/*
 * cancel.c -- lets a thread cancel the calls of another thread by tag.
 */
#include "client/link/cancel.h"

#include "client/link/connection.h"

/* Threads that have ever set a tag. Its lock is a leaf: no other lock is taken while it is held. */
static struct {
	pthread_once_t once;
	pthread_key_t key; /* its destructor removes an ending thread from the list */
	pthread_mutex_t lock;
	LIST_HEAD(, waiter) threads;
} tagged = {.once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};

static void unlist(void *waiter)
{
	pthread_mutex_lock(&tagged.lock);
	LIST_REMOVE((struct waiter *)waiter, tagged);
	pthread_mutex_unlock(&tagged.lock);
}

static void make_key(void)
{
	pthread_key_create(&tagged.key, unlist);
}

static void list(struct waiter *self)
{
	pthread_once(&tagged.once, make_key);
	self->listed = true;
	pthread_setspecific(tagged.key, self);
	pthread_mutex_lock(&tagged.lock);
	LIST_INSERT_HEAD(&tagged.threads, self, tagged);
	pthread_mutex_unlock(&tagged.lock);
}

void cancel_set_tag(uint64_t tag)
{
	struct waiter *self = poller_self();

	if (!self->listed)
		list(self);
	/* The order matters, and `cancelled` holds a tag: so a late cancellation of the previous tag does not cancel
	 * this one. */
	self->cancelled = 0;
	self->tag = tag;
}

bool cancel_is_set(void)
{
	const struct waiter *self = poller_self();
	uint64_t tag = self->tag;

	return tag && self->cancelled == tag;
}

void cancel_tag(struct connection *link, uint64_t tag)
{
	struct waiter *waiter;

	pthread_mutex_lock(&tagged.lock);
	LIST_FOREACH(waiter, &tagged.threads, tagged)
	{
		if (tag && waiter->tag == tag)
			waiter->cancelled = tag;
	}
	pthread_mutex_unlock(&tagged.lock);
	connection_lock(link);
	LIST_FOREACH(waiter, &link->poller.waiting, entry)
	{
		if (waiter->tag == tag)
			poller_wake(link, waiter);
	}
	connection_unlock(link);
}

void cancel_all(struct connection *link)
{
	connection_lock(link);
	link->poller.cancelled = true;
	poller_wake_all(link);
	connection_unlock(link);
}
