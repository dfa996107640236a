/*
 * identity.h -- the identity of a client: what its requests belong to, longer than a session (docs/exactly-once.md).
 *
 * Any thread may call these; a worker is the calling thread's.
 */
#ifndef FARNOVA_SERVER_IDENTITY_H
#define FARNOVA_SERVER_IDENTITY_H

#include "proto/proto.h"
#include "server/nova/clients.h"

#include <stdbool.h>
#include <stdint.h>

/* identity_check -- whether a HELLO may have the identity that it names: -EACCES: it has not its key. An identity that
 * is not there any more is no error. */
int identity_check(struct nova *nova, const struct proto_request *hello);

/*
 * identity_take -- hold the identity that a HELLO names (`known`), or one that is made for it. *out is NULL where the
 * pool cannot keep one, since it is mounted read-only or full: the session's requests are served all the same, but not
 * recognised after a restart. Else -errno.
 */
int identity_take(struct nova *nova, struct nova_worker *worker, const struct proto_request *hello,
                  struct nova_client **out, bool *known);

#endif
