/*
 * server_registry_test.c -- which sessions there are, which thread has each, and which goes where there are too many.
 */
#include "server/state/registry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIMIT      4
#define HOST_LIMIT 2

static struct registry registry;
static struct mailbox first_box, second_box;
static char threads[2];
static unsigned evicted;
#define FIRST  ((struct state *)(void *)&threads[0])
#define SECOND ((struct state *)(void *)&threads[1])

static void on_evicted(struct mail *mail)
{
	(void)mail;
	evicted++;
}

static int set_up(void **state)
{
	(void)state;
	evicted = 0;
	registry_init(&registry, LIMIT, HOST_LIMIT);
	mailbox_init(&first_box);
	mailbox_init(&second_box);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	registry_destroy(&registry);
	mailbox_destroy(&first_box);
	mailbox_destroy(&second_box);
	return 0;
}

static struct registered session_of(uint64_t id, uint64_t host)
{
	return (struct registered){.evicted_mail.deliver = on_evicted,
	                           .id = id,
	                           .key = 10 * id,
	                           .host = host,
	                           .state = FIRST,
	                           .mailbox = &first_box};
}

static int add(struct registered *session)
{
	const char *why;
	int rc = registry_add(&registry, session, &why);

	assert_int_equal(rc == -EUSERS, why != NULL);
	return rc;
}

static bool first_has(struct registered *session)
{
	struct state *owner;

	return registry_get(&registry, session->id, FIRST, &owner) == session;
}

static void session_is_found_by_id_and_key(void **state)
{
	struct registered a = session_of(7, 1);

	(void)state;
	assert_null(registry_owner(&registry, 7, 70, 0));
	assert_int_equal(add(&a), 0);
	assert_ptr_equal(registry_owner(&registry, 7, 70, 0), FIRST);
	assert_null(registry_owner(&registry, 7, 71, 0));
	assert_null(registry_owner(&registry, 8, 70, 0));
	assert_true(registry_remove(&registry, &a));
	assert_null(registry_owner(&registry, 7, 70, 0));
	assert_true(registry_remove(&registry, &a)); /* again */
	assert_int_equal(registry.count, 0);
}

static void identity_has_one_session(void **state)
{
	struct registered a = session_of(7, 1), b = session_of(8, 1), c = session_of(9, 2), d = session_of(10, 2);
	uint64_t id = 0;

	(void)state;
	a.identity = b.identity = 5;
	c.identity = 5 + REGISTRY_BUCKETS;
	assert_null(registry_of_identity(&registry, 5, &id));
	assert_int_equal(add(&a), 0);
	assert_int_equal(add(&b), -EEXIST);
	assert_int_equal(add(&c), 0); /* in the same bucket */
	assert_int_equal(add(&d), 0); /* has none */
	assert_ptr_equal(registry_of_identity(&registry, 5, &id), FIRST);
	assert_int_equal(id, 7);
	assert_null(registry_of_identity(&registry, 0, &id));
	assert_null(registry_owner(&registry, 7, 70, 6));
	assert_ptr_equal(registry_owner(&registry, 7, 70, 5), FIRST);
	registry_remove(&registry, &a);
	assert_null(registry_of_identity(&registry, 5, &id));
	assert_ptr_equal(registry_of_identity(&registry, 5 + REGISTRY_BUCKETS, &id), FIRST);
	assert_int_equal(id, 9);
	assert_int_equal(add(&b), 0);
	registry_remove(&registry, &b);
	registry_remove(&registry, &c);
	registry_remove(&registry, &d);
	assert_int_equal(registry.count, 0);
}

static void sessions_of_one_bucket_do_not_hide_each_other(void **state)
{
	struct registered sessions[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		sessions[i] = session_of(5 + REGISTRY_BUCKETS * i, i);
		assert_int_equal(add(&sessions[i]), 0);
	}
	registry_remove(&registry, &sessions[1]);
	assert_true(first_has(&sessions[0]));
	assert_false(first_has(&sessions[1]));
	assert_true(first_has(&sessions[2]));
}

static void oldest_idle_session_makes_room_and_others_do_not(void **state)
{
	struct registered sessions[LIMIT + 2];

	(void)state;
	for (unsigned i = 0; i < LIMIT + 2; i++)
		sessions[i] = session_of(1 + i, i);
	for (unsigned i = 0; i < LIMIT; i++)
		assert_int_equal(add(&sessions[i]), 0);
	assert_int_equal(add(&sessions[LIMIT]), -EUSERS);
	registry_idle(&registry, &sessions[2]);
	registry_idle(&registry, &sessions[1]);
	assert_true(registry_claim(&registry, &sessions[2])); /* its client has come back */
	assert_int_equal(add(&sessions[LIMIT]), 0);
	assert_int_equal(mailbox_deliver(&first_box), 1);
	assert_int_equal(evicted, 1);
	assert_null(registry_owner(&registry, sessions[1].id, sessions[1].key, 0));
	assert_false(registry_remove(&registry, &sessions[1]));
	assert_false(registry_claim(&registry, &sessions[1]));
	assert_int_equal(add(&sessions[LIMIT + 1]), -EUSERS);
	assert_int_equal(registry.count, LIMIT);
}

static void double_id_is_refused(void **state)
{
	struct registered a = session_of(7, 1), b = session_of(7, 2);

	(void)state;
	assert_int_equal(add(&a), 0);
	assert_int_equal(add(&b), -EEXIST);
	assert_true(first_has(&a));
}

static void session_belongs_to_the_thread_it_was_handed_to(void **state)
{
	struct registered a = session_of(7, 1);
	struct mail mail = {.deliver = on_evicted};
	struct state *owner;

	(void)state;
	assert_int_equal(add(&a), 0);
	assert_null(registry_get(&registry, 7, SECOND, &owner));
	assert_ptr_equal(owner, FIRST);
	registry_hand_on(&registry, &a, SECOND, &second_box, &mail);
	/* Older mail that is delivered before the session itself does not find it there. */
	assert_null(registry_get(&registry, 7, SECOND, &owner));
	assert_ptr_equal(owner, SECOND);
	assert_int_equal(mailbox_deliver(&second_box), 1);
	registry_arrived(&registry, &a);
	assert_ptr_equal(registry_owner(&registry, 7, 70, 0), SECOND);
	assert_null(registry_get(&registry, 7, FIRST, &owner));
	assert_ptr_equal(owner, SECOND);
	assert_ptr_equal(registry_get(&registry, 7, SECOND, &owner), &a);
	assert_null(registry_get(&registry, 8, SECOND, &owner));
	assert_null(owner);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(session_is_found_by_id_and_key),
	    CASE(identity_has_one_session),
	    CASE(sessions_of_one_bucket_do_not_hide_each_other),
	    CASE(oldest_idle_session_makes_room_and_others_do_not),
	    CASE(double_id_is_refused),
	    CASE(session_belongs_to_the_thread_it_was_handed_to),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
