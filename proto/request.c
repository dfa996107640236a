/*
 * request.c -- converts requests to and from the wire.
 */
#include "proto/request_check.h"
#include "proto/wire.h"

#include <errno.h>

WIRE_FIELDS void groups(struct wire *w, uint32_t *count, uint32_t *group)
{
	field_u32(w, count);
	if (*count > PROTO_MAX_GROUPS)
		w->failed = true;
	for (uint32_t i = 0; !w->failed && i < *count; i++)
		field_u32(w, &group[i]);
}

WIRE_FIELDS void fields(struct wire *w, struct proto_request *q)
{
	switch (q->op) {
	case PROTO_HELLO:
		field_u32(w, &q->hello.min_version);
		field_u32(w, &q->hello.max_version);
		field_u64(w, &q->hello.features);
		field_u64(w, &q->hello.identity);
		field_bytes(w, q->hello.identity_key, sizeof(q->hello.identity_key));
		field_u64(w, &q->hello.session);
		field_u64(w, &q->hello.session_key);
		field_u32(w, &q->hello.slots);
		field_u32(w, &q->hello.uid);
		field_u32(w, &q->hello.gid);
		groups(w, &q->hello.group_count, q->hello.groups);
		break;
	case PROTO_STAGING:
		field_u32(w, &q->staging.want);
		break;
	case PROTO_BIND_CONN:
		field_u64(w, &q->bind_conn.session);
		field_u64(w, &q->bind_conn.session_key);
		break;
	case PROTO_CRED:
		field_u32(w, &q->cred_set.number);
		field_u32(w, &q->cred_set.uid);
		field_u32(w, &q->cred_set.gid);
		groups(w, &q->cred_set.group_count, q->cred_set.groups);
		break;
	case PROTO_LOOKUP:
		field_handle(w, &q->lookup.dir);
		field_u32(w, &q->lookup.flags);
		field_string(w, &q->lookup.path);
		break;
	case PROTO_GETATTR:
	case PROTO_READLINK:
	case PROTO_STATFS:
		field_handle(w, &q->getattr.handle);
		break;
	case PROTO_SETATTR:
		field_handle(w, &q->setattr.handle);
		field_u64(w, &q->setattr.open);
		field_u32(w, &q->setattr.mask);
		field_u32(w, &q->setattr.mode);
		field_u32(w, &q->setattr.uid);
		field_u32(w, &q->setattr.gid);
		field_u32(w, &q->setattr.flags);
		field_u32(w, &q->setattr.project);
		field_u64(w, &q->setattr.size);
		field_i64(w, &q->setattr.atime_ns);
		field_i64(w, &q->setattr.mtime_ns);
		break;
	case PROTO_ACCESS:
		field_handle(w, &q->access.handle);
		field_u32(w, &q->access.mask);
		break;
	case PROTO_OPEN:
	case PROTO_TMPFILE:
		field_handle(w, &q->open.dir);
		field_u32(w, &q->open.flags);
		field_u32(w, &q->open.mode);
		field_u32(w, &q->open.umask);
		field_string(w, &q->open.path);
		break;
	case PROTO_REOPEN:
		field_handle(w, &q->reopen.handle);
		field_u32(w, &q->reopen.flags);
		break;
	case PROTO_CLOSE:
		field_u64(w, &q->close.open);
		break;
	case PROTO_READ:
		field_u64(w, &q->read.open);
		field_u64(w, &q->read.offset);
		field_u32(w, &q->read.length);
		break;
	case PROTO_WRITE:
		field_u64(w, &q->write.open);
		field_u64(w, &q->write.offset);
		field_u32(w, &q->write.flags);
		field_u32(w, &q->write.length);
		field_data(w, &q->write.data, q->write.length);
		break;
	case PROTO_WRITE_COMMIT:
		field_u64(w, &q->write_commit.open);
		field_u64(w, &q->write_commit.offset);
		field_u32(w, &q->write_commit.flags);
		field_u32(w, &q->write_commit.length);
		field_u64(w, &q->write_commit.staging);
		break;
	case PROTO_LAYOUT_GET:
		field_u64(w, &q->layout_get.open);
		field_u64(w, &q->layout_get.offset);
		field_u64(w, &q->layout_get.length);
		break;
	case PROTO_READDIR:
		field_handle(w, &q->readdir.handle);
		field_u64(w, &q->readdir.open);
		field_u64(w, &q->readdir.cookie);
		field_u64(w, &q->readdir.until);
		field_u32(w, &q->readdir.size);
		break;
	case PROTO_CREATE:
		field_handle(w, &q->create.dir);
		field_u32(w, &q->create.mode);
		field_u32(w, &q->create.umask);
		field_u32(w, &q->create.rdev);
		field_string(w, &q->create.path);
		break;
	case PROTO_SYMLINK:
		field_handle(w, &q->symlink.dir);
		field_string(w, &q->symlink.path);
		field_string(w, &q->symlink.target);
		break;
	case PROTO_LINK:
		field_handle(w, &q->link.file);
		field_handle(w, &q->link.dir);
		field_string(w, &q->link.path);
		break;
	case PROTO_UNLINK:
	case PROTO_RMDIR:
		field_handle(w, &q->unlink.dir);
		field_string(w, &q->unlink.path);
		break;
	case PROTO_RENAME:
		field_handle(w, &q->rename.from_dir);
		field_handle(w, &q->rename.to_dir);
		field_u32(w, &q->rename.flags);
		field_string(w, &q->rename.from);
		field_string(w, &q->rename.to);
		break;
	case PROTO_GETXATTR:
	case PROTO_LISTXATTR:
		field_handle(w, &q->getxattr.handle);
		field_u32(w, &q->getxattr.offset);
		field_u32(w, &q->getxattr.size);
		if (q->op == PROTO_GETXATTR)
			field_string(w, &q->getxattr.name);
		break;
	case PROTO_SETXATTR:
		field_handle(w, &q->setxattr.handle);
		field_u32(w, &q->setxattr.flags);
		field_string(w, &q->setxattr.name);
		field_u32(w, &q->setxattr.length);
		field_u64(w, &q->setxattr.staging);
		/* A value that is too long gets its own error, not that of a truncated message. */
		if (q->setxattr.staging == PROTO_XATTR_HERE && q->setxattr.length <= PROTO_MAX_XATTR_VALUE)
			field_data(w, &q->setxattr.value, q->setxattr.length);
		break;
	case PROTO_REMOVEXATTR:
		field_handle(w, &q->removexattr.handle);
		field_string(w, &q->removexattr.name);
		break;
	case PROTO_FALLOCATE:
		field_u64(w, &q->fallocate.open);
		field_u64(w, &q->fallocate.offset);
		field_u64(w, &q->fallocate.length);
		field_u32(w, &q->fallocate.mode);
		break;
	case PROTO_SEEK:
		field_u64(w, &q->seek.open);
		field_u64(w, &q->seek.offset);
		field_u32(w, &q->seek.what);
		break;
	case PROTO_COPY:
		field_u64(w, &q->copy.from_open);
		field_u64(w, &q->copy.to_open);
		field_u64(w, &q->copy.from_offset);
		field_u64(w, &q->copy.to_offset);
		field_u64(w, &q->copy.length);
		break;
	case PROTO_QUOTA_GET:
		field_u32(w, &q->quota_get.project);
		field_u32(w, &q->quota_get.flags);
		break;
	case PROTO_QUOTA_SET:
		field_u32(w, &q->quota_set.project);
		field_u64(w, &q->quota_set.block_limit);
		field_u64(w, &q->quota_set.inode_limit);
		break;
	default: /* BYE, PING and LAYOUT_RETURN have no fields */
		break;
	}
}

static const char *check_slot(const struct proto_request *q)
{
	static const bool is_slotless[] = {
#define PROTO_SLOTLESS(NAME, number) [number] = true,
#include "proto/ops.def"
	};
	bool slotless = q->op < sizeof(is_slotless) / sizeof(is_slotless[0]) && is_slotless[q->op];

	if (slotless && q->slot != PROTO_SLOT_NONE)
		return "operation takes no slot";
	if (slotless && q->close_first != 0)
		return "without a slot nothing can be closed";
	if (!slotless && q->slot >= PROTO_MAX_SLOTS)
		return "slot out of range";
	return NULL;
}

int proto_decode_request(const void *message, size_t length, struct proto_request *out, const char **why)
{
	struct wire w = wire_takes(message, length);
	struct wire_header h = {0};
	int error;

	out->op = 0;
	wire_head(&w, &h);
	if (w.failed) {
		*why = "shorter than a header";
		return -EPROTO;
	}
	*why = wire_check_header(&h, WIRE_MAGIC_REQUEST, length);
	if (*why)
		return -EPROTO;

	out->op = h.op;
	out->slot = h.slot;
	out->sequence = h.sequence;
	out->cred = h.cred_or_status;
	out->slots_used = h.slots;
	out->window = h.window;
	out->quiesced = h.invalidation;
	field_u64(&w, &out->close_first);
	if (w.failed) {
		*why = "shorter than a request's header";
		out->op = 0;
		return -EPROTO;
	}
	*why = check_slot(out);
	if (*why || out->cred > UINT16_MAX) {
		if (!*why)
			*why = "credential number out of range";
		out->op = 0;
		return -EPROTO;
	}

	fields(&w, out);
	/* A truncated body reads as zeros: report the truncation before any error that the zeros would cause. */
	if (w.failed) {
		*why = "body is shorter than its fields say, or a count is out of range";
		return -EPROTO;
	}
	error = request_check(out, why);
	if (error)
		return -error;
	if (w.at != w.end) {
		*why = "bytes after the last field";
		return -EPROTO;
	}
	return 0;
}

uint64_t *proto_request_open(struct proto_request *request)
{
	switch (request->op) {
#define BODY_none         NULL
#define BODY_read         &request->read.open
#define BODY_write        &request->write.open
#define BODY_write_commit &request->write_commit.open
#define BODY_layout_get   &request->layout_get.open
#define BODY_readdir      &request->readdir.open
#define BODY_setattr      &request->setattr.open
#define BODY_fallocate    &request->fallocate.open
#define BODY_seek         &request->seek.open
#define BODY_copy         &request->copy.to_open
#define PROTO_OPERATION(NAME, number, handler, keeps_reply, changes, open)                                             \
	case number:                                                                                                   \
		return BODY_##open;
#include "proto/ops.def"
	default:
		return NULL;
	}
}

bool proto_request_changes(const struct proto_request *request)
{
	switch (request->op) {
#define PROTO_OPERATION(NAME, number, handler, keeps_reply, changes, open)                                             \
	case number:                                                                                                   \
		if (changes)                                                                                           \
			return true;                                                                                   \
		break;
#include "proto/ops.def"
	default:
		break;
	}
	if (request->op == PROTO_OPEN)
		return request->open.flags & (PROTO_OPEN_CREATE | PROTO_OPEN_TRUNCATE);
	return request->op == PROTO_REOPEN && request->reopen.flags & PROTO_OPEN_TRUNCATE;
}

unsigned proto_request_handles(const struct proto_request *request,
                               const struct proto_handle *handles[PROTO_MAX_HANDLES])
{
	struct proto_handle *seen[PROTO_MAX_HANDLES] = {NULL};
	struct wire w = {.seen = seen};

	fields(&w, (struct proto_request *)(uintptr_t)request);
	for (unsigned i = 0; i < w.seen_count; i++)
		handles[i] = seen[i];
	return w.seen_count;
}

bool proto_request_quiesced(const void *message, size_t length, uint64_t *quiesced)
{
	struct wire w = wire_takes(message, length);
	struct wire_header h = {0};

	wire_head(&w, &h);
	*quiesced = h.invalidation;
	return !w.failed && wire_check_header(&h, WIRE_MAGIC_REQUEST, length) == NULL;
}

int proto_encode_request(const struct proto_request *request, void *buffer, size_t size)
{
	struct wire w = wire_puts(buffer, size);
	struct wire_header h = {
	    .magic = WIRE_MAGIC_REQUEST,
	    .op = request->op,
	    .slot = request->slot,
	    .sequence = request->sequence,
	    .cred_or_status = request->cred,
	    .slots = request->slots_used,
	    .window = request->window,
	    .invalidation = request->quiesced,
	};

	uint64_t close_first = request->close_first;

	wire_step(&w, WIRE_HEADER_SIZE);
	field_u64(&w, &close_first);
	fields(&w, (struct proto_request *)(uintptr_t)request); /* encoding does not change it */
	return wire_finish(&w, buffer, &h);
}
