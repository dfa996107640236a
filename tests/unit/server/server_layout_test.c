/*
 * server_layout_test.c -- the layout table as a state machine, with sessions that are only what a client would do.
 *
 * transport_register and its kin and nova_free_blocks are defined here instead of by their libraries: what is
 * registered and what is freed is what the invariants are about.
 */
#include "server/state/layout/layout.h"

#include "common/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CLIENTS        4
#define INODES         3
#define READS          8
#define POOL           4096 /* blocks */
#define SESSION_BLOCKS 8

/* ---- what lies beneath ------------------------------------------------------------------------------------------ */

static bool is_free[POOL];
static unsigned registered[POOL]; /* registrations that cover the block, of whatever connection */
static uint64_t freed_blocks;

struct transport_region {
	struct transport_region *next;
	struct transport_conn *conn;
	uint64_t block, count;
};

static struct transport_region *regions;

int transport_register(struct transport_conn *conn, void *address, size_t length, uint64_t base, unsigned rights,
                       struct transport_region **out)
{
	(void)address;
	assert_int_equal(rights, TRANSPORT_REMOTE_READ);
	*out = malloc(sizeof(**out));
	**out = (struct transport_region){.next = regions, .conn = conn, .block = base / 4096, .count = length / 4096};
	regions = *out;
	for (uint64_t i = 0; i < (*out)->count; i++)
		registered[(*out)->block + i]++;
	return 0;
}

void transport_deregister(struct transport_region *region)
{
	struct transport_region **link = &regions;

	while (*link && *link != region)
		link = &(*link)->next;
	assert_non_null(*link);
	*link = region->next;
	for (uint64_t i = 0; i < region->count; i++)
		registered[region->block + i]--;
	free(region);
}

/* What closing a connection does. */
static void deregister_all(const struct transport_conn *conn)
{
	for (struct transport_region *region = regions, *next; region; region = next) {
		next = region->next;
		if (region->conn == conn)
			transport_deregister(region);
	}
}

/* ---- clients ---------------------------------------------------------------------------------------------------- */

struct read {
	bool active;
	uint64_t block;
	uint64_t seen; /* invalidation acted on when it was started */
};

struct client {
	struct layout_owner owner; /* first */
	struct mailbox mailbox;
	unsigned notices;
	uint64_t noticed; /* number of the last one */
	struct proto_handle noticed_handle;

	/* the model's client */
	struct {
		uint64_t number;
		uint64_t ino;
	} queue[64]; /* notices on their way */
	unsigned queued;
	uint64_t seen;
	uint64_t cached[INODES]; /* block of the file's only block, 0 = nothing cached */
	struct read reads[READS];
	bool waiting;
	struct lease_waiter waiter;
	bool may_go;
};

static struct layout_table *table;
static struct client clients[CLIENTS];

void nova_free_blocks(struct nova_worker *worker, nova_block first, uint64_t count, uint32_t project)
{
	(void)worker;
	freed_blocks += count;
	for (uint64_t b = first.n; b < first.n + count && b < POOL; b++) {
		assert_false(is_free[b]);
		is_free[b] = true;
		assert_int_equal(registered[b], 0);
		for (int c = 0; c < CLIENTS; c++) {
			for (int r = 0; r < READS; r++)
				assert_false(clients[c].reads[r].active && clients[c].reads[r].block == b);
		}
	}
}

static void notify(struct lease_owner *owner, uint64_t number, struct proto_handle handle)
{
	struct client *client = (struct client *)owner;

	client->notices++;
	client->noticed = number;
	client->noticed_handle = handle;
	if (client->queued < 64) {
		client->queue[client->queued].number = number;
		client->queue[client->queued++].ino = handle.ino;
	}
}

static void resumed(struct mail *mail)
{
	struct lease_waiter *waiter = (struct lease_waiter *)(void *)mail;
	struct client *client = (struct client *)((char *)waiter - offsetof(struct client, waiter));

	client->may_go = true;
}

static int set_up_with(unsigned share_ms)
{
	table = layout_table_create(share_ms, SESSION_BLOCKS);
	memset(is_free, 0, sizeof(is_free));
	memset(registered, 0, sizeof(registered));
	freed_blocks = 0;
	for (int i = 0; i < CLIENTS; i++) {
		struct client *client = &clients[i];
		*client = (struct client){0};
		layout_owner_init(&client->owner, table);
		mailbox_init(&client->mailbox);
		client->owner.lease.mailbox = &client->mailbox;
		client->owner.max_regions = 16;
		client->owner.lease.notify = notify;
		client->owner.lease.connected = true;
		client->waiter.mail.deliver = resumed;
	}
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return set_up_with(0);
}

static struct transport_conn *conn_of(struct client *client)
{
	return (struct transport_conn *)(void *)client;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < CLIENTS; i++) {
		memset(clients[i].reads, 0, sizeof(clients[i].reads));
		deregister_all(conn_of(&clients[i]));
		layout_owner_end(&clients[i].owner);
		mailbox_deliver(&clients[i].mailbox);
	}
	for (int i = 0; i < CLIENTS; i++)
		mailbox_destroy(&clients[i].mailbox);
	layout_table_destroy(table);
	return 0;
}

#define A (&clients[0])
#define B (&clients[1])
#define C (&clients[2])

static const struct proto_handle file = {.ino = 77, .generation = 1};

static struct layout_holder *grant(struct client *client)
{
	struct layout_holder *holder = NULL;

	assert_int_equal(layout_grant(&client->owner, file, &holder), 0);
	assert_non_null(holder);
	return holder;
}

static void add_region(struct client *client, struct layout_holder *holder, uint64_t offset, uint64_t blocks,
                       uint64_t block)
{
	static uint8_t base[1];
	struct region *region;

	assert_int_equal(
	    region_add(&holder->regions, conn_of(client), base, offset, blocks * 4096, block * 4096, &region), 0);
	client->owner.regions++;
}

static bool keep_of(uint64_t ino, const struct layout_change *change, uint64_t block)
{
	const struct nova_freed freed = {.ino = {ino}, .first = {block}, .count = 1, .change = change};

	return layout_quarantine_blocks(table, &freed) != NOVA_FREE;
}

static bool keep(const struct layout_change *change, uint64_t block)
{
	return keep_of(file.ino, change, block);
}

/* ---- what each rule says ---------------------------------------------------------------------------------------- */

static void change_waits_until_every_other_holder_has_returned(void **state)
{
	struct layout_change change;
	struct layout_effect effect;

	(void)state;
	grant(A);
	grant(B);
	assert_int_equal(layout_change_begin(&C->owner, file, false, &C->waiter, &change), 1);
	mailbox_deliver(&A->mailbox);
	mailbox_deliver(&B->mailbox);
	assert_int_equal(A->notices, 1);
	assert_int_equal(A->noticed, 1);
	assert_int_equal(A->noticed_handle.ino, file.ino);
	assert_int_equal(B->notices, 1);

	assert_int_equal(lease_quiesced(&A->owner.lease, 1), 0);
	mailbox_deliver(&C->mailbox);
	assert_false(C->may_go);
	assert_int_equal(lease_quiesced(&B->owner.lease, 1), 0);
	mailbox_deliver(&C->mailbox);
	assert_true(C->may_go);
	layout_change_go(&C->waiter, false, &change);
	assert_null(change.own);
	layout_change_end(&change, 0, 4096, &effect);
	assert_null(effect.holder);
}

static void no_layout_is_granted_while_a_change_waits_or_runs(void **state)
{
	struct layout_change change;
	struct layout_effect effect;
	struct layout_holder *holder;

	(void)state;
	grant(A);
	assert_int_equal(layout_change_begin(&B->owner, file, false, &B->waiter, &change), 1);
	assert_int_equal(layout_grant(&C->owner, file, &holder), -EBUSY);
	mailbox_deliver(&A->mailbox);
	assert_int_equal(layout_grant(&A->owner, file, &holder), -EBUSY);
	lease_quiesced(&A->owner.lease, 1);
	mailbox_deliver(&B->mailbox);
	layout_change_go(&B->waiter, false, &change);
	assert_int_equal(layout_grant(&C->owner, file, &holder), -EBUSY);
	layout_change_end(&change, 0, 4096, &effect);
	assert_int_equal(layout_grant(&C->owner, file, &holder), 0);
}

static void own_layout_goes_on_and_its_freed_blocks_wait_for_quiesced(void **state)
{
	struct layout_change change;
	struct layout_effect effect;

	(void)state;
	struct layout_holder *holder = grant(A);
	add_region(A, holder, 0, 4, 100);
	add_region(A, holder, 8 * 4096, 2, 200);
	assert_int_equal(layout_change_begin(&A->owner, file, false, &A->waiter, &change), 0);
	assert_ptr_equal(change.own, holder);
	assert_true(keep(&change, 101));
	layout_change_end(&change, 4096, 4096, &effect);
	assert_int_equal(A->notices, 0);
	assert_ptr_equal(effect.holder, holder);
	assert_int_equal(effect.offset, 0);
	assert_int_equal(effect.length, 4 * 4096);
	assert_int_equal(A->owner.lease.invalidation_issued, 1);

	assert_int_equal(freed_blocks, 0);
	assert_int_equal(registered[101], 1);
	assert_int_equal(layout_quarantined_blocks(table), 1);
	assert_int_equal(lease_quiesced(&A->owner.lease, 1), 0);
	assert_int_equal(freed_blocks, 1);
	assert_int_equal(registered[101], 0);
	assert_int_equal(registered[200], 1);
	assert_int_equal(layout_quarantined_blocks(table), 0);
}

static void blocks_of_a_file_without_layouts_are_not_kept(void **state)
{
	struct layout_change change;
	struct layout_effect effect;

	(void)state;
	assert_int_equal(layout_change_begin(&A->owner, file, false, &A->waiter, &change), 0);
	assert_false(keep(&change, 100));
	layout_change_end(&change, 0, 4096, &effect);
	assert_int_equal(A->owner.lease.invalidation_issued, 0);
}

static void blocks_of_a_dead_inode_wait_for_all_sessions_that_had_closed_it(void **state)
{
	(void)state;
	add_region(A, grant(A), 0, 1, 100);
	add_region(B, grant(B), 0, 1, 100);
	layout_file_closed(&A->owner, file);
	layout_file_closed(&B->owner, file);
	assert_int_equal(A->notices + B->notices, 0);
	assert_true(keep(NULL, 100));
	lease_quiesced(&A->owner.lease, 1);
	assert_int_equal(freed_blocks, 0);
	lease_quiesced(&B->owner.lease, 1);
	assert_int_equal(freed_blocks, 1);
	assert_false(keep(NULL, 101));
}

static void change_does_not_wait_for_a_session_that_has_closed_the_file(void **state)
{
	struct layout_change change;
	struct layout_effect effect;

	(void)state;
	add_region(A, grant(A), 0, 1, 100);
	layout_file_closed(&A->owner, file);
	assert_int_equal(layout_change_begin(&B->owner, file, false, &B->waiter, &change), 0);
	assert_true(keep(&change, 100));
	layout_change_end(&change, 0, 4096, &effect);
	assert_int_equal(freed_blocks, 0);
	lease_quiesced(&A->owner.lease, 1);
	assert_int_equal(freed_blocks, 1);
}

static void death_of_a_holder_lets_changes_go_on_and_frees_its_blocks(void **state)
{
	struct layout_change change;
	struct layout_effect effect;

	(void)state;
	grant(A);
	assert_int_equal(layout_change_begin(&A->owner, file, false, &A->waiter, &change), 0);
	assert_true(keep(&change, 100));
	layout_change_end(&change, 0, 4096, &effect);
	assert_int_equal(layout_change_begin(&B->owner, file, false, &B->waiter, &change), 1);
	/* Its recall is still in the mail when it dies. */
	deregister_all(conn_of(A));
	layout_owner_end(&A->owner);
	assert_int_equal(freed_blocks, 1);
	mailbox_deliver(&A->mailbox);
	assert_int_equal(A->notices, 0);
	mailbox_deliver(&B->mailbox);
	assert_true(B->may_go);
	layout_change_go(&B->waiter, false, &change);
	layout_change_end(&change, 0, 4096, &effect);
}

static void two_writers_that_hold_layouts_do_not_wait_for_each_other_for_ever(void **state)
{
	struct layout_change change_a, change_b;
	struct layout_effect effect;

	(void)state;
	grant(A);
	grant(B);
	assert_int_equal(layout_change_begin(&A->owner, file, false, &A->waiter, &change_a), 1);
	assert_int_equal(layout_change_begin(&B->owner, file, false, &B->waiter, &change_b), 1);
	mailbox_deliver(&A->mailbox);
	mailbox_deliver(&B->mailbox);
	lease_quiesced(&A->owner.lease, A->noticed);
	lease_quiesced(&B->owner.lease, B->noticed);
	mailbox_deliver(&A->mailbox);
	mailbox_deliver(&B->mailbox);
	assert_true(A->may_go && B->may_go);
	layout_change_go(&A->waiter, false, &change_a);
	assert_null(change_a.own);
	layout_change_end(&change_a, 0, 4096, &effect);
	layout_change_go(&B->waiter, false, &change_b);
	layout_change_end(&change_b, 0, 4096, &effect);
}

static void recalled_layout_does_not_live_on_in_the_reply_to_an_own_write(void **state)
{
	struct layout_change change_a, change_b;
	struct layout_effect effect;

	(void)state;
	grant(A);
	assert_int_equal(layout_change_begin(&B->owner, file, false, &B->waiter, &change_b), 1);
	/* The recall is in A's mail, and A's own write comes first. */
	assert_int_equal(layout_change_begin(&A->owner, file, false, &A->waiter, &change_a), 0);
	assert_int_equal(A->notices, 1);
	layout_change_end(&change_a, 0, 4096, &effect);
	assert_null(effect.holder);
	mailbox_deliver(&A->mailbox);
	assert_int_equal(A->notices, 1);
	lease_quiesced(&A->owner.lease, A->noticed);
	mailbox_deliver(&B->mailbox);
	assert_true(B->may_go);
	lease_change_abandon(&B->waiter);
}

static void truncation_ends_the_own_layout_and_tells_the_session(void **state)
{
	struct layout_change change;
	struct layout_effect effect;

	(void)state;
	add_region(A, grant(A), 0, 1, 100);
	assert_int_equal(layout_change_begin(&A->owner, file, true, &A->waiter, &change), 0);
	assert_int_equal(A->notices, 1);
	assert_true(keep(&change, 100));
	layout_change_end(&change, 0, 0, &effect);
	assert_null(effect.holder);
	assert_int_equal(freed_blocks, 0);
	lease_quiesced(&A->owner.lease, A->noticed);
	assert_int_equal(freed_blocks, 1);
}

static void sharing_forbids_layouts_for_a_while(void **state)
{
	struct layout_change change;
	struct layout_effect effect;
	struct layout_holder *holder;

	tear_down(state);
	set_up_with(60);
	grant(A);
	assert_int_equal(layout_change_begin(&B->owner, file, false, &B->waiter, &change), 1);
	mailbox_deliver(&A->mailbox);
	lease_quiesced(&A->owner.lease, 1);
	mailbox_deliver(&B->mailbox);
	layout_change_go(&B->waiter, false, &change);
	layout_change_end(&change, 0, 4096, &effect);
	assert_int_equal(layout_grant(&A->owner, file, &holder), -EBUSY);
	usleep(100000);
	assert_int_equal(layout_grant(&A->owner, file, &holder), 0);
}

static void cancelled_change_lets_layouts_be_granted_again(void **state)
{
	struct layout_change change;
	struct layout_holder *holder;

	(void)state;
	grant(A);
	assert_int_equal(layout_change_begin(&B->owner, file, false, &B->waiter, &change), 1);
	assert_true(lease_change_cancel(&B->waiter));
	mailbox_deliver(&A->mailbox);
	lease_quiesced(&A->owner.lease, 1);
	mailbox_deliver(&B->mailbox);
	assert_false(B->may_go);
	assert_int_equal(layout_grant(&C->owner, file, &holder), 0);
}

static void change_cancelled_when_its_mail_is_on_its_way_keeps_its_waiter(void **state)
{
	struct layout_change change;
	struct layout_holder *holder;

	(void)state;
	grant(A);
	assert_int_equal(layout_change_begin(&B->owner, file, false, &B->waiter, &change), 1);
	mailbox_deliver(&A->mailbox);
	lease_quiesced(&A->owner.lease, 1);
	assert_false(lease_change_cancel(&B->waiter));
	mailbox_deliver(&B->mailbox);
	assert_true(B->may_go);
	assert_int_equal(layout_grant(&C->owner, file, &holder), 0);
}

static void quiesced_beyond_what_was_told_is_refused(void **state)
{
	(void)state;
	assert_int_equal(lease_quiesced(&A->owner.lease, 1), -EPROTO);
	assert_int_equal(lease_quiesced(&A->owner.lease, 0), 0);
}

static void session_that_owes_blocks_is_asked_then_given_up(void **state)
{
	struct timespec t;

	(void)state;
	grant(A);
	layout_file_closed(&A->owner, file);
	assert_true(keep(NULL, 100));
	clock_gettime(CLOCK_MONOTONIC, &t);
	int64_t now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	assert_int_equal(layout_tick(&A->owner, now, 500, 1000), 0);
	assert_int_equal(A->notices, 0);
	assert_int_equal(layout_tick(&A->owner, now + 200, 500, 1000), 0);
	assert_int_equal(A->notices, 1);
	assert_int_equal(A->noticed_handle.ino, 0);
	assert_int_equal(layout_tick(&A->owner, now + 400, 500, 1000), 0);
	assert_int_equal(A->notices, 1);
	assert_int_equal(layout_tick(&A->owner, now + 1300, 500, 1000), -ETIMEDOUT);
	lease_quiesced(&A->owner.lease, A->noticed);
	assert_int_equal(layout_tick(&A->owner, now + 1300, 500, 1000), 0);
	assert_int_equal(freed_blocks, 1);
}

static void what_a_session_owes_is_due_later_by_a_bounded_time(void **state)
{
	struct layout_change change;

	(void)state;
	grant(A);
	assert_int_equal(layout_change_begin(&B->owner, file, false, &B->waiter, &change), 1);
	mailbox_deliver(&A->mailbox);
	int64_t now = clock_now_ms();
	for (int i = 0; i < 100; i++)
		layout_extend(&A->owner, 400, 500);
	assert_int_equal(layout_tick(&A->owner, now + 900, 500, 100000), 0);
	assert_int_equal(layout_tick(&A->owner, now + 1100, 500, 100000), -ETIMEDOUT);
	assert_true(penalty_holds(&A->owner.lease.penalty, now + 1100));
	layout_owner_end(&A->owner);
	mailbox_deliver(&B->mailbox);
	assert_true(B->may_go);
	lease_change_abandon(&B->waiter);
}

static void least_recently_used_layout_makes_room_for_another(void **state)
{
	const struct proto_handle other = {.ino = 78, .generation = 1};
	struct layout_holder *second;

	(void)state;
	A->owner.max_regions = 1;
	add_region(A, grant(A), 0, 1, 100);
	assert_int_equal(layout_grant(&A->owner, other, &second), 0);
	assert_false(layout_room(&A->owner, second));
	assert_int_equal(A->noticed_handle.ino, file.ino);
	lease_quiesced(&A->owner.lease, A->noticed);
	assert_int_equal(registered[100], 0);
	assert_true(layout_room(&A->owner, second));
}

/* ---- all of it at random ---------------------------------------------------------------------------------------- */

/*
 * A file system of files of one block, sessions that read under layouts as the client library does, and any order of
 * events. nova_free_blocks checks that nobody READs what is freed; here it is checked that no one holds what another
 * changes.
 */
static uint64_t current[INODES]; /* block of each file */
static uint64_t next_block;

static uint64_t quiesced_of(const struct client *client)
{
	uint64_t least = client->seen;

	for (int r = 0; r < READS; r++) {
		if (client->reads[r].active && client->reads[r].seen < least)
			least = client->reads[r].seen;
	}
	return least;
}

static struct proto_handle handle_of(int inode)
{
	return (struct proto_handle){.ino = (uint64_t)inode + 1, .generation = 1};
}

static void act_on_notices(struct client *client)
{
	for (unsigned i = 0; i < client->queued; i++) {
		if (client->queue[i].ino)
			client->cached[client->queue[i].ino - 1] = 0;
		client->seen = client->queue[i].number;
	}
	client->queued = 0;
}

static void start_read(struct client *client, int inode)
{
	for (int r = 0; r < READS; r++) {
		if (!client->reads[r].active && client->cached[inode]) {
			assert_false(is_free[client->cached[inode]]);
			assert_true(registered[client->cached[inode]] > 0);
			client->reads[r] =
			    (struct read){.active = true, .block = client->cached[inode], .seen = client->seen};
			return;
		}
	}
}

static void ask_layout(struct client *client, int inode)
{
	struct layout_holder *holder;

	/* The reply comes behind all notices sent before. */
	act_on_notices(client);
	if (client->owner.regions >= client->owner.max_regions ||
	    layout_grant(&client->owner, handle_of(inode), &holder) < 0)
		return;
	act_on_notices(client);
	if (!region_next(&holder->regions, 0, 4096))
		add_region(client, holder, 0, 1, current[inode]);
	assert_int_equal(region_next(&holder->regions, 0, 4096)->address, current[inode] * 4096);
	client->cached[inode] = current[inode];
}

static void finish_change(struct client *client, int inode, struct layout_change *change)
{
	struct layout_effect effect;

	for (int c = 0; c < CLIENTS; c++) {
		/* A recalled session has acted on all notices before its quiesced said so. */
		if (&clients[c] != client && clients[c].cached[inode])
			assert_int_equal(clients[c].cached[inode], 0);
	}
	uint64_t old = current[inode];
	current[inode] = next_block++;
	if (!keep_of((uint64_t)inode + 1, change, old))
		nova_free_blocks(NULL, (nova_block){old}, 1, 0);
	layout_change_end(change, 0, 4096, &effect);
	/* The reply: behind the notices, and it replaces what was cached. */
	act_on_notices(client);
	client->cached[inode] = 0;
	client->seen = client->owner.lease.invalidation_issued;
}

static int waiting_inode(const struct client *client)
{
	return (int)client->waiter.ino - 1;
}

static void change(struct client *client, int inode, bool drop_own)
{
	struct layout_change change;

	if (client->waiting)
		return;
	if (layout_change_begin(&client->owner, handle_of(inode), drop_own, &client->waiter, &change) == 0) {
		finish_change(client, inode, &change);
		return;
	}
	client->waiting = true;
	client->may_go = false;
}

static void deliver(struct client *client)
{
	struct layout_change change;

	mailbox_deliver(&client->mailbox);
	if (client->waiting && client->may_go) {
		client->waiting = false;
		layout_change_go(&client->waiter, false, &change);
		finish_change(client, waiting_inode(client), &change);
	}
}

static void die(struct client *client)
{
	if (client->waiting) {
		client->waiting = false;
		if (!lease_change_cancel(&client->waiter))
			mailbox_deliver(&client->mailbox);
	}
	/* The queue pair goes first: READs under way are over. */
	memset(client->reads, 0, sizeof(client->reads));
	memset(client->cached, 0, sizeof(client->cached));
	client->queued = 0;
	deregister_all(conn_of(client));
	layout_owner_end(&client->owner);
	client->seen = client->owner.lease.invalidation_issued;
	client->owner.lease.connected = true;
}

static void no_freed_block_is_read_in_any_order_of_events(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 60; round++) {
		next_block = 1;
		for (int i = 0; i < INODES; i++)
			current[i] = next_block++;
		while (next_block < POOL - 1) {
			struct client *client = &clients[rand() % CLIENTS];
			int inode = rand() % INODES;
			switch (rand() % 16) {
			case 0:
			case 1:
			case 2:
				ask_layout(client, inode);
				break;
			case 3:
			case 4:
			case 5:
				start_read(client, inode);
				break;
			case 6:
			case 7:
			case 8:
				client->reads[rand() % READS].active = false;
				break;
			case 9:
				act_on_notices(client);
				break;
			case 10:
			case 11:
				assert_int_equal(lease_quiesced(&client->owner.lease, quiesced_of(client)), 0);
				break;
			case 12:
				deliver(client);
				break;
			case 13:
				change(client, inode, rand() % 4 == 0);
				break;
			case 14:
				client->cached[inode] = 0;
				act_on_notices(client);
				layout_file_closed(&client->owner, handle_of(inode));
				act_on_notices(client);
				client->seen = client->owner.lease.invalidation_issued;
				break;
			case 15:
				if (rand() % 8 == 0)
					die(client);
				break;
			}
		}
		tear_down(state);
		set_up(state);
	}
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(change_waits_until_every_other_holder_has_returned),
	    CASE(no_layout_is_granted_while_a_change_waits_or_runs),
	    CASE(own_layout_goes_on_and_its_freed_blocks_wait_for_quiesced),
	    CASE(blocks_of_a_file_without_layouts_are_not_kept),
	    CASE(blocks_of_a_dead_inode_wait_for_all_sessions_that_had_closed_it),
	    CASE(change_does_not_wait_for_a_session_that_has_closed_the_file),
	    CASE(death_of_a_holder_lets_changes_go_on_and_frees_its_blocks),
	    CASE(two_writers_that_hold_layouts_do_not_wait_for_each_other_for_ever),
	    CASE(recalled_layout_does_not_live_on_in_the_reply_to_an_own_write),
	    CASE(truncation_ends_the_own_layout_and_tells_the_session),
	    CASE(sharing_forbids_layouts_for_a_while),
	    CASE(cancelled_change_lets_layouts_be_granted_again),
	    CASE(change_cancelled_when_its_mail_is_on_its_way_keeps_its_waiter),
	    CASE(quiesced_beyond_what_was_told_is_refused),
	    CASE(session_that_owes_blocks_is_asked_then_given_up),
	    CASE(what_a_session_owes_is_due_later_by_a_bounded_time),
	    CASE(least_recently_used_layout_makes_room_for_another),
	    CASE(no_freed_block_is_read_in_any_order_of_events),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
