/*
 * posix_copy.c -- copies inside the model: copy_file_range(2), with holes that stay holes.
 */
#include "tests/model/posix_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A part of the target, in one block, that is to become a hole or gets bytes. */
struct piece {
	uint64_t at, end;
	bool hole;
};

struct copy {
	posix_ino from, to;
	uint64_t from_offset, to_offset, end; /* `end`: in the target */
	uint64_t size;                        /* of the target, before */
	struct piece *pieces;
	size_t count;
};

/* The piece that begins at `at`. A hole must fill its block, or what the file has of it. */
static struct piece piece_at(const struct posix_model *model, const struct copy *copy, uint64_t at)
{
	struct piece piece = {.at = at, .end = (at / POSIX_BLOCK + 1) * POSIX_BLOCK};
	uint64_t source = copy->from_offset + (at - copy->to_offset);
	bool whole = at % POSIX_BLOCK == 0 && (piece.end <= copy->end || copy->end >= copy->size);

	if (piece.end > copy->end)
		piece.end = copy->end;
	piece.hole = whole && (copy->from_offset ^ copy->to_offset) % POSIX_BLOCK == 0 &&
	             posix_seek(model, copy->from, source, SEEK_HOLE) == (int64_t)source;
	return piece;
}

/* All of it as the files are before: in one file a block can be in both ranges, at its two ends. */
static void plan(const struct posix_model *model, struct copy *copy)
{
	size_t room = 0;

	for (uint64_t at = copy->to_offset; at < copy->end; at = copy->pieces[copy->count++].end) {
		copy->pieces = posix_grown(copy->pieces, copy->count, &room, sizeof(*copy->pieces));
		copy->pieces[copy->count] = piece_at(model, copy, at);
	}
}

/* Blocks that the target does not have and gets. What becomes a hole is given back only after that. */
static uint64_t blocks_taken(const struct posix_model *model, const struct copy *copy)
{
	const struct node *target = posix_node(model, copy->to);
	uint64_t count = 0;

	for (size_t i = 0; i < copy->count; i++)
		count += !copy->pieces[i].hole && !posix_data_has_block(target, copy->pieces[i].at / POSIX_BLOCK);
	return count;
}

static int copy_piece(struct posix_model *model, const struct copy *copy, const struct piece *piece,
                      const uint8_t *data, int64_t now)
{
	ssize_t n;

	if (piece->hole)
		return posix_fallocate_range(model, copy->to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, piece->at,
		                             POSIX_BLOCK, now);
	n = posix_write(model, copy->to, piece->at, data + (piece->at - copy->to_offset), piece->end - piece->at, false,
	                now);
	return n < 0 ? (int)n : 0;
}

/* Nothing fails from here on but for want of room in a project, which is asked for first. */
static int copy_bytes(struct posix_model *model, const struct copy *copy, int64_t now)
{
	const struct posix_attr attr = {.size = copy->end};
	uint64_t length = copy->end - copy->to_offset;
	int rc = posix_project_room(model, posix_node(model, copy->to)->attr.project, blocks_taken(model, copy), 0);
	uint8_t *data;

	if (rc)
		return rc;
	data = posix_memory(length);
	posix_read(model, copy->from, copy->from_offset, data, length);
	for (size_t i = 0; i < copy->count && !rc; i++)
		rc = copy_piece(model, copy, &copy->pieces[i], data, now);
	free(data);
	if (!rc && posix_node(model, copy->to)->attr.size < copy->end)
		rc = posix_setattr(model, copy->to, POSIX_SET_SIZE, &attr, now);
	return rc;
}

static int check_file(const struct posix_model *model, const struct node *node, unsigned mask)
{
	if (!S_ISREG(node->attr.mode))
		return S_ISDIR(node->attr.mode) ? -EISDIR : -EINVAL;
	return posix_may_use(model, node, mask);
}

ssize_t posix_copy_range(struct posix_model *model, posix_ino from, uint64_t from_offset, posix_ino to,
                         uint64_t to_offset, size_t length, int64_t now)
{
	const struct node *source = posix_node(model, from), *target = posix_node(model, to);
	struct posix_caller caller = model->caller;
	struct copy copy;
	int rc;

	if (!source || !target)
		return -ESTALE;
	rc = check_file(model, source, MAY_READ);
	if (!rc)
		rc = check_file(model, target, MAY_WRITE);
	if (!rc)
		rc = posix_may_change(target, false);
	if (rc)
		return rc;
	/* As Linux does: what counts is how much there is to copy. */
	if (from_offset >= source->attr.size)
		return 0;
	if (length > source->attr.size - from_offset)
		length = source->attr.size - from_offset;
	if (source == target && from_offset < to_offset + length && to_offset < from_offset + length)
		return -EINVAL;
	if (length == 0)
		return 0;
	copy = (struct copy){from, to, from_offset, to_offset, to_offset + length, target->attr.size, NULL, 0};
	/* It was allowed: the steps that it is made of ask no more. */
	model->caller.opened = true;
	plan(model, &copy);
	rc = copy_bytes(model, &copy, now);
	free(copy.pieces);
	model->caller = caller;
	return rc ? rc : (ssize_t)length;
}
