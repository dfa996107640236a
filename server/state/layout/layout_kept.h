/*
 * layout_kept.h -- freed blocks that a session may still READ, and registrations that have to end before they are free;
 * for layout.c alone.
 *
 * What a session's own change freed waits in the owner's list, by the change's number; what others freed waits with the
 * holder, until that goes.
 */
#ifndef FARNOVA_SERVER_LAYOUT_KEPT_H
#define FARNOVA_SERVER_LAYOUT_KEPT_H

#include "server/state/layout/layout.h"

/* kept_set_change -- this thread now runs the change (NULL: none): blocks freed under it are told to its session by its
 * reply. */
void kept_set_change(const struct layout_change *change);

/* kept_release_until -- the owner's list: what waited for numbers up to `quiesced` is free. */
void kept_release_until(struct layout_owner *owner, uint64_t quiesced);

/* kept_release_all -- a holder's list. */
void kept_release_all(struct layout_owner *owner, struct kept *list);

/* kept_regions -- registrations that end when the owner has quiesced `number`. False: no memory, they are still the
 * caller's. */
bool kept_regions(struct layout_owner *owner, uint64_t number, struct region *list);

/* kept_since -- when the oldest in the owner's list began to wait; INT64_MAX: nothing waits. */
int64_t kept_since(const struct layout_owner *owner);

/* kept_forgive -- as if all of it had come so much later. */
void kept_forgive(struct layout_owner *owner, int64_t late_ms);

#endif
