/*
 * posix_data.c -- contents of the model's files: blocks by index; what is not there is a hole.
 */
#include "tests/model/posix_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The largest file of the core; POSIX leaves it to the file system. */
#define SIZE_MAX_BYTES (1ULL << 52)

void posix_data_free(struct node *node)
{
	for (size_t i = 0; i < node->block_count; i++)
		free(node->blocks[i].bytes);
	free(node->blocks);
}

void posix_data_copy(struct node *copy, const struct node *node)
{
	copy->blocks = posix_duplicate(node->blocks, node->block_count * sizeof(*node->blocks));
	copy->block_room = node->block_count;
	for (size_t i = 0; i < node->block_count; i++)
		if (node->blocks[i].bytes)
			copy->blocks[i].bytes = posix_duplicate(node->blocks[i].bytes, POSIX_BLOCK);
}

/* The first block at or after `index`. */
static size_t place(const struct node *node, uint64_t index)
{
	size_t low = 0, high = node->block_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (node->blocks[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct block *find(const struct node *node, uint64_t index)
{
	size_t at = place(node, index);

	return at < node->block_count && node->blocks[at].index == index ? &node->blocks[at] : NULL;
}

static struct block *need(struct node *node, uint64_t index)
{
	struct block *block = find(node, index);
	size_t at;

	if (block)
		return block;
	at = place(node, index);
	node->blocks = posix_grown(node->blocks, node->block_count, &node->block_room, sizeof(*node->blocks));
	memmove(&node->blocks[at + 1], &node->blocks[at], (node->block_count - at) * sizeof(*node->blocks));
	node->blocks[at] = (struct block){.index = index};
	node->block_count++;
	return &node->blocks[at];
}

bool posix_data_has_block(const struct node *node, uint64_t index)
{
	return find(node, index);
}

static uint8_t *need_bytes(struct node *node, uint64_t index)
{
	struct block *block = need(node, index);

	if (!block->bytes)
		block->bytes = posix_memory(POSIX_BLOCK);
	return block->bytes;
}

static void drop(struct node *node, uint64_t first, uint64_t end)
{
	size_t from = place(node, first), to = place(node, end);

	if (from == to)
		return;
	for (size_t i = from; i < to; i++)
		free(node->blocks[i].bytes);
	memmove(&node->blocks[from], &node->blocks[to], (node->block_count - to) * sizeof(*node->blocks));
	node->block_count -= to - from;
}

static void counted(struct node *node)
{
	node->attr.blocks = node->block_count;
}

static uint64_t blocks_up(uint64_t bytes)
{
	return (bytes + POSIX_BLOCK - 1) / POSIX_BLOCK;
}

/* Bytes within one block become zero; a hole stays one. */
static void zero_within(struct node *node, uint64_t from, uint64_t to)
{
	struct block *block = find(node, from / POSIX_BLOCK);

	if (from < to && block && block->bytes)
		memset(block->bytes + from % POSIX_BLOCK, 0, to - from);
}

void posix_data_resize(struct node *node, uint64_t size)
{
	if (size <= node->attr.size) {
		drop(node, blocks_up(size), UINT64_MAX);
		if (size % POSIX_BLOCK)
			zero_within(node, size, blocks_up(size) * POSIX_BLOCK);
	}
	node->attr.size = size;
	counted(node);
}

void posix_data_digest(const struct node *node, struct listing_digest *digest)
{
	for (size_t i = 0; i < node->block_count; i++) {
		const struct block *block = &node->blocks[i];
		uint64_t start = block->index * POSIX_BLOCK;

		if (!block->bytes || start >= node->attr.size)
			continue;
		listing_digest_bytes(digest, block->index, block->bytes,
		                     node->attr.size - start < POSIX_BLOCK ? node->attr.size - start : POSIX_BLOCK);
	}
}

/* ---- read and write -------------------------------------------------------------------------------------------- */

static int get_file(const struct posix_model *model, posix_ino ino, struct node **node)
{
	*node = posix_node(model, ino);
	if (!*node)
		return -ESTALE;
	if (S_ISDIR((*node)->attr.mode))
		return -EISDIR;
	return S_ISREG((*node)->attr.mode) ? 0 : -EINVAL;
}

/* One whose contents the caller may read or write. */
static int get_file_for(const struct posix_model *model, posix_ino ino, unsigned mask, struct node **node)
{
	int rc = get_file(model, ino, node);

	return rc ? rc : posix_may_use(model, *node, mask);
}

ssize_t posix_read(const struct posix_model *model, posix_ino ino, uint64_t offset, void *buffer, size_t length)
{
	uint8_t *to = buffer;
	struct node *node;
	int rc = get_file_for(model, ino, MAY_READ, &node);

	if (rc)
		return rc;
	if (offset >= node->attr.size)
		return 0;
	if (length > node->attr.size - offset)
		length = node->attr.size - offset;
	for (size_t done = 0; done < length;) {
		uint64_t in_block = (offset + done) % POSIX_BLOCK;
		size_t n = length - done < POSIX_BLOCK - in_block ? length - done : POSIX_BLOCK - in_block;
		const struct block *block = find(node, (offset + done) / POSIX_BLOCK);

		if (block && block->bytes)
			memcpy(to + done, block->bytes + in_block, n);
		else
			memset(to + done, 0, n);
		done += n;
	}
	return (ssize_t)length;
}

/* Blocks of a range that the file does not have. */
static uint64_t missing(const struct node *node, uint64_t offset, uint64_t length)
{
	uint64_t count = 0;

	for (uint64_t i = offset / POSIX_BLOCK; i < blocks_up(offset + length); i++)
		count += find(node, i) == NULL;
	return count;
}

ssize_t posix_write(struct posix_model *model, posix_ino ino, uint64_t offset, const void *data, size_t length,
                    bool append, int64_t now)
{
	const uint8_t *from = data;
	struct node *node;
	int rc = get_file_for(model, ino, MAY_WRITE, &node);

	if (!rc)
		rc = posix_may_change(node, append);
	if (rc)
		return rc;
	if (append)
		offset = node->attr.size;
	if (offset > SIZE_MAX_BYTES || length > SIZE_MAX_BYTES - offset)
		return -EFBIG;
	if (length == 0)
		return 0;
	rc = posix_project_room(model, node->attr.project, missing(node, offset, length), 0);
	if (rc)
		return rc;
	for (size_t done = 0; done < length;) {
		uint64_t in_block = (offset + done) % POSIX_BLOCK;
		size_t n = length - done < POSIX_BLOCK - in_block ? length - done : POSIX_BLOCK - in_block;

		memcpy(need_bytes(node, (offset + done) / POSIX_BLOCK) + in_block, from + done, n);
		done += n;
	}
	if (offset + length > node->attr.size)
		node->attr.size = offset + length;
	node->attr.mtime_ns = node->attr.ctime_ns = now;
	counted(node);
	posix_contents_changed(model, node);
	return (ssize_t)length;
}

/* ---- fallocate and seek ---------------------------------------------------------------------------------------- */

static void allocate(struct node *node, uint64_t offset, uint64_t length)
{
	for (uint64_t i = offset / POSIX_BLOCK; i < blocks_up(offset + length); i++)
		need(node, i);
}

/* Zero the parts of blocks at the edges of [offset, end); what lies whole between them is [*first, *last). */
static void zero_edges(struct node *node, uint64_t offset, uint64_t end, uint64_t *first, uint64_t *last)
{
	*first = blocks_up(offset);
	*last = end / POSIX_BLOCK;
	if (*first > *last) {
		zero_within(node, offset, end);
		*last = *first;
		return;
	}
	zero_within(node, offset, *first * POSIX_BLOCK);
	zero_within(node, *last * POSIX_BLOCK, end);
}

static void punch(struct node *node, uint64_t offset, uint64_t end)
{
	uint64_t first, last;

	zero_edges(node, offset, end, &first, &last);
	drop(node, first, last);
}

/* Zeros without bytes of their own: allocated, unwritten. */
static void zero_range(struct node *node, uint64_t offset, uint64_t end)
{
	uint64_t first, last;

	zero_edges(node, offset, end, &first, &last);
	drop(node, first, last);
	allocate(node, offset, end - offset);
}

static int collapse(struct node *node, uint64_t offset, uint64_t length)
{
	uint64_t blocks = length / POSIX_BLOCK;

	if (offset % POSIX_BLOCK || length % POSIX_BLOCK)
		return -EINVAL;
	if (offset + length >= node->attr.size)
		return -EINVAL;
	drop(node, offset / POSIX_BLOCK, offset / POSIX_BLOCK + blocks);
	for (size_t i = place(node, offset / POSIX_BLOCK); i < node->block_count; i++)
		node->blocks[i].index -= blocks;
	node->attr.size -= length;
	return 0;
}

static int insert(struct node *node, uint64_t offset, uint64_t length)
{
	if (offset % POSIX_BLOCK || length % POSIX_BLOCK)
		return -EINVAL;
	if (length > SIZE_MAX_BYTES - node->attr.size)
		return -EFBIG;
	if (offset >= node->attr.size)
		return -EINVAL;
	for (size_t i = place(node, offset / POSIX_BLOCK); i < node->block_count; i++)
		node->blocks[i].index += length / POSIX_BLOCK;
	node->attr.size += length;
	return 0;
}

int posix_fallocate_range(struct posix_model *model, posix_ino ino, int mode, uint64_t offset, uint64_t length,
                          int64_t now)
{
	struct node *node;
	int rc;

	/* As Linux does, before it looks at the file. */
	if (length == 0)
		return -EINVAL;
	rc = get_file_for(model, ino, MAY_WRITE, &node);
	/* To reserve blocks takes nothing from a file that only grows. */
	if (!rc)
		rc = posix_may_change(node, !(mode & ~FALLOC_FL_KEEP_SIZE));
	if (rc)
		return rc;
	if (offset > SIZE_MAX_BYTES || length > SIZE_MAX_BYTES - offset)
		return -EFBIG;
	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case 0:
		rc = posix_project_room(model, node->attr.project, missing(node, offset, length), 0);
		if (!rc)
			allocate(node, offset, length);
		break;
	case FALLOC_FL_PUNCH_HOLE:
		if (!(mode & FALLOC_FL_KEEP_SIZE))
			return -EOPNOTSUPP;
		punch(node, offset, offset + length);
		break;
	case FALLOC_FL_ZERO_RANGE:
		rc = posix_project_room(model, node->attr.project, missing(node, offset, length), 0);
		if (!rc)
			zero_range(node, offset, offset + length);
		break;
	case FALLOC_FL_COLLAPSE_RANGE:
		rc = mode & FALLOC_FL_KEEP_SIZE ? -EINVAL : collapse(node, offset, length);
		break;
	case FALLOC_FL_INSERT_RANGE:
		rc = mode & FALLOC_FL_KEEP_SIZE ? -EINVAL : insert(node, offset, length);
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (rc)
		return rc;
	if (!(mode & ~FALLOC_FL_ZERO_RANGE) && offset + length > node->attr.size)
		node->attr.size = offset + length;
	node->attr.mtime_ns = node->attr.ctime_ns = now;
	counted(node);
	posix_contents_changed(model, node);
	return 0;
}

int64_t posix_seek(const struct posix_model *model, posix_ino ino, uint64_t offset, int whence)
{
	struct node *node;
	int rc = get_file_for(model, ino, MAY_READ, &node);

	if (rc)
		return rc;
	if (offset >= node->attr.size)
		return -ENXIO;
	for (uint64_t at = offset; at < node->attr.size; at = (at / POSIX_BLOCK + 1) * POSIX_BLOCK) {
		const struct block *block = find(node, at / POSIX_BLOCK);
		bool data = block && block->bytes;
		size_t next;

		if (data == (whence == SEEK_DATA))
			return (int64_t)at;
		if (data)
			continue;
		/* Holes are skipped whole, since a sparse file has many. */
		next = place(node, at / POSIX_BLOCK + 1);
		if (!block && next < node->block_count)
			at = (node->blocks[next].index - 1) * POSIX_BLOCK;
		else if (!block)
			break;
	}
	return whence == SEEK_DATA ? -ENXIO : (int64_t)node->attr.size;
}
