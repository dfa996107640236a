/*
 * check_claim.c -- which inode uses a block: each block is claimed once, and none in a metadata area.
 */
#include "server/pool/check/check_internal.h"

static unsigned long long ull(uint64_t v)
{
	return v;
}

void check_set_owner(struct check *check, uint64_t first, uint64_t count, uint32_t owner)
{
	for (uint64_t block = first; block < first + count; block++) {
		check->owner[block] = owner;
		check->used[block / 64] |= 1ULL << block % 64;
	}
}

bool check_is_slots(const struct check *check, uint64_t block)
{
	return (check->used[block / 64] >> block % 64 & 1) && check->owner[block] == CHECK_SLOTS;
}

uint64_t check_used(const struct check *check, uint64_t zone, uint64_t word, uint64_t *there)
{
	uint64_t left = image_zone_blocks(&check->image, zone) - word * 64;

	*there = left < 64 ? (1ULL << left) - 1 : ~0ULL;
	if (word * 64 < NOVA_ZONE_FIRST_CHUNK)
		return *there;
	return check->used[image_zone_start(zone) / 64 + word];
}
static_assert(NOVA_PREAMBLE_BLOCKS % 64 == 0 && NOVA_ZONE_BLOCKS % 64 == 0 && NOVA_ZONE_FIRST_CHUNK % 64 == 0,
              "zones and what is usable in them begin with a word of the map");

/* Claim the whole run, if nothing is wrong with it; else claim nothing: the caller checks each block. */
static bool claim_run(struct check *check, const struct check_inode *inode, uint64_t first, uint64_t count)
{
	uint64_t last = first + count - 1;

	if (count == 0 || count > NOVA_ZONE_BLOCKS || !image_usable_block(&check->image, first) ||
	    !image_usable_block(&check->image, last) || image_zone_of(first) != image_zone_of(last))
		return false;
	for (uint64_t block = first; block <= last; block++)
		if (check->owner[block])
			return false;
	check_set_owner(check, first, count, (uint32_t)(inode - check->inodes) + 1);
	return true;
}

/* Claim one block; false, with a finding, if it is in use already. */
static bool claim_block(struct check *check, const struct check_inode *inode, const char *what, uint64_t block)
{
	uint32_t owner = check->owner[block];

	if (owner == CHECK_SLOTS)
		check_say(check, "block", inode->ino, block, "%s lies in block %llu, in a chunk of inode slots", what,
		          ull(block));
	else if (owner != 0)
		check_say(check, "block", inode->ino, block, "%s lies in block %llu, which inode %llu uses too", what,
		          ull(block), ull(check->inodes[owner - 1].ino));
	else
		check_set_owner(check, block, 1, (uint32_t)(inode - check->inodes) + 1);
	return owner == 0;
}

static bool usable(struct check *check, const struct check_inode *inode, const char *what, uint64_t block)
{
	if (image_usable_block(&check->image, block))
		return true;
	check_say(check, "block", inode->ino, block, "%s lies in block %llu, in a metadata area or outside", what,
	          ull(block));
	return false;
}

void check_claim(struct check *check, const struct check_inode *inode, const char *what, uint64_t first, uint64_t count)
{
	if (claim_run(check, inode, first, count))
		return;
	for (uint64_t block = first; block < first + count && usable(check, inode, what, block); block++)
		claim_block(check, inode, what, block);
}

/* Ask for a fix for the *count blocks before the i-th of the claim: they do not belong to the inode. */
static void ask_for_fix(struct check *check, const struct check_late_claim *claim, uint64_t i, uint64_t *count)
{
	uint64_t ino = check->inodes[claim->inode].ino;

	if (*count && claim->content == CHECK_TARGET)
		check_fix(check, FIX_REMOVE, ino, 0, 0, 0);
	else if (*count && claim->content == CHECK_XATTR)
		check_fix(check, FIX_ENTRY, ino, claim->at, 0, 0);
	else if (*count)
		check_fix(check, FIX_HOLE, ino, claim->at + i - *count, *count, 0);
	*count = 0;
}

static void claim_content_now(struct check *check, const struct check_late_claim *claim)
{
	static const char *const what[] = {
	    [CHECK_DATA] = "data", [CHECK_TARGET] = "symlink target", [CHECK_XATTR] = "extended attribute"};
	const struct check_inode *inode = &check->inodes[claim->inode];
	uint64_t foreign = 0;

	if (claim_run(check, inode, claim->block, claim->count))
		return;
	for (uint64_t i = 0; i < claim->count; i++) {
		if (usable(check, inode, what[claim->content], claim->block + i) &&
		    claim_block(check, inode, what[claim->content], claim->block + i)) {
			ask_for_fix(check, claim, i, &foreign);
			continue;
		}
		foreign++;
	}
	ask_for_fix(check, claim, claim->count, &foreign);
}

void check_claim_content(struct check *check, const struct check_inode *inode, enum check_content content, uint64_t at,
                         uint64_t first, uint64_t count)
{
	struct check_late_claim claim = {(size_t)(inode - check->inodes), content, at, first, count};
	struct check_late_claim *late;

	if (!check->repairing) {
		claim_content_now(check, &claim);
		return;
	}
	late = check_grow(check, check->late, check->late_count, &check->late_room, sizeof(*late));
	if (!late)
		return;
	check->late = late;
	late[check->late_count++] = claim;
}

/* If a block is claimed twice, a log page has precedence, then an inode whose log has not been patched by a repair. */
void check_claim_late(struct check *check)
{
	for (int patched = 0; patched < 2; patched++)
		for (size_t i = 0; i < check->late_count; i++)
			if (check->inodes[check->late[i].inode].patched == (patched == 1))
				claim_content_now(check, &check->late[i]);
}
