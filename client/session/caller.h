/*
 * caller.h -- the settings of a thread for its calls on a connection: a credential, a umask and a channel.
 *
 * Each thread has its own table, indexed by connection, so a read needs no lock. The number of connections is not
 * limited. A connection that reuses the index of an ended one does not inherit its settings.
 *
 * Thread safe.
 */
#ifndef FARNOVA_CLIENT_CALLER_H
#define FARNOVA_CLIENT_CALLER_H

#include <stdint.h>

struct caller {
	uint64_t serial;
	uint32_t cred; /* number; 0: the process's own */
	uint32_t umask;
	uint32_t channel; /* number of the channel that it reads by; 0: none yet */
};

/* Identifies a connection in the threads' tables. */
struct caller_key {
	/* on_exit -- a thread ends that has settings for this connection. Set it before caller_attach. The lock of the
	 * process's connections is held. */
	void (*on_exit)(struct caller_key *key, const struct caller *settings);
	uint32_t index;  /* small; reused after its connection has ended */
	uint64_t serial; /* never reused */
};

/* caller_attach -- register a new connection. -ENOMEM, or -EAGAIN if the program has used all thread-specific data
 * keys. caller_detach -- the connection has ended. */
int caller_attach(struct caller_key *key);
void caller_detach(struct caller_key *key);

/* caller_get -- the settings of the calling thread; zeros by default. */
struct caller caller_get(const struct caller_key *key);

/* caller_set -- set `cred` and `umask` for the calling thread. -ENOMEM: the old settings remain. caller_set_channel -- the
 * same for its channel. */
int caller_set(const struct caller_key *key, uint32_t cred, uint32_t umask);
int caller_set_channel(const struct caller_key *key, uint32_t channel);

#endif
