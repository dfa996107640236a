/*
 * repair_names.c -- repairs the directory tree: invalid names, parents, and inodes without a name.
 */
#include "server/pool/repair/repair_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static unsigned long long ull(uint64_t v)
{
	return v;
}

/* A name found in a directory's log. */
struct found {
	const struct nova_name_entry *entry; /* NULL = none */
	uint64_t cookie;
	uint64_t ino;
	uint8_t file_type;
};

/* The live name with these bytes, or, if `name` is NULL, with this cookie. */
static struct found find_name(struct repair *r, uint64_t dir, const char *name, uint64_t cookie)
{
	struct found found = {0};
	struct image_inode inode;
	enum image_step step;
	struct image_log log;

	if (image_inode(&r->check->image, dir, &inode))
		return found;
	image_log_begin(&log, &r->check->image, &inode);
	while ((step = image_log_next(&log)) == IMAGE_PAGE || step == IMAGE_ENTRY) {
		const struct nova_name_entry *entry = (const void *)(log.entry ? log.entry->payload : NULL);
		bool same;

		if (step == IMAGE_PAGE)
			continue;
		if (log.entry->type == NOVA_ENTRY_NAME_GONE && found.entry &&
		    le64_get(((const struct nova_name_gone_entry *)(const void *)log.entry->payload)->cookie) ==
		        found.cookie)
			found = (struct found){0};
		if (log.entry->type != NOVA_ENTRY_NAME)
			continue;
		same = name ? entry->name_length == strlen(name) && memcmp(entry->name, name, entry->name_length) == 0
		            : le64_get(entry->cookie) == cookie;
		if (same)
			found = (struct found){entry, le64_get(entry->cookie), le64_get(entry->ino), entry->file_type};
	}
	return found;
}

static void name_gone(const struct repair *r, struct repair_entry *entry, uint64_t cookie, uint64_t ino)
{
	struct nova_name_gone_entry *gone = repair_entry_start(entry, NOVA_ENTRY_NAME_GONE);

	gone->cookie = le64_of(cookie);
	gone->ino = le64_of(ino);
	gone->time_ns = le64_of(r->now);
}

bool repair_drop_name(struct repair *r, uint64_t dir, uint64_t cookie, uint64_t ino)
{
	struct found name = find_name(r, dir, NULL, cookie);
	struct repair_entry entry;

	if (!name.entry || name.ino != ino)
		return false;
	name_gone(r, &entry, cookie, ino);
	if (repair_append(r, dir, &entry, 1))
		return false;
	repair_say(r, "name", dir, 0, "the name '%.*s', which referred to inode %llu, removed",
	           (int)name.entry->name_length, (const char *)name.entry->name, ull(ino));
	return true;
}

bool repair_retype(struct repair *r, uint64_t dir, uint64_t cookie, uint64_t ino, uint8_t file_type)
{
	struct found name = find_name(r, dir, NULL, cookie);
	struct repair_entry entries[2];

	if (!name.entry || name.ino != ino)
		return false;
	name_gone(r, &entries[0], cookie, ino);
	repair_entry_name(r, &entries[1], (const char *)name.entry->name, name.entry->name_length, ino, file_type);
	if (repair_append(r, dir, entries, 2))
		return false;
	repair_say(r, "name", dir, 0, "the name '%.*s' has the type of inode %llu now", (int)name.entry->name_length,
	           (const char *)name.entry->name, ull(ino));
	return true;
}

bool repair_parent(struct repair *r, uint64_t ino, uint64_t parent)
{
	struct repair_entry entry;
	struct nova_parent_entry *payload = repair_entry_start(&entry, NOVA_ENTRY_PARENT);

	payload->parent = le64_of(parent);
	payload->time_ns = le64_of(r->now);
	if (repair_append(r, ino, &entry, 1))
		return false;
	repair_say(r, "name", ino, 0, "the directory's parent set to inode %llu, where its name is", ull(parent));
	return true;
}

/* ---- lost+found --------------------------------------------------------------------------------- */

static bool is_slot_chunk(const struct repair *r, uint64_t block)
{
	return image_usable_block(&r->check->image, block) &&
	       image_chunk(&r->check->image, block).value == NOVA_CHUNK_SLOTS;
}

/* Make a new chunk of slots; the life words are durable before the words in the chunk tables. */
static uint64_t new_slot_chunk(struct repair *r)
{
	uint64_t block = repair_take_blocks(r, NOVA_CHUNK_BLOCKS);
	uint64_t first = block * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE);
	uint64_t in_zone = (block - NOVA_PREAMBLE_BLOCKS) % NOVA_ZONE_BLOCKS;
	uint64_t start = block - in_zone;

	if (!block)
		return 0;
	for (uint64_t ino = first; ino < first + NOVA_SLOTS_PER_CHUNK; ino++) {
		_Alignas(64) struct nova_slot_words words = {0};

		words.life[0] = words.life[1] = le64_of(repair_word(NOVA_WORD_LIFE, ino, NOVA_LIFE_NEVER));
		pm_copy(r->pm, &repair_slot(r, ino)->words, &words, sizeof(words));
	}
	pm_fence(r->pm);
	repair_pair(r, (le64 *)repair_block(r, start + NOVA_ZONE_TABLE_0) + in_zone / NOVA_CHUNK_BLOCKS,
	            (le64 *)repair_block(r, start + NOVA_ZONE_TABLE_1) + in_zone / NOVA_CHUNK_BLOCKS,
	            repair_word(NOVA_WORD_CHUNK, block, NOVA_CHUNK_SLOTS));
	pm_fence(r->pm);
	return first;
}

static uint64_t free_slot(struct repair *r, uint32_t *generation)
{
	for (uint64_t block = NOVA_PREAMBLE_BLOCKS; block < r->check->image.blocks; block += NOVA_CHUNK_BLOCKS) {
		uint64_t first = block * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE);

		for (uint64_t i = 0; is_slot_chunk(r, block) && i < NOVA_SLOTS_PER_CHUNK; i++) {
			struct image_inode inode;

			if (image_inode(&r->check->image, first + i, &inode) || life_has_log(inode.life) ||
			    inode.generation >= UINT32_MAX - 1)
				continue;
			*generation = inode.generation + 1;
			return first + i;
		}
	}
	*generation = 1;
	return new_slot_chunk(r);
}

static uint64_t make_lost_found(struct repair *r, const char *name)
{
	struct repair_entry entry;
	uint32_t generation;
	uint64_t ino = free_slot(r, &generation);

	if (!ino)
		return 0;
	repair_birth(r, ino, generation, S_IFDIR | 0700, r->check->root);
	repair_entry_name(r, &entry, name, strlen(name), ino, S_IFDIR >> 12);
	if (repair_append(r, r->check->root, &entry, 1))
		return 0;
	repair_say(r, "name", r->check->root, 0, "directory '%s' made", name);
	return ino;
}

static uint64_t lost_found(struct repair *r)
{
	char name[24] = "lost+found";

	for (unsigned i = 1; !r->lost_found && i < 10; i++) {
		struct found found = find_name(r, r->check->root, name, 0);

		if (!found.entry) {
			r->lost_found = make_lost_found(r, name);
			break;
		}
		if (found.file_type == S_IFDIR >> 12)
			r->lost_found = found.ino;
		snprintf(name, sizeof(name), "lost+found-%u", i);
	}
	return r->lost_found;
}

/* If the inode is in a cycle of directories, first remove its name there. Then name it by its number in lost+found. */
bool repair_adopt(struct repair *r, uint64_t ino, uint64_t named_by)
{
	const struct check_inode *checked = check_find(r->check, ino);
	struct repair_entry entry;
	char name[32];
	uint64_t home;

	if (!checked || !checked->readable)
		return false;
	for (size_t i = 0; named_by && i < r->check->name_count; i++)
		if (r->check->names[i].dir == named_by && r->check->names[i].ino == ino)
			repair_drop_name(r, named_by, r->check->names[i].cookie, ino);
	home = lost_found(r);
	if (!home || home == ino)
		return false;
	snprintf(name, sizeof(name), "#%llu", ull(ino));
	for (unsigned i = 1; find_name(r, home, name, 0).entry && i < 1000; i++)
		snprintf(name, sizeof(name), "#%llu.%u", ull(ino), i);
	repair_entry_name(r, &entry, name, strlen(name), ino, checked->type);
	if (repair_append(r, home, &entry, 1))
		return false;
	repair_say(r, "name", ino, 0, "linked as '%s' into lost+found", name);
	if (checked->type == S_IFDIR >> 12)
		repair_parent(r, ino, home);
	return true;
}
