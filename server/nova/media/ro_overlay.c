/*
 * ro_overlay.c -- copies of slots' words in DRAM, found by inode number.
 */
#include "server/nova/media/ro_overlay.h"

#include <errno.h>
#include <stdlib.h>

/* A power of two, at least twice what all rings together can name: a search always meets an unused place. */
#define OVERLAY_PLACES 32768u
static_assert(OVERLAY_PLACES >= 2 * NOVA_JOURNAL_RINGS * NOVA_RING_RECORDS * NOVA_RECORD_WORDS, "overlay too small");

struct overlay {
	uint64_t ino[OVERLAY_PLACES]; /* 0 = unused: no slot has that number */
	struct nova_slot_words words[OVERLAY_PLACES];
};

static uint32_t place_of(const struct overlay *overlay, uint64_t ino)
{
	uint32_t i = (uint32_t)(ino * 0x9e3779b97f4a7c15ULL >> 32) % OVERLAY_PLACES;

	while (overlay->ino[i] != 0 && overlay->ino[i] != ino)
		i = (i + 1) % OVERLAY_PLACES;
	return i;
}

struct nova_slot_words *overlay_find(const struct overlay *overlay, uint64_t ino)
{
	uint32_t i = place_of(overlay, ino);

	return overlay->ino[i] ? (struct nova_slot_words *)&overlay->words[i] : NULL;
}

int overlay_open(struct nova *fs)
{
	fs->overlay = calloc(1, sizeof *fs->overlay);
	return fs->overlay ? 0 : -ENOMEM;
}

struct nova_slot_words *overlay_take(struct nova *fs, uint64_t ino)
{
	uint32_t i = place_of(fs->overlay, ino);

	if (!fs->overlay->ino[i]) {
		fs->overlay->ino[i] = ino;
		fs->overlay->words[i] = slot_at(fs, ino)->words;
	}
	return &fs->overlay->words[i];
}

void overlay_free(struct overlay *overlay)
{
	free(overlay);
}
