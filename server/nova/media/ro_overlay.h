/*
 * ro_overlay.h -- the read-only overlay: slot words in DRAM for a mount that stores nothing.
 *
 * A writable mount replays the journal into the slots. A read-only mount replays it into copies of the slots' words in
 * DRAM; all readers of slot words get them here. The journal changes few slots: at most 64 rings of 31 records of 5
 * words. The overlay is filled before other threads use the mount, and does not change afterwards.
 */
#ifndef FARNOVA_NOVA_RO_OVERLAY_H
#define FARNOVA_NOVA_RO_OVERLAY_H

#include "server/nova/core.h"

/* ro_overlay_find -- the copy of a slot's words, NULL if it has none. */
struct nova_slot_words *ro_overlay_find(const struct ro_overlay *ro_overlay, uint64_t ino);

/* ro_overlay_open -- create an empty overlay for the mount. -ENOMEM. */
int ro_overlay_open(struct nova *fs);

/* ro_overlay_take -- the copy of a slot's words; makes it from the words on the medium if there is none. */
struct nova_slot_words *ro_overlay_take(struct nova *fs, uint64_t ino);

void ro_overlay_free(struct ro_overlay *ro_overlay);

/* slot_words -- the words of a slot for this mount: the copy in the overlay, or those on the medium. */
static inline struct nova_slot_words *slot_words(const struct nova *fs, uint64_t ino)
{
	struct nova_slot_words *words = NULL;

	if (__builtin_expect(fs->ro_overlay != NULL, 0))
		words = ro_overlay_find(fs->ro_overlay, ino);
	return words ? words : &slot_at(fs, ino)->words;
}

#endif
