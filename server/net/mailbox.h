/*
 * mailbox.h -- work that one thread gives to another: a locked queue, and a descriptor that wakes a sleeping thread.
 *
 * A mail is usually a field of the object that it concerns; its memory must stay valid until it was delivered. Posting
 * never waits for the receiver, and costs a system call only while the receiver sleeps.
 *
 * Thread safety: any thread may post; one thread delivers, sleeps and wakes.
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
	int fd;               /* an eventfd, readable after a post to a sleeping receiver */
};

int mailbox_init(struct mailbox *box);
/* mailbox_destroy -- mail that was not delivered is not freed. */
void mailbox_destroy(struct mailbox *box);

void mailbox_post(struct mailbox *box, struct mail *mail);

/* mailbox_deliver -- deliver all mail; returns how many. */
int mailbox_deliver(struct mailbox *box);

/* mailbox_sleep -- note that the caller is about to block on `fd`. False: there is mail, so it must not block.
 * mailbox_awake -- call it after blocking. */
bool mailbox_sleep(struct mailbox *box);
void mailbox_awake(struct mailbox *box);

#endif
