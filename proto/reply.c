/*
 * reply.c -- converts replies and the server's notices to and from the wire. proto_decode_reply and proto_decode_recall
 * validate what a server sends, so that no server can harm a client.
 */
#include "proto/wire.h"

#include <errno.h>

#define MAX_STATUS 4095u

/* ---- directory entries ------------------------------------------------------------------------------------------- */

#define DIRENT_FIXED 24u /* cookie 8, ino 8, type 4, length 4 */

WIRE_FIELDS void dirent_fields(struct wire *w, struct proto_dirent *entry)
{
	const void *name = w->takes ? NULL : entry->name;

	field_u64(w, &entry->cookie);
	field_u64(w, &entry->ino);
	field_u32(w, &entry->type);
	field_u32(w, &entry->length);
	field_data(w, &name, entry->length);
	entry->name = name;
}

bool proto_dirent_put(void *buffer, size_t size, size_t *used, const struct proto_dirent *entry)
{
	struct wire w = wire_puts((uint8_t *)buffer + *used, size - *used);
	struct proto_dirent copy = *entry;

	if (*used > size || size - *used < DIRENT_FIXED + entry->length)
		return false;
	dirent_fields(&w, &copy);
	*used += DIRENT_FIXED + entry->length;
	return true;
}

int proto_dirent_next(const void *entries, size_t length, size_t *position, struct proto_dirent *entry)
{
	if (*position >= length)
		return 0;
	struct wire w = wire_takes((const uint8_t *)entries + *position, length - *position);

	dirent_fields(&w, entry);
	if (w.failed)
		return 0;
	*position = (size_t)(w.at - (const uint8_t *)entries);
	return 1;
}

/* ---- fields ------------------------------------------------------------------------------------------------------ */

WIRE_FIELDS void attributes(struct wire *w, struct proto_attr *a)
{
	field_handle(w, &a->handle);
	field_u32(w, &a->mode);
	field_u32(w, &a->nlink);
	field_u32(w, &a->uid);
	field_u32(w, &a->gid);
	field_u32(w, &a->rdev);
	field_u32(w, &a->flags);
	field_u32(w, &a->project);
	field_u64(w, &a->size);
	field_u64(w, &a->blocks);
	field_i64(w, &a->atime_ns);
	field_i64(w, &a->mtime_ns);
	field_i64(w, &a->ctime_ns);
	field_i64(w, &a->btime_ns);
	field_u64(w, &a->change);
}

WIRE_FIELDS void extents(struct wire *w, uint32_t *count, struct proto_extent *extent)
{
	field_u32(w, count);
	if (*count > PROTO_MAX_EXTENTS)
		w->failed = true;
	for (uint32_t i = 0; !w->failed && i < *count; i++) {
		field_u64(w, &extent[i].offset);
		field_u64(w, &extent[i].length);
		field_u64(w, &extent[i].address);
		field_u64(w, &extent[i].key);
	}
}

WIRE_FIELDS void fields(struct wire *w, struct proto_reply *p)
{
	switch (p->op) {
	case PROTO_HELLO:
		field_u32(w, &p->hello.version);
		field_u64(w, &p->hello.features);
		field_u64(w, &p->hello.identity);
		field_flag(w, &p->hello.known);
		field_u64(w, &p->hello.session);
		field_u64(w, &p->hello.session_key);
		field_flag(w, &p->hello.resumed);
		field_u64(w, &p->hello.instance);
		field_bytes(w, p->hello.pool, sizeof(p->hello.pool));
		field_u32(w, &p->hello.lease_ms);
		field_u32(w, &p->hello.max_read);
		field_u32(w, &p->hello.max_write);
		field_u64(w, &p->hello.staging_size);
		field_handle(w, &p->hello.root);
		break;
	case PROTO_STAGING:
		field_flag(w, &p->staging.granted);
		field_u64(w, &p->staging.address);
		field_u64(w, &p->staging.key);
		break;
	case PROTO_LOOKUP:
		field_short_flag(w, &p->lookup.found);
		field_short_flag(w, &p->lookup.has_directory);
		if (p->lookup.found)
			attributes(w, &p->lookup.attr);
		if (p->lookup.has_directory)
			attributes(w, &p->lookup.directory);
		break;
	case PROTO_GETATTR:
	case PROTO_SETATTR:
	case PROTO_CREATE:
	case PROTO_SYMLINK:
	case PROTO_LINK:
		attributes(w, &p->attr.attr);
		break;
	case PROTO_OPEN:
	case PROTO_REOPEN:
	case PROTO_TMPFILE:
		field_u64(w, &p->open.open);
		field_short_flag(w, &p->open.created);
		field_short_flag(w, &p->open.layout);
		attributes(w, &p->open.attr);
		extents(w, &p->open.extent_count, p->open.extents);
		break;
	case PROTO_READ:
		field_u32(w, &p->read.length);
		field_data(w, &p->read.data, p->read.length);
		break;
	case PROTO_WRITE:
	case PROTO_WRITE_COMMIT:
		field_u64(w, &p->write.offset);
		field_u64(w, &p->write.size);
		field_u64(w, &p->write.change);
		field_flag(w, &p->write.dropped);
		field_u64(w, &p->write.replaced_offset);
		field_u64(w, &p->write.replaced_length);
		extents(w, &p->write.extent_count, p->write.extents);
		break;
	case PROTO_LAYOUT_GET:
		field_flag(w, &p->layout.granted);
		field_u64(w, &p->layout.size);
		extents(w, &p->layout.extent_count, p->layout.extents);
		break;
	case PROTO_READDIR:
		field_flag(w, &p->readdir.end);
		field_u64(w, &p->readdir.until);
		field_u64(w, &p->readdir.parent);
		field_u32(w, &p->readdir.length);
		field_data(w, &p->readdir.entries, p->readdir.length);
		break;
	case PROTO_READLINK:
		field_string(w, &p->readlink.target);
		break;
	case PROTO_RENAME:
		field_flag(w, &p->rename.replaced_died);
		break;
	case PROTO_GETXATTR:
	case PROTO_LISTXATTR:
		field_u32(w, &p->xattr.total);
		field_u64(w, &p->xattr.change);
		field_u32(w, &p->xattr.length);
		field_data(w, &p->xattr.data, p->xattr.length);
		break;
	case PROTO_QUOTA_GET:
		field_u32(w, &p->quota.project);
		field_u64(w, &p->quota.blocks);
		field_u64(w, &p->quota.block_limit);
		field_u64(w, &p->quota.inodes);
		field_u64(w, &p->quota.inode_limit);
		break;
	case PROTO_STATFS:
		field_u64(w, &p->statfs.blocks);
		field_u64(w, &p->statfs.free_blocks);
		field_u64(w, &p->statfs.inodes);
		field_u64(w, &p->statfs.inode_limit);
		field_bytes(w, p->statfs.pool, sizeof(p->statfs.pool));
		field_u32(w, &p->statfs.name_max);
		break;
	case PROTO_SEEK:
		field_u64(w, &p->seek.offset);
		break;
	case PROTO_COPY:
		field_u64(w, &p->copy.count);
		attributes(w, &p->copy.attr);
		field_u64(w, &p->copy.replaced_offset);
		field_u64(w, &p->copy.replaced_length);
		break;
	case PROTO_FALLOCATE:
		attributes(w, &p->fallocate.attr);
		field_u64(w, &p->fallocate.replaced_offset);
		field_u64(w, &p->fallocate.replaced_length);
		break;
	default: /* the other replies have no body */
		break;
	}
}

/* ---- what a reply says ------------------------------------------------------------------------------------------- */

static const char *check_attributes(const struct proto_attr *a)
{
	if (a->size > INT64_MAX)
		return "file size out of range";
	return wire_bad_handle(a->handle);
}

static const char *check_replaced(uint64_t offset, uint64_t length)
{
	return offset > INT64_MAX || length > INT64_MAX ? "replaced range out of range" : NULL;
}

/* Extents are sorted and do not overlap: the client's extent tree relies on it. */
static const char *check_extents(uint32_t count, const struct proto_extent *extents)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < count; i++) {
		const char *why = wire_bad_extent(&extents[i]);

		if (why)
			return why;
		if (extents[i].offset < end)
			return "extents are not in order";
		end = extents[i].offset + extents[i].length;
	}
	return NULL;
}

static const char *check_dirents(const void *entries, size_t length)
{
	struct wire w = wire_takes(entries, length);
	struct proto_dirent entry;
	uint64_t cookie = 0;

	while (w.at < w.end) {
		dirent_fields(&w, &entry);
		if (w.failed)
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

/* NULL if the fields are valid, else the reason. */
static const char *check(const struct proto_reply *p)
{
	const char *why;

	switch (p->op) {
	case PROTO_HELLO:
		if (p->hello.version != PROTO_VERSION)
			return "server chose a version that was not offered";
		if (p->hello.known && p->hello.identity == 0)
			return "server knows an identity that has no number";
		if (p->slots == 0)
			return "number of slots out of range";
		if (p->hello.max_read == 0 || p->hello.max_read > PROTO_MAX_MESSAGE || p->hello.max_write == 0 ||
		    p->hello.max_write > PROTO_MAX_MESSAGE)
			return "read or write limit out of range";
		if (p->hello.staging_size > PROTO_MAX_STAGING)
			return "staging ring is too large";
		return wire_bad_handle(p->hello.root);
	case PROTO_STAGING:
		return p->staging.address > UINT64_MAX - PROTO_MAX_STAGING ? "staging ring wraps" : NULL;
	case PROTO_LOOKUP:
		why = p->lookup.found ? check_attributes(&p->lookup.attr) : NULL;
		return why || !p->lookup.has_directory ? why : check_attributes(&p->lookup.directory);
	case PROTO_GETATTR:
	case PROTO_SETATTR:
	case PROTO_CREATE:
	case PROTO_SYMLINK:
	case PROTO_LINK:
		return check_attributes(&p->attr.attr);
	case PROTO_OPEN:
	case PROTO_REOPEN:
	case PROTO_TMPFILE:
		why = check_attributes(&p->open.attr);
		return why ? why : check_extents(p->open.extent_count, p->open.extents);
	case PROTO_WRITE:
	case PROTO_WRITE_COMMIT:
		if (p->write.size > INT64_MAX)
			return "file size out of range";
		why = check_replaced(p->write.replaced_offset, p->write.replaced_length);
		return why ? why : check_extents(p->write.extent_count, p->write.extents);
	case PROTO_LAYOUT_GET:
		if (p->layout.size > INT64_MAX)
			return "file size out of range";
		return check_extents(p->layout.extent_count, p->layout.extents);
	case PROTO_READDIR:
		if (p->readdir.parent == 0 || p->readdir.parent >> 48)
			return "inode number out of range";
		return p->readdir.entries ? check_dirents(p->readdir.entries, p->readdir.length) : NULL;
	case PROTO_READLINK:
		return p->readlink.target.length > PROTO_MAX_LINK ? "link target too long" : NULL;
	case PROTO_GETXATTR:
	case PROTO_LISTXATTR:
		if (p->xattr.total > PROTO_MAX_XATTR_VALUE || p->xattr.length > p->xattr.total)
			return "attribute's length out of range";
		return NULL;
	case PROTO_SEEK:
		return p->seek.offset > INT64_MAX ? "offset out of range" : NULL;
	case PROTO_COPY:
		if (p->copy.count > PROTO_MAX_COPY)
			return "more was copied than is allowed";
		why = check_attributes(&p->copy.attr);
		return why ? why : check_replaced(p->copy.replaced_offset, p->copy.replaced_length);
	case PROTO_FALLOCATE:
		why = check_attributes(&p->fallocate.attr);
		return why ? why : check_replaced(p->fallocate.replaced_offset, p->fallocate.replaced_length);
	case PROTO_BYE:
	case PROTO_BIND_CONN:
	case PROTO_CRED:
	case PROTO_PING:
	case PROTO_ACCESS:
	case PROTO_CLOSE:
	case PROTO_READ:
	case PROTO_UNLINK:
	case PROTO_RMDIR:
	case PROTO_RENAME:
	case PROTO_SETXATTR:
	case PROTO_REMOVEXATTR:
	case PROTO_QUOTA_GET:
	case PROTO_QUOTA_SET:
	case PROTO_STATFS:
		return NULL;
	default:
		return "reply to an unknown operation";
	}
}

/* ---- replies ----------------------------------------------------------------------------------------------------- */

unsigned proto_reply_handles(struct proto_reply *reply, struct proto_handle *handles[PROTO_MAX_HANDLES])
{
	struct wire w = {.seen = handles};

	fields(&w, reply);
	return w.seen_count;
}

int proto_encode_reply(const struct proto_reply *reply, void *buffer, size_t size)
{
	struct wire w = wire_puts(buffer, size);
	struct wire_header h = {
	    .magic = WIRE_MAGIC_REPLY,
	    .op = reply->op,
	    .slot = reply->slot,
	    .sequence = reply->sequence,
	    .cred_or_status = reply->status,
	    .slots = reply->slots,
	    .window = reply->window,
	    .invalidation = reply->invalidation,
	};

	wire_step(&w, WIRE_HEADER_SIZE);
	if (reply->status == 0)
		fields(&w, (struct proto_reply *)(uintptr_t)reply); /* encoding does not change it */
	else if (reply->op == PROTO_HELLO)
		field_string(&w, (struct proto_string *)(uintptr_t)&reply->reason);
	return wire_finish(&w, buffer, &h);
}

/* The text is shown to users: it must not contain control characters for a terminal. */
static const char *check_reason(struct proto_string reason)
{
	if (reason.length > PROTO_MAX_REASON)
		return "reason too long";
	for (uint32_t i = 0; i < reason.length; i++) {
		if (reason.data[i] < 0x20 || reason.data[i] > 0x7e)
			return "reason is not printable";
	}
	return NULL;
}

int proto_decode_reply(const void *message, size_t length, struct proto_reply *out, const char **why)
{
	struct wire w = wire_takes(message, length);
	struct wire_header h = {0};

	wire_head(&w, &h);
	*why = w.failed ? "shorter than a header" : wire_check_header(&h, WIRE_MAGIC_REPLY, length);
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
	out->slots = h.slots;
	out->window = h.window;
	out->invalidation = h.invalidation;
	out->reason = (struct proto_string){0};
	if (out->status == 0) {
		fields(&w, out);
		*why = w.failed ? "body is shorter than its fields say, or a count is out of range" : check(out);
	} else if (out->op == PROTO_HELLO) {
		field_u32(&w, &out->reason.length);
		out->reason.data = (const char *)wire_step(&w, out->reason.length);
		*why = w.failed ? "reason is cut short" : check_reason(out->reason);
	}
	if (!*why && w.at != w.end)
		*why = "bytes after the last field";
	return *why ? -EPROTO : 0;
}

/* ---- notices ----------------------------------------------------------------------------------------------------- */

bool proto_is_recall(const void *message, size_t length)
{
	struct wire w = wire_takes(message, length);
	uint32_t magic = 0;

	field_u32(&w, &magic);
	return magic == WIRE_MAGIC_NOTICE;
}

int proto_encode_recall(const struct proto_recall *recall, void *buffer, size_t size)
{
	struct wire w = wire_puts(buffer, size);
	struct proto_handle handle = recall->handle;
	struct wire_header h = {
	    .magic = WIRE_MAGIC_NOTICE,
	    .op = PROTO_RECALL,
	    .slot = PROTO_SLOT_NONE,
	    .invalidation = recall->invalidation,
	};

	wire_step(&w, WIRE_HEADER_SIZE);
	field_handle(&w, &handle);
	return wire_finish(&w, buffer, &h);
}

int proto_decode_recall(const void *message, size_t length, struct proto_recall *out, const char **why)
{
	struct wire w = wire_takes(message, length);
	struct wire_header h = {0};

	wire_head(&w, &h);
	out->invalidation = h.invalidation;
	field_handle(&w, &out->handle);
	if (w.failed)
		*why = "shorter than a recall";
	else
		*why = wire_check_header(&h, WIRE_MAGIC_NOTICE, length);
	if (!*why && (h.slots != 0 || h.window != 0))
		*why = "reserved header field is not zero";
	if (!*why && h.op != PROTO_RECALL)
		*why = "unknown notice";
	if (!*why && w.at != w.end)
		*why = "bytes after the last field";
	if (!*why && out->handle.ino >> 48)
		*why = "inode number out of range";
	return *why ? -EPROTO : 0;
}
