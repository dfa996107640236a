/*
 * dispatch_double.h -- doubles of all that server/ops/dispatch.c calls: handlers, the session, the connection, the core.
 *
 * A test says in `stub` what they answer, has messages arrive, and looks in `observed` at what has been called.
 */
#ifndef TESTS_UNIT_SERVER_DISPATCH_DOUBLE_H
#define TESTS_UNIT_SERVER_DISPATCH_DOUBLE_H

#include "proto/proto.h"
#include "server/config.h"
#include "server/net/conn.h"
#include "server/nova/clients.h"
#include "server/nova/long.h"
#include "server/ops/dispatch.h"
#include "server/ops/request.h"
#include "server/ops/table.h"
#include "server/state/session.h"
#include "server/state/state.h"

#include <stdbool.h>
#include <stdint.h>

#define MOST       32u
#define SLOT       5u   /* of all requests */
#define ISSUED     17u  /* the newest invalidation */
#define UNKNOWN_OP 999u /* is no operation */

extern struct config config;
extern struct state state;
extern struct session session;
extern struct conn conn;
extern struct nova_cred own_cred, other_cred; /* number 0, the superuser's, and number 1; there is no other */
extern uint8_t message[PROTO_MAX_MESSAGE];    /* the newest that has arrived */
extern uint32_t message_length;

extern struct stub {
	int (*handler)(struct request *rq); /* of every operation; the traits are those of the real table */
	bool seal_right;
	int quiesced_rc, bind_rc, keep_rc, intent_rc, outcome_rc, load_rc;
	struct nova_outcome known_outcome;
	enum nova_deferral deferral;
} stub;

extern struct observed {
	struct proto_reply sent[MOST];
	unsigned sent_count;
	unsigned fails, logged; /* of the connection; what a client did wrong */
	const char *fail_reason;
	unsigned runs;       /* of handlers */
	struct request seen; /* of the newest run */
	bool asked_as_superuser, may_defer;
	unsigned heard, seals; /* messages; replies whose handles were sealed */
	unsigned hellos, binds, byes, closes, quiesces, rings, keeps, cancels, dones, intents, answers_from_intent;
	uint64_t closed; /* the open that was closed last */
} observed;

/* dispatch_set_up -- for cmocka: a session without an identity, and a handler that succeeds. */
int dispatch_set_up(void **unused);
int succeeds(struct request *rq);

/* request_of -- a valid request in SLOT. arrive, arrives -- it has arrived. arrives_without_slot -- a message with no
 * slot. */
struct proto_request request_of(uint16_t op, uint32_t sequence);
void arrive(const struct proto_request *request);
void arrives(uint16_t op, uint32_t sequence);
void arrives_without_slot(uint16_t op);

/* assert_failed -- the connection has been ended for this reason, and nothing was sent or run; it is sound again then.
 * assert_answered -- message i that was sent is a reply with this status. */
void assert_failed(const char *part);
void assert_answered(unsigned i, uint16_t op, uint32_t sequence, uint32_t status);

/* The table itself. */
const struct operation *__real_table_operation(unsigned op);

#endif
