/*
 * cred.h -- the credentials on whose behalf threads make calls, interned under numbers that the server knows.
 */
#ifndef FARNOVA_CLIENT_CRED_H
#define FARNOVA_CLIENT_CRED_H

#include "client/session/caller.h"
#include "proto/proto.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Distinct credentials in use at a time; number 0 is the process's own. */
#define CREDS_MAX (PROTO_MAX_CREDS - 1u)

/*
 * A credential under a number. It is in use by threads that have set it, open files, and slots with requests that were
 * sent with it. A number that nothing uses may be given to another credential; the one unused longest goes first.
 * `uses` grows only with the connection's lock held, so one that is 0 then stays 0.
 */
struct cred {
	uint64_t session; /* the session that knows it */
	uint64_t chosen;  /* when it was interned last, by creds->clock */
	atomic_uint uses;
	uid_t uid;
	gid_t gid;
	uint32_t group_count;
	gid_t groups[];
};

struct creds {
	struct caller_key callers; /* the credential number and umask of each thread */
	struct cred **list;        /* number n is list[n - 1] */
	unsigned count;
	uint64_t clock; /* counts calls of cred_intern */
};

int cred_init(struct creds *creds);
void cred_destroy(struct creds *creds);

/* cred_number -- the credential number for requests of the calling thread. */
uint32_t cred_number(const struct creds *creds);

/* cred_umask -- the umask for inodes that the calling thread creates. */
uint32_t cred_umask(const struct creds *creds);

struct farnova_cred;
/* cred_intern -- the number of a credential, a new one if it has none, and one more use of it. -EUSERS if all numbers
 * are in use, -ENOMEM. Connection's lock held. The entry of a number does not change while it is in use. */
int cred_intern(struct creds *creds, const struct farnova_cred *cred, unsigned *number);
/* cred_use -- one more use of `number`, which is in use; 0 is ignored. Connection's lock held. cred_unuse -- one use
 * less; any thread. */
void cred_use(struct creds *creds, uint32_t number);
void cred_unuse(struct creds *creds, uint32_t number);
/* cred_same -- whether `known` equals `cred`. */
bool cred_same(const struct cred *known, const struct farnova_cred *cred);

struct proto_request;
/* cred_request -- fill in the PROTO_CRED that announces `number` to the server. */
void cred_request(const struct creds *creds, unsigned number, struct proto_request *request);

#endif
