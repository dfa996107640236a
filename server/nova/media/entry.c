/*
 * entry.c -- build and check log entries.
 */
#include "server/nova/media/entry.h"

#include "common/crc.h"

#include <string.h>

struct nova_entry *entry_start(struct entry_buffer *buffer, enum nova_entry_type type)
{
	buffer->words[0] = le64_of((uint64_t)type << 32 | 1ULL << 40);
	for (unsigned i = 1; i < NOVA_LINE_SIZE / 8; i++)
		buffer->words[i] = le64_of(0);
	return &buffer->entry;
}

/* The most frequent entry, and the only one that most writes need: it is stored in whole words (see entry_seal). */
struct nova_entry *entry_write(struct entry_buffer *buffer, uint64_t file_block, uint64_t value, uint64_t count,
                               uint64_t size, int64_t time_ns)
{
	uint64_t block = file_block_of(value);

	static_assert(offsetof(struct nova_entry, payload) == 20 && offsetof(struct nova_write_entry, block) == 8 &&
	                  offsetof(struct nova_write_entry, count) == 16 &&
	                  offsetof(struct nova_write_entry, size) == 20 &&
	                  offsetof(struct nova_write_entry, flags) == 36,
	              "where the words below cut");
	entry_start(buffer, NOVA_ENTRY_WRITE);
	buffer->words[2] = le64_of(file_block << 32);
	buffer->words[3] = le64_of(file_block >> 32 | block << 32);
	buffer->words[4] = le64_of(block >> 32 | count << 32);
	buffer->words[5] = le64_of(size);
	buffer->words[6] = le64_of((uint64_t)time_ns);
	buffer->words[7] = le64_of(value & FILE_UNWRITTEN ? NOVA_WRITE_UNWRITTEN : 0);
	return &buffer->entry;
}

uint64_t entry_write_value(const struct nova_write_entry *write)
{
	uint64_t block = le64_get(write->block);

	return block && le32_get(write->flags) & NOVA_WRITE_UNWRITTEN ? block | FILE_UNWRITTEN : block;
}

struct nova_entry *entry_extents(struct entry_page *page, const struct extent *extents, unsigned count, uint64_t size)
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

/* The seed of an entry (`place` is its position) or of a page header (`place` is its block). */
static uint32_t seed(uint64_t ino, uint32_t generation, uint64_t place)
{
	uint32_t crc = crc32c_u64(crc32c_u64(0xffffffff, ino), generation | place << 32);

	return crc32c_u32(crc, (uint32_t)(place >> 32));
}

uint32_t entry_crc(const struct nova_entry *entry, uint64_t ino, uint32_t generation, uint64_t position)
{
	uint32_t lines = entry->type == NOVA_ENTRY_PAD ? 1 : entry->lines;
	uint32_t crc = crc32c_line(seed(ino, generation, position), entry);

	if (lines > 1)
		crc = crc32c(crc, (const uint8_t *)entry + NOVA_LINE_SIZE, (lines - 1) * NOVA_LINE_SIZE);
	return crc;
}

void entry_seal(struct nova_entry *entry, uint32_t born, uint32_t epoch, uint64_t ino, uint32_t generation,
                uint64_t position)
{
	le64 *words = (void *)entry;
	uint64_t first = le64_get(words[0]) & 0x0000ffff00000000;
	uint64_t payload = le64_get(words[2]) & 0xffffffff00000000;

	static_assert(offsetof(struct nova_entry, type) == 4 && offsetof(struct nova_entry, flags) == 6 &&
	                  offsetof(struct nova_entry, born) == 8 && offsetof(struct nova_entry, view) == 12 &&
	                  offsetof(struct nova_entry, epoch) == 16,
	              "the words have these");
	words[0] = le64_of(first);
	words[1] = le64_of(born);
	/* A whole store: the compiler could see that half of the word is unchanged and store only the other half. */
	*(volatile uint64_t *)&words[2] = htole64(epoch | payload);
	words[0] = le64_of(first | entry_crc(entry, ino, generation, position));
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

/* A seed without a place. */
static uint32_t life_seed(uint64_t ino, uint32_t generation)
{
	return crc32c_u32(crc32c_u64(0xffffffff, ino), generation);
}

uint32_t entry_header_crc(const struct nova_slot_header *header, uint64_t ino, uint32_t generation)
{
	return crc32c_line(life_seed(ino, generation), header);
}

uint32_t entry_blob_seed(uint64_t ino, uint32_t generation)
{
	return life_seed(ino, generation);
}
