/*
 * mailbox.h -- how one thread gives another something to do: a locked queue, and a descriptor that wakes a sleeper.
 *
 * A piece of mail is part of the object it is about; it must stay until it has been delivered. Posting never waits for
 * the receiver and costs a system call only while the receiver sleeps.
 *
 * Thread safety: anyone may post; one thread delivers, sleeps and wakes.
 */
#ifndef FARNOVA_SERVER_MAILBOX_H
#define FARNOVA_SERVER_MAILBOX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct mail {
	struct mail *next;
	void (*deliver)(struct mail *mail); /* called by the receiving thread; may free the mail */
};

struct mailbox {
	pthread_mutex_t lock;
	struct mail *first;
	struct mail **last;
	atomic_bool waiting;  /* there is mail */
	atomic_bool sleeping; /* the receiver blocks on `fd` or is about to */
	int fd;               /* eventfd, readable once a sleeper was posted to */
};

int mailbox_init(struct mailbox *box);
/* mailbox_destroy -- undelivered mail is forgotten. */
void mailbox_destroy(struct mailbox *box);

void mailbox_post(struct mailbox *box, struct mail *mail);

/* mailbox_deliver -- deliver what is there; returns how many. */
int mailbox_deliver(struct mailbox *box);

/* mailbox_sleep -- say that the caller is about to block on `fd`; false if it must not, since there is mail. */
bool mailbox_sleep(struct mailbox *box);
void mailbox_awake(struct mailbox *box);

#endif
