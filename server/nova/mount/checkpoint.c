/*
 * checkpoint.c -- the sections of the checkpoint, how they are stored and when they are valid.
 *
 * The checkpoint is in free blocks, which are free in its own bitmap too. So there is nothing to undo if it is not
 * used, and nothing to free after use. It is valid only if CLEAN is set with the mount count for which the checkpoint
 * was written, and if all CRCs are right. After a crash CLEAN is not set; damage shows in a CRC.
 */
#include "server/nova/mount/checkpoint.h"

#include "common/crc.h"
#include "server/nova/mount/checkpoint_stream.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/project.h"
#include "server/nova/space/slots.h"
#include "server/nova/space/worker.h"
#include "server/nova/space/zone.h"

#include <string.h>

#define SECTION_ALIGN 8u

/* ---- counts --------------------------------------------------------------------------------------------------- */

static void put_counts(struct nova *fs, struct checkpoint_sink *sink)
{
	int64_t inodes = fs->inodes;
	int64_t promised = fs->promised;
	struct nova_checkpoint_counts counts;

	for (uint32_t i = 0; i < NOVA_JOURNAL_RINGS; i++)
		if (fs->workers[i]) {
			inodes += fs->workers[i]->inodes;
			promised += fs->workers[i]->promised;
		}
	counts = (struct nova_checkpoint_counts){
	    .inodes = le64_of((uint64_t)inodes),
	    .promised = le64_of((uint64_t)promised),
	    .nameless = le64_of(fs->nameless),
	};
	checkpoint_put(sink, &counts, sizeof counts);
}

static bool get_counts(struct nova *fs, struct checkpoint_source *source, bool apply)
{
	struct nova_checkpoint_counts counts;

	if (!checkpoint_get(source, &counts, sizeof counts) || source->left)
		return false;
	/* Each name and each unwritten block takes a line or a block of the pool. */
	if (le64_get(counts.inodes) > fs->slot_chunks * NOVA_SLOTS_PER_CHUNK ||
	    le64_get(counts.nameless) > le64_get(counts.inodes) ||
	    le64_get(counts.promised) > fs->blocks * (NOVA_BLOCK_SIZE / NOVA_LINE_SIZE))
		return false;
	if (apply) {
		fs->inodes = (int64_t)le64_get(counts.inodes);
		fs->promised = (int64_t)le64_get(counts.promised);
		fs->nameless = le64_get(counts.nameless);
	}
	return true;
}

/* ---- blocks --------------------------------------------------------------------------------------------------- */

static uint64_t zone_words(const struct zone *zone)
{
	return (zone->blocks + 63) / 64;
}

#define BATCH 64u /* words */

static void put_blocks(struct nova *fs, struct checkpoint_sink *sink)
{
	for (uint32_t i = 0; i < fs->zone_count; i++) {
		uint64_t words = zone_words(&fs->zones[i]);

		for (uint64_t w = 0; w < words;) {
			le64 batch[BATCH];
			uint64_t n = 0;

			for (; n < BATCH && w < words; n++, w++)
				batch[n] = le64_of(fs->zones[i].bitmap[w]);
			checkpoint_put(sink, batch, n * sizeof batch[0]);
		}
	}
}

/* Blocks already known to be in use, headers and chunks of slots, must be in use in the bitmap too. */
static bool get_blocks(struct nova *fs, struct checkpoint_source *source, bool apply)
{
	for (uint32_t i = 0; i < fs->zone_count; i++) {
		uint64_t words = zone_words(&fs->zones[i]);

		for (uint64_t w = 0; w < words;) {
			uint64_t n = words - w < BATCH ? words - w : BATCH;
			le64 batch[BATCH];

			if (!checkpoint_get(source, batch, n * sizeof batch[0]))
				return false;
			for (uint64_t k = 0; k < n; k++, w++) {
				uint64_t *known = &fs->zones[i].bitmap[w];

				if ((le64_get(batch[k]) & *known) != *known)
					return false;
				if (apply)
					*known = le64_get(batch[k]);
			}
		}
	}
	return source->left == 0;
}

/* ---- slots ---------------------------------------------------------------------------------------------------- */

static void put_slots(struct nova *fs, struct checkpoint_sink *sink)
{
	for (uint64_t c = 0; c < fs->chunk_count; c++) {
		const struct slot_chunk *chunk = fs->chunks[c];
		struct nova_checkpoint_slots slots;

		if (!chunk)
			continue;
		slots.block = le64_of(ino_block(chunk->first_ino));
		for (unsigned i = 0; i < NOVA_SLOTS_PER_CHUNK / 64; i++)
			slots.free[i] = le64_of(chunk->free[i]);
		for (unsigned i = 0; i < NOVA_SLOTS_PER_CHUNK; i++)
			slots.generation[i] = le32_of(chunk->slots[i].generation);
		checkpoint_put(sink, &slots, sizeof slots);
	}
}

static bool get_slots(struct nova *fs, struct checkpoint_source *source, bool apply)
{
	for (uint64_t c = 0; c < fs->chunk_count; c++) {
		struct slot_chunk *chunk = fs->chunks[c];
		struct nova_checkpoint_slots slots;

		if (!chunk)
			continue;
		if (!checkpoint_get(source, &slots, sizeof slots) ||
		    le64_get(slots.block) != ino_block(chunk->first_ino))
			return false;
		if (!apply)
			continue;
		for (unsigned i = 0; i < NOVA_SLOTS_PER_CHUNK; i++) {
			chunk->slots[i].generation = le32_get(slots.generation[i]);
			if (le64_get(slots.free[i / 64]) >> i % 64 & 1)
				slots_add_free(chunk, chunk->first_ino + i);
		}
	}
	return source->left == 0;
}

/* ---- projects ------------------------------------------------------------------------------------------------- */

static void put_projects(struct nova *fs, struct checkpoint_sink *sink)
{
	struct project *project = project_next(fs, 1);

	for (; project; project = project_next(fs, project_id(project) + 1)) {
		const struct nova_checkpoint_project record = {
		    .project = le32_of(project_id(project)),
		    .blocks = le64_of(project_used(project, PROJECT_BLOCKS)),
		    .inodes = le64_of(project_used(project, PROJECT_INODES)),
		    .block_limit = le64_of(project_limit(project, PROJECT_BLOCKS)),
		    .inode_limit = le64_of(project_limit(project, PROJECT_INODES)),
		    .line = le64_of(*project_line(project)),
		};

		if (le64_get(record.inodes) || le64_get(record.block_limit) || le64_get(record.inode_limit) ||
		    le64_get(record.line))
			checkpoint_put(sink, &record, sizeof record);
		if (project_id(project) == UINT32_MAX)
			break;
	}
}

/* A project without usage is harmless, so projects are already created while the section is only checked. */
static bool get_projects(struct nova *fs, struct checkpoint_source *source, bool apply)
{
	uint32_t last = 0;

	while (source->left) {
		struct nova_checkpoint_project record;
		struct project *project;

		if (!checkpoint_get(source, &record, sizeof record) || le32_get(record.project) <= last ||
		    le64_get(record.blocks) > fs->blocks ||
		    le64_get(record.inodes) > fs->blocks * NOVA_SLOTS_PER_CHUNK ||
		    le64_get(record.line) / (NOVA_BLOCK_SIZE / NOVA_LINE_SIZE) >= fs->blocks)
			return false;
		project = project_find(fs, le32_get(record.project));
		if (!project)
			return false;
		last = le32_get(record.project);
		if (apply) {
			const uint64_t limits[PROJECT_KINDS] = {le64_get(record.block_limit),
			                                        le64_get(record.inode_limit)};

			project_set_limits(project, limits);
			project_charge(project, PROJECT_BLOCKS, le64_get(record.blocks), true);
			project_charge(project, PROJECT_INODES, le64_get(record.inodes), true);
			*project_line(project) = le64_get(record.line);
		}
	}
	return true;
}

/* ---- sections ------------------------------------------------------------------------------------------------- */

static const struct section {
	enum nova_checkpoint_type type;
	void (*put)(struct nova *fs, struct checkpoint_sink *sink);
	/* Without `apply` it only checks; after that, with `apply`, it cannot fail. The source holds only this section.
	 */
	bool (*get)(struct nova *fs, struct checkpoint_source *source, bool apply);
} sections[] = {
    {NOVA_CHECKPOINT_COUNTS, put_counts, get_counts},
    {NOVA_CHECKPOINT_BLOCKS, put_blocks, get_blocks},
    {NOVA_CHECKPOINT_SLOTS, put_slots, get_slots},
    {NOVA_CHECKPOINT_PROJECTS, put_projects, get_projects},
};
#define SECTION_COUNT (sizeof sections / sizeof sections[0])

static uint32_t section_seed(uint32_t type, uint64_t length, uint64_t mount_count)
{
	struct __attribute__((packed)) {
		le32 type;
		le64 length;
		le64 mount_count;
	} seed = {le32_of(type), le64_of(length), le64_of(mount_count)};

	return crc32c(0xffffffff, &seed, sizeof seed);
}

static uint32_t head_crc(const struct nova_checkpoint *head)
{
	struct nova_checkpoint copy;
	size_t size = offsetof(struct nova_checkpoint, runs) + le32_get(head->run_count) * sizeof head->runs[0];

	memcpy(&copy, head, size);
	copy.crc = le32_of(0);
	return crc32c(0xffffffff, &copy, size);
}

/* ---- store ---------------------------------------------------------------------------------------------------- */

static void put_section(struct nova *fs, struct checkpoint_sink *sink, const struct section *section)
{
	static const uint8_t zeros[SECTION_ALIGN];
	struct checkpoint_sink measure = {.fs = fs};
	struct nova_checkpoint_section header = {.type = le32_of(section->type)};

	/* The header comes first, so its CRC takes a pass of its own. */
	section->put(fs, &measure);
	measure.crc = section_seed(section->type, measure.length, fs->mount_count);
	header.length = le64_of(measure.length);
	section->put(fs, &measure);
	header.crc = le32_of(measure.crc);
	checkpoint_put(sink, &header, sizeof header);
	section->put(fs, sink);
	checkpoint_put(sink, zeros, -sink->length % SECTION_ALIGN);
}

static void put_sections(struct nova *fs, struct checkpoint_sink *sink)
{
	for (unsigned i = 0; i < SECTION_COUNT; i++)
		put_section(fs, sink, &sections[i]);
}

/* The head takes the first block of the first run. */
static bool find_room(struct nova *fs, uint64_t length, struct nova_checkpoint *head, uint64_t *block)
{
	uint64_t blocks = (length + NOVA_BLOCK_SIZE - 1) >> NOVA_BLOCK_SHIFT;
	struct nova_checkpoint_run *first = &head->runs[0];
	uint32_t count = alloc_find_free(fs, blocks + 1, head->runs, NOVA_CHECKPOINT_RUNS);

	if (count == 0)
		return false;
	*block = le64_get(first->block);
	first->block = le64_of(*block + 1);
	first->count = le64_of(le64_get(first->count) - 1);
	if (le64_get(first->count) == 0)
		memmove(first, first + 1, --count * sizeof *first);
	head->run_count = le32_of(count);
	return true;
}

uint64_t checkpoint_store(struct nova *fs)
{
	struct nova_checkpoint head __attribute__((aligned(64))) = {.magic = le64_of(NOVA_CHECKPOINT_MAGIC)};
	struct checkpoint_sink sink = {.fs = fs};
	uint64_t block;
	size_t size;

	put_sections(fs, &sink);
	if (!find_room(fs, sink.length, &head, &block)) {
		log_info(NOVA_LOG_NAME, "no room to save the allocation state: the next mount will read all logs");
		return 0;
	}
	head.mount_count = le64_of(fs->mount_count);
	head.blocks = le64_of(fs->blocks);
	memcpy(head.uuid, fs->uuid, sizeof head.uuid);
	head.length = le64_of(sink.length);
	head.crc = le32_of(head_crc(&head));
	sink = (struct checkpoint_sink){.fs = fs, .runs = head.runs};
	put_sections(fs, &sink);
	checkpoint_put_end(&sink);
	size = offsetof(struct nova_checkpoint, runs) + le32_get(head.run_count) * sizeof head.runs[0];
	pm_copy(fs->pm, block_at(fs, block), &head, (size + NOVA_LINE_SIZE - 1) / NOVA_LINE_SIZE * NOVA_LINE_SIZE);
	pm_fence(fs->pm);
	return block;
}

/* ---- load ----------------------------------------------------------------------------------------------------- */

/* NULL if the head is valid, else why not. */
static const char *check_head(const struct nova *fs, const struct nova_checkpoint *head, uint64_t mount_count)
{
	uint64_t bytes = 0;

	if (le64_get(head->magic) != NOVA_CHECKPOINT_MAGIC || le32_get(head->run_count) > NOVA_CHECKPOINT_RUNS ||
	    le32_get(head->crc) != head_crc(head))
		return "its head is damaged";
	if (le64_get(head->mount_count) != mount_count || memcmp(head->uuid, fs->uuid, sizeof head->uuid) != 0)
		return "it is not of the last unmount";
	if (le64_get(head->blocks) != fs->blocks)
		return "the pool had another size";
	for (uint32_t i = 0; i < le32_get(head->run_count); i++) {
		if (!alloc_valid(fs, le64_get(head->runs[i].block), le64_get(head->runs[i].count)))
			return "it lies outside the space for data";
		bytes += le64_get(head->runs[i].count) << NOVA_BLOCK_SHIFT;
	}
	return le64_get(head->length) <= bytes ? NULL : "it is longer than its runs";
}

static const struct section *section_of_type(uint32_t type)
{
	for (unsigned i = 0; i < SECTION_COUNT; i++)
		if (sections[i].type == type)
			return &sections[i];
	return NULL;
}

/* Read all sections; each known type must be there once. On failure *bad is the type of the bad section. */
static bool walk_sections(struct nova *fs, const struct nova_checkpoint *head, bool apply, uint32_t *bad)
{
	struct checkpoint_source source = {.fs = fs, .head = head, .left = le64_get(head->length)};
	uint64_t mount_count = le64_get(head->mount_count);
	unsigned found = 0;

	*bad = 0;
	while (source.left) {
		struct nova_checkpoint_section header;
		const struct section *section;
		struct checkpoint_source payload;
		uint64_t length;
		uint32_t crc;

		if (!checkpoint_get(&source, &header, sizeof header))
			return false;
		*bad = le32_get(header.type);
		length = le64_get(header.length);
		payload = source;
		crc = section_seed(*bad, length, mount_count);
		if (!checkpoint_get_crc(&source, length, &crc) || crc != le32_get(header.crc))
			return false;
		payload.left = length;
		section = section_of_type(*bad);
		if (section && (found & 1u << (section - sections) || !section->get(fs, &payload, apply)))
			return false;
		if (section)
			found |= 1u << (section - sections);
		if (!checkpoint_get(&source, NULL, -length % SECTION_ALIGN))
			return false;
	}
	return found == (1u << SECTION_COUNT) - 1;
}

bool checkpoint_load(struct nova *fs, uint64_t block, uint64_t mount_count)
{
	const struct nova_checkpoint *head;
	const char *why = NULL;
	uint32_t bad = 0;

	if (block == 0) {
		log_info(NOVA_LOG_NAME, "no allocation state was saved at the last unmount: reading all logs");
		return false;
	}
	if (!alloc_valid(fs, block, 1)) {
		why = "it lies outside the space for data";
	} else {
		head = block_at(fs, block);
		why = check_head(fs, head, mount_count);
		if (!why && !walk_sections(fs, head, false, &bad))
			why = "one of its sections is damaged or does not fit the pool";
	}
	if (why) {
		log_warn(NOVA_LOG_NAME,
		         "the allocation state saved at block %llu cannot be used (%s, section type %u): reading all "
		         "logs instead",
		         (unsigned long long)block, why, bad);
		return false;
	}
	walk_sections(fs, head, true, &bad);
	slots_list(fs);
	alloc_count(fs);
	return true;
}
