/*
 * cred.h -- on whose behalf a thread's calls are made: credentials interned under numbers the server knows.
 */
#ifndef FARNOVA_CLIENT_CRED_H
#define FARNOVA_CLIENT_CRED_H

#include "client/session/caller.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Distinct credentials of a connection; the server keeps as many. */
#define CREDS_MAX 4096u

struct cred {
	uint64_t session; /* the session that knows it */
	uid_t uid;
	gid_t gid;
	uint32_t group_count;
	gid_t groups[];
};

struct creds {
	struct caller_key callers; /* what each thread has chosen: a number, and its umask */
	struct cred **list;        /* number n is list[n - 1] */
	unsigned count;
};

int cred_init(struct creds *creds);
void cred_destroy(struct creds *creds);

/* cred_number -- the number for requests of the calling thread. */
uint32_t cred_number(const struct creds *creds);

/* cred_umask -- the umask for what the calling thread makes. */
uint32_t cred_umask(const struct creds *creds);

struct farnova_cred;
/* cred_intern -- its number, a new one if it has none yet; -EUSERS, -ENOMEM. The entry behind a number never changes. */
int cred_intern(struct creds *creds, const struct farnova_cred *cred, unsigned *number);
/* cred_same -- whether `known` is `cred`. */
bool cred_same(const struct cred *known, const struct farnova_cred *cred);

struct proto_request;
/* cred_request -- fill in the PROTO_CRED that makes number `number` known. */
void cred_request(const struct creds *creds, unsigned number, struct proto_request *request);

#endif
