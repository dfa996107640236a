/*
 * state.h -- the state that the sessions of one thread share, and the state that those of all threads share.
 */
#ifndef FARNOVA_SERVER_STATE_H
#define FARNOVA_SERVER_STATE_H

#include "common/pm/pm.h"
#include "proto/proto.h"
#include "server/config.h"
#include "server/net/net.h"
#include "server/nova/nova.h"
#include "server/state/layout/layout.h"
#include "server/state/registry.h"

#include <stdbool.h>
#include <stdint.h>

struct bulk;
struct deferred;
struct sealer;
struct session;

/* Shared by all threads. Set before the first of them starts; after that only fields with a lock of their own change.
 */
struct state_shared {
	const struct config *config;
	const struct pm *pm;
	struct nova *nova;
	struct layout_table *layouts;   /* has its own locks */
	struct bulk *bulk;              /* has its own lock */
	struct registry registry;       /* has its own lock */
	struct penalty_table penalties; /* has its own lock */
	uint64_t instance;              /* random for each start */
	uint8_t pool[16];               /* UUID */
	uint8_t handle_key[16];         /* secret */
	struct proto_handle root;
	/* An operation has found no space: each thread calls session_space_short. From any thread. */
	void (*space_short)(struct state_shared *shared);
};

/* The state of one thread; only that thread uses it. */
struct state {
	struct state_shared *shared;
	struct net *net;
	struct nova_worker *nova;
	struct sealer *sealer;
	struct session *sessions;

	unsigned copies;                           /* long copies that take blocks beforehand */
	struct deferred *spare;                    /* allocated before it is known whether a request must wait */
	struct deferred *space_first;              /* requests that wait until quarantined blocks become free */
	int64_t space_ms;                          /* when to run them again */
	void (*resume)(struct deferred *deferred); /* run the request again: its wait has ended */

	struct proto_request request; /* being handled */
	uint64_t returned;            /* nova_returned when it was begun */
	bool returns;                 /* space that a bulk thread did not find for it may have returned since */
	struct proto_reply reply;
	uint8_t out[PROTO_MAX_MESSAGE];
	uint8_t data[PROTO_MAX_MESSAGE]; /* of READ and READDIR replies */
};

#endif
