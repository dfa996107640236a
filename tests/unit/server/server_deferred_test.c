/*
 * server_deferred_test.c -- requests that wait: for a layout to return, for space, and what becomes of them when their
 * connection ends.
 *
 * nova_free_blocks and nova_quota_full are defined here.
 */
#include "server/nova/space/returning.h"
#include "server/state/deferred.h"
#include "server/state/session.h"
#include "server/state/state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SESSION_BLOCKS 8

static bool project_is_full;
static uint64_t freed;

void nova_free_blocks(struct nova_worker *worker, nova_block first, uint64_t count, uint32_t project)
{
	(void)worker, (void)first, (void)project;
	freed += count;
}

bool nova_quota_full(const struct nova_call *call, struct nova_handle file)
{
	(void)call, (void)file;
	return project_is_full;
}

/* ---- two sessions of one thread --------------------------------------------------------------------------------- */

static struct config config;
static struct state_shared shared;
static struct nova core; /* only what returns is asked of it */
static struct nova_worker worker = {.fs = &core};
static struct state thread;
static struct net net;
static struct session a, b;
static unsigned resumed, demands;
static struct deferred *last;
static const struct proto_handle file = {.ino = 7, .generation = 1};
static const struct proto_request request = {.op = PROTO_WRITE, .slot = 3, .sequence = 5};

static void resume(struct deferred *deferred)
{
	resumed++;
	last = deferred;
}

static void space_short(struct state_shared *all)
{
	(void)all;
	demands++;
}

static void notify(struct lease_owner *owner, uint64_t number, struct proto_handle handle)
{
	(void)owner, (void)number, (void)handle;
}

static void begin(struct session *session)
{
	struct slot *slot;

	*session = (struct session){.state = &thread};
	layout_owner_init(&session->layouts, shared.layouts);
	session->layouts.lease.mailbox = &net.mailbox;
	session->layouts.lease.notify = notify;
	session->layouts.lease.connected = true;
	slot_table_init(&session->slots, 0, 0, 64);
	assert_int_equal(slot_table_find(&session->slots, request.slot, &slot), 0);
	slot->sequence = request.sequence;
}

static int set_up(void **state)
{
	(void)state;
	config = (struct config){.recall_ms = 1000};
	shared = (struct state_shared){.config = &config, .nova = &core, .space_short = space_short};
	shared.layouts = layout_table_create(0, SESSION_BLOCKS);
	net = (struct net){.now_ms = 5000};
	mailbox_init(&net.mailbox);
	memset(&thread, 0, sizeof(thread));
	thread.shared = &shared;
	thread.net = &net;
	thread.nova = &worker;
	thread.resume = resume;
	resumed = demands = 0;
	freed = 0;
	memset(&core, 0, sizeof(core));
	project_is_full = false;
	begin(&a);
	begin(&b);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	deferred_cancel_all(&a);
	deferred_cancel_all(&b);
	layout_owner_end(&a.layouts);
	layout_owner_end(&b.layouts);
	mailbox_deliver(&net.mailbox);
	deferred_retry_space(&thread);
	deferred_free(thread.spare);
	slot_table_free(&a.slots);
	slot_table_free(&b.slots);
	layout_table_destroy(shared.layouts);
	mailbox_destroy(&net.mailbox);
	return 0;
}

static void hold(struct session *session)
{
	struct layout_holder *holder;

	assert_int_equal(layout_grant(&session->layouts, file, &holder), 0);
}

static void quiesce(struct session *session)
{
	assert_int_equal(lease_quiesced(&session->layouts.lease, session->layouts.lease.invalidation_issued), 0);
}

/* A change of its own under its own layout, which frees so many blocks. */
static void free_own(struct session *session, uint64_t count, uint32_t project)
{
	struct layout_change change;
	struct layout_effect effect;
	struct deferred *deferred = NULL;

	assert_int_equal(deferred_change(session, &deferred, file, false, &change), 0);
	const struct nova_freed blocks = {
	    .ino = {file.ino}, .first = {100}, .count = count, .project = project, .change = &change};
	assert_int_equal(layout_quarantine_blocks(shared.layouts, &blocks),
	                 project ? NOVA_QUARANTINE_CHARGED : NOVA_QUARANTINE);
	layout_change_end(&change, 0, 4096, &effect);
}

/* ---- cases ------------------------------------------------------------------------------------------------------ */

static void change_runs_again_once_the_layout_has_returned(void **state)
{
	struct layout_change change;
	struct layout_effect effect;
	struct deferred *deferred = NULL;

	(void)state;
	hold(&a);
	assert_int_equal(deferred_change(&b, &deferred, file, false, &change), DEFERRED);
	assert_int_equal(deferred_keep(deferred, &request, "message", 8), 0);
	assert_true(slot_table_get(&b.slots, request.slot)->busy);
	mailbox_deliver(&net.mailbox); /* the recall */
	assert_int_equal(resumed, 0);
	quiesce(&a);
	mailbox_deliver(&net.mailbox);
	assert_int_equal(resumed, 1);
	assert_ptr_equal(last, deferred);
	assert_string_equal(deferred->message, "message");
	assert_false(slot_table_get(&b.slots, request.slot)->busy);
	assert_int_equal(deferred_change(&b, &deferred, file, false, &change), 0);
	layout_change_end(&change, 0, 0, &effect);
	deferred_done(deferred);
	assert_null(b.deferred);
}

static void request_whose_connection_ended_is_as_if_it_had_never_come(void **state)
{
	struct layout_change change;
	struct deferred *deferred = NULL;

	(void)state;
	hold(&a);
	assert_int_equal(deferred_change(&b, &deferred, file, false, &change), DEFERRED);
	assert_int_equal(deferred_keep(deferred, &request, "message", 8), 0);
	deferred_cancel_all(&b);
	assert_null(b.deferred);
	assert_false(slot_table_get(&b.slots, request.slot)->busy);
	assert_int_equal(slot_table_get(&b.slots, request.slot)->sequence, request.sequence - 1);
	/* What was waited for comes all the same, and runs nothing. */
	mailbox_deliver(&net.mailbox);
	quiesce(&a);
	mailbox_deliver(&net.mailbox);
	assert_int_equal(resumed, 0);
}

static void request_without_space_waits_while_blocks_are_kept(void **state)
{
	struct deferred *deferred = NULL;

	(void)state;
	assert_int_equal(deferred_no_space(&b, &deferred, -ENOSPC), -ENOSPC);
	hold(&a);
	free_own(&a, 4, 0);
	assert_int_equal(deferred_no_space(&b, &deferred, -ENOSPC), DEFERRED);
	assert_int_equal(deferred_keep(deferred, &request, "message", 8), 0);
	assert_int_equal(demands, 1);
	quiesce(&a);
	assert_int_equal(freed, 4);
	deferred_retry_space(&thread);
	assert_int_equal(resumed, 1);
	assert_int_equal(deferred_no_space(&b, &deferred, -ENOSPC), -ENOSPC);
	deferred_done(deferred);
}

static void request_without_space_waits_while_blocks_return(void **state)
{
	struct deferred *deferred = NULL;

	(void)state;
	returning_begin(&core);
	assert_int_equal(deferred_no_space(&b, &deferred, -EDQUOT), -EDQUOT); /* its project was refunded */
	assert_int_equal(deferred_no_space(&b, &deferred, -ENOSPC), DEFERRED);
	assert_int_equal(deferred_keep(deferred, &request, "message", 8), 0);
	returning_end(&core, 1);
	deferred_retry_space(&thread);
	assert_int_equal(resumed, 1);
	/* They returned after it had begun. */
	assert_int_equal(deferred_no_space(&b, &deferred, -ENOSPC), DEFERRED);
	deferred_retry_space(&thread);
	thread.returned = nova_returned(&worker);
	assert_int_equal(deferred_no_space(&b, &deferred, -ENOSPC), -ENOSPC);
	deferred_done(deferred);
}

static void request_without_space_does_not_wait_for_ever(void **state)
{
	struct deferred *deferred = NULL;

	(void)state;
	hold(&a);
	free_own(&a, 4, 0);
	assert_int_equal(deferred_no_space(&b, &deferred, -ENOSPC), DEFERRED);
	assert_int_equal(deferred_keep(deferred, &request, "message", 8), 0);
	net.now_ms += 2 * (int64_t)config.recall_ms;
	deferred_retry_space(&thread);
	assert_int_equal(deferred_no_space(&b, &deferred, -ENOSPC), DEFERRED);
	net.now_ms += 2 * (int64_t)config.recall_ms;
	deferred_retry_space(&thread);
	assert_int_equal(deferred_no_space(&b, &deferred, -ENOSPC), -ENOSPC);
	deferred_done(deferred);
}

static void session_that_keeps_too_much_waits_for_itself(void **state)
{
	struct layout_change change;
	struct layout_effect effect;
	struct deferred *deferred = NULL;

	(void)state;
	hold(&a);
	free_own(&a, SESSION_BLOCKS - 1, 0);
	free_own(&a, 1, 0);
	assert_int_equal(deferred_change(&a, &deferred, file, false, &change), DEFERRED);
	assert_int_equal(deferred_keep(deferred, &request, "message", 8), 0);
	/* Nobody else is held up by it. */
	struct deferred *other = NULL;
	const struct proto_handle another = {.ino = 8, .generation = 1};
	assert_int_equal(deferred_change(&b, &other, another, false, &change), 0);
	layout_change_end(&change, 0, 0, &effect);
	quiesce(&a);
	deferred_retry_space(&thread);
	assert_int_equal(resumed, 1);
	assert_int_equal(deferred_change(&a, &deferred, file, false, &change), 0);
	layout_change_end(&change, 0, 0, &effect);
	deferred_done(deferred);
}

static void session_waits_for_itself_where_its_project_is_full_of_what_it_keeps(void **state)
{
	struct layout_change change;
	struct layout_effect effect;
	struct deferred *deferred = NULL;

	(void)state;
	hold(&a);
	project_is_full = true;
	free_own(&a, 1, 0); /* charged to nobody */
	free_own(&a, 1, 9);
	assert_int_equal(deferred_change(&a, &deferred, file, false, &change), DEFERRED);
	assert_int_equal(deferred_keep(deferred, &request, "message", 8), 0);
	quiesce(&a);
	deferred_retry_space(&thread);
	assert_int_equal(deferred_change(&a, &deferred, file, false, &change), 0);
	layout_change_end(&change, 0, 0, &effect);
	deferred_done(deferred);
	/* What is full for other reasons is final. */
	deferred = NULL;
	assert_int_equal(deferred_no_space(&a, &deferred, -EDQUOT), -EDQUOT);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(change_runs_again_once_the_layout_has_returned),
	    CASE(request_whose_connection_ended_is_as_if_it_had_never_come),
	    CASE(request_without_space_waits_while_blocks_are_kept),
	    CASE(request_without_space_waits_while_blocks_return),
	    CASE(request_without_space_does_not_wait_for_ever),
	    CASE(session_that_keeps_too_much_waits_for_itself),
	    CASE(session_waits_for_itself_where_its_project_is_full_of_what_it_keeps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
