/*
 * wire.c -- the common parts of all messages: header, handles, paths, extents.
 */
#include "proto/wire.h"

#include <errno.h>

#define BLOCK_SIZE 4096u

const char *wire_check_header(const struct wire_header *h, uint32_t magic, size_t length)
{
	if (h->magic != magic)
		return "wrong magic: not a message of this protocol";
	if (h->length != length)
		return "length in the header is not the message's";
	if (h->slots > PROTO_MAX_SLOTS)
		return "number of slots out of range";
	return NULL;
}

int wire_finish(const struct wire *w, void *buffer, struct wire_header *h)
{
	if (w->failed)
		return -EMSGSIZE;
	size_t length = (size_t)(w->at - (uint8_t *)buffer);
	struct wire head = wire_puts(buffer, length);

	h->length = (uint32_t)length;
	wire_head(&head, h);
	return (int)length;
}

const char *wire_bad_handle(struct proto_handle h)
{
	if (h.ino == 0 || h.ino >> 48)
		return "inode number out of range";
	return NULL;
}

const char *wire_bad_path(struct proto_string s, uint32_t max)
{
	if (s.length == 0)
		return "empty path";
	if (s.length > max)
		return "path too long";
	if (memchr(s.data, 0, s.length))
		return "NUL in a path";
	return NULL;
}

const char *wire_bad_extent(const struct proto_extent *e)
{
	if (e->length == 0 || e->offset % BLOCK_SIZE || e->length % BLOCK_SIZE)
		return "extent is not made of blocks";
	if (e->offset > INT64_MAX || e->length > INT64_MAX - e->offset)
		return "extent lies beyond the largest file";
	if (e->key != 0 && e->address > UINT64_MAX - e->length)
		return "extent's address wraps";
	return NULL;
}

const char *proto_op_name(unsigned op)
{
	static const char *const names[] = {
#define PROTO_SLOTLESS(NAME, number)                                       [number] = #NAME,
#define PROTO_NOTICE(NAME, number)                                         [number] = #NAME,
#define PROTO_OPERATION(NAME, number, handler, keeps_reply, changes, open) [number] = #NAME,
#include "proto/ops.def"
	};
	if (op < sizeof(names) / sizeof(names[0]) && names[op])
		return names[op];
	return "unknown";
}
