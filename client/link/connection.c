/*
 * connection.c -- one connection to a server: its lock, its states, its loss and its end.
 */
#include "client/link/connection.h"

#include "client/link/fork.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int connection_init(struct connection *link, const struct connection_handler *handler)
{
	pthread_mutexattr_t adaptive;

	link->handler = handler;
	link->state = CONNECTION_ENDED;
	int error = poller_init(&link->poller, connection_lose);
	if (error)
		return error;
	pthread_mutexattr_init(&adaptive);
	/* The lock is held for microseconds: a short spin is cheaper than sleeping. */
	pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&link->lock, &adaptive);
	pthread_mutexattr_destroy(&adaptive);
	error = fork_watch(link);
	if (error) {
		pthread_mutex_destroy(&link->lock);
		poller_destroy(&link->poller);
	}
	return error;
}

void connection_destroy(struct connection *link)
{
	fork_forget(link);
	poller_destroy(&link->poller);
	pthread_mutex_destroy(&link->lock);
}

const char *connection_name(const struct connection *link)
{
	return link->name;
}

void connection_trouble(struct connection *link, char *words, size_t size)
{
	connection_lock(link);
	snprintf(words, size, "%s", link->state == CONNECTION_UP ? "" : link->trouble);
	connection_unlock(link);
}

void connection_up(struct connection *link, struct transport_queue *queue, struct transport_conn *transport)
{
	link->queue = queue;
	link->transport = transport;
	link->state = CONNECTION_UP;
	link->epoch++;
	link->heard_ns = link->sent_ns = clock_now_ns();
	link->trouble[0] = '\0';
	poller_begin(&link->poller);
	if (link->epoch > 1)
		log_info("connection", "%s: connected again", link->name);
}

void connection_lose(struct connection *link, int status, const char *why)
{
	char words[128];

	if (link->state != CONNECTION_UP)
		return;
	snprintf(link->trouble, sizeof(link->trouble), "the connection was lost: %s%s%s", why ? why : "",
	         why ? ": " : "", strerror_r(-status, words, sizeof(words)));
	log_warn("connection", "%s: %s", link->name, link->trouble);
	link->state = CONNECTION_LOST;
	transport_close(link->transport);
	link->transport = NULL;
	link->handler->on_lost(link);
	poller_wake_all(link);
}

void connection_end(struct connection *link)
{
	if (link->transport)
		transport_close(link->transport);
	if (link->queue)
		transport_queue_destroy(link->queue);
	link->transport = NULL;
	link->queue = NULL;
	link->state = CONNECTION_ENDED;
}

int connection_send(struct connection *link, const void *message, size_t length, unsigned flags)
{
	struct iovec iov = {.iov_base = (void *)message, .iov_len = length};
	/* What the caller has sent before this may have lost the connection. */
	int error = link->state == CONNECTION_UP ? transport_send(link->transport, &iov, 1, flags) : -ENOTCONN;

	if (error == 0)
		link->sent = true;
	else if (error != -EAGAIN)
		connection_lose(link, error, "a request could not be sent");
	return error;
}

int64_t connection_check_silence(struct connection *link, int64_t lease_ns)
{
	int64_t now = clock_now_ns();

	if (link->heard)
		link->heard_ns = now;
	if (link->sent)
		link->sent_ns = now;
	link->heard = link->sent = false;
	if (now - link->heard_ns > lease_ns)
		connection_lose(link, -ETIMEDOUT, "the server has been silent for a lease");
	return now - link->sent_ns;
}
