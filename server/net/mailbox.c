/*
 * mailbox.c -- work that one thread gives to another: a locked queue, and a descriptor that wakes a sleeping thread.
 */
#include "server/net/mailbox.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_init(struct mailbox *box)
{
	*box = (struct mailbox){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (box->fd < 0)
		return -errno;
	pthread_mutex_init(&box->lock, NULL);
	box->last = &box->first;
	return 0;
}

void mailbox_destroy(struct mailbox *box)
{
	close(box->fd);
	pthread_mutex_destroy(&box->lock);
}

void mailbox_post(struct mailbox *box, struct mail *mail)
{
	mail->next = NULL;
	pthread_mutex_lock(&box->lock);
	*box->last = mail;
	box->last = &mail->next;
	atomic_store(&box->waiting, true);
	pthread_mutex_unlock(&box->lock);

	/* Both sides store their own flag, then load the other's. At least one of them sees the other's flag, so the
	 * receiver does not sleep while there is mail. */
	if (atomic_load(&box->sleeping)) {
		uint64_t one = 1;
		/* A full counter (EAGAIN) is readable as well. */
		while (write(box->fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
	}
}

int mailbox_deliver(struct mailbox *box)
{
	if (!atomic_load_explicit(&box->waiting, memory_order_acquire))
		return 0;
	pthread_mutex_lock(&box->lock);
	struct mail *mail = box->first;
	box->first = NULL;
	box->last = &box->first;
	atomic_store(&box->waiting, false);
	pthread_mutex_unlock(&box->lock);

	int count = 0;
	while (mail) {
		struct mail *next = mail->next;
		mail->deliver(mail);
		mail = next;
		count++;
	}
	return count;
}

bool mailbox_sleep(struct mailbox *box)
{
	atomic_store(&box->sleeping, true);
	if (!atomic_load(&box->waiting))
		return true;
	atomic_store(&box->sleeping, false);
	return false;
}

void mailbox_awake(struct mailbox *box)
{
	atomic_store(&box->sleeping, false);
	uint64_t count;
	while (read(box->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}
