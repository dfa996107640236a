/*
 * client_reconnect_test.c -- how a session is opened, resumed and replaced: what the client asks and in which order,
 * what it takes from the replies, which answers it does not accept, and how long it waits.
 *
 * The transport is a double: what is sent is given to `serve`, and its reply is what arrives next. Waiting only moves
 * the clock.
 */
#include "client/session/reconnect.h"

#include "client/session/call.h"
#include "client/session/open_files.h"
#include "client/session/receive.h"
#include "common/clock.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define ANSWER_NS   (5000 * CLOCK_NS_PER_MS) /* the longest wait for a reply */
#define BYE_NS      (1000 * CLOCK_NS_PER_MS)
#define SESSION     41u
#define SESSION_KEY 42u
#define IDENTITY    43u
#define ROOT        64u
#define RING        (64u << 20)
#define MOST        128u

static struct farnova fs;
static int64_t now;

/* ---- the server ------------------------------------------------------------------------------------------------- */

enum served { REPLIES, SILENT, CLOSES };

/* What the server has been asked. */
static struct proto_request asked[MOST];
static unsigned asked_count;
/* How it answers: `reply` has been filled in as a correct server would. */
static enum served (*serve)(const struct proto_request *request, struct proto_reply *reply);
static struct proto_reply hello; /* the body for HELLO */

static uint8_t arriving[2][PROTO_MAX_MESSAGE]; /* the messages that the client has not received yet */
static int arriving_length[2];
static unsigned arrived, arriving_count;
static bool closing;

static unsigned queues, connections; /* that exist now */
static unsigned dials;
static int dial_error, dial_timeout_ms;
static uint32_t peer_message;
static bool message_held;
static bool needs_region; /* which cannot be registered */

static int64_t pauses[MOST];
static unsigned pause_count;
static unsigned stop_after; /* pauses; 0: none */

static enum served answers(const struct proto_request *request, struct proto_reply *reply)
{
	return REPLIES;
}

static void arrive(const struct proto_reply *reply)
{
	assert_true(arriving_count < 2);
	arriving_length[arriving_count] = proto_encode_reply(reply, arriving[arriving_count], PROTO_MAX_MESSAGE);
	assert_true(arriving_length[arriving_count] > 0);
	arriving_count++;
}

static void arrive_recall(void)
{
	struct proto_recall recall = {.invalidation = 1, .handle = {.ino = 7, .generation = 1}};

	arriving_length[arriving_count] = proto_encode_recall(&recall, arriving[arriving_count], PROTO_MAX_MESSAGE);
	arriving_count++;
}

static void ask_server(const void *message, size_t length)
{
	static struct proto_reply reply;
	struct proto_request *request = &asked[asked_count];
	const char *why;

	assert_true(asked_count < MOST);
	assert_int_equal(proto_decode_request(message, length, request, &why), 0);
	asked_count++;
	if (request->op == PROTO_HELLO)
		reply = hello;
	else
		memset(&reply, 0, sizeof(reply));
	reply.op = request->op;
	reply.slot = request->slot;
	reply.sequence = request->sequence;
	if (request->op == PROTO_REOPEN) {
		reply.open.open = 1000 + request->reopen.handle.ino;
		reply.open.attr.handle = request->reopen.handle;
		reply.open.attr.mode = 0100644;
	}
	enum served served = serve(request, &reply);
	if (served == REPLIES)
		arrive(&reply);
	closing = served == CLOSES;
}

/* ---- the transport ---------------------------------------------------------------------------------------------- */

int __wrap_transport_queue_create(enum transport_kind kind, struct transport_queue **out);
void __wrap_transport_queue_destroy(struct transport_queue *queue);
int __wrap_transport_connect(struct transport_queue *queue, const char *host, uint16_t port,
                             const struct transport_options *options, int timeout_ms, struct transport_conn **out,
                             char *why, size_t why_size);
void __wrap_transport_close(struct transport_conn *conn);
int __wrap_transport_send(struct transport_conn *conn, const struct iovec *iov, int count, unsigned flags);
int __wrap_transport_poll(struct transport_queue *queue, struct transport_event *events, int max);
int __wrap_transport_arm(struct transport_queue *queue);
int __wrap_transport_fd(const struct transport_queue *queue);
void __wrap_transport_release(struct transport_conn *conn, const void *data);
uint32_t __wrap_transport_max_message(const struct transport_conn *conn);
bool __wrap_transport_needs_region(const struct transport_conn *conn);
int __wrap_transport_register(struct transport_conn *conn, void *address, size_t length, uint64_t base, unsigned rights,
                              struct transport_region **out);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *until);

int __wrap_transport_queue_create(enum transport_kind kind, struct transport_queue **out)
{
	static char queue;

	*out = (struct transport_queue *)(void *)&queue;
	queues++;
	return 0;
}

void __wrap_transport_queue_destroy(struct transport_queue *queue)
{
	assert_int_equal(connections, 0);
	queues--;
}

int __wrap_transport_connect(struct transport_queue *queue, const char *host, uint16_t port,
                             const struct transport_options *options, int timeout_ms, struct transport_conn **out,
                             char *why, size_t why_size)
{
	static char conn;

	dials++;
	dial_timeout_ms = timeout_ms;
	if (dial_error) {
		snprintf(why, why_size, "nobody is there");
		return dial_error;
	}
	*out = (struct transport_conn *)(void *)&conn;
	connections++;
	arrived = arriving_count = 0;
	closing = false;
	return 0;
}

void __wrap_transport_close(struct transport_conn *conn)
{
	connections--;
}

int __wrap_transport_send(struct transport_conn *conn, const struct iovec *iov, int count, unsigned flags)
{
	assert_int_equal(count, 1);
	ask_server(iov[0].iov_base, iov[0].iov_len);
	return 0;
}

int __wrap_transport_poll(struct transport_queue *queue, struct transport_event *events, int max)
{
	assert_false(message_held);
	if (closing) {
		events[0] = (struct transport_event){.type = TRANSPORT_CLOSED, .status = -ECONNRESET};
		return 1;
	}
	if (arrived == arriving_count)
		return 0;
	events[0] = (struct transport_event){.type = TRANSPORT_MESSAGE, .data = arriving[arrived]};
	events[0].length = (uint32_t)arriving_length[arrived];
	message_held = true;
	if (++arrived == arriving_count)
		arrived = arriving_count = 0;
	return 1;
}

int __wrap_transport_arm(struct transport_queue *queue)
{
	return 0;
}

int __wrap_transport_fd(const struct transport_queue *queue)
{
	return -1;
}

void __wrap_transport_release(struct transport_conn *conn, const void *data)
{
	message_held = false;
}

uint32_t __wrap_transport_max_message(const struct transport_conn *conn)
{
	return peer_message;
}

bool __wrap_transport_needs_region(const struct transport_conn *conn)
{
	return needs_region;
}

int __wrap_transport_register(struct transport_conn *conn, void *address, size_t length, uint64_t base, unsigned rights,
                              struct transport_region **out)
{
	return -ENOMEM;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	now += timeout_ms * CLOCK_NS_PER_MS;
	return 0;
}

int __wrap_pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *until)
{
	int64_t end = until->tv_sec * CLOCK_NS_PER_S + until->tv_nsec;

	assert_true(pause_count < MOST);
	pauses[pause_count++] = end - now;
	now = end;
	if (pause_count == stop_after)
		fs.link.poller.stop = true;
	return 0;
}

static int64_t test_now(void)
{
	return now;
}

/* ---- words of the tests ----------------------------------------------------------------------------------------- */

static void on_lost(struct connection *link)
{
	call_lost(&fs);
}

static const struct connection_handler handler = {.on_lost = on_lost};

static int set_up(void **state)
{
	asked_count = arriving_count = arrived = dials = pause_count = stop_after = 0;
	closing = message_held = needs_region = false;
	dial_error = 0;
	peer_message = PROTO_MESSAGE_SIZE;
	serve = answers;
	now = CLOCK_NS_PER_S;
	clock_set_source(test_now);
	hello = (struct proto_reply){.slots = 4,
	                             .window = 1,
	                             .hello = {
	                                 .version = PROTO_VERSION,
	                                 .identity = IDENTITY,
	                                 .session = SESSION,
	                                 .session_key = SESSION_KEY,
	                                 .instance = 1,
	                                 .pool = "the pool",
	                                 .lease_ms = 30000,
	                                 .max_read = 8192,
	                                 .max_write = 4096,
	                                 .staging_size = RING,
	                                 .root = {.ino = ROOT, .generation = 1},
	                             }};
	return session_init(&fs, &handler);
}

static int tear_down(void **state)
{
	(void)pthread_mutex_trylock(&fs.link.lock); /* a test that failed may have it still */
	session_end(&fs);
	connection_unlock(&fs.link);
	assert_int_equal(connections, 0);
	assert_int_equal(queues, 0);
	session_destroy(&fs);
	clock_set_source(NULL);
	return 0;
}

static void connect_to_server(void)
{
	assert_int_equal(connect_first(&fs, "tcp", 0), 0);
	assert_int_equal(fs.link.state, CONNECTION_UP);
	asked_count = dials = 0;
}

/* come_back -- lose the connection and have a new one; `resumed` says what the server remembers. */
static void come_back(bool resumed)
{
	hello.hello.resumed = resumed;
	hello.hello.known = true;
	if (!resumed)
		hello.hello.session++;
	connection_lock(&fs.link);
	connection_lose(&fs.link, -ECONNRESET, "test");
	reconnect(&fs.link);
	connection_unlock(&fs.link);
}

static struct farnova_file *open_file(uint64_t ino, uint32_t flags)
{
	struct farnova_file *file = calloc(1, sizeof(*file));
	struct inode *reserved = layout_reserve();

	assert_true(file && reserved);
	pthread_mutex_init(&file->position.inner, NULL);
	pthread_cond_init(&file->position.freed, NULL);
	file->fs = &fs;
	file->references = 1;
	file->inode = layout_open(&fs.layouts, (struct proto_handle){.ino = ino, .generation = 1}, &reserved);
	file->flags = flags;
	file->open = ino;
	file->session = fs.session.id;
	LIST_INSERT_HEAD(&fs.files, file, entry);
	return file;
}

static void close_file(struct farnova_file *file)
{
	connection_lock(&fs.link);
	fs.leaving = true;
	file_put(file);
	connection_unlock(&fs.link);
}

static void assert_trouble(const char *part)
{
	if (!strstr(fs.link.trouble, part))
		fail_msg("'%s' is not in '%s'", part, fs.link.trouble);
}

/* ---- the first session ------------------------------------------------------------------------------------------ */

static void the_first_session_has_what_the_server_grants(void **state)
{
	assert_int_equal(connect_first(&fs, "tcp", 0), 0);
	assert_int_equal(asked_count, 1);
	assert_int_equal(asked[0].op, PROTO_HELLO);
	assert_int_equal(asked[0].slot, PROTO_SLOT_NONE);
	assert_int_equal(asked[0].hello.session, 0);
	assert_int_equal(asked[0].hello.identity, 0);
	assert_int_equal(asked[0].hello.uid, geteuid());
	assert_int_equal(fs.link.state, CONNECTION_UP);
	assert_int_equal(fs.link.epoch, 1);
	assert_int_equal(fs.session.id, SESSION);
	assert_int_equal(fs.session.key, SESSION_KEY);
	assert_int_equal(fs.identity.number, IDENTITY);
	assert_int_equal(fs.root.ino, ROOT);
	assert_int_equal(asked[0].hello.slots, PROTO_MAX_SLOTS);
	assert_int_equal(fs.session.slots, 4);
	assert_int_equal(fs.session.window, 1);
	assert_true(fs.free_slots[0] == ~1ull); /* without slot 0; of those in the window some can be taken */
	assert_int_equal(fs.write_small, 4096);
	assert_int_equal(fs.write_chunk, BUFFER_SIZE);
	assert_int_equal(fs.staging.size, 4u << 20); /* of a larger ring */
}

static enum served refuses(const struct proto_request *request, struct proto_reply *reply)
{
	reply->status = EACCES;
	reply->reason = (struct proto_string){.data = "not today", .length = 9};
	return REPLIES;
}

static enum served grants_one_slot(const struct proto_request *request, struct proto_reply *reply)
{
	reply->slots = 1;
	return REPLIES;
}

static enum served knows_another(const struct proto_request *request, struct proto_reply *reply)
{
	reply->hello.known = true;
	return REPLIES;
}

static enum served answers_something_else(const struct proto_request *request, struct proto_reply *reply)
{
	*reply = (struct proto_reply){.op = PROTO_PING, .slot = 0, .sequence = 1};
	return REPLIES;
}

static enum served is_silent(const struct proto_request *request, struct proto_reply *reply)
{
	return SILENT;
}

static enum served hangs_up(const struct proto_request *request, struct proto_reply *reply)
{
	return CLOSES;
}

static void a_server_that_does_not_open_a_session_is_left(void **state)
{
	static const struct {
		enum served (*serve)(const struct proto_request *request, struct proto_reply *reply);
		int error;
		const char *trouble;
	} cases[] = {
	    {refuses, -EACCES, "not today"},
	    {grants_one_slot, -EPROTO, "too few slots"},
	    {knows_another, -EPROTO, "another identity"},
	    {answers_something_else, -EPROTO, "does not answer as a farnova server"},
	    {hangs_up, -ECONNRESET, "does not answer as a farnova server"},
	    {is_silent, -ETIMEDOUT, "does not answer as a farnova server"},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		serve = cases[i].serve;
		assert_int_equal(connect_first(&fs, "tcp", 0), cases[i].error);
		assert_trouble(cases[i].trouble);
		assert_int_equal(fs.link.state, CONNECTION_ENDED);
		assert_int_equal(fs.session.id, 0);
		assert_int_equal(connections, 0);
		assert_int_equal(queues, 0);
	}
	serve = answers;
	peer_message = PROTO_MESSAGE_SIZE - 1;
	assert_int_equal(connect_first(&fs, "tcp", 0), -EPROTO);
	assert_int_equal(connect_first(&fs, "pigeon", 0), -EINVAL);
	assert_trouble("auto, verbs or tcp");
	dial_error = -ECONNREFUSED;
	assert_int_equal(connect_first(&fs, "tcp", 0), -ECONNREFUSED);
	assert_trouble("nobody is there");
}

static void a_wait_ends_at_its_limit_or_at_the_deadline(void **state)
{
	int64_t before = now;

	serve = is_silent;
	assert_int_equal(connect_first(&fs, "tcp", 0), -ETIMEDOUT);
	assert_int_equal(now - before, ANSWER_NS);
	before = now;
	assert_int_equal(connect_first(&fs, "tcp", now + 70 * CLOCK_NS_PER_MS), -ETIMEDOUT);
	assert_int_equal(dial_timeout_ms, 70);
	assert_int_equal(now - before, 70 * CLOCK_NS_PER_MS);
}

static void without_memory_to_register_there_is_no_session(void **state)
{
	needs_region = true;
	assert_int_equal(connect_first(&fs, "tcp", 0), -ENOMEM);
	assert_trouble("memlock");
	assert_int_equal(connections, 0);
	/* The next attempt does not resume what it could not use. */
	needs_region = false;
	asked_count = 0;
	assert_int_equal(connect_first(&fs, "tcp", 0), 0);
	assert_int_equal(asked[0].hello.session, 0);
}

/* ---- the session goes on ---------------------------------------------------------------------------------------- */

static void a_resumed_session_keeps_files_and_credentials(void **state)
{
	unsigned number;

	connect_to_server();
	struct farnova_file *file = open_file(7, PROTO_OPEN_READ);
	assert_int_equal(cred_intern(&fs.creds, &(struct farnova_cred){.uid = 5, .gid = 6}, &number), 0);
	fs.creds.list[number - 1]->session = fs.session.id;
	come_back(true);
	assert_int_equal(asked_count, 1);
	assert_int_equal(asked[0].hello.session, SESSION);
	assert_int_equal(asked[0].hello.session_key, SESSION_KEY);
	assert_int_equal(asked[0].hello.identity, IDENTITY);
	assert_int_equal(file->open, 7);
	assert_int_equal(fs.link.state, CONNECTION_UP);
	assert_int_equal(fs.link.epoch, 2);
	assert_string_equal(fs.link.trouble, "");
	close_file(file);
}

static enum served repeats_a_reopen(const struct proto_request *request, struct proto_reply *reply)
{
	if (request->op != PROTO_PING)
		return REPLIES;
	assert_int_equal(fs.link.state, CONNECTION_LOST);
	reply->op = PROTO_REOPEN;
	reply->open.open = 99;
	reply->open.attr.handle = (struct proto_handle){.ino = 7, .generation = 1};
	reply->open.attr.mode = 0100644;
	return REPLIES;
}

static enum served recalls_first(const struct proto_request *request, struct proto_reply *reply)
{
	arrive_recall();
	return REPLIES;
}

static void recalls_of_the_lost_connection_are_passed_over(void **state)
{
	connect_to_server();
	serve = recalls_first;
	hello.hello.lease_ms = 20000;
	come_back(true);
	assert_int_equal(dials, 1);
	assert_int_equal(fs.session.lease_ms, 20000);
}

static void a_ping_settles_slot_0_before_anything_else(void **state)
{
	connect_to_server();
	/* A REOPEN was in flight when the connection was lost. */
	fs.slots[0].busy = true;
	fs.slots[0].sequence = 5;
	serve = repeats_a_reopen;
	come_back(true);
	assert_true(asked_count >= 2);
	assert_int_equal(asked[1].op, PROTO_PING);
	assert_int_equal(asked[1].slot, 0);
	assert_int_equal(asked[1].sequence, 5);
	assert_false(fs.slots[0].busy);
	/* Nobody has the file that it opened. */
	assert_int_equal(fs.close_count, 1);
	assert_int_equal(fs.closes[0], 99);
}

/* ---- another session -------------------------------------------------------------------------------------------- */

static enum served lost_file_8(const struct proto_request *request, struct proto_reply *reply)
{
	if (request->op != PROTO_HELLO)
		assert_int_equal(fs.link.state, CONNECTION_LOST);
	if (request->op == PROTO_REOPEN && request->reopen.handle.ino == 8)
		reply->status = ESTALE;
	return REPLIES;
}

static void a_new_session_gets_credentials_then_files_then_calls(void **state)
{
	unsigned used, unused;

	connect_to_server();
	assert_int_equal(cred_intern(&fs.creds, &(struct farnova_cred){.uid = 5, .gid = 6}, &used), 0);
	assert_int_equal(cred_intern(&fs.creds, &(struct farnova_cred){.uid = 7, .gid = 8}, &unused), 0);
	cred_unuse(&fs.creds, unused);
	struct farnova_file *kept = open_file(7, PROTO_OPEN_WRITE | PROTO_OPEN_CREATE | PROTO_OPEN_TRUNCATE);
	struct farnova_file *gone = open_file(8, PROTO_OPEN_READ);
	kept->cred = used;
	cred_use(&fs.creds, used);
	serve = lost_file_8;
	come_back(false);
	assert_int_equal(asked_count, 4);
	assert_int_equal(asked[1].op, PROTO_CRED);
	assert_int_equal(asked[1].cred_set.number, used);
	assert_int_equal(asked[1].cred_set.uid, 5);
	assert_int_equal(asked[2].op, PROTO_REOPEN);
	assert_int_equal(asked[3].op, PROTO_REOPEN);
	const struct proto_request *reopen = asked[2].reopen.handle.ino == 7 ? &asked[2] : &asked[3];
	assert_int_equal(reopen->cred, used);
	/* Nothing is made or truncated once more. */
	assert_int_equal(reopen->reopen.flags, PROTO_OPEN_WRITE | PROTO_OPEN_RECLAIM);
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(asked[i].slot, 0);
		assert_int_equal(asked[i].sequence, i);
	}
	assert_int_equal(kept->open, 1007);
	assert_int_equal(kept->error, 0);
	assert_int_equal(gone->error, -ESTALE);
	assert_int_equal(fs.creds.list[used - 1]->session, fs.session.id);
	assert_int_equal(fs.link.state, CONNECTION_UP);
	close_file(kept);
	close_file(gone);
}

static struct farnova_file *closed_meanwhile;

static enum served closes_a_file(const struct proto_request *request, struct proto_reply *reply)
{
	if (request->op == PROTO_REOPEN) {
		connection_lock(&fs.link);
		file_put(closed_meanwhile);
		connection_unlock(&fs.link);
	}
	return REPLIES;
}

static void a_file_closed_while_it_is_reopened_is_closed_again(void **state)
{
	connect_to_server();
	closed_meanwhile = open_file(7, PROTO_OPEN_READ);
	serve = closes_a_file;
	come_back(false);
	assert_int_equal(fs.close_count, 1);
	assert_int_equal(fs.closes[0], 1007);
}

/* ---- attempts --------------------------------------------------------------------------------------------------- */

static unsigned refusals;

static enum served serves_another_pool_at_first(const struct proto_request *request, struct proto_reply *reply)
{
	if (request->op == PROTO_HELLO && dials <= refusals) {
		memcpy(reply->hello.pool, "other", 6);
		if (dials == 2)
			assert_trouble("another pool is served there now");
	}
	return REPLIES;
}

/* However long the server was away, a client comes back late by an eighth of that at most. */
static void attempts_go_on_with_pauses_of_an_eighth_of_the_outage(void **state)
{
	connect_to_server();
	int64_t lost_ns = now, waited_ns = 0;

	refusals = 50;
	serve = serves_another_pool_at_first;
	come_back(false);
	assert_int_equal(dials, refusals + 1);
	assert_int_equal(pause_count, refusals);
	for (unsigned i = 0; i < refusals; i++) {
		assert_true(pauses[i] >= 10 * CLOCK_NS_PER_MS && pauses[i] <= 500 * CLOCK_NS_PER_MS);
		assert_true(pauses[i] == 10 * CLOCK_NS_PER_MS || pauses[i] <= waited_ns / 8);
		waited_ns += pauses[i];
	}
	assert_int_equal(pauses[refusals - 1], 500 * CLOCK_NS_PER_MS);
	assert_int_equal(now - lost_ns, waited_ns);
	assert_int_equal(fs.link.state, CONNECTION_UP);
}

static enum served drops_the_first_reopen(const struct proto_request *request, struct proto_reply *reply)
{
	return request->op == PROTO_REOPEN && dials == 1 ? CLOSES : REPLIES;
}

static void a_loss_while_files_are_reopened_is_another_attempt(void **state)
{
	connect_to_server();
	struct farnova_file *file = open_file(7, PROTO_OPEN_READ);
	serve = drops_the_first_reopen;
	come_back(false);
	assert_int_equal(dials, 2);
	assert_int_equal(file->open, 1007);
	assert_int_equal(connections, 1);
	assert_int_equal(queues, 1);
	close_file(file);
}

static void whoever_leaves_ends_the_attempts(void **state)
{
	connect_to_server();
	dial_error = -ECONNREFUSED;
	stop_after = 3;
	come_back(true);
	assert_int_equal(dials, 3);
	assert_int_equal(fs.link.state, CONNECTION_LOST);
}

static void an_attempt_lasts_no_longer_than_a_call_may(void **state)
{
	connect_to_server();
	come_back(true);
	assert_int_equal(dial_timeout_ms, 3000);
	fs.timeout_ms = 200;
	come_back(true);
	assert_int_equal(dial_timeout_ms, 200);
}

/* ---- the end ---------------------------------------------------------------------------------------------------- */

static enum served says_another_thing_first(const struct proto_request *request, struct proto_reply *reply)
{
	arrive(&(struct proto_reply){.op = PROTO_PING, .slot = 0, .sequence = 1});
	return REPLIES;
}

static void leaving_waits_for_the_last_message_for_a_while(void **state)
{
	connect_to_server();
	int64_t before = now;
	serve = says_another_thing_first;
	connection_lock(&fs.link);
	session_leave(&fs);
	assert_int_equal(asked_count, 1);
	assert_int_equal(asked[0].op, PROTO_BYE);
	assert_int_equal(now, before);
	assert_int_equal(arriving_count, 0);
	serve = is_silent;
	session_leave(&fs);
	assert_int_equal(now - before, BYE_NS);
	connection_unlock(&fs.link);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_first_session_has_what_the_server_grants),
	    TEST(a_server_that_does_not_open_a_session_is_left),
	    TEST(a_wait_ends_at_its_limit_or_at_the_deadline),
	    TEST(without_memory_to_register_there_is_no_session),
	    TEST(a_resumed_session_keeps_files_and_credentials),
	    TEST(recalls_of_the_lost_connection_are_passed_over),
	    TEST(a_ping_settles_slot_0_before_anything_else),
	    TEST(a_new_session_gets_credentials_then_files_then_calls),
	    TEST(a_file_closed_while_it_is_reopened_is_closed_again),
	    TEST(attempts_go_on_with_pauses_of_an_eighth_of_the_outage),
	    TEST(a_loss_while_files_are_reopened_is_another_attempt),
	    TEST(whoever_leaves_ends_the_attempts),
	    TEST(an_attempt_lasts_no_longer_than_a_call_may),
	    TEST(leaving_waits_for_the_last_message_for_a_while),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
