/*
 * clients_load.h -- loads the client table at mount, and empties that of an unmounted pool.
 */
#ifndef FARNOVA_NOVA_CLIENTS_LOAD_H
#define FARNOVA_NOVA_CLIENTS_LOAD_H

#include "server/nova/core.h"

/*
 * clients_load -- build fs->clients from the table; only for a writable mount. With `after_crash` it also makes every
 * intent void that is not true, durably. For that the journal must have been replayed, and no TAIL changed since.
 * Damaged records and pages are logged; their clients get ECONNRESET or a new identity instead of an answer to a
 * repeated request. `threads` judge the intents, 0 = one for each CPU. -EIO with `why`: the table is not a file in use,
 * or is larger than the pool. -ENOMEM.
 */
int clients_load(struct nova *fs, bool after_crash, unsigned threads, char *why, size_t why_size);

/*
 * clients_empty -- free all records, durably, so that the pool has no identities. For an offline program that changes a
 * cleanly unmounted pool, which it has mounted read-only. A crash may leave some of the records. -EIO with `why`: the
 * table is not a file in use, or is larger than the pool. -ENOMEM.
 */
int clients_empty(struct nova *fs, char *why, size_t why_size);

#endif
