/*
 * dump_image.c -- `farnova dump --metadata-only`: an image of a pool without the contents of its files.
 *
 * The image is a sparse file as large as the pool. It has everything that fsck and dump read: the preamble, the zones'
 * metadata, the slots, all log pages that can be reached, symlink targets and extended attributes. File data and free
 * blocks are holes. To hide names, only the valid part of each log is copied, entry by entry: dead lines and pages may
 * still hold removed names.
 */
#include "server/pool/dump/dump_image.h"

#include "common/crc.h"
#include "common/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CRC_START   0xffffffffu
#define SYMBOLS     254u /* bytes that a name may have: all but NUL and '/' */
#define ENTRY_LINES 63u

struct image_copy {
	const struct image *image;
	struct image_inode inode; /* whose log is copied */
	int fd;
	bool hide;
	int error; /* of the first write that failed */
	uint64_t bytes;
	uint8_t cipher[SYMBOLS]; /* a permutation */
};

static void put(struct image_copy *copy, uint64_t offset, const void *bytes, size_t length)
{
	const uint8_t *p = bytes;

	while (length > 0 && !copy->error) {
		ssize_t n = pwrite(copy->fd, p, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			copy->error = n < 0 ? -errno : -EIO;
			return;
		}
		p += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
		copy->bytes += (uint64_t)n;
	}
}

static uint64_t place_of(const struct image_copy *copy, const void *p)
{
	return (uint64_t)((const uint8_t *)p - copy->image->base);
}

/* Zeros are not written, so they stay holes. */
static void put_block(struct image_copy *copy, uint64_t block)
{
	static const uint8_t zeros[NOVA_BLOCK_SIZE];
	const void *bytes = image_block(copy->image, block);

	if (bytes && memcmp(bytes, zeros, NOVA_BLOCK_SIZE) != 0)
		put(copy, block * NOVA_BLOCK_SIZE, bytes, NOVA_BLOCK_SIZE);
}

/* ---- hiding ------------------------------------------------------------------------------------- */

static int make_cipher(struct image_copy *copy)
{
	uint16_t random[SYMBOLS];

	if (random_fill(random, sizeof(random)) != 0)
		return -EIO;
	for (unsigned i = 0; i < SYMBOLS; i++)
		copy->cipher[i] = (uint8_t)i;
	for (unsigned i = SYMBOLS - 1; i > 0; i--) {
		unsigned k = random[i] % (i + 1);
		uint8_t kept = copy->cipher[i];

		copy->cipher[i] = copy->cipher[k];
		copy->cipher[k] = kept;
	}
	return 0;
}

static unsigned symbol_of(uint8_t byte)
{
	return byte < '/' ? byte - 1u : byte - 2u;
}

static uint8_t byte_of(unsigned symbol)
{
	return (uint8_t)(symbol + 1 < '/' ? symbol + 1 : symbol + 2);
}

static bool is_dots(const uint8_t *name, size_t length)
{
	return name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'));
}

static void mix(const struct image_copy *copy, uint8_t *byte, unsigned *before)
{
	if (*byte == 0 || *byte == '/')
		return; /* in a target */
	*before = copy->cipher[(symbol_of(*byte) + *before) % SYMBOLS];
	*byte = byte_of(*before);
}

/* The cipher is one-to-one, so different names stay different. It runs forwards and backwards, so that names with the
 * same beginning get different ones. It runs again if the result is "." or "..", which are no valid names. */
static void hide(const struct image_copy *copy, uint8_t *name, size_t length)
{
	do {
		unsigned before = 0;

		for (size_t i = 0; i < length; i++)
			mix(copy, &name[i], &before);
		for (size_t i = length; i-- > 0;)
			mix(copy, &name[i], &before);
	} while (is_dots(name, length));
}

static uint32_t seeded_crc(const struct image_copy *copy, const uint64_t *position)
{
	le32 generation = le32_of(copy->inode.generation);
	uint32_t crc = crc32c(crc32c_u64(CRC_START, copy->inode.ino), &generation, sizeof(generation));

	return position ? crc32c_u64(crc, *position) : crc;
}

/* A long target has a block of its own, and its CRC is in the entry. */
static void hide_target(struct image_copy *copy, struct nova_symlink_entry *link)
{
	uint64_t blob = le64_get(link->blob);
	size_t length = le16_get(link->length);
	uint8_t block[NOVA_BLOCK_SIZE] = {0};

	if (!blob) {
		hide(copy, link->target, length);
		return;
	}
	if (length > NOVA_BLOCK_SIZE || !image_usable_block(copy->image, blob))
		return;
	memcpy(block, image_block(copy->image, blob), length);
	hide(copy, block, length);
	link->blob_crc = le32_of(crc32c(CRC_START, block, length));
	put(copy, blob * NOVA_BLOCK_SIZE, block, sizeof(block));
}

/* Values become zeros; ACLs stay, because they must be valid. */
static void hide_value(struct image_copy *copy, struct nova_xattr_entry *xattr)
{
	uint8_t *bytes = xattr->bytes; /* which go on in the next lines */
	uint32_t left = le32_get(xattr->value_length);
	uint32_t crc = seeded_crc(copy, NULL);
	uint8_t zeros[64] = {0};

	if (xattr->space == NOVA_XATTR_ACCESS || xattr->space == NOVA_XATTR_DEFAULT || xattr->gone)
		return;
	if (!xattr->runs) {
		memset(bytes + xattr->name_length, 0, left);
		return;
	}
	for (; left > 0; left -= left < sizeof(zeros) ? left : (uint32_t)sizeof(zeros))
		crc = crc32c(crc, zeros, left < sizeof(zeros) ? left : sizeof(zeros));
	xattr->blob_crc = le32_of(crc);
}

static void put_hidden(struct image_copy *copy, const struct image_log *log)
{
	_Alignas(8) uint8_t lines[ENTRY_LINES * NOVA_LINE_SIZE];
	struct nova_entry *entry = (void *)lines;
	size_t length = (log->entry->type == NOVA_ENTRY_PAD ? 1 : log->entry->lines) * (size_t)NOVA_LINE_SIZE;
	size_t room = length - offsetof(struct nova_entry, payload);
	struct nova_name_entry *name = (void *)entry->payload;
	struct nova_symlink_entry *link = (void *)entry->payload;
	struct nova_xattr_entry *xattr = (void *)entry->payload;

	memcpy(lines, log->entry, length);
	if (entry->type == NOVA_ENTRY_NAME && offsetof(struct nova_name_entry, name) + name->name_length <= room)
		hide(copy, name->name, name->name_length);
	if (entry->type == NOVA_ENTRY_SYMLINK &&
	    (le64_get(link->blob) || offsetof(struct nova_symlink_entry, target) + le16_get(link->length) <= room))
		hide_target(copy, link);
	if (entry->type == NOVA_ENTRY_XATTR &&
	    (xattr->runs ||
	     offsetof(struct nova_xattr_entry, bytes) + xattr->name_length + le32_get(xattr->value_length) <= room))
		hide_value(copy, xattr);
	entry->crc = le32_of(crc32c(seeded_crc(copy, &log->entry_position), &entry->type, length - 4));
	put(copy, place_of(copy, log->entry), lines, length);
}

/* ---- one inode ---------------------------------------------------------------------------------- */

static void put_content(struct image_copy *copy, const struct nova_entry *entry)
{
	const struct nova_symlink_entry *link = (const void *)entry->payload;
	const struct nova_xattr_entry *xattr = (const void *)entry->payload;
	const uint8_t *bytes = xattr->bytes; /* which go on in the next lines */
	const uint8_t *runs = bytes + xattr->name_length;

	if (entry->type == NOVA_ENTRY_SYMLINK && le64_get(link->blob))
		put_block(copy, le64_get(link->blob));
	if (entry->type != NOVA_ENTRY_XATTR || xattr->runs > NOVA_XATTR_RUNS_MAX)
		return;
	for (unsigned i = 0; i < xattr->runs; i++) {
		le64 run;

		memcpy(&run, runs + i * sizeof(run), sizeof(run));
		for (uint64_t n = 0; n < (le64_get(run) & 0xffff); n++)
			put_block(copy, (le64_get(run) >> 16) + n);
	}
}

static void put_inode(struct image_copy *copy, uint64_t ino)
{
	enum image_step step;
	struct image_log log;

	if (image_inode(copy->image, ino, &copy->inode) || !life_has_log(copy->inode.life))
		return;
	image_log_begin(&log, copy->image, &copy->inode);
	while ((step = image_log_next(&log)) == IMAGE_PAGE || step == IMAGE_ENTRY) {
		if (step == IMAGE_PAGE && copy->hide)
			put(copy, log.page * NOVA_BLOCK_SIZE, image_block(copy->image, log.page), NOVA_LINE_SIZE);
		else if (step == IMAGE_PAGE)
			put_block(copy, log.page);
		else if (copy->hide)
			put_hidden(copy, &log);
		else
			put_content(copy, log.entry);
	}
	/* A block that is no valid page of the log is copied too: it may show the reason of the damage. */
	if (step == IMAGE_BAD && log.fault == IMAGE_FAULT_PAGE && !copy->hide)
		put_block(copy, log.bad_page);
}

static void put_slots(struct image_copy *copy, uint64_t first_block)
{
	uint64_t first = first_block * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE);

	for (uint64_t block = first_block; block < first_block + NOVA_CHUNK_BLOCKS && !copy->hide; block++)
		put_block(copy, block);
	for (uint64_t ino = first; ino < first + NOVA_SLOTS_PER_CHUNK; ino++) {
		if (copy->hide)
			put(copy, ino * NOVA_SLOT_SIZE, image_slot(copy->image, ino), offsetof(struct nova_slot, log));
		put_inode(copy, ino);
	}
}

/* ---- all ---------------------------------------------------------------------------------------- */

/* The blocks of the checkpoint are not copied; without the checkpoint a mount reads the logs. */
static void drop_checkpoint(struct image_copy *copy)
{
	const uint64_t blocks[2] = {NOVA_SUPER_BLOCK_0, NOVA_SUPER_BLOCK_1};
	uint8_t bytes[15] = {NOVA_WORD_CHECKPOINT};
	uint32_t crc = crc32c(CRC_START, bytes, sizeof(bytes));
	uint16_t folded = (uint16_t)(crc >> 16 ^ crc);
	le64 word = le64_of(folded ? folded : 0xffff);

	for (int i = 0; i < 2; i++)
		put(copy, blocks[i] * NOVA_BLOCK_SIZE + offsetof(struct nova_super, checkpoint), &word, sizeof(word));
}

/* The key of the seals of handles is secret, so it is zeroed in the image. A damaged superblock gets no new CRC: it
 * stays damaged. */
static void drop_handle_key(struct image_copy *copy)
{
	const uint64_t blocks[2] = {NOVA_SUPER_BLOCK_0, NOVA_SUPER_BLOCK_1};

	for (unsigned i = 0; i < 2; i++) {
		struct nova_super super = *image_super(copy->image, i);
		bool valid = image_super_valid(&super);

		memset(super.handle_key, 0, sizeof(super.handle_key));
		if (valid) {
			super.crc = le32_of(0);
			super.crc = le32_of(crc32c(CRC_START, &super, offsetof(struct nova_super, clean)));
		}
		put(copy, blocks[i] * NOVA_BLOCK_SIZE, &super, offsetof(struct nova_super, clean));
	}
}

static void put_all(struct image_copy *copy)
{
	const struct image *image = copy->image;

	for (uint64_t block = 0; block < NOVA_PREAMBLE_BLOCKS; block++)
		put_block(copy, block);
	drop_handle_key(copy);
	drop_checkpoint(copy);
	for (uint64_t zone = 0; zone < image_zones(image); zone++) {
		uint64_t start = image_zone_start(zone), blocks = image_zone_blocks(image, zone);

		for (uint64_t b = 0; b < NOVA_ZONE_FIRST_CHUNK && b < blocks; b++)
			put_block(copy, start + b);
		for (uint64_t b = NOVA_ZONE_FIRST_CHUNK; b + NOVA_CHUNK_BLOCKS <= blocks; b += NOVA_CHUNK_BLOCKS)
			if (image_chunk(image, start + b).value == NOVA_CHUNK_SLOTS)
				put_slots(copy, start + b);
	}
}

int dump_image(const struct image *image, const char *path, bool hide_names, uint64_t *bytes)
{
	struct image_copy copy = {.image = image, .hide = hide_names};
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	copy.fd = fd;
	if (ftruncate(fd, (off_t)image->size) != 0)
		copy.error = -errno;
	if (!copy.error && hide_names)
		copy.error = make_cipher(&copy);
	if (!copy.error)
		put_all(&copy);
	if (close(fd) != 0 && !copy.error)
		copy.error = -errno;
	if (copy.error)
		unlink(path);
	*bytes = copy.bytes;
	return copy.error;
}
