/*
 * fork.h -- what fork(2) does to connections: the child has their memory but not their threads.
 *
 * A fork waits for the locks of all connections, so that the child finds them free and what they guard consistent.
 */
#ifndef FARNOVA_CLIENT_FORK_H
#define FARNOVA_CLIENT_FORK_H

struct connection;

/* fork_watch -- note a connection; -ENOMEM. fork_forget -- it ends. */
int fork_watch(struct connection *link);
void fork_forget(struct connection *link);

#endif
