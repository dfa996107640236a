/*
 * dump_image.c -- `farnova dump --metadata-only`: an image of a pool without the contents of its files.
 *
 * A sparse file as large as the pool. It has all that fsck and dump look at: the preamble, the zones' metadata, the
 * slots, every page that a log can be read to, symlink targets and extended attributes. What lies in files, and what is
 * free, is a hole. With names hidden only what is alive is copied, entry by entry, since names outlive their removal in
 * lines and pages that nobody reads any more.
 */
#include "server/pool/dump/dump_image.h"

#include "common/crc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define CRC_START   0xffffffffu
#define SYMBOLS     254u /* bytes that a name may have: all but NUL and '/' */
#define ENTRY_LINES 63u

struct image {
	const struct medium *medium;
	struct medium_inode inode; /* whose log is copied */
	int fd;
	bool hide;
	int error; /* the first that a write met */
	uint64_t bytes;
	uint8_t cipher[SYMBOLS]; /* a permutation */
};

static void put(struct image *image, uint64_t offset, const void *bytes, size_t length)
{
	const uint8_t *p = bytes;

	while (length > 0 && !image->error) {
		ssize_t n = pwrite(image->fd, p, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			image->error = n < 0 ? -errno : -EIO;
			return;
		}
		p += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
		image->bytes += (uint64_t)n;
	}
}

static uint64_t place_of(const struct image *image, const void *p)
{
	return (uint64_t)((const uint8_t *)p - image->medium->base);
}

/* What is zero stays a hole. */
static void put_block(struct image *image, uint64_t block)
{
	static const uint8_t zeros[NOVA_BLOCK_SIZE];
	const void *bytes = medium_block(image->medium, block);

	if (bytes && memcmp(bytes, zeros, NOVA_BLOCK_SIZE) != 0)
		put(image, block * NOVA_BLOCK_SIZE, bytes, NOVA_BLOCK_SIZE);
}

/* ---- hiding ------------------------------------------------------------------------------------- */

static int make_cipher(struct image *image)
{
	uint16_t random[SYMBOLS];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	for (unsigned i = 0; i < SYMBOLS; i++)
		image->cipher[i] = (uint8_t)i;
	for (unsigned i = SYMBOLS - 1; i > 0; i--) {
		unsigned k = random[i] % (i + 1);
		uint8_t kept = image->cipher[i];

		image->cipher[i] = image->cipher[k];
		image->cipher[k] = kept;
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

static void mix(const struct image *image, uint8_t *byte, unsigned *before)
{
	if (*byte == 0 || *byte == '/')
		return; /* in a target */
	*before = image->cipher[(symbol_of(*byte) + *before) % SYMBOLS];
	*byte = byte_of(*before);
}

/* One to one, so that names that differ still do; there and back, so that what begins alike does not; again where "."
 * or ".." comes out, which no name may be. */
static void hide(const struct image *image, uint8_t *name, size_t length)
{
	do {
		unsigned before = 0;

		for (size_t i = 0; i < length; i++)
			mix(image, &name[i], &before);
		for (size_t i = length; i-- > 0;)
			mix(image, &name[i], &before);
	} while (is_dots(name, length));
}

static uint32_t seeded_crc(const struct image *image, const uint64_t *position)
{
	le32 generation = le32_of(image->inode.generation);
	uint32_t crc = crc32c(crc32c_u64(CRC_START, image->inode.ino), &generation, sizeof(generation));

	return position ? crc32c_u64(crc, *position) : crc;
}

/* A long target lies in a block of its own, with its CRC in the entry. */
static void hide_target(struct image *image, struct nova_symlink_entry *link)
{
	uint64_t blob = le64_get(link->blob);
	size_t length = le16_get(link->length);
	uint8_t block[NOVA_BLOCK_SIZE] = {0};

	if (!blob) {
		hide(image, link->target, length);
		return;
	}
	if (length > NOVA_BLOCK_SIZE || !medium_usable_block(image->medium, blob))
		return;
	memcpy(block, medium_block(image->medium, blob), length);
	hide(image, block, length);
	link->blob_crc = le32_of(crc32c(CRC_START, block, length));
	put(image, blob * NOVA_BLOCK_SIZE, block, sizeof(block));
}

/* Values are zeros; ACLs, which have to make sense, stay. */
static void hide_value(struct image *image, struct nova_xattr_entry *xattr)
{
	uint32_t left = le32_get(xattr->value_length);
	uint32_t crc = seeded_crc(image, NULL);
	uint8_t zeros[64] = {0};

	if (xattr->space == NOVA_XATTR_ACCESS || xattr->space == NOVA_XATTR_DEFAULT || xattr->gone)
		return;
	if (!xattr->runs) {
		memset(xattr->bytes + xattr->name_length, 0, left);
		return;
	}
	for (; left > 0; left -= left < sizeof(zeros) ? left : (uint32_t)sizeof(zeros))
		crc = crc32c(crc, zeros, left < sizeof(zeros) ? left : sizeof(zeros));
	xattr->blob_crc = le32_of(crc);
}

static void put_hidden(struct image *image, const struct medium_log *log)
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
		hide(image, name->name, name->name_length);
	if (entry->type == NOVA_ENTRY_SYMLINK &&
	    (le64_get(link->blob) || offsetof(struct nova_symlink_entry, target) + le16_get(link->length) <= room))
		hide_target(image, link);
	if (entry->type == NOVA_ENTRY_XATTR &&
	    (xattr->runs ||
	     offsetof(struct nova_xattr_entry, bytes) + xattr->name_length + le32_get(xattr->value_length) <= room))
		hide_value(image, xattr);
	entry->crc = le32_of(crc32c(seeded_crc(image, &log->entry_position), &entry->type, length - 4));
	put(image, place_of(image, log->entry), lines, length);
}

/* ---- one inode ---------------------------------------------------------------------------------- */

static void put_content(struct image *image, const struct nova_entry *entry)
{
	const struct nova_symlink_entry *link = (const void *)entry->payload;
	const struct nova_xattr_entry *xattr = (const void *)entry->payload;
	const uint8_t *runs = xattr->bytes + xattr->name_length;

	if (entry->type == NOVA_ENTRY_SYMLINK && le64_get(link->blob))
		put_block(image, le64_get(link->blob));
	if (entry->type != NOVA_ENTRY_XATTR || xattr->runs > NOVA_XATTR_RUNS_MAX)
		return;
	for (unsigned i = 0; i < xattr->runs; i++) {
		le64 run;

		memcpy(&run, runs + i * sizeof(run), sizeof(run));
		for (uint64_t n = 0; n < (le64_get(run) & 0xffff); n++)
			put_block(image, (le64_get(run) >> 16) + n);
	}
}

static void put_inode(struct image *image, uint64_t ino)
{
	enum medium_step step;
	struct medium_log log;

	if (medium_inode(image->medium, ino, &image->inode) || !life_has_log(image->inode.life))
		return;
	medium_log_begin(&log, image->medium, &image->inode);
	while ((step = medium_log_next(&log)) == MEDIUM_PAGE || step == MEDIUM_ENTRY) {
		if (step == MEDIUM_PAGE && image->hide)
			put(image, log.page * NOVA_BLOCK_SIZE, medium_block(image->medium, log.page), NOVA_LINE_SIZE);
		else if (step == MEDIUM_PAGE)
			put_block(image, log.page);
		else if (image->hide)
			put_hidden(image, &log);
		else
			put_content(image, log.entry);
	}
	/* What is no page of the log is worth a look by whoever gets the image. */
	if (step == MEDIUM_BAD && log.fault == MEDIUM_FAULT_PAGE && !image->hide)
		put_block(image, log.bad_page);
}

static void put_slots(struct image *image, uint64_t first_block)
{
	uint64_t first = first_block * (NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE);

	for (uint64_t block = first_block; block < first_block + NOVA_CHUNK_BLOCKS && !image->hide; block++)
		put_block(image, block);
	for (uint64_t ino = first; ino < first + NOVA_SLOTS_PER_CHUNK; ino++) {
		if (image->hide)
			put(image, ino * NOVA_SLOT_SIZE, medium_slot(image->medium, ino),
			    offsetof(struct nova_slot, log));
		put_inode(image, ino);
	}
}

/* ---- all ---------------------------------------------------------------------------------------- */

/* A checkpoint of the allocation state lies in blocks that are not copied; without it a mount looks at the logs. */
static void drop_checkpoint(struct image *image)
{
	const uint64_t blocks[2] = {NOVA_SUPER_BLOCK_0, NOVA_SUPER_BLOCK_1};
	uint8_t bytes[15] = {NOVA_WORD_CHECKPOINT};
	uint32_t crc = crc32c(CRC_START, bytes, sizeof(bytes));
	uint16_t folded = (uint16_t)(crc >> 16 ^ crc);
	le64 word = le64_of(folded ? folded : 0xffff);

	for (int i = 0; i < 2; i++)
		put(image, blocks[i] * NOVA_BLOCK_SIZE + offsetof(struct nova_super, checkpoint), &word, sizeof(word));
}

static void put_all(struct image *image)
{
	const struct medium *medium = image->medium;

	for (uint64_t block = 0; block < NOVA_PREAMBLE_BLOCKS; block++)
		put_block(image, block);
	drop_checkpoint(image);
	for (uint64_t zone = 0; zone < medium_zones(medium); zone++) {
		uint64_t start = medium_zone_start(zone), blocks = medium_zone_blocks(medium, zone);

		for (uint64_t b = 0; b < NOVA_ZONE_FIRST_CHUNK && b < blocks; b++)
			put_block(image, start + b);
		for (uint64_t b = NOVA_ZONE_FIRST_CHUNK; b + NOVA_CHUNK_BLOCKS <= blocks; b += NOVA_CHUNK_BLOCKS)
			if (medium_chunk(medium, start + b).value == NOVA_CHUNK_SLOTS)
				put_slots(image, start + b);
	}
}

int dump_image(const struct medium *medium, const char *path, bool hide_names, uint64_t *bytes)
{
	struct image image = {.medium = medium, .hide = hide_names};
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	image.fd = fd;
	if (ftruncate(fd, (off_t)medium->size) != 0)
		image.error = -errno;
	if (!image.error && hide_names)
		image.error = make_cipher(&image);
	if (!image.error)
		put_all(&image);
	if (close(fd) != 0 && !image.error)
		image.error = -errno;
	if (image.error)
		unlink(path);
	*bytes = image.bytes;
	return image.error;
}
