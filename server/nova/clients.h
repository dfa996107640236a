/*
 * clients.h -- the client table: identities of clients, and what their requests have done, for exactly-once.
 *
 * A request of a client that changes something passes a struct nova_intent in struct nova_call. The one commit with the
 * request's effect stores it: one line, no fence. After a lost session, a restart or a crash nova_client_outcome says
 * of a repeat whether the request was executed, and with which result. docs/exactly-once.md has the rules,
 * docs/format.md the bytes.
 *
 * All functions return 0 or -errno. -EROFS on a read-only mount, where there are no identities. Thread safety: every
 * function may be called by any thread. Of one slot only one intent or outcome may be under way at a time; different
 * slots of a client are independent. None may be called from nova_mount_options.quarantine.
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
 * nova_client_new -- make an identity, and hold it. `number`: 64 random bits, not 0, made by the caller for each call
 * (-EEXIST if by chance it is taken: make another one). `key_hash`: the first half of the SHA-256 of its key. Durable
 * on return. Where the table is full, the identity that nobody holds and that was used longest ago is given up; -ENOSPC
 * if all are held, or if the pool is full.
 */
int nova_client_new(struct nova_worker *worker, uint64_t number, const uint8_t key_hash[NOVA_CLIENT_KEY],
                    struct nova_client **out);

/* nova_client_find -- hold an identity of the table. -ENOENT: there is none of this number: it has ended or was given
 * up. -EACCES: its key has another hash. */
int nova_client_find(struct nova *fs, uint64_t number, const uint8_t key_hash[NOVA_CLIENT_KEY],
                     struct nova_client **out);

/* nova_client_number -- of a client that is held. */
uint64_t nova_client_number(const struct nova_client *client);

/* nova_client_hold -- hold it once more: a session, or a request that may outlive it. */
void nova_client_hold(struct nova *fs, struct nova_client *client);

/* nova_client_release -- undo one hold. With the last one the identity may be given up for another. */
void nova_client_release(struct nova *fs, struct nova_client *client);

/*
 * nova_client_end -- the client says that it repeats nothing: its record and pages are free once nobody holds it, which
 * is durable when the last hold ends. Undoes one hold. A find does not see it any more.
 */
void nova_client_end(struct nova *fs, struct nova_client *client);

/* A request's intent. It lies with the caller until the call has returned. */
struct nova_intent {
	struct nova_client *client; /* held */
	uint32_t slot;
	uint32_t sequence; /* not 0 */
	uint8_t op;        /* as on the wire; the core does not look at it */
	/* Private: */
	struct client_page *page;
	bool stored;
};

/*
 * nova_intent_begin -- fill in `intent` for struct nova_call, before a request that may change something. The first one
 * of 63 slots takes a page, durably, also from the reserve of a full pool, so that names can be removed from it; all
 * others store nothing and take no lock. -ENOSPC: the table has no page left for this client, -EINVAL: no such slot or
 * sequence 0. -EIO: the table is damaged here. May wait for the table's lock; the caller holds no inode.
 *
 * Only the call that completes the request gets the intent: after its commit the whole request counts as executed. A call
 * that fails, or changes nothing, stores none. A second call with the same intent stores none either.
 */
int nova_intent_begin(struct nova_worker *worker, struct nova_client *client, uint32_t slot, uint32_t sequence,
                      uint8_t op, struct nova_intent *intent);

/* What a request has done. The field that is meant follows from the operation, as docs/format.md lists. */
struct nova_result {
	uint64_t offset;         /* write: where the data begin */
	uint64_t size;           /* write: of the file after it */
	struct nova_handle made; /* create, symlink, tmpfile */
	uint64_t count;          /* copy */
	bool died;               /* rename: the replaced inode had no other name */
};

struct nova_outcome {
	uint8_t op;              /* of the request that was executed */
	struct nova_handle file; /* the inode by which its commit was judged: tells nothing of use, for logs */
	struct nova_result result;
};

/*
 * nova_client_outcome -- of a request that the session has not seen: 1 = it was executed, `out` has its result; 0 = it
 * was not, execute it; -ECONNRESET: its line is damaged, nobody knows (the next sequence is served again); -EPROTO: the
 * slot has executed a later sequence. Sequences are compared modulo 2^32. Reads memory of the pool: not for each
 * request.
 */
int nova_client_outcome(const struct nova *fs, struct nova_client *client, uint32_t slot, uint32_t sequence,
                        struct nova_outcome *out);

#endif
