/*
 * clients.h -- the client table: the identities of clients and the results of their requests, for exactly-once.
 *
 * A request that changes something passes a struct nova_intent in struct nova_call. The commit that carries the
 * request's effect also stores the intent: one line, without a fence of its own. When a client repeats a request after
 * a lost session, a restart or a crash, nova_client_outcome says whether it was executed, and with which result.
 * docs/exactly-once.md has the rules, docs/format.md the bytes.
 *
 * Functions that return int return 0 or -errno; -EROFS on a read-only mount, where there are no identities. Any thread
 * may call any function, but for each slot of a client only one thread at a time may use an intent or ask for an
 * outcome. None may be called from nova_mount_options.quarantine.
 */
#ifndef FARNOVA_NOVA_CLIENTS_H
#define FARNOVA_NOVA_CLIENTS_H

#include "server/nova/nova.h"

#define NOVA_CLIENT_SLOTS 1071u  /* slots of a client are 0..1070 */
#define NOVA_CLIENTS_MAX  16384u /* identities in one pool */
#define NOVA_CLIENT_KEY   16u    /* bytes of the key's hash */

/* An identity. The pointer is valid while it is held. */
struct nova_client;

/*
 * nova_client_new -- make an identity and hold it. `number` is 64 random bits, not 0, drawn anew for each call (-EEXIST
 * if it is in use: draw another). `key_hash` is the first half of the SHA-256 of the client's key. The identity is
 * durable on return. If the table or the pool is full, the identity that nobody holds and that was used longest ago is
 * dropped to make room; -ENOSPC if all are held.
 */
int nova_client_new(struct nova_worker *worker, uint64_t number, const uint8_t key_hash[NOVA_CLIENT_KEY],
                    struct nova_client **out);

/* nova_client_find -- find an identity and hold it. -ENOENT: no identity has this number; it has ended, was dropped, or
 * never existed. -EACCES: the hash of its key differs. */
int nova_client_find(struct nova *fs, uint64_t number, const uint8_t key_hash[NOVA_CLIENT_KEY],
                     struct nova_client **out);

/* nova_client_number -- the number of an identity that the caller holds. */
uint64_t nova_client_number(const struct nova_client *client);

/* nova_client_hold -- hold it once more, for a session or for a request that may outlive its session. */
void nova_client_hold(struct nova *fs, struct nova_client *client);

/* nova_client_release -- undo one hold. After the last one the identity may be dropped to make room for another. */
void nova_client_release(struct nova *fs, struct nova_client *client);

/*
 * nova_client_end -- end an identity whose client will repeat nothing, and undo one hold. nova_client_find does not
 * find it any more. When the last hold ends, its record and pages become free, durably.
 */
void nova_client_end(struct nova *fs, struct nova_client *client);

/* A request's intent. The caller keeps it until the call has returned. */
struct nova_intent {
	struct nova_client *client; /* held */
	uint32_t slot;
	uint32_t sequence; /* not 0 */
	uint8_t op;        /* as on the wire; the core does not interpret it */
	/* Private: */
	struct client_page *page;
	bool stored;
};

/*
 * nova_intent_begin -- fill in `intent` for struct nova_call, before a request that may change something.
 *
 * The first call in a group of 63 slots takes a page for the group, durably, and may wait for the table's lock, so the
 * caller must hold no inode. In a full pool it may use the reserve, so that a client can still remove names. All other
 * calls store nothing and take no lock. -ENOSPC: no page is left for this client. -EINVAL: no such slot, or sequence 0.
 * -EIO: the table is damaged.
 *
 * Pass the intent only to the call that completes the request: after that call's commit the whole request counts as
 * executed. A call that fails or changes nothing does not store the intent, nor does a second call with the same one.
 */
int nova_intent_begin(struct nova_worker *worker, struct nova_client *client, uint32_t slot, uint32_t sequence,
                      uint8_t op, struct nova_intent *intent);

/* The result of a request. docs/format.md lists which fields each operation uses. */
struct nova_result {
	uint64_t offset;         /* write: where the data begin */
	uint64_t size;           /* write: the file's size afterwards */
	struct nova_handle made; /* create, symlink, tmpfile */
	uint64_t count;          /* copy */
	bool died;               /* rename: the replaced inode had no other name */
};

struct nova_outcome {
	uint8_t op;              /* of the request that was executed */
	struct nova_handle file; /* the inode that showed whether its commit took place */
	struct nova_result result;
};

/*
 * nova_client_outcome -- whether a request was executed before its session began. 1: it was, and `out` has its result.
 * 0: it was not; execute it. -ECONNRESET: unknown, because the slot's intent is damaged; the slot's next request can be
 * executed. -EPROTO: the slot has executed a later sequence. Sequences are compared modulo 2^32. Reads the pool's
 * memory, so ask only for the first request that a session has in a slot.
 */
int nova_client_outcome(const struct nova *fs, struct nova_client *client, uint32_t slot, uint32_t sequence,
                        struct nova_outcome *out);

#endif
