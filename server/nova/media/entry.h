/*
 * entry.h -- log entries: builds them, gives their number of lines and their CRC, and checks those from the medium.
 */
#ifndef FARNOVA_NOVA_ENTRY_H
#define FARNOVA_NOVA_ENTRY_H

#include "server/nova/media/format.h"
#include "server/nova/nova.h"

#include <stdbool.h>
#include <stddef.h>

/* The most lines of an entry in an entry_buffer: the longest name or inline target. */
#define ENTRY_LINES_MAX 5u

/* An entry under construction. */
struct entry_buffer {
	union {
		struct nova_entry entry;
		le64 words[NOVA_LINE_SIZE / 8];
	};
	uint8_t more[(ENTRY_LINES_MAX - 1) * NOVA_LINE_SIZE];
} __attribute__((aligned(64)));

/* The longest entries, those of extended attributes and extents, can fill a page. */
struct entry_page {
	struct nova_entry entry;
	uint8_t more[(NOVA_PAGE_LINES - 1) * NOVA_LINE_SIZE];
} __attribute__((aligned(64)));

#define ENTRY_PAYLOAD(type, entry)       ((struct type *)(void *)(entry)->payload)
#define ENTRY_CONST_PAYLOAD(type, entry) ((const struct type *)(const void *)(entry)->payload)

/* A name, target or attribute continues into the next lines without a gap, so it is one run of bytes. */
#define ENTRY_NAME_OFFSET   (offsetof(struct nova_entry, payload) + offsetof(struct nova_name_entry, name))
#define ENTRY_TARGET_OFFSET (offsetof(struct nova_entry, payload) + offsetof(struct nova_symlink_entry, target))
static_assert(ENTRY_NAME_OFFSET + NOVA_NAME_INLINE == NOVA_LINE_SIZE, "a name ends its line");
static_assert(ENTRY_TARGET_OFFSET + NOVA_SYMLINK_INLINE == NOVA_LINE_SIZE, "a target ends its line");

#define ENTRY_XATTR_OFFSET (offsetof(struct nova_entry, payload) + offsetof(struct nova_xattr_entry, bytes))
static_assert(ENTRY_XATTR_OFFSET + NOVA_XATTR_INLINE == NOVA_LINE_SIZE, "an attribute ends its line");

#define ENTRY_EXTENTS_OFFSET (offsetof(struct nova_entry, payload) + offsetof(struct nova_extents_entry, extents))
static_assert(ENTRY_EXTENTS_OFFSET + NOVA_EXTENTS_INLINE * 16 == NOVA_LINE_SIZE, "two extents end their line");

static inline const char *entry_name(const void *entry)
{
	return (const char *)entry + ENTRY_NAME_OFFSET;
}

static inline uint8_t entry_name_lines(size_t length)
{
	return (uint8_t)((ENTRY_NAME_OFFSET + length + NOVA_LINE_SIZE - 1) / NOVA_LINE_SIZE);
}

static inline uint8_t entry_symlink_lines(size_t length)
{
	if (length > NOVA_SYMLINK_INLINE_MAX)
		return 1;
	return (uint8_t)((ENTRY_TARGET_OFFSET + length + NOVA_LINE_SIZE - 1) / NOVA_LINE_SIZE);
}

/* `length` -- of the name and the value or runs after it. */
static inline uint8_t entry_xattr_lines(size_t length)
{
	return (uint8_t)((ENTRY_XATTR_OFFSET + length + NOVA_LINE_SIZE - 1) / NOVA_LINE_SIZE);
}

/* entry_xattr_value -- what follows the name in an XATTR entry: the value, or the runs of its blob. */
static inline const uint8_t *entry_xattr_value(const struct nova_entry *entry)
{
	return (const uint8_t *)entry + ENTRY_XATTR_OFFSET + ENTRY_CONST_PAYLOAD(nova_xattr_entry, entry)->name_length;
}

/* entry_extents_lines -- the lines that `count` packed extents need, at least 1. entry_extents_room -- how many packed
 * extents fit into so many lines. */
static inline uint8_t entry_extents_lines(unsigned count)
{
	return (uint8_t)((ENTRY_EXTENTS_OFFSET + count * sizeof(struct nova_packed_extent) + NOVA_LINE_SIZE - 1) /
	                 NOVA_LINE_SIZE);
}

static inline unsigned entry_extents_room(uint64_t lines)
{
	return (unsigned)((lines * NOVA_LINE_SIZE - ENTRY_EXTENTS_OFFSET) / sizeof(struct nova_packed_extent));
}

/* A flag beside a block number: the block is reserved for the file and reads as zeros. */
#define FILE_UNWRITTEN (1ULL << 63)

/* file_block_of -- the block number of a value. */
static inline uint64_t file_block_of(uint64_t value)
{
	return value & ~FILE_UNWRITTEN;
}

/* file_readable -- the block that holds the data; 0 if they are zeros. */
static inline uint64_t file_readable(uint64_t value)
{
	return value & FILE_UNWRITTEN ? 0 : value;
}

/* A run of file blocks in a run of pool blocks; `value` is the first of these, perhaps with FILE_UNWRITTEN. */
struct extent {
	uint64_t file_block;
	uint64_t value;
	uint64_t count;
};

/* entry_extent -- the i-th of an EXTENTS entry whose count and lines have been checked. */
static inline struct extent entry_extent(const struct nova_entry *entry, unsigned i)
{
	const uint8_t *bytes = (const uint8_t *)entry + ENTRY_EXTENTS_OFFSET;
	const struct nova_packed_extent *packed = (const struct nova_packed_extent *)(const void *)bytes + i;
	uint64_t place = le64_get(packed->place);

	return (struct extent){.file_block = place >> NOVA_EXTENT_BLOCKS_BITS,
	                       .value = le64_get(packed->block),
	                       .count = place & NOVA_EXTENT_BLOCKS_MAX};
}

/* entry_start -- an entry of one line with an all-zero payload and no requester. */
struct nova_entry *entry_start(struct entry_buffer *buffer, enum nova_entry_type type);

/* entry_write -- a WRITE entry; `value` is a block, perhaps with FILE_UNWRITTEN; `count` fits 32 bits. */
struct nova_entry *entry_write(struct entry_buffer *buffer, uint64_t file_block, uint64_t value, uint64_t count,
                               uint64_t size, int64_t time_ns);

/*
 * entry_seal -- enter the epochs and the CRC. `born`: when what the entry says came into being. The CRC depends on the inode, its generation and the entry's
 * position in the log. `entry` is aligned to 8 bytes.
 *
 * entry_seal and entry_write store whole words, because the CRC and the copy load whole words: a load that spans
 * several smaller stores waits until these have left the CPU's store buffer, which cost 80 ns in each write.
 */
void entry_seal(struct nova_entry *entry, uint32_t born, uint32_t epoch, uint64_t ino, uint32_t generation,
                uint64_t position);

/* entry_write_value -- the blocks of a WRITE entry; 0 is a hole. */
uint64_t entry_write_value(const struct nova_write_entry *write);

/*
 * entry_extents -- an EXTENTS entry of `count` extents, up to NOVA_EXTENTS_MAX and each of up to NOVA_EXTENT_BLOCKS_MAX
 * blocks; `page` has room for all of them.
 */
struct nova_entry *entry_extents(struct entry_page *page, const struct extent *extents, unsigned count, uint64_t size);

/* entry_extents_count -- how many extents an EXTENTS entry has; 0 if its number of lines does not match them. */
unsigned entry_extents_count(const struct nova_entry *entry);

/* entry_crc -- the correct CRC of the entry at this position; `entry` has entry->lines lines. */
uint32_t entry_crc(const struct nova_entry *entry, uint64_t ino, uint32_t generation, uint64_t position);

/* entry_valid -- the CRC is right and the entry has 1..room lines. */
bool entry_valid(const struct nova_entry *entry, uint64_t ino, uint32_t generation, uint64_t position, uint64_t room);

/* entry_name_ok -- 1..255 bytes, no '/', no NUL, neither "." nor "..". */
bool entry_name_ok(const char *name, size_t length);

/* entry_page_crc, entry_header_crc -- the CRCs of a log page's and of a slot's header. */
uint32_t entry_page_crc(const struct nova_page_header *header, uint64_t ino, uint32_t generation, uint64_t block);
uint32_t entry_header_crc(const struct nova_slot_header *header, uint64_t ino, uint32_t generation);

/* entry_blob_seed -- the seed of the CRC of an attribute's blob. */
uint32_t entry_blob_seed(uint64_t ino, uint32_t generation);

#endif
