/*
 * dump_checkpoint.c -- shows the checkpoint of the allocation state.
 */
#include "server/pool/dump/dump_view.h"
#include "server/pool/image/image_checkpoint.h"

#include <errno.h>
#include <string.h>

static const char *section_name(uint32_t type)
{
	switch (type) {
	case NOVA_CHECKPOINT_COUNTS:
		return "counts";
	case NOVA_CHECKPOINT_BLOCKS:
		return "blocks";
	case NOVA_CHECKPOINT_SLOTS:
		return "slots";
	case NOVA_CHECKPOINT_PROJECTS:
		return "projects";
	default:
		return "unknown";
	}
}

static void show_counts(struct dump_view *view, const struct image_checkpoint_section *section)
{
	struct nova_checkpoint_counts counts;

	if (section->length != sizeof(counts))
		return;
	memcpy(&counts, section->payload, sizeof(counts));
	dump_number(view, "inodes", le64_get(counts.inodes));
	dump_number(view, "promised_lines", le64_get(counts.promised));
	dump_number(view, "nameless", le64_get(counts.nameless));
}

static uint64_t count_bits(const uint8_t *from, uint64_t bytes)
{
	uint64_t bits = 0;

	for (uint64_t i = 0; i < bytes; i++)
		bits += (uint64_t)__builtin_popcount(from[i]);
	return bits;
}

static void show_slots(struct dump_view *view, const struct image_checkpoint_section *section)
{
	const uint64_t size = sizeof(struct nova_checkpoint_slots);
	uint64_t free_slots = 0;

	for (uint64_t at = 0; at + size <= section->length; at += size)
		free_slots += count_bits(section->payload + at + offsetof(struct nova_checkpoint_slots, free),
		                         sizeof(((struct nova_checkpoint_slots *)0)->free));
	dump_number(view, "chunks", section->length / size);
	dump_number(view, "free_slots", free_slots);
}

static void show_projects(struct dump_view *view, const struct image_checkpoint_section *section)
{
	struct nova_checkpoint_project record;

	dump_open(view, "projects", '[');
	for (uint64_t at = 0; at + sizeof(record) <= section->length; at += sizeof(record)) {
		memcpy(&record, section->payload + at, sizeof(record));
		dump_open(view, NULL, '{');
		dump_number(view, "project", le32_get(record.project));
		dump_number(view, "blocks", le64_get(record.blocks));
		dump_number(view, "block_limit", le64_get(record.block_limit));
		dump_number(view, "inodes", le64_get(record.inodes));
		dump_number(view, "inode_limit", le64_get(record.inode_limit));
		dump_close(view, '}');
	}
	dump_close(view, ']');
}

static void show_section(struct dump_view *view, const struct image_checkpoint_section *section)
{
	dump_open(view, NULL, '{');
	dump_number(view, "type", section->type);
	dump_text(view, "name", section_name(section->type));
	dump_number(view, "bytes", section->length);
	if (!section->valid)
		dump_text(view, "section", "damaged");
	else if (section->type == NOVA_CHECKPOINT_COUNTS)
		show_counts(view, section);
	else if (section->type == NOVA_CHECKPOINT_BLOCKS)
		dump_number(view, "blocks_in_use", count_bits(section->payload, section->length));
	else if (section->type == NOVA_CHECKPOINT_SLOTS)
		show_slots(view, section);
	else if (section->type == NOVA_CHECKPOINT_PROJECTS)
		show_projects(view, section);
	dump_close(view, '}');
}

static void show_runs(struct dump_view *view, const struct nova_checkpoint *head)
{
	dump_open(view, "runs", '[');
	for (uint32_t i = 0; i < le32_get(head->run_count); i++) {
		dump_open(view, NULL, '{');
		dump_number(view, "block", le64_get(head->runs[i].block));
		dump_number(view, "count", le64_get(head->runs[i].count));
		dump_close(view, '}');
	}
	dump_close(view, ']');
}

void dump_checkpoint(struct dump_view *view, const struct image *image)
{
	struct image_word word = image_word_pick(NOVA_WORD_CHECKPOINT, 0, image_super(image, 0)->checkpoint,
	                                         image_super(image, 1)->checkpoint);
	struct image_checkpoint_section section;
	struct image_checkpoint checkpoint;
	const char *why;
	int rc;

	if (!word.value)
		return;
	dump_open(view, "saved_state", '{');
	dump_number(view, "block", word.value);
	rc = image_checkpoint_open(&checkpoint, image, word.value, &why);
	if (rc) {
		dump_text(view, "state", rc == -ENOMEM ? "out of memory" : why);
	} else {
		dump_number(view, "mount_count", le64_get(checkpoint.head->mount_count));
		dump_number(view, "bytes", checkpoint.length);
		show_runs(view, checkpoint.head);
		dump_open(view, "sections", '[');
		while (image_checkpoint_next(&checkpoint, &section))
			show_section(view, &section);
		dump_close(view, ']');
		image_checkpoint_close(&checkpoint);
	}
	dump_close(view, '}');
}
