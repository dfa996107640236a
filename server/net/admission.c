/*
 * admission.c -- which connections are accepted when there are many.
 */
#include "server/net/admission.h"

#include <stdlib.h>

void admission_init(struct admission *admission, size_t clients, size_t per_host, void (*drop)(struct conn *conn))
{
	*admission = (struct admission){.limit = clients + ADMISSION_SPARE, .host_limit = per_host, .drop = drop};
	pthread_mutex_init(&admission->lock, NULL);
	TAILQ_INIT(&admission->waiting);
}

void admission_destroy(struct admission *admission)
{
	host_counts_free(&admission->hosts);
	pthread_mutex_destroy(&admission->lock);
}

bool admission_crowded(const struct admission *admission)
{
	return atomic_load(&admission->count) * 4 > admission->limit * 3;
}

static void stop_waiting(struct guest *guest)
{
	if (!guest->waits)
		return;
	guest->waits = false;
	TAILQ_REMOVE(&guest->admission->waiting, guest, link);
}

/* Runs in the thread of the connection that is to be dropped. */
static void drop_delivered(struct mail *mail)
{
	struct guest *guest = (struct guest *)(void *)mail;
	if (guest->conn)
		guest->admission->drop(guest->conn);
	pthread_mutex_lock(&guest->admission->lock);
	guest->dropping = false;
	bool gone = guest->gone;
	pthread_mutex_unlock(&guest->admission->lock);
	if (gone)
		free(guest);
}

/* Drop the oldest connection without a session, of one host or of all (NULL). False if there is none. */
static bool drop_oldest(struct admission *admission, const uint64_t *host)
{
	struct guest *guest;

	TAILQ_FOREACH(guest, &admission->waiting, link)
	{
		if (host && guest->host != *host)
			continue;
		stop_waiting(guest);
		guest->dropping = true;
		mailbox_post(guest->mailbox, &guest->drop_mail);
		return true;
	}
	return false;
}

static const char *make_room(struct admission *admission, uint64_t host)
{
	if (admission_crowded(admission) && host_counts_get(&admission->hosts, host) >= admission->host_limit)
		return drop_oldest(admission, &host)
		           ? NULL
		           : "the server is crowded, and this host has as many connections as max_per_host allows";
	if (atomic_load(&admission->count) >= admission->limit)
		return drop_oldest(admission, NULL) ? NULL : "the server has as many connections as max_clients allows";
	return NULL;
}

struct guest *admission_enter(struct admission *admission, uint64_t host, struct mailbox *mailbox)
{
	struct guest *guest = calloc(1, sizeof(*guest));

	if (!guest)
		return NULL;
	guest->drop_mail.deliver = drop_delivered;
	guest->admission = admission;
	guest->mailbox = mailbox;
	guest->host = host;
	pthread_mutex_lock(&admission->lock);
	guest->refused = make_room(admission, host);
	bool in = atomic_load(&admission->count) < admission->limit + ADMISSION_SPARE;
	if (in) {
		atomic_fetch_add(&admission->count, 1);
		host_counts_add(&admission->hosts, host);
		TAILQ_INSERT_TAIL(&admission->waiting, guest, link);
		guest->waits = true;
	}
	pthread_mutex_unlock(&admission->lock);
	if (in)
		return guest;
	free(guest);
	return NULL;
}

void admission_greeted(struct guest *guest)
{
	pthread_mutex_lock(&guest->admission->lock);
	stop_waiting(guest);
	pthread_mutex_unlock(&guest->admission->lock);
}

void admission_leave(struct guest *guest)
{
	struct admission *admission = guest->admission;

	guest->conn = NULL;
	pthread_mutex_lock(&admission->lock);
	stop_waiting(guest);
	atomic_fetch_sub(&admission->count, 1);
	host_counts_remove(&admission->hosts, guest->host);
	guest->gone = true;
	bool mail_coming = guest->dropping;
	pthread_mutex_unlock(&admission->lock);
	if (!mail_coming)
		free(guest);
}
