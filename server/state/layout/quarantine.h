/*
 * quarantine.h -- freed blocks that a session may still READ, and registrations that must end before these blocks are
 * free; only for layout.c.
 *
 * Blocks that a session's own change has freed are in the owner's list, by the number of the change. Blocks that others
 * have freed are in the holder's list, until the holder is removed.
 */
#ifndef FARNOVA_SERVER_QUARANTINE_H
#define FARNOVA_SERVER_QUARANTINE_H

#include "server/state/layout/layout.h"

/* quarantine_release_until -- release what waits in the owner's list for numbers up to `quiesced`. */
void quarantine_release_until(struct layout_owner *owner, uint64_t quiesced);

/* quarantine_release_all -- release a holder's list. */
void quarantine_release_all(struct layout_owner *owner, struct quarantined *list);

/* quarantine_regions -- end these registrations when the owner has quiesced `number`. False: no memory; the caller
 * still owns them. */
bool quarantine_regions(struct layout_owner *owner, uint64_t number, struct region *list);

/* quarantine_since -- when the oldest item of the owner's list began to wait; INT64_MAX: the list is empty. */
int64_t quarantine_since(const struct layout_owner *owner);

/* quarantine_extend -- add `late_ms` to these times, at most `most_ms` in all. */
void quarantine_extend(struct layout_owner *owner, int64_t late_ms, int64_t most_ms);

#endif
