/*
 * caller.h -- what a thread has chosen for its calls on a connection: a credential and a umask.
 *
 * Each thread has a table of its own, by the number of the connection, so that reading takes no lock; a program may have
 * any number of connections. What a thread chose on a connection that has ended is never taken for the choice on one
 * that got its number later.
 *
 * Thread safe.
 */
#ifndef FARNOVA_CLIENT_CALLER_H
#define FARNOVA_CLIENT_CALLER_H

#include <stdint.h>

/* A connection, as callers' tables know it. */
struct caller_key {
	uint32_t index;  /* small; that of a connection which has ended is used again */
	uint64_t serial; /* never used again */
};

struct caller {
	uint64_t serial;
	uint32_t cred; /* number; 0: the process's own */
	uint32_t umask;
};

/* caller_attach -- a connection begins. -ENOMEM, or -EAGAIN if the program has used up the keys for data of threads.
 * caller_detach -- it has ended. */
int caller_attach(struct caller_key *key);
void caller_detach(struct caller_key *key);

/* caller_get -- what the calling thread has chosen; zeros at first. */
struct caller caller_get(const struct caller_key *key);

/* caller_set -- `cred` and `umask` are the choice from now on. -ENOMEM: the old one stays. */
int caller_set(const struct caller_key *key, uint32_t cred, uint32_t umask);

#endif
