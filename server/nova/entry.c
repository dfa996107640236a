/*
 * entry.c -- build and check log entries.
 */
#include "server/nova/entry.h"

#include "common/crc.h"
#include "server/nova/file_index.h"

#include <string.h>

struct nova_entry *entry_start(struct entry_buffer *buffer, enum nova_entry_type type)
{
	memset(&buffer->entry, 0, sizeof buffer->entry);
	buffer->entry.type = (uint8_t)type;
	buffer->entry.lines = 1;
	return &buffer->entry;
}

struct nova_entry *entry_write(struct entry_buffer *buffer, uint64_t file_block, uint64_t value, uint64_t count,
                               uint64_t size, int64_t time_ns)
{
	struct nova_entry *entry = entry_start(buffer, NOVA_ENTRY_WRITE);
	struct nova_write_entry *write = ENTRY_PAYLOAD(nova_write_entry, entry);

	write->file_block = le64_of(file_block);
	write->block = le64_of(file_block_of(value));
	write->count = le32_of((uint32_t)count);
	write->size = le64_of(size);
	write->time_ns = le64_of((uint64_t)time_ns);
	write->flags = le32_of(value & FILE_UNWRITTEN ? NOVA_WRITE_UNWRITTEN : 0);
	return entry;
}

uint64_t entry_write_value(const struct nova_write_entry *write)
{
	uint64_t block = le64_get(write->block);

	return block && le32_get(write->flags) & NOVA_WRITE_UNWRITTEN ? block | FILE_UNWRITTEN : block;
}

struct nova_entry *entry_extents(struct entry_page *page, const struct entry_extent *extents, unsigned count,
                                 uint64_t size)
{
	struct nova_entry *entry = &page->entry;
	struct nova_extents_entry *payload = ENTRY_PAYLOAD(nova_extents_entry, entry);
	uint8_t *bytes = (uint8_t *)page + ENTRY_EXTENTS_OFFSET;
	struct nova_packed_extent *packed = (struct nova_packed_extent *)(void *)bytes;
	uint8_t lines = entry_extents_lines(count);

	memset(entry, 0, sizeof *entry);
	memset((uint8_t *)page + (lines - 1u) * NOVA_LINE_SIZE, 0, lines > 1 ? NOVA_LINE_SIZE : 0);
	entry->type = NOVA_ENTRY_EXTENTS;
	entry->lines = lines;
	payload->size = le64_of(size);
	payload->count = le16_of((uint16_t)count);
	for (unsigned i = 0; i < count; i++)
		packed[i] = (struct nova_packed_extent){
		    .place = le64_of(extents[i].file_block << NOVA_EXTENT_BLOCKS_BITS | extents[i].count),
		    .block = le64_of(extents[i].value),
		};
	return entry;
}

unsigned entry_extents_count(const struct nova_entry *entry)
{
	unsigned count = le16_get(ENTRY_CONST_PAYLOAD(nova_extents_entry, entry)->count);

	return count <= NOVA_EXTENTS_MAX && entry->lines == entry_extents_lines(count) ? count : 0;
}

/* An inode number, a generation and a place in the log, as they come before what they seed. */
static uint32_t seed(uint64_t ino, uint32_t generation, uint64_t place)
{
	uint32_t high = htole32((uint32_t)(place >> 32));

	return crc32c(crc32c_u64(crc32c_u64(0xffffffff, ino), generation | place << 32), &high, sizeof high);
}

uint32_t entry_crc(const struct nova_entry *entry, uint64_t ino, uint32_t generation, uint64_t position)
{
	uint32_t lines = entry->type == NOVA_ENTRY_PAD ? 1 : entry->lines;

	return crc32c(seed(ino, generation, position), (const uint8_t *)entry + sizeof entry->crc,
	              lines * NOVA_LINE_SIZE - sizeof entry->crc);
}

bool entry_valid(const struct nova_entry *entry, uint64_t ino, uint32_t generation, uint64_t position, uint64_t room)
{
	if (entry->lines < 1 || entry->lines > room)
		return false;
	return entry_crc(entry, ino, generation, position) == le32_get(entry->crc);
}

bool entry_name_ok(const char *name, size_t length)
{
	if (length < 1 || length > NOVA_NAME_MAX)
		return false;
	if (memchr(name, '/', length) || memchr(name, 0, length))
		return false;
	if (name[0] != '.')
		return true;
	return !(length == 1 || (length == 2 && name[1] == '.'));
}

uint32_t entry_page_crc(const struct nova_page_header *header, uint64_t ino, uint32_t generation, uint64_t block)
{
	return crc32c(seed(ino, generation, block), (const uint8_t *)header + 4, 28);
}

/* What is seeded with an inode and its life, and not with a place. */
static uint32_t life_seed(uint64_t ino, uint32_t generation)
{
	le32 generation_le = le32_of(generation);

	return crc32c(crc32c_u64(0xffffffff, ino), &generation_le, sizeof generation_le);
}

uint32_t entry_header_crc(const struct nova_slot_header *header, uint64_t ino, uint32_t generation)
{
	return crc32c(life_seed(ino, generation), (const uint8_t *)header + 4, 60);
}

uint32_t entry_blob_seed(uint64_t ino, uint32_t generation)
{
	return life_seed(ino, generation);
}
