/*
 * admission.h -- which connections are accepted when there are many.
 *
 * The table holds as many connections as there may be sessions, and some for clients that reconnect before the server
 * has noticed the end of their old connection. If it is full, the oldest connection without a session is dropped for a
 * new one. If all have sessions, the new one is refused: it is accepted only so that the reply to its HELLO can give
 * the reason. While more than three quarters are used, one host gets no more than its limit, so that others can
 * connect.
 *
 *     (none) --admission_enter--> guest without a session --admission_greeted--> with one --admission_leave--> (none)
 *                                     |--dropped for another: mail to its thread, conn_fail--> admission_leave
 *
 * Thread safe. Lock order: it is taken last, but for a mailbox's.
 */
#ifndef FARNOVA_SERVER_ADMISSION_H
#define FARNOVA_SERVER_ADMISSION_H

#include "server/net/host_counts.h"
#include "server/net/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Connections beside those of sessions. As many more are accepted only to be refused with a reason. */
#define ADMISSION_SPARE 64u

struct conn;

/* A connection, from its arrival until it has been closed. */
struct guest {
	struct mail drop_mail; /* makes its thread drop it; must be the first field */
	TAILQ_ENTRY(guest) link;
	struct admission *admission;
	struct mailbox *mailbox; /* of its thread */
	uint64_t host;
	const char *refused; /* why it gets no new session; NULL: it may have one */
	struct conn *conn;   /* used by its thread only; NULL before conn_open and after conn_close */
	/* under the lock */
	bool waits;    /* it has no session and is on the list */
	bool dropping; /* drop_mail was posted and not yet delivered */
	bool gone;     /* admission_leave was called */
};

struct admission {
	pthread_mutex_t lock;
	size_t limit, host_limit;
	atomic_size_t count;
	TAILQ_HEAD(, guest) waiting; /* without a session, oldest first */
	struct host_counts hosts;
	void (*drop)(struct conn *conn); /* in its thread */
};

/* admission_init -- for `clients` sessions, `per_host` of one host; `drop` ends a connection. */
void admission_init(struct admission *admission, size_t clients, size_t per_host, void (*drop)(struct conn *conn));
void admission_destroy(struct admission *admission);

/* admission_enter -- enter a new connection of `host`, to be served by the thread with this mailbox. NULL: reject the
 * connection, since there is no room even to send it a reason. */
struct guest *admission_enter(struct admission *admission, uint64_t host, struct mailbox *mailbox);

/* admission_greeted -- it has a session. admission_leave -- it has been closed, or was never made. */
void admission_greeted(struct guest *guest);
void admission_leave(struct guest *guest);

/* admission_crowded -- whether more than three quarters of the table are taken. */
bool admission_crowded(const struct admission *admission);

#endif
