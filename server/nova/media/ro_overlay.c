/*
 * ro_overlay.c -- copies of slots' words in DRAM, found by inode number.
 *
 * An open-addressing hash table, which is filled before other threads read it. A table with allocated nodes would cost
 * one more allocation and one more cache miss for each inode.
 */
#include "server/nova/media/ro_overlay.h"

#include <errno.h>
#include <stdlib.h>

/* At least twice the number of words in all rings, so a search always ends at an unused place. */
#define OVERLAY_PLACES 32768u
static_assert(OVERLAY_PLACES >= 2 * NOVA_JOURNAL_RINGS * NOVA_RING_RECORDS * NOVA_RECORD_WORDS, "overlay too small");

struct ro_overlay {
	uint64_t ino[OVERLAY_PLACES]; /* 0 = unused: no slot has that number */
	struct nova_slot_words words[OVERLAY_PLACES];
};

static uint32_t place_of(const struct ro_overlay *ro_overlay, uint64_t ino)
{
	uint32_t i = (uint32_t)(ino * 0x9e3779b97f4a7c15ULL >> 32) % OVERLAY_PLACES;

	while (ro_overlay->ino[i] != 0 && ro_overlay->ino[i] != ino)
		i = (i + 1) % OVERLAY_PLACES;
	return i;
}

struct nova_slot_words *ro_overlay_find(const struct ro_overlay *ro_overlay, uint64_t ino)
{
	uint32_t i = place_of(ro_overlay, ino);

	return ro_overlay->ino[i] ? (struct nova_slot_words *)&ro_overlay->words[i] : NULL;
}

int ro_overlay_open(struct nova *fs)
{
	fs->ro_overlay = calloc(1, sizeof *fs->ro_overlay);
	return fs->ro_overlay ? 0 : -ENOMEM;
}

struct nova_slot_words *ro_overlay_take(struct nova *fs, uint64_t ino)
{
	uint32_t i = place_of(fs->ro_overlay, ino);

	if (!fs->ro_overlay->ino[i]) {
		fs->ro_overlay->ino[i] = ino;
		fs->ro_overlay->words[i] = slot_at(fs, ino)->words;
	}
	return &fs->ro_overlay->words[i];
}

void ro_overlay_free(struct ro_overlay *ro_overlay)
{
	free(ro_overlay);
}
