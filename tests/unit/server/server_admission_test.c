/*
 * server_admission_test.c -- who is let in where there are many: connections without a session and idle sessions make
 * room, and what cannot be had is refused with the reason.
 */
#include "server/net/admission.h"
#include "server/state/registry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define CLIENTS  8u
#define PER_HOST 4u
#define TABLE    (CLIENTS + ADMISSION_SPARE)

/* ---- connections ------------------------------------------------------------------------------------------------- */

static struct admission admission;
static struct mailbox mailbox;
static struct conn *dropped[2 * TABLE];
static unsigned drops;

static void drop(struct conn *conn)
{
	dropped[drops++] = conn;
}

static int set_up(void **state)
{
	(void)state;
	drops = 0;
	admission_init(&admission, CLIENTS, PER_HOST, drop);
	return mailbox_init(&mailbox);
}

static int tear_down(void **state)
{
	(void)state;
	mailbox_deliver(&mailbox);
	admission_destroy(&admission);
	mailbox_destroy(&mailbox);
	return 0;
}

/* Only its address is ever looked at. */
static struct conn *conn_of(unsigned number)
{
	static char places[2 * TABLE];

	return (struct conn *)(void *)&places[number];
}

static struct guest *enter(uint64_t host, unsigned number)
{
	struct guest *guest = admission_enter(&admission, host, &mailbox);

	if (guest)
		guest->conn = conn_of(number);
	return guest;
}

static void the_oldest_without_a_session_makes_room(void **state)
{
	struct guest *guests[TABLE];

	(void)state;
	for (unsigned i = 0; i < TABLE; i++) {
		guests[i] = enter(i, i);
		assert_non_null(guests[i]);
	}
	assert_true(admission_crowded(&admission));
	admission_greeted(guests[0]);
	admission_greeted(guests[2]);
	struct guest *first = enter(1000, TABLE), *second = enter(1001, TABLE + 1);
	assert_null(first->refused);
	assert_null(second->refused);
	mailbox_deliver(&mailbox);
	assert_int_equal(drops, 2);
	assert_ptr_equal(dropped[0], conn_of(1));
	assert_ptr_equal(dropped[1], conn_of(3));
	for (unsigned i = 0; i < TABLE; i++)
		admission_leave(guests[i]);
	admission_leave(first);
	admission_leave(second);
	assert_int_equal(admission.count, 0);
}

static void where_all_have_sessions_the_reason_is_told(void **state)
{
	struct guest *guests[TABLE], *late[ADMISSION_SPARE];

	(void)state;
	for (unsigned i = 0; i < TABLE; i++) {
		guests[i] = enter(i, i);
		admission_greeted(guests[i]);
	}
	late[0] = enter(2000, TABLE);
	assert_non_null(late[0]);
	assert_non_null(strstr(late[0]->refused, "max_clients"));
	/* What is only let in to be refused makes room, too. */
	for (unsigned i = 1; i < ADMISSION_SPARE; i++)
		late[i] = enter(2000 + i, TABLE + i);
	assert_null(enter(3000, 2 * TABLE - 1));
	for (unsigned i = 0; i < TABLE; i++)
		admission_leave(guests[i]);
	for (unsigned i = 0; i < ADMISSION_SPARE; i++)
		admission_leave(late[i]);
	mailbox_deliver(&mailbox);
	assert_int_equal(admission.count, 0);
}

static void one_host_may_have_many_until_it_is_crowded(void **state)
{
	struct guest *guests[TABLE];
	unsigned in = 0;

	(void)state;
	while (!admission_crowded(&admission)) {
		guests[in] = enter(7, in);
		assert_null(guests[in]->refused);
		admission_greeted(guests[in++]);
	}
	assert_true(in * 4 > TABLE * 3);
	struct guest *more = enter(7, TABLE), *other = enter(8, TABLE + 1);
	assert_non_null(strstr(more->refused, "max_per_host"));
	assert_null(other->refused);
	/* One of its own that has no session makes room, however many others are older. */
	struct guest *again = enter(7, TABLE + 2);
	assert_null(again->refused);
	mailbox_deliver(&mailbox);
	assert_int_equal(drops, 1);
	assert_ptr_equal(dropped[0], conn_of(TABLE));
	for (unsigned i = 0; i < in; i++)
		admission_leave(guests[i]);
	admission_leave(more);
	admission_leave(other);
	admission_leave(again);
}

static void one_that_leaves_before_its_mail_comes_is_not_dropped(void **state)
{
	struct guest *guests[TABLE];

	(void)state;
	for (unsigned i = 0; i < TABLE; i++)
		guests[i] = enter(i, i);
	struct guest *late = enter(1000, TABLE);
	admission_leave(guests[0]);
	mailbox_deliver(&mailbox);
	assert_int_equal(drops, 0);
	for (unsigned i = 1; i < TABLE; i++)
		admission_leave(guests[i]);
	admission_leave(late);
}

/* ---- sessions ---------------------------------------------------------------------------------------------------- */

static unsigned evictions;
static const struct mail *last_evicted;

static void evicted(struct mail *mail)
{
	last_evicted = mail;
	evictions++;
}

static struct registered session(uint64_t id, uint64_t host)
{
	return (struct registered){
	    .evicted_mail.deliver = evicted, .id = id, .key = id, .host = host, .mailbox = &mailbox};
}

static void the_oldest_idle_session_makes_room(void **state)
{
	struct registered sessions[CLIENTS + 2];
	struct registry registry;
	const char *why;

	(void)state;
	evictions = 0;
	registry_init(&registry, CLIENTS, PER_HOST);
	for (unsigned i = 0; i < CLIENTS + 2; i++)
		sessions[i] = session(i + 1, i);
	for (unsigned i = 0; i < CLIENTS; i++)
		assert_int_equal(registry_add(&registry, &sessions[i], &why), 0);
	assert_int_equal(registry_add(&registry, &sessions[CLIENTS], &why), -EUSERS);
	assert_non_null(strstr(why, "max_clients"));
	registry_idle(&registry, &sessions[5]);
	registry_idle(&registry, &sessions[3]);
	/* One that has come back is no more idle. */
	assert_true(registry_claim(&registry, &sessions[5]));
	assert_int_equal(registry_add(&registry, &sessions[CLIENTS], &why), 0);
	assert_int_equal(registry_add(&registry, &sessions[CLIENTS + 1], &why), -EUSERS);
	/* It is found no more, and goes with its mail alone. */
	assert_null(registry_owner(&registry, 4, 4, 0));
	assert_false(registry_claim(&registry, &sessions[3]));
	assert_false(registry_remove(&registry, &sessions[3]));
	mailbox_deliver(&mailbox);
	assert_int_equal(evictions, 1);
	assert_ptr_equal(last_evicted, &sessions[3].evicted_mail);
	assert_true(registry_remove(&registry, &sessions[0]));
	assert_int_equal(registry_add(&registry, &sessions[CLIENTS + 1], &why), 0);
	registry_destroy(&registry);
}

static void while_crowded_a_host_gets_a_session_for_one_of_its_own(void **state)
{
	struct registered sessions[CLIENTS + 2];
	struct registry registry;
	const char *why;

	(void)state;
	evictions = 0;
	registry_init(&registry, CLIENTS, PER_HOST);
	for (unsigned i = 0; i < CLIENTS + 2; i++)
		sessions[i] = session(i + 1, i < CLIENTS - 1 ? 7 : 8);
	for (unsigned i = 0; i < CLIENTS - 1; i++)
		assert_int_equal(registry_add(&registry, &sessions[i], &why), 0);
	struct registered more = session(100, 7);
	assert_int_equal(registry_add(&registry, &more, &why), -EUSERS);
	assert_non_null(strstr(why, "max_per_host"));
	registry_idle(&registry, &sessions[2]);
	assert_int_equal(registry_add(&registry, &more, &why), 0);
	assert_int_equal(registry_add(&registry, &sessions[CLIENTS - 1], &why), 0);
	mailbox_deliver(&mailbox);
	assert_int_equal(evictions, 1);
	registry_destroy(&registry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_oldest_without_a_session_makes_room, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(where_all_have_sessions_the_reason_is_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(one_host_may_have_many_until_it_is_crowded, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(one_that_leaves_before_its_mail_comes_is_not_dropped, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_oldest_idle_session_makes_room, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(while_crowded_a_host_gets_a_session_for_one_of_its_own, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
