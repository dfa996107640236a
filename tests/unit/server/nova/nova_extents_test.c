/*
 * nova_extents_test.c -- packed extents: logs of files of many extents keep within their bound at every fence, what is
 * packed says what the single entries said, and a forged one is refused by the mount and told by fsck.
 */
#include "common/crc.h"
#include "common/log.h"
#include "server/nova/media/format.h"
#include "server/pool/check/check.h"
#include "server/pool/dump/dump_view.h"
#include "server/pool/image/image.h"
#include "server/pool/repair/repair.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t random_state = 1;

static uint64_t random_below(uint64_t n)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (random_state >> 33) % n;
}

/* ---- the bound ------------------------------------------------------------------------------------------------ */

/* At every fence, in the middle of operations and of GC, the log has at most 64 KiB and 64 bytes for each extent. */
struct watch {
	struct pm_observer observer;
	struct nova *fs;
	uint64_t free_before; /* when the file had no blocks */
	uint64_t data;        /* blocks of the file, with those that an operation has taken for it */
	uint64_t extents;     /* that it has at least */
	uint64_t most;        /* log pages seen, over what the extents are worth */
	uint64_t copied;      /* bytes, of the operation at hand, */
	uint64_t most_copied; /* and of any */
};

static void look(struct pm_observer *self, const struct pm_event *event)
{
	struct watch *watch = (struct watch *)(void *)self;
	uint64_t bound = 64 * 1024 + 64 * watch->extents;
	struct nova_statfs statfs;
	uint64_t used;

	if (event->type == PM_EV_COPY)
		watch->copied += event->length;
	if (event->type != PM_EV_FENCE)
		return;
	nova_statfs(watch->fs, &statfs);
	used = watch->free_before - statfs.free_blocks;
	if (used > watch->data && (used - watch->data) * 4096 > bound)
		fail_msg("the log of %llu extents has %llu bytes, the bound is %llu",
		         (unsigned long long)watch->extents, (unsigned long long)(used - watch->data) * 4096,
		         (unsigned long long)bound);
	if (used > watch->data && used - watch->data > watch->extents / 64 + watch->most)
		watch->most = used - watch->data - watch->extents / 64;
}

static void watch_from(struct watch *watch, struct fixture *f)
{
	watch->observer.event = look;
	watch->fs = f->fs;
	watch->free_before = fixture_free_blocks(f);
}

static void watched_write(struct watch *watch, struct fixture *f, struct nova_handle file, uint64_t block,
                          uint64_t stamp)
{
	static uint8_t data[4096];

	memcpy(data, &stamp, sizeof stamp);
	watch->copied = 0;
	f->pm.observer = &watch->observer;
	fixture_write(f, file, block * 4096, data, sizeof data);
	f->pm.observer = NULL;
	if (watch->copied > watch->most_copied)
		watch->most_copied = watch->copied;
}

static void assert_stamps(struct fixture *f, struct nova_handle file, const uint64_t *stamps, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t back;

		assert_int_equal(nova_read(&f->call, file, 2 * i * 4096, &back, sizeof back), sizeof back);
		assert_int_equal(back, stamps[i]);
	}
}

/* Every other block, so that no two extents can be one and their number is known. */
static void a_log_of_many_extents_keeps_within_64_bytes_for_each_at_every_fence(void **state)
{
	const uint64_t count = 20000;
	uint64_t *stamps = calloc(count, sizeof *stamps);
	struct watch watch = {0};
	struct nova_attr file;
	struct fixture f;
	uint64_t before;

	(void)state;
	fixture_open(&f, 256 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	before = fixture_free_blocks(&f);
	watch_from(&watch, &f);
	for (uint64_t i = 0; i < count; i++) {
		watch.data = i + 1;
		watch.extents = i;
		watched_write(&watch, &f, file.handle, 2 * i, 0);
	}
	/* The block that an overwrite has taken and not yet given for the old one. */
	watch.data = count + 1;
	watch.extents = count;
	for (unsigned life = 0; life < 3; life++) {
		for (uint64_t i = 0; i < 3 * count; i++) {
			uint64_t at = life == 1 ? i % count : random_below(count);

			stamps[at] = i + 1;
			watched_write(&watch, &f, file.handle, 2 * at, stamps[at]);
		}
		assert_stamps(&f, file.handle, stamps, count);
		fixture_assert_same_after_remount(&f);
		watch.fs = f.fs;
		watch.free_before = before;
	}
	/* No writer waits for more than a slice. */
	assert_in_range(watch.most_copied, 4096 + 64, 4096 + 300 * 64);
	assert_in_range(watch.most, 1, 15);
	free(stamps);
	fixture_close(&f);
}

/* One entry that comes to have very many extents: to write them down again takes more than it gives back. */
static void an_extent_that_falls_into_pieces_does_not_break_the_bound(void **state)
{
	const uint64_t blocks = 32768;
	struct watch watch = {0};
	struct nova_attr file;
	struct fixture f;
	uint8_t *data = calloc(blocks, 4096);

	(void)state;
	fixture_open(&f, 512 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	watch_from(&watch, &f);
	fixture_write(&f, file.handle, 0, data, blocks * 4096);
	for (uint64_t i = 0; i < blocks / 2; i++) {
		watch.data = blocks - i;
		watch.extents = i + 1;
		f.pm.observer = &watch.observer;
		assert_int_equal(nova_fallocate(&f.call, file.handle,
		                                NOVA_FALLOCATE_PUNCH_HOLE | NOVA_FALLOCATE_KEEP_SIZE,
		                                (2 * i + 1) * 4096, 4096, NULL),
		                 0);
		f.pm.observer = NULL;
	}
	watch.data = blocks / 2 + 1;
	watch.extents = blocks / 2;
	for (uint64_t i = 0; i < 2 * blocks; i++)
		watched_write(&watch, &f, file.handle, 2 * random_below(blocks / 2), i);
	fixture_assert_same_after_remount(&f);
	free(data);
	fixture_close(&f);
}

/* What a crash would leave now, with all that was stored so far: another process mounts its copy of the memory. */
static void assert_survives_a_crash(struct fixture *f, const uint64_t *order, uint64_t written)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct nova_attr file;
		bool right;

		log_set_level(LOG_LEVEL_ERROR);
		if (nova_mount(&f->pm, NULL, &f->fs, NULL, 0) || nova_worker_open(f->fs, &f->call.worker) ||
		    nova_lookup(&f->call, nova_root(f->fs), "file", 4, &file))
			_exit(1);
		right = true;
		for (uint64_t i = 0; right && i < written; i++) {
			uint64_t back = ~i;

			nova_read(&f->call, file.handle, order[i] * 4096, &back, sizeof back);
			right = back == i;
		}
		_exit(right ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* In the log's order parts of one extent cannot be merged: it takes a sweep in the file's order. */
static void blocks_reserved_at_once_and_written_in_no_order_do_not_break_the_bound(void **state)
{
	const uint64_t blocks = 16384;
	uint64_t *order = calloc(blocks, sizeof *order);
	bool *written = calloc(blocks + 2, 1);
	struct watch watch = {0};
	struct nova_attr file;
	struct fixture f;
	uint64_t runs = 1;

	(void)state;
	fixture_open(&f, 256 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644);
	watch_from(&watch, &f);
	assert_int_equal(nova_fallocate(&f.call, file.handle, 0, 0, blocks * 4096, NULL), 0);
	watch.data = blocks;
	for (uint64_t i = 0; i < blocks; i++) {
		uint64_t other = random_below(i + 1);

		order[i] = order[other];
		order[other] = i;
	}
	for (uint64_t i = 0; i < blocks; i++) {
		uint64_t at = order[i] + 1; /* in `written`, which has a block on each side that does not count */
		uint64_t before = runs;

		runs += at > 1 ? (written[at - 1] ? -1U : 1U) : 0;
		runs += at < blocks ? (written[at + 1] ? -1U : 1U) : 0;
		runs &= 0xffffffff;
		written[at] = true;
		watch.extents = before > runs ? before : runs;
		watched_write(&watch, &f, file.handle, order[i], i);
		if (i > blocks / 2 && i % 23 == 0)
			assert_survives_a_crash(&f, order, i + 1);
	}
	assert_int_equal(runs, 1);
	for (uint64_t i = 0; i < blocks; i++) {
		uint64_t back;

		assert_int_equal(nova_read(&f.call, file.handle, order[i] * 4096, &back, sizeof back), sizeof back);
		assert_int_equal(back, i);
	}
	fixture_assert_same_after_remount(&f);
	free(order);
	free(written);
	fixture_close(&f);
}

/* ---- what is packed ------------------------------------------------------------------------------------------- */

#define SIZE   (16 * MIB)
#define PIECES 300u

static struct image image;

static void open_image(const struct fixture *f)
{
	const char *why;

	assert_int_equal(image_open(&image, f->memory, f->size, &why), 0);
}

/* The first entry of a type in the log of an inode, from a position on; NULL if there is none. */
static struct nova_entry *find_entry(const struct fixture *f, nova_ino ino, unsigned type, uint64_t from,
                                     struct image_inode *inode, uint64_t *position)
{
	struct nova_entry *found = NULL;
	enum image_step step;
	struct image_log log;

	open_image(f);
	assert_int_equal(image_inode(&image, ino.n, inode), 0);
	image_log_begin(&log, &image, inode);
	while (!found && (step = image_log_next(&log)) != IMAGE_END) {
		assert_int_not_equal(step, IMAGE_BAD);
		if (step != IMAGE_ENTRY || log.entry->type != type || log.entry_position < from)
			continue;
		*position = log.entry_position;
		found = (struct nova_entry *)(void *)log.entry;
	}
	image_close(&image);
	return found;
}

static void seal(struct nova_entry *entry, const struct image_inode *inode, uint64_t position)
{
	le32 generation = le32_of(inode->generation);
	uint32_t crc = crc32c_u64(0xffffffff, inode->ino);

	crc = crc32c(crc, &generation, sizeof(generation));
	crc = crc32c_u64(crc, position);
	entry->crc = le32_of(crc32c(crc, &entry->type, (size_t)entry->lines * 64 - 4));
}

/* What fsck says of the whole pool; the number of errors. */
static void note(struct check_report *report, const struct check_finding *finding)
{
	char *text = report->context;
	size_t used = strlen(text);

	snprintf(text + used, 4096 - used, "%s: %s\n", finding->part, finding->text);
}

static uint64_t check(const struct fixture *f, char *text)
{
	struct check_report report = {.finding = note, .context = text};

	text[0] = 0;
	assert_true(nova_check(f->memory, f->size, &report) >= 0);
	return report.errors;
}

/* A file of single blocks and of reserved ones, with a log that GC has packed. */
static struct nova_handle make_packed(struct fixture *f, uint64_t size)
{
	struct nova_handle file;
	static uint8_t data[4096];

	fixture_open(f, size);
	file = fixture_create(f, f->root, "file", S_IFREG | 0644).handle;
	assert_int_equal(nova_fallocate(&f->call, file, NOVA_FALLOCATE_KEEP_SIZE, 2 * PIECES * 4096, 5 * 4096, NULL),
	                 0);
	for (unsigned i = 0; i < 5 * PIECES; i++) {
		memcpy(data, &(unsigned){i / PIECES * 1000 + i % PIECES}, sizeof(unsigned));
		fixture_write(f, file, (uint64_t)(i % PIECES) * 2 * 4096, data, 4096);
	}
	while (nova_gc_step(f->worker, 8, NOVA_GC_BUSY) > 0)
		;
	return file;
}

static void what_gc_packed_reads_as_before_and_is_sound(void **state)
{
	struct nova_handle file;
	struct image_inode inode;
	struct nova_entry *entry;
	struct nova_attr attr;
	uint64_t extents = 0, position = 0, lines = 0;
	static char text[4096];
	struct fixture f;

	(void)state;
	file = make_packed(&f, SIZE);
	for (unsigned i = 0; i < PIECES; i++) {
		unsigned back;

		assert_int_equal(nova_read(&f.call, file, (uint64_t)i * 2 * 4096, &back, sizeof back), sizeof back);
		assert_int_equal(back, 4000 + i);
	}
	assert_int_equal(nova_getattr(&f.call, file, &attr), 0);
	assert_int_equal(attr.blocks, PIECES + 5);
	fixture_assert_same_after_remount(&f);
	fixture_unmount(&f);
	assert_int_equal(check(&f, text), 0);
	while ((entry = find_entry(&f, file.ino, NOVA_ENTRY_EXTENTS, position, &inode, &position))) {
		const struct nova_extents_entry *payload = (const void *)entry->payload;

		extents += le16_get(payload->count);
		lines += entry->lines;
		position += entry->lines;
	}
	assert_in_range(extents, PIECES + 1 - 126, 2 * PIECES);
	assert_in_range(lines, extents / 4, extents / 4 + 12);
	fixture_close(&f);
}

/* To see whether all of a long extent still lives takes long, too: no slice looks at all of it. */
static void a_long_extent_is_copied_in_parts(void **state)
{
	const uint64_t blocks = 70000;
	struct image_inode inode;
	struct nova_entry *entry;
	struct nova_handle file;
	struct nova_attr attr;
	uint64_t position = 0, total = 0;
	struct fixture f;

	(void)state;
	fixture_open(&f, 512 * MIB);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644).handle;
	assert_int_equal(nova_fallocate(&f.call, file, 0, 0, blocks * 4096, NULL), 0);
	for (unsigned i = 0; i < 1000; i++) {
		attr.uid = i;
		assert_int_equal(nova_setattr(&f.call, file, NOVA_SET_UID, &attr, NULL), 0);
	}
	fixture_assert_same_after_remount(&f);
	assert_int_equal(nova_getattr(&f.call, file, &attr), 0);
	assert_int_equal(attr.blocks, blocks);
	fixture_unmount(&f);
	while ((entry = find_entry(&f, file.ino, NOVA_ENTRY_WRITE, position, &inode, &position))) {
		uint64_t count = le32_get(((struct nova_write_entry *)(void *)entry->payload)->count);

		assert_in_range(count, 1, 65535);
		total += count;
		position++;
	}
	assert_in_range(total, blocks, 2 * blocks);
	fixture_close(&f);
}

static void dump_shows_packed_extents(void **state)
{
	static const char *const wanted[] = {"\"type\":\"extents\"",
	                                     "\"extents\":[{\"file_block\":", "\"state\":\"unwritten\""};
	struct dump_view view = {.as_json = true};
	struct nova_handle file;
	size_t length = 0;
	char *text = NULL;
	struct fixture f;
	FILE *out;

	(void)state;
	file = make_packed(&f, SIZE);
	fixture_unmount(&f);
	out = open_memstream(&text, &length);
	view.json = (struct json){out, true};
	open_image(&f);
	assert_true(dump_inode(&view, &image, file.ino.n, true));
	image_close(&image);
	fclose(out);
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		if (!strstr(text, wanted[i]))
			fail_msg("dump does not say %s", wanted[i]);
	free(text);
	fixture_close(&f);
}

static void nothing(struct repair_report *report, const struct check_finding *finding)
{
	(void)report, (void)finding;
}

static void repair(struct fixture *f)
{
	struct repair_report report = {.found = nothing, .repaired = nothing, .left = nothing};

	assert_int_equal(pool_repair(&f->pm, &report), 1);
	assert_true(report.repairs > 0);
}

/* Of a damaged entry what it alone told is a hole, and the rest stays. A lost header is made anew: extents are a
 * file's. */
static void repair_keeps_what_other_entries_tell(void **state)
{
	struct nova_slot_header *header;
	struct image_inode inode;
	struct nova_handle file;
	struct nova_entry *entry;
	unsigned lost, holes = 0;
	uint64_t position;
	struct fixture f;

	(void)state;
	file = make_packed(&f, SIZE);
	fixture_unmount(&f);
	log_set_level(LOG_LEVEL_ERROR);
	header = (void *)((uint8_t *)f.memory + file.ino.n * NOVA_SLOT_SIZE);
	memset(header, 0xff, sizeof *header);
	entry = find_entry(&f, file.ino, NOVA_ENTRY_EXTENTS, 0, &inode, &position);
	lost = le16_get(((struct nova_extents_entry *)(void *)entry->payload)->count);
	((uint8_t *)entry)[40] ^= 1;
	repair(&f);
	fixture_mount_scan(&f);
	file = fixture_lookup(&f, f.root, "file").handle;
	for (unsigned i = 0; i < PIECES; i++) {
		unsigned back;

		assert_int_equal(nova_read(&f.call, file, (uint64_t)i * 2 * 4096, &back, sizeof back), sizeof back);
		holes += back == 0;
		if (back)
			assert_int_equal(back, 4000 + i);
	}
	assert_in_range(holes, 1, lost);
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

/* ---- what is forged ------------------------------------------------------------------------------------------- */

#define COUNT               offsetof(struct nova_extents_entry, count)
#define EXTENT              offsetof(struct nova_extents_entry, extents)
#define PLACE(block, count) ((uint64_t)(block) << 16 | (count))
#define RESERVED            (1ULL << 63)
#define OUT_OF_BOUNDS       "file range out of bounds"
#define BEYOND_END          "data beyond the end of the file"
#define NO_SPACE            "outside the space for data"
#define NOT_USABLE          "not in the pool's usable blocks"

/* NULL: it is no damage. Of a mount -EIO and these words, of fsck these words. */
static const struct {
	const char *what;
	size_t offset;
	size_t length;
	uint64_t value;
	uint64_t block; /* of the extent, where the length is 16 */
	const char *mount;
	const char *fsck;
} forged[] = {
    {"no extents", COUNT, 2, 0, 0, "the number of extents", "lines for 0 extents"},
    {"more than its lines hold", COUNT, 2, 250, 0, "the number of extents", "lines for 250 extents"},
    {"more than any entry holds", COUNT, 2, 65535, 0, "the number of extents", "lines for 65535 extents"},
    {"fewer than its lines hold", COUNT, 2, 2, 0, "the number of extents", "lines for 2 extents"},
    {"no blocks", EXTENT, 8, PLACE(0, 0), 0, OUT_OF_BOUNDS, "extent 0 of 0 blocks at file block 0"},
    {"a file block that no file has", EXTENT, 8, PLACE(1ULL << 40, 1), 0, OUT_OF_BOUNDS, "1 blocks at file block"},
    {"the last file block and one more", EXTENT, 8, PLACE((1ULL << 40) - 1, 2), 0, OUT_OF_BOUNDS, "2 blocks at file"},
    {"data beyond the end", EXTENT, 8, PLACE(2 * PIECES, 1), 0, BEYOND_END, "though the file has only"},
    {"a size that no file has", 0, 8, UINT64_MAX, 0, OUT_OF_BOUNDS, "more than a file can have"},
    {"a size that is too small", 0, 8, 0, 0, BEYOND_END, "though the file has only 0 bytes"},
    {"block 0", EXTENT + 8, 8, 0, 0, "an extent without blocks", NOT_USABLE},
    {"block 0, reserved", EXTENT + 8, 8, RESERVED, 0, "an extent without blocks", NOT_USABLE},
    {"a block of the preamble", EXTENT + 8, 8, 3, 0, NO_SPACE, NOT_USABLE},
    {"a block of the zone's header", EXTENT + 8, 8, 512 + 127, 0, NO_SPACE, NOT_USABLE},
    {"a block behind the pool", EXTENT + 8, 8, SIZE / 4096, 0, NO_SPACE, NOT_USABLE},
    {"a bit without meaning", EXTENT + 8, 8, 1ULL << 62 | 1000, 0, NO_SPACE, NOT_USABLE},
    {"a chunk of slots", EXTENT + 8, 8, 512 + 128, 0, "lies among inode slots", "in a chunk of inode slots"},
    {"the end of the pool", EXTENT, 16, PLACE(9000, 2), RESERVED | (SIZE / 4096 - 1), NO_SPACE, NOT_USABLE},
};

/* Change bytes of the payload, so that the CRC is right all the same. */
static void forge(const struct fixture *f, struct nova_handle file, size_t offset, const void *bytes, size_t length)
{
	struct image_inode inode;
	uint64_t position;
	struct nova_entry *entry = find_entry(f, file.ino, NOVA_ENTRY_EXTENTS, 0, &inode, &position);

	assert_non_null(entry);
	memcpy(entry->payload + offset, bytes, length);
	seal(entry, &inode, position);
}

static int mount_scan(struct fixture *f, char *why, size_t size)
{
	struct nova_mount_options options = {.full_scan = true, .read_only = true};

	return nova_mount(&f->pm, &options, &f->fs, why, size);
}

static void expect_damage(struct fixture *f, const char *what, const char *mount, const char *fsck)
{
	static char text[4096];
	char why[256] = "";

	assert_int_equal(mount_scan(f, why, sizeof why), -EIO);
	f->fs = NULL;
	if (!strstr(why, mount))
		fail_msg("%s: the mount says %s", what, why);
	check(f, text);
	if (!strstr(text, fsck))
		fail_msg("%s: fsck says %s", what, text);
}

static void forged_extents_are_refused_and_told(void **state)
{
	struct nova_handle file;
	struct fixture f;
	uint8_t *before;

	(void)state;
	file = make_packed(&f, SIZE);
	fixture_unmount(&f);
	log_set_level(LOG_LEVEL_ERROR);
	before = malloc(f.size);
	memcpy(before, f.memory, f.size);
	for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
		le64 values[2] = {le64_of(forged[i].value), le64_of(forged[i].block)};

		memcpy(f.memory, before, f.size);
		forge(&f, file, forged[i].offset, values, forged[i].length);
		expect_damage(&f, forged[i].what, forged[i].mount, forged[i].fsck);
	}
	free(before);
	fixture_close(&f);
}

/* The blocks of a zone are no neighbours of the next one's. */
static void an_extent_across_the_border_of_zones_is_refused_and_told(void **state)
{
	const uint64_t border = 512 + 262144;
	le64 values[2] = {le64_of(PLACE(9000, 2)), le64_of(RESERVED | (border - 1))};
	struct nova_handle file;
	struct fixture f;

	(void)state;
	file = make_packed(&f, (border + 4096) * 4096);
	fixture_unmount(&f);
	log_set_level(LOG_LEVEL_ERROR);
	forge(&f, file, EXTENT, values, sizeof values);
	expect_damage(&f, "the border of zones", NO_SPACE, NOT_USABLE);
	fixture_close(&f);
}

/* Two places of the file cannot have one block; of two extents over one place the later one holds. */
static void extents_over_each_other_are_judged_by_what_is_left(void **state)
{
	const struct nova_packed_extent *packed;
	struct nova_packed_extent first;
	struct image_inode inode;
	struct nova_handle file;
	static char text[4096];
	uint64_t position;
	struct fixture f;
	char why[256];
	uint8_t *before;

	(void)state;
	file = make_packed(&f, SIZE);
	fixture_unmount(&f);
	log_set_level(LOG_LEVEL_ERROR);
	before = malloc(f.size);
	memcpy(before, f.memory, f.size);
	packed = (const void *)(find_entry(&f, file.ino, NOVA_ENTRY_EXTENTS, 0, &inode, &position)->payload + EXTENT);
	first = packed[0];
	forge(&f, file, EXTENT + 16 + 8, &first.block, sizeof first.block);
	expect_damage(&f, "one block in two places", "is used twice", "uses too");

	memcpy(f.memory, before, f.size);
	forge(&f, file, EXTENT + 16, &first.place, sizeof first.place);
	assert_int_equal(mount_scan(&f, why, sizeof why), 0);
	nova_unmount(f.fs);
	f.fs = NULL;
	check(&f, text);
	/* Two blocks are of no file now: the first one's, and with it what the checkpoint knows. */
	if (strstr(text, "log:") || strstr(text, "block:"))
		fail_msg("fsck says %s", text);
	free(before);
	fixture_close(&f);
}

/* GC leaves no log within its slot, but the format does not forbid it. */
static void packed_extents_in_a_slot_are_read(void **state)
{
	struct nova_packed_extent *packed;
	struct nova_extents_entry *payload;
	struct nova_write_entry write;
	struct image_inode inode;
	struct nova_handle file;
	struct nova_entry *entry;
	static char text[4096];
	uint64_t position;
	struct fixture f;
	char *before;
	char *after;

	(void)state;
	fixture_open(&f, SIZE);
	file = fixture_create(&f, f.root, "file", S_IFREG | 0644).handle;
	fixture_write(&f, file, 0, "content", 7);
	before = fixture_dump(&f);
	fixture_unmount(&f);
	entry = find_entry(&f, file.ino, NOVA_ENTRY_WRITE, 0, &inode, &position);
	memcpy(&write, entry->payload, sizeof write);
	memset(entry->payload, 0, sizeof entry->payload);
	entry->type = NOVA_ENTRY_EXTENTS;
	payload = (void *)entry->payload;
	payload->size = write.size;
	payload->count = le16_of(1);
	packed = payload->extents;
	packed[0] = (struct nova_packed_extent){le64_of(PLACE(0, 1)), write.block};
	seal(entry, &inode, position);
	assert_int_equal(check(&f, text), 0);
	fixture_mount_scan(&f);
	after = fixture_dump(&f);
	assert_non_null(strstr(after, "file"));
	assert_int_equal(strlen(before), strlen(after));
	free(before);
	free(after);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_log_of_many_extents_keeps_within_64_bytes_for_each_at_every_fence),
	    cmocka_unit_test(an_extent_that_falls_into_pieces_does_not_break_the_bound),
	    cmocka_unit_test(blocks_reserved_at_once_and_written_in_no_order_do_not_break_the_bound),
	    cmocka_unit_test(what_gc_packed_reads_as_before_and_is_sound),
	    cmocka_unit_test(a_long_extent_is_copied_in_parts),
	    cmocka_unit_test(dump_shows_packed_extents),
	    cmocka_unit_test(repair_keeps_what_other_entries_tell),
	    cmocka_unit_test(forged_extents_are_refused_and_told),
	    cmocka_unit_test(an_extent_across_the_border_of_zones_is_refused_and_told),
	    cmocka_unit_test(extents_over_each_other_are_judged_by_what_is_left),
	    cmocka_unit_test(packed_extents_in_a_slot_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
