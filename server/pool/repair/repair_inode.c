/*
 * repair_inode.c -- repairs one inode, except for its log: life, header, attributes, blocks.
 */
#include "server/pool/repair/repair_internal.h"

#include "common/crc.h"
#include "common/file_type.h"

#include <string.h>
#include <sys/stat.h>

#define CRC_START      0xffffffffu
#define GENERATION_MAX 0xffffffffu /* the last generation of a slot */

static unsigned long long ull(uint64_t v)
{
	return v;
}

static void store_life(struct repair *r, uint64_t ino, uint32_t generation, enum nova_life life)
{
	le64 *pair = repair_slot(r, ino)->words.life;

	repair_pair(r, &pair[0], &pair[1], repair_word(NOVA_WORD_LIFE, ino, (uint64_t)generation << 8 | life));
	pm_fence(r->pm);
}

/*
 * A valid header has the last generation of the slot, but does not show whether that inode was freed. It is made alive:
 * better one file too many in lost+found than one too few. Its log is marked as repaired, so that other inodes keep
 * blocks that they have got since.
 */
bool repair_life(struct repair *r, uint64_t ino)
{
	const struct nova_slot *slot = repair_slot(r, ino);
	uint32_t generation = le32_get(slot->header.generation);
	uint64_t owner = ino ^ (uint64_t)generation << 32;
	struct image_word tail = image_word_pick(NOVA_WORD_TAIL, owner, slot->words.tail[0], slot->words.tail[1]);
	struct repair_entry filler;

	if (!image_slot_header_valid(&slot->header, ino, generation) || !(tail.valid[0] || tail.valid[1])) {
		store_life(r, ino, GENERATION_MAX, NOVA_LIFE_FREE);
		repair_say(r, "inode", ino, 0,
		           "its life word, its header and its tail are lost: the slot will not be used again");
		return true;
	}
	store_life(r, ino, generation, NOVA_LIFE_ALLOCATED);
	repair_say(r, "inode", ino, 0,
	           "its life word, lost in both copies, set to generation %u, in use, as in its header", generation);
	repair_entry_filler(r, &filler);
	repair_append(r, ino, &filler, 1);
	return true;
}

bool repair_remove(struct repair *r, uint64_t ino, const char *why)
{
	struct image_inode inode;

	if (ino == r->check->root)
		return repair_root(r, ino);
	if (image_inode(&r->check->image, ino, &inode))
		return false;
	store_life(r, ino, inode.generation, NOVA_LIFE_FREE);
	repair_say(r, "inode", ino, 0, "removed: %s", why);
	return true;
}

/* ---- header ------------------------------------------------------------------------------------- */

/* The type of an inode by entries that only one type has; 0 = there are none. */
static mode_t type_by_log(struct repair *r, const struct image_inode *inode, int64_t *birth)
{
	enum image_step step;
	struct image_log log;

	image_log_begin(&log, &r->check->image, inode);
	while ((step = image_log_next(&log)) == IMAGE_PAGE || step == IMAGE_ENTRY) {
		const void *payload = log.entry ? log.entry->payload : NULL;

		if (step == IMAGE_PAGE)
			continue;
		if (log.entry->type == NOVA_ENTRY_ATTR &&
		    le16_get(((const struct nova_attr_entry *)payload)->mask) & NOVA_ATTR_BIRTH)
			*birth = (int64_t)le64_get(((const struct nova_attr_entry *)payload)->time_ns);
		switch (log.entry->type) {
		case NOVA_ENTRY_WRITE:
		case NOVA_ENTRY_EXTENTS:
			return S_IFREG;
		case NOVA_ENTRY_SYMLINK:
			return S_IFLNK;
		case NOVA_ENTRY_NAME:
		case NOVA_ENTRY_NAME_GONE:
		case NOVA_ENTRY_PARENT:
			return S_IFDIR;
		default:
			break;
		}
	}
	return 0;
}

static bool known_type(mode_t type)
{
	return strcmp(file_type_name(type), "unknown") != 0;
}

bool repair_header(struct repair *r, uint64_t ino, bool last_resort)
{
	const struct check_inode *checked = check_find(r->check, ino);
	int64_t birth = (int64_t)r->now;
	struct image_inode inode;
	mode_t type;

	if (!checked || image_inode(&r->check->image, ino, &inode))
		return false;
	type = ino == r->check->root ? S_IFDIR : type_by_log(r, &inode, &birth);
	if (!type)
		type = (mode_t)checked->named_type << 12;
	if (!known_type(type))
		return last_resort && repair_remove(r, ino, "its type is unknown");
	struct nova_slot_header header __attribute__((aligned(64))) = {
	    .type = (uint8_t)(type >> 12),
	    .generation = le32_of(inode.generation),
	    .birth_ns = le64_of((uint64_t)birth),
	    .parent = le64_of(type == S_IFDIR ? r->check->root : 0),
	};
	le32 generation = le32_of(inode.generation);
	uint32_t crc = crc32c(crc32c_u64(CRC_START, ino), &generation, sizeof(generation));

	header.crc = le32_of(crc32c(crc, &header.type, sizeof(header) - 4));
	pm_copy(r->pm, &repair_slot(r, ino)->header, &header, sizeof(header));
	pm_fence(r->pm);
	repair_say(r, "inode", ino, 0, "its header made again: a %s%s", file_type_name(type),
	           type == S_IFCHR || type == S_IFBLK ? ", whose device number is lost" : "");
	return true;
}

bool repair_root(struct repair *r, uint64_t ino)
{
	struct image_inode inode;
	uint32_t generation = GENERATION_MAX - 1;
	uint64_t chunk = ino / NOVA_SLOTS_PER_CHUNK * NOVA_CHUNK_BLOCKS;

	if (!image_slot(&r->check->image, ino) || image_chunk(&r->check->image, chunk).value != NOVA_CHUNK_SLOTS)
		return false;
	if (image_inode(&r->check->image, ino, &inode) == 0 && inode.generation < generation)
		generation = inode.generation + 1;
	repair_birth(r, ino, generation, S_IFDIR | 0755, ino);
	repair_say(r, "inode", ino, 0, "the root directory made again, empty: its contents go to lost+found");
	return true;
}

bool repair_clients(struct repair *r, uint64_t ino)
{
	const struct check_inode *inode = check_find(r->check, ino);
	uint32_t generation = GENERATION_MAX - 1;
	uint64_t chunk = ino / NOVA_SLOTS_PER_CHUNK * NOVA_CHUNK_BLOCKS;
	struct image_inode words;

	if (r->emptied)
		return false;
	r->emptied = true;
	/* Nobody has been a client: nothing to take back. */
	if (inode && inode->readable && inode->type == S_IFREG >> 12 && !inode->orphan && inode->size == 0)
		return false;
	if (!image_slot(&r->check->image, ino) || image_chunk(&r->check->image, chunk).value != NOVA_CHUNK_SLOTS)
		return false;
	if (image_inode(&r->check->image, ino, &words) == 0 && words.generation < generation)
		generation = words.generation + 1;
	repair_birth(r, ino, generation, S_IFREG | 0600, 0);
	repair_say(r, "clients", ino, 0,
	           "the client table emptied: requests that clients repeat after this fail, executed or not");
	return true;
}

/* ---- attributes and blocks ---------------------------------------------------------------------- */

static bool append(struct repair *r, uint64_t ino, struct repair_entry *entries, unsigned count)
{
	return repair_append(r, ino, entries, count) == 0;
}

bool repair_attr(struct repair *r, uint64_t ino)
{
	const struct check_inode *checked = check_find(r->check, ino);
	struct repair_entry entry;
	struct nova_attr_entry *attr = repair_entry_start(&entry, NOVA_ENTRY_ATTR);
	unsigned mode;

	if (!checked)
		return false;
	mode = checked->type == S_IFDIR >> 12 ? 0700 : 0600;
	attr->mask = le16_of(NOVA_ATTR_MODE | NOVA_ATTR_UID | NOVA_ATTR_GID | NOVA_ATTR_NLINK);
	attr->mode = le16_of((uint16_t)mode);
	attr->nlink = le32_of(checked->links ? checked->links : 1);
	attr->time_ns = le64_of(r->now);
	if (!append(r, ino, &entry, 1))
		return false;
	repair_say(r, "inode", ino, 0, "mode, owner and group, which are lost, set to %04o, 0 and 0", mode);
	return true;
}

bool repair_nlink(struct repair *r, uint64_t ino, uint32_t nlink)
{
	struct repair_entry entry;
	struct nova_attr_entry *attr = repair_entry_start(&entry, NOVA_ENTRY_ATTR);

	attr->mask = le16_of(NOVA_ATTR_NLINK);
	attr->nlink = le32_of(nlink);
	attr->time_ns = le64_of(r->now);
	if (!append(r, ino, &entry, 1))
		return false;
	repair_say(r, "inode", ino, 0, "link count set to %u", nlink);
	return true;
}

bool repair_hole(struct repair *r, uint64_t ino, uint64_t file_block, uint64_t count)
{
	const struct check_inode *checked = check_find(r->check, ino);
	struct repair_entry entry;
	struct nova_write_entry *write = repair_entry_start(&entry, NOVA_ENTRY_WRITE);
	uint64_t blocks = checked ? checked->size / NOVA_BLOCK_SIZE + (checked->size % NOVA_BLOCK_SIZE != 0) : 0;

	if (!checked)
		return false;
	if (file_block >= blocks)
		return repair_truncate(r, ino);
	if (count > blocks - file_block)
		count = blocks - file_block;
	if (count > UINT32_MAX)
		count = UINT32_MAX;
	write->file_block = le64_of(file_block);
	write->count = le32_of((uint32_t)count);
	write->size = le64_of(checked->size);
	write->time_ns = le64_of(r->now);
	if (!append(r, ino, &entry, 1))
		return false;
	repair_say(r, "block", ino, 0, "file blocks %llu to %llu are a hole now: something else uses their blocks",
	           ull(file_block), ull(file_block + count - 1));
	return true;
}

/* Set a greater size and then the old one, which drops the blocks beyond it. */
bool repair_truncate(struct repair *r, uint64_t ino)
{
	const struct check_inode *checked = check_find(r->check, ino);
	struct repair_entry entries[2];

	if (!checked)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		struct nova_attr_entry *attr = repair_entry_start(&entries[i], NOVA_ENTRY_ATTR);

		attr->mask = le16_of(NOVA_ATTR_SIZE);
		attr->size = le64_of(checked->size + (i == 0));
		attr->time_ns = le64_of(r->now);
	}
	if (!append(r, ino, entries, 2))
		return false;
	repair_say(r, "block", ino, 0, "the blocks behind its end at %llu bytes dropped", ull(checked->size));
	return true;
}

bool repair_zero(struct repair *r, uint64_t ino, uint64_t from, uint64_t block)
{
	uint8_t *bytes = repair_block(r, block);
	uint64_t line = from / NOVA_LINE_SIZE * NOVA_LINE_SIZE;
	_Alignas(64) uint8_t first[NOVA_LINE_SIZE];

	memcpy(first, bytes + line, sizeof(first));
	memset(first + (from - line), 0, NOVA_LINE_SIZE - (from - line));
	pm_copy(r->pm, bytes + line, first, sizeof(first));
	if (line + NOVA_LINE_SIZE < NOVA_BLOCK_SIZE)
		pm_zero(r->pm, bytes + line + NOVA_LINE_SIZE, NOVA_BLOCK_SIZE - line - NOVA_LINE_SIZE);
	pm_fence(r->pm);
	repair_say(r, "block", ino, block, "the bytes behind the end of the file set to zero");
	return true;
}
