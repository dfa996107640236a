/*
 * pool_repair_random_test.c -- any damage is repaired, and a repair that was cut off can be begun again.
 */
#include "tests/unit/server/pool/repair_fixture.h"

#include "server/pool/image/image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- anything ------------------------------------------------------------------------------------------------- */

static uint64_t seed;

static uint64_t draw(uint64_t bound)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 24) % bound;
}

static void damage_at_random(uint64_t number)
{
	static const uint64_t first_slot = (uint64_t)(NOVA_PREAMBLE_BLOCKS + NOVA_ZONE_FIRST_CHUNK) * NOVA_BLOCK_SIZE;
	unsigned count;

	seed = number * 0x9e3779b97f4a7c15ULL + 1;
	count = 1 + (unsigned)draw(12);
	renew();
	for (unsigned i = 0; i < count; i++) {
		uint64_t length = draw(3) == 0 ? 1 : 8ULL << draw(6);
		uint64_t at;

		switch (draw(4)) {
		case 0:
			at = draw(SIZE - 4096);
			break;
		case 1: /* slots */
			at = first_slot + draw(120 * 512);
			break;
		case 2: /* slots, log pages and data */
			at = first_slot + draw(400 * 4096);
			break;
		default: /* what is before */
			at = draw(first_slot);
		}
		for (uint64_t k = 0; k < length; k++)
			((uint8_t *)f.memory)[at / 8 * 8 + k] ^= (uint8_t)(1 + draw(255));
	}
}

/* An entry of some inode says something else, with the right CRC. */
static void falsify_an_entry(const struct image *image)
{
	uint64_t ino = root.ino.n + draw(120);
	uint64_t skip = draw(30);
	struct image_inode inode;
	enum image_step step;
	struct image_log log;

	if (image_inode(image, ino, &inode) || !life_has_log(inode.life))
		return;
	image_log_begin(&log, image, &inode);
	while ((step = image_log_next(&log)) == IMAGE_PAGE || step == IMAGE_ENTRY) {
		struct nova_entry *entry = (struct nova_entry *)(uintptr_t)log.entry;

		if (step == IMAGE_PAGE || skip-- > 0 || entry->type == NOVA_ENTRY_PAD)
			continue;
		if (draw(4) == 0)
			entry->type = (uint8_t)(2 + draw(8));
		for (uint64_t n = 1 + draw(4); n > 0; n--)
			entry->payload[draw(draw(2) ? 8 : 44)] = (uint8_t)draw(draw(2) ? 4 : 256);
		seal(entry, (struct nova_handle){{ino}, inode.generation}, log.entry_position);
		return;
	}
}

static void falsify_at_random(uint64_t number)
{
	struct image image;
	const char *why;

	renew();
	seed = number * 0x9e3779b97f4a7c15ULL + 2;
	assert_int_equal(image_open(&image, f.memory, SIZE, &why), 0);
	for (uint64_t n = 1 + draw(12); n > 0; n--)
		falsify_an_entry(&image);
	image_close(&image);
}

static void any_damage_is_repaired(void **state)
{
	for (uint64_t number = 0; number < 800; number++) {
		int rc;

		if (number % 2)
			damage_at_random(number);
		else
			falsify_at_random(number);
		rc = repair_with(NULL);
		if (rc == 2 || rc < 0)
			fail_msg("damage %llu: repair returns %d\nfound:\n%srepaired:\n%sleft:\n%s",
			         (unsigned long long)number, rc, told.found, told.repaired, told.left);
		if (repair_with(NULL) != 0)
			fail_msg("damage %llu: a second repair finds\n%s", (unsigned long long)number, told.found);
		read_all();
		survives_a_crash();
		fixture_unmount(&f);
		assert_int_equal(repair_with(NULL), 0);
	}
}

/* Keeps the pool as it is before the n-th store. */
struct keeper {
	struct pm_observer observer;
	uint64_t left;
	uint8_t *kept;
	bool reached;
};

static void keep(struct pm_observer *self, const struct pm_event *event)
{
	struct keeper *keeper = (struct keeper *)(void *)self;

	if (event->type > PM_EV_SET8 || keeper->left-- != 0)
		return;
	memcpy(keeper->kept, f.memory, SIZE);
	keeper->reached = true;
}

/* Leaves the pool as a repair that ended before its n-th store does; true if it has fewer. */
static bool repair_until(uint64_t stores)
{
	struct keeper keeper = {.observer = {keep}, .left = stores, .kept = malloc(SIZE)};

	assert_non_null(keeper.kept);
	repair_with(&keeper.observer);
	if (keeper.reached)
		memcpy(f.memory, keeper.kept, SIZE);
	free(keeper.kept);
	return !keeper.reached;
}

static void a_repair_that_is_cut_off_can_be_begun_again(void **state)
{
	for (uint64_t number = 1000; number < 1040; number++) {
		uint64_t stores = 0;

		do {
			damage_at_random(number);
			if (repair_until(stores))
				break;
			if (repair_with(NULL) == 2)
				fail_msg("damage %llu, cut off before store %llu:\n%s", (unsigned long long)number,
				         (unsigned long long)stores, told.left);
			read_all();
			fixture_unmount(&f);
			stores += 1 + stores / 3;
		} while (true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_damage_is_repaired),
	    cmocka_unit_test(a_repair_that_is_cut_off_can_be_begun_again),
	};

	return cmocka_run_group_tests(tests, repair_set_up, repair_tear_down);
}
