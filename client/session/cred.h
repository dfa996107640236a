/*
 * cred.h -- the credentials on whose behalf threads make calls, interned under numbers that the server knows.
 */
#ifndef FARNOVA_CLIENT_CRED_H
#define FARNOVA_CLIENT_CRED_H

#include "client/session/caller.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Distinct credentials of a connection; the limit of the server is the same. */
#define CREDS_MAX 4096u

struct cred {
	uint64_t session; /* the session that knows it */
	uid_t uid;
	gid_t gid;
	uint32_t group_count;
	gid_t groups[];
};

struct creds {
	struct caller_key callers; /* the credential number and umask of each thread */
	struct cred **list;        /* number n is list[n - 1] */
	unsigned count;
};

int cred_init(struct creds *creds);
void cred_destroy(struct creds *creds);

/* cred_number -- the credential number for requests of the calling thread. */
uint32_t cred_number(const struct creds *creds);

/* cred_umask -- the umask for inodes that the calling thread creates. */
uint32_t cred_umask(const struct creds *creds);

struct farnova_cred;
/* cred_intern -- the number of a credential, a new one if it has none; -EUSERS, -ENOMEM. The entry of a number never
 * changes. */
int cred_intern(struct creds *creds, const struct farnova_cred *cred, unsigned *number);
/* cred_same -- whether `known` equals `cred`. */
bool cred_same(const struct cred *known, const struct farnova_cred *cred);

struct proto_request;
/* cred_request -- fill in the PROTO_CRED that announces `number` to the server. */
void cred_request(const struct creds *creds, unsigned number, struct proto_request *request);

#endif
