/*
 * identity.h -- the identity of a client, which outlives its sessions: requests are recognised by it
 * (docs/exactly-once.md).
 *
 * Thread safe; `worker` is that of the calling thread.
 */
#ifndef FARNOVA_SERVER_IDENTITY_H
#define FARNOVA_SERVER_IDENTITY_H

#include "proto/proto.h"
#include "server/nova/clients.h"

#include <stdbool.h>
#include <stdint.h>

/* identity_check -- whether a HELLO may use the identity that it names. -EACCES: its key is wrong. An identity that no
 * longer exists is no error. */
int identity_check(struct nova *nova, const struct proto_request *hello);

/*
 * identity_take -- hold the identity that a HELLO names (*known is true), or a new one. *out is NULL if the pool cannot
 * store one, because it is mounted read-only or full: then the session's requests are executed, but not recognised
 * after a restart. Else -errno.
 */
int identity_take(struct nova *nova, struct nova_worker *worker, const struct proto_request *hello,
                  struct nova_client **out, bool *known);

#endif
