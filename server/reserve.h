/*
 * reserve.h -- one server on this host for one UUID: a copy of a pool has the UUID of its original.
 *
 * The file lock keeps two servers off one file. It says nothing of a copy in another file, which clients would take for
 * the same pool. So a server holds a name made of the UUID, in the abstract namespace of UNIX sockets: names there need
 * no directory and no rights, and end with the process. docs/exactly-once.md has the reasons.
 */
#ifndef FARNOVA_SERVER_RESERVE_H
#define FARNOVA_SERVER_RESERVE_H

#include "common/pm/pm.h"

#include <stddef.h>

struct reservation;

/*
 * reserve_pool -- before the pool is mounted. 0 with *out NULL: nothing is to be reserved (memory that is no file, or no
 * superblock has a UUID), or a server reads this very file already and this one only reads it too. -EBUSY with `why`: a
 * server of another file with this UUID runs on this host; `why` NULL asks nothing of it. Other errors: the socket could
 * not be made.
 */
int reserve_pool(const struct pm *pm, struct reservation **out, char *why, size_t why_size);

/* reserve_end -- after the unmount. NULL: nothing. */
void reserve_end(struct reservation *reservation);

#endif
