/*
 * dispatch_double.c -- doubles of all that server/ops/dispatch.c calls: handlers, the session, the connection, the core.
 */
#include "tests/unit/server/dispatch_double.h"

#include "server/ops/repeat.h"
#include "server/state/channel.h"
#include "server/state/seal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

struct config config;
struct state state;
struct session session;
struct conn conn;
struct nova_cred own_cred, other_cred = {.uid = 1000};
uint8_t message[PROTO_MAX_MESSAGE];
uint32_t message_length;
struct stub stub;
struct observed observed;

static struct state_shared shared;
static uint8_t sent_bytes[MOST][1024]; /* of observed.sent */

/* ---- the doubles ------------------------------------------------------------------------------------------------ */

void __wrap_conn_send(struct conn *to, const void *bytes, size_t length, bool reply);
void __wrap_conn_fail(struct conn *of, const char *why);
void __wrap_conn_log_peer_error(struct conn *of, const char *what, const char *why);
void __wrap_conn_heard(struct conn *from);
void __wrap_session_hello(struct state *of, struct conn *from, const struct proto_request *hello);
int __wrap_channel_bind(struct conn *from, const struct proto_request *request);
void __wrap_session_bye(struct session *of);
int __wrap_session_staging(struct session *of, bool want);
int __wrap_session_close_open(struct session *of, uint64_t id);
int __wrap_session_quiesced(struct session *of, uint64_t quiesced);
const struct nova_cred *__wrap_cred_get(const struct cred_table *table, uint32_t number);
bool __wrap_seal_check(struct sealer *sealer, const struct proto_request *request, bool superuser);
void __wrap_seal_reply(struct sealer *sealer, struct proto_reply *reply);
const struct operation *__wrap_table_operation(unsigned op);
int __wrap_repeat_answer(struct request *rq);
int __wrap_deferred_keep(struct deferred *deferred, const struct proto_request *request, const void *bytes,
                         uint32_t length);
void __wrap_deferred_cancel(struct deferred *deferred);
void __wrap_deferred_done(struct deferred *deferred);
int __wrap_deferred_load(struct session *of, struct deferred **deferred, nova_ino ino);
uint64_t __wrap_nova_returned(const struct nova_worker *worker);
void __wrap_nova_may_defer(struct nova_worker *worker, bool may);
enum nova_deferral __wrap_nova_deferred(const struct nova_worker *worker, nova_ino *ino);
int __wrap_nova_client_outcome(const struct nova *fs, struct nova_client *client, uint32_t slot, uint32_t sequence,
                               struct nova_outcome *out);
int __wrap_nova_intent_begin(struct nova_worker *worker, struct nova_client *client, uint32_t slot, uint32_t sequence,
                             uint8_t op, struct nova_intent *intent);

void __wrap_conn_send(struct conn *to, const void *bytes, size_t length, bool reply)
{
	const char *why;

	assert_true(observed.sent_count < MOST && length <= sizeof(sent_bytes[0]) && reply);
	memcpy(sent_bytes[observed.sent_count], bytes, length);
	assert_int_equal(
	    proto_decode_reply(sent_bytes[observed.sent_count], length, &observed.sent[observed.sent_count], &why), 0);
	observed.sent_count++;
}

void __wrap_conn_fail(struct conn *of, const char *why)
{
	observed.fails++;
	observed.fail_reason = why;
	of->broken = true;
}

void __wrap_conn_log_peer_error(struct conn *of, const char *what, const char *why)
{
	assert_non_null(why);
	observed.logged++;
}

void __wrap_conn_heard(struct conn *from)
{
	observed.heard++;
}

void __wrap_session_hello(struct state *of, struct conn *from, const struct proto_request *hello)
{
	observed.hellos++;
}

int __wrap_channel_bind(struct conn *from, const struct proto_request *request)
{
	observed.binds++;
	return stub.bind_rc;
}

void __wrap_session_bye(struct session *of)
{
	of->ended = true;
	observed.byes++;
}

int __wrap_session_staging(struct session *of, bool want)
{
	observed.rings++;
	return want ? -ENOMEM : 0;
}

int __wrap_session_close_open(struct session *of, uint64_t id)
{
	assert_int_equal(observed.runs, 0); /* before the request */
	observed.closes++;
	observed.closed = id;
	return -EBADF;
}

int __wrap_session_quiesced(struct session *of, uint64_t quiesced)
{
	observed.quiesces++;
	return stub.quiesced_rc;
}

const struct nova_cred *__wrap_cred_get(const struct cred_table *table, uint32_t number)
{
	return number == 0 ? &own_cred : number == 1 ? &other_cred : NULL;
}

bool __wrap_seal_check(struct sealer *sealer, const struct proto_request *request, bool superuser)
{
	observed.asked_as_superuser = superuser;
	return stub.seal_right;
}

void __wrap_seal_reply(struct sealer *sealer, struct proto_reply *reply)
{
	observed.seals++;
}

static int run(struct request *rq)
{
	observed.runs++;
	observed.seen = *rq;
	return stub.handler(rq);
}

const struct operation *__wrap_table_operation(unsigned op)
{
	static struct operation operation;
	const struct operation *real = __real_table_operation(op);

	if (!real)
		return NULL;
	operation = *real;
	operation.run = run;
	return &operation;
}

int __wrap_repeat_answer(struct request *rq)
{
	assert_ptr_not_equal(rq->outcome, NULL);
	observed.answers_from_intent++;
	return 0;
}

int __wrap_deferred_keep(struct deferred *deferred, const struct proto_request *request, const void *bytes,
                         uint32_t length)
{
	assert_ptr_equal(bytes, message);
	assert_int_equal(length, message_length);
	observed.keeps++;
	return stub.keep_rc;
}

void __wrap_deferred_cancel(struct deferred *deferred)
{
	observed.cancels++;
}

void __wrap_deferred_done(struct deferred *deferred)
{
	observed.dones++;
}

int __wrap_deferred_load(struct session *of, struct deferred **deferred, nova_ino ino)
{
	return stub.load_rc;
}

uint64_t __wrap_nova_returned(const struct nova_worker *worker)
{
	return 17;
}

void __wrap_nova_may_defer(struct nova_worker *worker, bool may)
{
	observed.may_defer = may;
}

enum nova_deferral __wrap_nova_deferred(const struct nova_worker *worker, nova_ino *ino)
{
	return stub.deferral;
}

int __wrap_nova_client_outcome(const struct nova *fs, struct nova_client *client, uint32_t slot, uint32_t sequence,
                               struct nova_outcome *out)
{
	assert_int_equal(slot, SLOT);
	*out = stub.known_outcome;
	return stub.outcome_rc;
}

int __wrap_nova_intent_begin(struct nova_worker *worker, struct nova_client *client, uint32_t slot, uint32_t sequence,
                             uint8_t op, struct nova_intent *intent)
{
	assert_int_equal(slot, SLOT);
	assert_int_equal(sequence, slot_table_get(&session.slots, SLOT)->sequence);
	*intent = (struct nova_intent){.client = client, .slot = slot, .sequence = sequence, .op = op};
	observed.intents++;
	return stub.intent_rc;
}

/* ---- words of the tests ----------------------------------------------------------------------------------------- */

int succeeds(struct request *rq)
{
	struct proto_attr file = {.handle = {.ino = 1, .generation = 1}, .mode = S_IFREG | 0644};

	if (rq->in->op == PROTO_GETATTR)
		rq->out->attr.attr = file;
	if (rq->in->op == PROTO_OPEN) {
		memset(&rq->out->open, 0, sizeof(rq->out->open));
		rq->out->open.attr = file;
	}
	return 0;
}

int dispatch_set_up(void **unused)
{
	memset(&config, 0, sizeof(config));
	memset(&state, 0, sizeof(state));
	slot_table_free(&session.slots);
	memset(&session, 0, sizeof(session));
	slot_table_init(&session.slots, 0, 0, 64);
	memset(&conn, 0, sizeof(conn));
	memset(&observed, 0, sizeof(observed));
	stub = (struct stub){.handler = succeeds, .seal_right = true};
	shared = (struct state_shared){.config = &config};
	state.shared = &shared;
	session.state = &state;
	session.conn = &conn;
	session.layouts.lease.invalidation_issued = ISSUED;
	conn.session = &session;
	return 0;
}

struct proto_request request_of(uint16_t op, uint32_t sequence)
{
	struct proto_request request = {.op = op, .slot = SLOT, .sequence = sequence};

	request.getattr.handle = (struct proto_handle){.ino = 1, .generation = 1}; /* or the directory, or the open */
	if (op == PROTO_UNLINK)
		request.unlink.path = (struct proto_string){.data = "name", .length = 4};
	if (op == PROTO_OPEN) {
		request.open.flags = PROTO_OPEN_READ;
		request.open.path = (struct proto_string){.data = "name", .length = 4};
	}
	return request;
}

void arrive(const struct proto_request *request)
{
	int length = proto_encode_request(request, message, sizeof(message));

	assert_true(length > 0);
	message_length = (uint32_t)length;
	dispatch_message(&state, &conn, message, message_length);
}

void arrives(uint16_t op, uint32_t sequence)
{
	struct proto_request request = request_of(op, sequence);

	arrive(&request);
}

void arrives_without_slot(uint16_t op)
{
	struct proto_request request = {.op = op, .slot = PROTO_SLOT_NONE};

	if (op == PROTO_HELLO)
		request.hello.min_version = request.hello.max_version = PROTO_VERSION;
	arrive(&request);
}

void assert_failed(const char *part)
{
	assert_int_equal(observed.fails, 1);
	if (!strstr(observed.fail_reason, part))
		fail_msg("'%s' is not in '%s'", part, observed.fail_reason);
	assert_int_equal(observed.sent_count, 0);
	assert_int_equal(observed.runs, 0);
	observed.fails = 0;
	conn.broken = false;
}

void assert_answered(unsigned i, uint16_t op, uint32_t sequence, uint32_t status)
{
	assert_true(i < observed.sent_count);
	assert_int_equal(observed.sent[i].op, op);
	assert_int_equal(observed.sent[i].sequence, sequence);
	assert_int_equal(observed.sent[i].status, status);
	assert_int_equal(observed.sent[i].invalidation, ISSUED);
}
