/*
 * clients_load.h -- at mount: reads the client table, and judges the intents after a crash; empties an unmounted one.
 */
#ifndef FARNOVA_NOVA_CLIENTS_LOAD_H
#define FARNOVA_NOVA_CLIENTS_LOAD_H

#include "server/nova/core.h"

/*
 * clients_load -- read the table of a mount that may write. With `judge`, which needs the journal's replay and that no
 * TAIL has moved since, every intent that is not true is made void; fenced. Damaged records and pages cost their
 * clients the answers to repeats, and are logged. -EIO with `why`: the table is no file in use. -ENOMEM.
 */
int clients_load(struct nova *fs, bool judge, unsigned threads, char *why, size_t why_size);

/*
 * clients_empty -- of a pool that was unmounted cleanly and is mounted read-only by a program that changes it: end every
 * identity, durably. A crash leaves some of them. -EIO with `why`: the table is no file in use; -ENOMEM.
 */
int clients_empty(struct nova *fs, char *why, size_t why_size);

#endif
