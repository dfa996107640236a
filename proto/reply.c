/*
 * reply.c -- replies and the server's notices between native form and wire. proto_decode_reply and proto_decode_recall
 * validate what a server sends, so that a client cannot be harmed by one either.
 */
#include "proto/wire.h"

#include <errno.h>

#define MAX_STATUS 4095u

static void put_attr(struct wire_writer *w, const struct proto_attr *a)
{
	put_handle(w, a->handle);
	put_u32(w, a->mode);
	put_u32(w, a->nlink);
	put_u32(w, a->uid);
	put_u32(w, a->gid);
	put_u32(w, a->rdev);
	put_u32(w, a->flags);
	put_u32(w, a->project);
	put_u64(w, a->size);
	put_u64(w, a->blocks);
	put_u64(w, (uint64_t)a->atime_ns);
	put_u64(w, (uint64_t)a->mtime_ns);
	put_u64(w, (uint64_t)a->ctime_ns);
	put_u64(w, (uint64_t)a->btime_ns);
	put_u64(w, a->change);
}

static const char *take_attr(struct wire_reader *r, struct proto_attr *a)
{
	a->handle = take_handle(r);
	a->mode = take_u32(r);
	a->nlink = take_u32(r);
	a->uid = take_u32(r);
	a->gid = take_u32(r);
	a->rdev = take_u32(r);
	a->flags = take_u32(r);
	a->project = take_u32(r);
	a->size = take_u64(r);
	a->blocks = take_u64(r);
	a->atime_ns = (int64_t)take_u64(r);
	a->mtime_ns = (int64_t)take_u64(r);
	a->ctime_ns = (int64_t)take_u64(r);
	a->btime_ns = (int64_t)take_u64(r);
	a->change = take_u64(r);
	if (a->size > INT64_MAX)
		return "file size out of range";
	return wire_bad_handle(a->handle);
}

static void put_extents(struct wire_writer *w, uint32_t count, const struct proto_extent *extents)
{
	put_u32(w, count);
	for (uint32_t i = 0; i < count && i < PROTO_MAX_EXTENTS; i++) {
		put_u64(w, extents[i].offset);
		put_u64(w, extents[i].length);
		put_u64(w, extents[i].address);
		put_u64(w, extents[i].key);
	}
}

/* Extents come in order and do not overlap: the client's cache may rely on it. */
static const char *take_extents(struct wire_reader *r, uint32_t *count, struct proto_extent *extents)
{
	uint64_t end = 0;

	*count = take_u32(r);
	if (*count > PROTO_MAX_EXTENTS) {
		*count = 0;
		return "too many extents";
	}
	for (uint32_t i = 0; i < *count; i++) {
		struct proto_extent *e = &extents[i];

		e->offset = take_u64(r);
		e->length = take_u64(r);
		e->address = take_u64(r);
		e->key = take_u64(r);
		const char *why = wire_bad_extent(e);
		if (why)
			return why;
		if (e->offset < end)
			return "extents are not in order";
		end = e->offset + e->length;
	}
	return NULL;
}

/* ---- directory entries --------------------------------------------------------------------------------------------
 */

#define DIRENT_FIXED 24u /* cookie 8, ino 8, type 4, length 4 */

bool proto_dirent_put(void *buffer, size_t size, size_t *used, const struct proto_dirent *entry)
{
	struct wire_writer w = {.at = (uint8_t *)buffer + *used, .end = (uint8_t *)buffer + size};

	if (*used > size || size - *used < DIRENT_FIXED + entry->length)
		return false;
	put_u64(&w, entry->cookie);
	put_u64(&w, entry->ino);
	put_u32(&w, entry->type);
	put_u32(&w, entry->length);
	put_bytes(&w, entry->name, entry->length);
	*used += DIRENT_FIXED + entry->length;
	return true;
}

static bool take_dirent(struct wire_reader *r, struct proto_dirent *entry)
{
	entry->cookie = take_u64(r);
	entry->ino = take_u64(r);
	entry->type = take_u32(r);
	entry->length = take_u32(r);
	entry->name = (const char *)wire_take(r, entry->length);
	return !r->failed;
}

int proto_dirent_next(const void *entries, size_t length, size_t *position, struct proto_dirent *entry)
{
	if (*position >= length)
		return 0;
	struct wire_reader r = {.at = (const uint8_t *)entries + *position, .end = (const uint8_t *)entries + length};
	if (!take_dirent(&r, entry))
		return 0;
	*position = (size_t)(r.at - (const uint8_t *)entries);
	return 1;
}

static const char *check_dirents(const void *entries, size_t length)
{
	struct wire_reader r = {.at = entries, .end = (const uint8_t *)entries + length};
	struct proto_dirent entry;
	uint64_t cookie = 0;

	while (r.at < r.end) {
		if (!take_dirent(&r, &entry))
			return "directory entry is cut short";
		if (entry.length == 0 || entry.length > 255)
			return "name length out of range";
		if (memchr(entry.name, 0, entry.length) || memchr(entry.name, '/', entry.length))
			return "NUL or '/' in a name";
		if (entry.cookie <= cookie)
			return "directory cookies do not grow";
		cookie = entry.cookie;
	}
	return NULL;
}

/* ---- replies ------------------------------------------------------------------------------------------------------
 */

static const char *take_body(struct wire_reader *r, struct proto_reply *p)
{
	const char *why;

	switch (p->op) {
	case PROTO_HELLO:
		p->hello.version = take_u32(r);
		p->hello.features = take_u64(r);
		p->hello.session = take_u64(r);
		p->hello.session_key = take_u64(r);
		p->hello.resumed = take_u32(r) != 0;
		p->hello.instance = take_u64(r);
		take_bytes(r, p->hello.pool, sizeof(p->hello.pool));
		p->hello.slots = take_u32(r);
		p->hello.lease_ms = take_u32(r);
		p->hello.max_read = take_u32(r);
		p->hello.max_write = take_u32(r);
		p->hello.staging_address = take_u64(r);
		p->hello.staging_key = take_u64(r);
		p->hello.staging_size = take_u64(r);
		p->hello.root = take_handle(r);
		if (p->hello.version != PROTO_VERSION)
			return "server chose a version that was not offered";
		if (p->hello.slots == 0 || p->hello.slots > PROTO_MAX_SLOTS)
			return "number of slots out of range";
		if (p->hello.max_read == 0 || p->hello.max_read > PROTO_MAX_MESSAGE || p->hello.max_write == 0 ||
		    p->hello.max_write > PROTO_MAX_MESSAGE)
			return "read or write limit out of range";
		if (p->hello.staging_address > UINT64_MAX - p->hello.staging_size)
			return "staging ring wraps";
		return wire_bad_handle(p->hello.root);
	case PROTO_LOOKUP:
	case PROTO_GETATTR:
	case PROTO_SETATTR:
	case PROTO_CREATE:
	case PROTO_SYMLINK:
	case PROTO_LINK:
	case PROTO_FALLOCATE:
		return take_attr(r, &p->attr.attr);
	case PROTO_OPEN:
	case PROTO_REOPEN:
	case PROTO_TMPFILE:
		p->open.open = take_u64(r);
		p->open.created = take_u16(r) != 0;
		p->open.layout = take_u16(r) != 0;
		why = take_attr(r, &p->open.attr);
		return why ? why : take_extents(r, &p->open.extent_count, p->open.extents);
	case PROTO_READ:
		p->read.size = take_u64(r);
		p->read.length = take_u32(r);
		p->read.data = wire_take(r, p->read.length);
		return p->read.size > INT64_MAX ? "file size out of range" : NULL;
	case PROTO_WRITE:
	case PROTO_WRITE_COMMIT:
		p->write.offset = take_u64(r);
		p->write.size = take_u64(r);
		p->write.change = take_u64(r);
		p->write.dropped = take_u32(r) != 0;
		p->write.replaced_offset = take_u64(r);
		p->write.replaced_length = take_u64(r);
		if (p->write.size > INT64_MAX || p->write.replaced_offset > INT64_MAX ||
		    p->write.replaced_length > INT64_MAX)
			return "file size or replaced range out of range";
		return take_extents(r, &p->write.extent_count, p->write.extents);
	case PROTO_LAYOUT_GET:
		p->layout.granted = take_u32(r) != 0;
		p->layout.size = take_u64(r);
		if (p->layout.size > INT64_MAX)
			return "file size out of range";
		return take_extents(r, &p->layout.extent_count, p->layout.extents);
	case PROTO_READDIR:
		p->readdir.end = take_u32(r) != 0;
		p->readdir.length = take_u32(r);
		p->readdir.entries = wire_take(r, p->readdir.length);
		return p->readdir.entries ? check_dirents(p->readdir.entries, p->readdir.length) : NULL;
	case PROTO_READLINK:
		p->readlink.target = take_string(r);
		return p->readlink.target.length > PROTO_MAX_LINK ? "link target too long" : NULL;
	case PROTO_RENAME:
		p->rename.replaced_died = take_u32(r) != 0;
		return NULL;
	case PROTO_GETXATTR:
	case PROTO_LISTXATTR:
		p->xattr.total = take_u32(r);
		p->xattr.change = take_u64(r);
		p->xattr.length = take_u32(r);
		p->xattr.data = wire_take(r, p->xattr.length);
		if (p->xattr.total > PROTO_MAX_XATTR_VALUE || p->xattr.length > p->xattr.total)
			return "attribute's length out of range";
		return NULL;
	case PROTO_QUOTA_GET:
		p->quota.project = take_u32(r);
		p->quota.blocks = take_u64(r);
		p->quota.block_limit = take_u64(r);
		p->quota.inodes = take_u64(r);
		p->quota.inode_limit = take_u64(r);
		return NULL;
	case PROTO_STATFS:
		p->statfs.blocks = take_u64(r);
		p->statfs.free_blocks = take_u64(r);
		p->statfs.inodes = take_u64(r);
		p->statfs.inode_limit = take_u64(r);
		take_bytes(r, p->statfs.pool, sizeof(p->statfs.pool));
		p->statfs.name_max = take_u32(r);
		return NULL;
	case PROTO_SEEK:
		p->seek.offset = take_u64(r);
		return p->seek.offset > INT64_MAX ? "offset out of range" : NULL;
	case PROTO_COPY:
		p->copy.count = take_u64(r);
		if (p->copy.count > PROTO_MAX_COPY)
			return "more was copied than is allowed";
		return take_attr(r, &p->copy.attr);
	case PROTO_BYE:
	case PROTO_CRED:
	case PROTO_PING:
	case PROTO_ACCESS:
	case PROTO_CLOSE:
	case PROTO_UNLINK:
	case PROTO_RMDIR:
	case PROTO_SETXATTR:
	case PROTO_REMOVEXATTR:
	case PROTO_QUOTA_SET:
		return NULL;
	default:
		return "reply to an unknown operation";
	}
}

static void put_body(struct wire_writer *w, const struct proto_reply *p)
{
	switch (p->op) {
	case PROTO_HELLO:
		put_u32(w, p->hello.version);
		put_u64(w, p->hello.features);
		put_u64(w, p->hello.session);
		put_u64(w, p->hello.session_key);
		put_u32(w, p->hello.resumed);
		put_u64(w, p->hello.instance);
		put_bytes(w, p->hello.pool, sizeof(p->hello.pool));
		put_u32(w, p->hello.slots);
		put_u32(w, p->hello.lease_ms);
		put_u32(w, p->hello.max_read);
		put_u32(w, p->hello.max_write);
		put_u64(w, p->hello.staging_address);
		put_u64(w, p->hello.staging_key);
		put_u64(w, p->hello.staging_size);
		put_handle(w, p->hello.root);
		break;
	case PROTO_LOOKUP:
	case PROTO_GETATTR:
	case PROTO_SETATTR:
	case PROTO_CREATE:
	case PROTO_SYMLINK:
	case PROTO_LINK:
	case PROTO_FALLOCATE:
		put_attr(w, &p->attr.attr);
		break;
	case PROTO_OPEN:
	case PROTO_REOPEN:
	case PROTO_TMPFILE:
		put_u64(w, p->open.open);
		put_u16(w, p->open.created);
		put_u16(w, p->open.layout);
		put_attr(w, &p->open.attr);
		put_extents(w, p->open.extent_count, p->open.extents);
		break;
	case PROTO_READ:
		put_u64(w, p->read.size);
		put_u32(w, p->read.length);
		put_bytes(w, p->read.data, p->read.length);
		break;
	case PROTO_WRITE:
	case PROTO_WRITE_COMMIT:
		put_u64(w, p->write.offset);
		put_u64(w, p->write.size);
		put_u64(w, p->write.change);
		put_u32(w, p->write.dropped);
		put_u64(w, p->write.replaced_offset);
		put_u64(w, p->write.replaced_length);
		put_extents(w, p->write.extent_count, p->write.extents);
		break;
	case PROTO_LAYOUT_GET:
		put_u32(w, p->layout.granted);
		put_u64(w, p->layout.size);
		put_extents(w, p->layout.extent_count, p->layout.extents);
		break;
	case PROTO_READDIR:
		put_u32(w, p->readdir.end);
		put_u32(w, p->readdir.length);
		put_bytes(w, p->readdir.entries, p->readdir.length);
		break;
	case PROTO_READLINK:
		put_string(w, p->readlink.target);
		break;
	case PROTO_RENAME:
		put_u32(w, p->rename.replaced_died);
		break;
	case PROTO_GETXATTR:
	case PROTO_LISTXATTR:
		put_u32(w, p->xattr.total);
		put_u64(w, p->xattr.change);
		put_u32(w, p->xattr.length);
		put_bytes(w, p->xattr.data, p->xattr.length);
		break;
	case PROTO_QUOTA_GET:
		put_u32(w, p->quota.project);
		put_u64(w, p->quota.blocks);
		put_u64(w, p->quota.block_limit);
		put_u64(w, p->quota.inodes);
		put_u64(w, p->quota.inode_limit);
		break;
	case PROTO_STATFS:
		put_u64(w, p->statfs.blocks);
		put_u64(w, p->statfs.free_blocks);
		put_u64(w, p->statfs.inodes);
		put_u64(w, p->statfs.inode_limit);
		put_bytes(w, p->statfs.pool, sizeof(p->statfs.pool));
		put_u32(w, p->statfs.name_max);
		break;
	case PROTO_SEEK:
		put_u64(w, p->seek.offset);
		break;
	case PROTO_COPY:
		put_u64(w, p->copy.count);
		put_attr(w, &p->copy.attr);
		break;
	default: /* the others have no body */
		break;
	}
}

int proto_encode_reply(const struct proto_reply *reply, void *buffer, size_t size)
{
	struct wire_writer w = {.at = buffer, .end = (uint8_t *)buffer + size};
	struct wire_header h = {
	    .magic = WIRE_MAGIC_REPLY,
	    .op = reply->op,
	    .slot = reply->slot,
	    .sequence = reply->sequence,
	    .cred_or_status = reply->status,
	    .invalidation = reply->invalidation,
	};

	wire_room(&w, WIRE_HEADER_SIZE);
	if (reply->status == 0)
		put_body(&w, reply);
	return wire_finish(&w, buffer, &h);
}

int proto_decode_reply(const void *message, size_t length, struct proto_reply *out, const char **why)
{
	struct wire_reader r = {.at = message, .end = (const uint8_t *)message + length};
	struct wire_header h;

	take_header(&r, &h);
	*why = r.failed ? "shorter than a header" : wire_check_header(&h, WIRE_MAGIC_REPLY, length);
	if (!*why && h.slot >= PROTO_MAX_SLOTS && h.slot != PROTO_SLOT_NONE)
		*why = "slot out of range";
	if (!*why && h.cred_or_status > MAX_STATUS)
		*why = "status is no errno";
	if (*why)
		return -EPROTO;

	out->op = h.op;
	out->slot = h.slot;
	out->sequence = h.sequence;
	out->status = h.cred_or_status;
	out->invalidation = h.invalidation;
	if (out->status == 0)
		*why = take_body(&r, out);
	if (r.failed)
		*why = "body is shorter than its fields say";
	else if (!*why && r.at != r.end)
		*why = "bytes after the last field";
	return *why ? -EPROTO : 0;
}

/* ---- notices ------------------------------------------------------------------------------------------------------
 */

bool proto_is_recall(const void *message, size_t length)
{
	struct wire_reader r = {.at = message, .end = (const uint8_t *)message + length};

	return take_u32(&r) == WIRE_MAGIC_NOTICE;
}

int proto_encode_recall(const struct proto_recall *recall, void *buffer, size_t size)
{
	struct wire_writer w = {.at = buffer, .end = (uint8_t *)buffer + size};
	struct wire_header h = {
	    .magic = WIRE_MAGIC_NOTICE,
	    .op = PROTO_RECALL,
	    .slot = PROTO_SLOT_NONE,
	    .invalidation = recall->invalidation,
	};

	wire_room(&w, WIRE_HEADER_SIZE);
	put_handle(&w, recall->handle);
	return wire_finish(&w, buffer, &h);
}

int proto_decode_recall(const void *message, size_t length, struct proto_recall *out, const char **why)
{
	struct wire_reader r = {.at = message, .end = (const uint8_t *)message + length};
	struct wire_header h;

	take_header(&r, &h);
	out->invalidation = h.invalidation;
	out->handle = take_handle(&r);
	if (r.failed)
		*why = "shorter than a recall";
	else
		*why = wire_check_header(&h, WIRE_MAGIC_NOTICE, length);
	if (!*why && h.op != PROTO_RECALL)
		*why = "unknown notice";
	if (!*why && r.at != r.end)
		*why = "bytes after the last field";
	if (!*why && out->handle.ino >> 48)
		*why = "inode number out of range";
	return *why ? -EPROTO : 0;
}
