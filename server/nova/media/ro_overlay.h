/*
 * ro_overlay.h -- the slot words of a pool that is not to be stored to.
 *
 * A writable mount replays the journal into the slots. A read-only one stores nothing, so it replays into copies of the
 * slots' words in DRAM, and whoever reads a slot's words asks here for them. What a record moves is few slots: at most
 * 64 rings of 31 records of 5 words. Filled before the mount is shared, read-only from then on.
 */
#ifndef FARNOVA_NOVA_RO_OVERLAY_H
#define FARNOVA_NOVA_RO_OVERLAY_H

#include "server/nova/core.h"

/* ro_overlay_find -- the copy of a slot's words, NULL if it has none. */
struct nova_slot_words *ro_overlay_find(const struct ro_overlay *ro_overlay, uint64_t ino);

/* ro_overlay_open -- give the mount an empty overlay. -ENOMEM. */
int ro_overlay_open(struct nova *fs);

/* ro_overlay_take -- the copy of a slot's words, made from its slot words if there was none. */
struct nova_slot_words *ro_overlay_take(struct nova *fs, uint64_t ino);

void ro_overlay_free(struct ro_overlay *ro_overlay);

/* slot_words -- a slot's words as this mount sees them. */
static inline struct nova_slot_words *slot_words(const struct nova *fs, uint64_t ino)
{
	struct nova_slot_words *words = NULL;

	if (__builtin_expect(fs->ro_overlay != NULL, 0))
		words = ro_overlay_find(fs->ro_overlay, ino);
	return words ? words : &slot_at(fs, ino)->words;
}

#endif
