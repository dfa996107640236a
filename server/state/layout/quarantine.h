/*
 * quarantine.h -- freed blocks that a session may still READ, and registrations that have to end before they are free;
 * for layout.c alone.
 *
 * What a session's own change freed waits in the owner's list, by the change's number; what others freed waits with the
 * holder, until that goes.
 */
#ifndef FARNOVA_SERVER_QUARANTINE_H
#define FARNOVA_SERVER_QUARANTINE_H

#include "server/state/layout/layout.h"

/* quarantine_release_until -- the owner's list: what waited for numbers up to `quiesced` is free. */
void quarantine_release_until(struct layout_owner *owner, uint64_t quiesced);

/* quarantine_release_all -- a holder's list. */
void quarantine_release_all(struct layout_owner *owner, struct quarantined *list);

/* quarantine_regions -- registrations that end when the owner has quiesced `number`. False: no memory, they are still
 * the caller's. */
bool quarantine_regions(struct layout_owner *owner, uint64_t number, struct region *list);

/* quarantine_since -- when the oldest in the owner's list began to wait; INT64_MAX: nothing waits. */
int64_t quarantine_since(const struct layout_owner *owner);

/* quarantine_extend -- as if all of it had come so much later, at most `most_ms` in all. */
void quarantine_extend(struct layout_owner *owner, int64_t late_ms, int64_t most_ms);

#endif
