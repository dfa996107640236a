/*
 * server_mailbox_test.c -- mail arrives once, in order, and no sleeper sleeps over it.
 */
#include "server/net/mailbox.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define POSTERS 4
#define EACH    2000

static struct mailbox box;

struct numbered {
	struct mail mail; /* first */
	unsigned number;
};

static unsigned order[8], delivered;

static void deliver(struct mail *mail)
{
	const struct numbered *numbered = (const struct numbered *)(const void *)mail;

	order[delivered++] = numbered->number;
}

static int set_up(void **state)
{
	(void)state;
	delivered = 0;
	return mailbox_init(&box);
}

static int tear_down(void **state)
{
	(void)state;
	mailbox_destroy(&box);
	return 0;
}

static bool readable(void)
{
	struct pollfd fd = {.fd = box.fd, .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static void mail_is_delivered_once_in_order(void **state)
{
	struct numbered mail[3];

	(void)state;
	assert_int_equal(mailbox_deliver(&box), 0);
	for (unsigned i = 0; i < 3; i++) {
		mail[i] = (struct numbered){.mail.deliver = deliver, .number = i};
		mailbox_post(&box, &mail[i].mail);
	}
	assert_int_equal(mailbox_deliver(&box), 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(order[i], i);
	assert_int_equal(mailbox_deliver(&box), 0);
}

static struct numbered answer = {.mail.deliver = deliver, .number = 9};

static void deliver_and_answer(struct mail *mail)
{
	deliver(mail);
	mailbox_post(&box, &answer.mail);
}

static void what_a_delivery_posts_comes_next(void **state)
{
	struct numbered mail = {.mail.deliver = deliver_and_answer, .number = 1};

	(void)state;
	mailbox_post(&box, &mail.mail);
	assert_int_equal(mailbox_deliver(&box), 1);
	assert_int_equal(mailbox_deliver(&box), 1);
	assert_int_equal(order[1], 9);
}

static void sleeper_is_woken_and_nobody_else(void **state)
{
	struct numbered mail[2] = {{.mail.deliver = deliver}, {.mail.deliver = deliver}};

	(void)state;
	mailbox_post(&box, &mail[0].mail);
	assert_false(readable()); /* the receiver is awake: no system call */
	assert_false(mailbox_sleep(&box));
	mailbox_deliver(&box);
	assert_true(mailbox_sleep(&box));
	assert_false(readable());
	mailbox_post(&box, &mail[1].mail);
	assert_true(readable());
	mailbox_awake(&box);
	assert_false(readable());
	assert_int_equal(mailbox_deliver(&box), 1);
}

static atomic_uint counted;

static void count(struct mail *mail)
{
	(void)mail;
	atomic_fetch_add(&counted, 1);
}

static void *post_many(void *argument)
{
	struct mail *mail = argument;

	for (int i = 0; i < EACH; i++) {
		mail[i].deliver = count;
		mailbox_post(&box, &mail[i]);
	}
	return NULL;
}

static void all_mail_of_many_threads_arrives(void **state)
{
	static struct mail mail[POSTERS][EACH];
	pthread_t threads[POSTERS];

	(void)state;
	for (int i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, mail[i]), 0);
	/* Sleeps as a worker does; a sleeper that were not woken would hang here. */
	while (atomic_load(&counted) < POSTERS * EACH) {
		if (mailbox_deliver(&box) > 0 || !mailbox_sleep(&box))
			continue;
		struct pollfd fd = {.fd = box.fd, .events = POLLIN};
		assert_int_equal(poll(&fd, 1, 60000), 1);
		mailbox_awake(&box);
	}
	for (int i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(mailbox_deliver(&box), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(mail_is_delivered_once_in_order),
	    CASE(what_a_delivery_posts_comes_next),
	    CASE(sleeper_is_woken_and_nobody_else),
	    CASE(all_mail_of_many_threads_arrives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
