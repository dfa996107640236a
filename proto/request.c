/*
 * request.c -- requests between native form and wire. proto_decode_request is the one place where what a client sends
 * is validated: field by field, each refusal with its reason and errno.
 */
#include "proto/wire.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* A refusal: the reason for the log, the errno for the client. */
struct refusal {
	int error;
	const char *why;
};

static const struct refusal accepted = {0, NULL};

static struct refusal refuse(int error, const char *why)
{
	return (struct refusal){error, why};
}

static struct refusal check_path(struct proto_string s)
{
	const char *why = wire_bad_path(s, PROTO_MAX_PATH);

	if (!why)
		return accepted;
	return refuse(s.length == 0 ? ENOENT : s.length > PROTO_MAX_PATH ? ENAMETOOLONG : EINVAL, why);
}

static struct refusal check_handle(struct proto_handle h)
{
	const char *why = wire_bad_handle(h);

	return why ? refuse(ESTALE, why) : accepted;
}

static struct refusal check_handle_and_path(struct proto_handle h, struct proto_string s)
{
	struct refusal bad = check_handle(h);

	return bad.error ? bad : check_path(s);
}

static struct refusal check_range(uint64_t offset, uint64_t length)
{
	if (length == 0)
		return refuse(EINVAL, "empty range");
	if (offset > INT64_MAX || length > INT64_MAX - offset)
		return refuse(EFBIG, "range beyond the largest file");
	return accepted;
}

static bool is_type(uint32_t mode, bool with_symlink)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		return true;
	case S_IFLNK:
		return with_symlink;
	default:
		return false;
	}
}

/* ---- bodies that are more than a few fields --------------------------------------------------------------------- */

static uint32_t take_groups(struct wire_reader *r, uint32_t *groups)
{
	uint32_t count = take_u32(r);

	if (count > PROTO_MAX_GROUPS) {
		r->failed = true;
		return 0;
	}
	for (uint32_t i = 0; i < count; i++)
		groups[i] = take_u32(r);
	return count;
}

static void put_groups(struct wire_writer *w, uint32_t count, const uint32_t *groups)
{
	put_u32(w, count);
	for (uint32_t i = 0; i < count && i < PROTO_MAX_GROUPS; i++)
		put_u32(w, groups[i]);
}

static struct refusal take_hello(struct wire_reader *r, struct proto_request *q)
{
	q->hello.min_version = take_u32(r);
	q->hello.max_version = take_u32(r);
	q->hello.features = take_u64(r);
	take_bytes(r, q->hello.client, sizeof(q->hello.client));
	q->hello.session = take_u64(r);
	q->hello.session_key = take_u64(r);
	q->hello.uid = take_u32(r);
	q->hello.gid = take_u32(r);
	q->hello.group_count = take_groups(r, q->hello.groups);
	if (q->hello.min_version > q->hello.max_version)
		return refuse(EPROTO, "version range is empty");
	return accepted;
}

static struct refusal take_cred(struct wire_reader *r, struct proto_request *q)
{
	q->cred_set.number = take_u32(r);
	q->cred_set.uid = take_u32(r);
	q->cred_set.gid = take_u32(r);
	q->cred_set.group_count = take_groups(r, q->cred_set.groups);
	if (q->cred_set.number == 0 || q->cred_set.number > UINT16_MAX)
		return refuse(EINVAL, "credential number out of range");
	return accepted;
}

static struct refusal take_setattr(struct wire_reader *r, struct proto_request *q)
{
	q->setattr.handle = take_handle(r);
	q->setattr.open = take_u64(r);
	q->setattr.mask = take_u32(r);
	q->setattr.mode = take_u32(r);
	q->setattr.uid = take_u32(r);
	q->setattr.gid = take_u32(r);
	q->setattr.flags = take_u32(r);
	q->setattr.project = take_u32(r);
	q->setattr.size = take_u64(r);
	q->setattr.atime_ns = (int64_t)take_u64(r);
	q->setattr.mtime_ns = (int64_t)take_u64(r);
	if (q->setattr.mask & ~PROTO_SET_ALL)
		return refuse(EINVAL, "unknown attribute in the mask");
	if ((q->setattr.mask & PROTO_SET_ATIME && q->setattr.mask & PROTO_SET_ATIME_NOW) ||
	    (q->setattr.mask & PROTO_SET_MTIME && q->setattr.mask & PROTO_SET_MTIME_NOW))
		return refuse(EINVAL, "a time is set both to a value and to now");
	if (q->setattr.mask & PROTO_SET_MODE && q->setattr.mode & ~07777u)
		return refuse(EINVAL, "mode has more than permission bits");
	if (q->setattr.mask & PROTO_SET_SIZE && q->setattr.size > INT64_MAX)
		return refuse(EFBIG, "size beyond the largest file");
	return check_handle(q->setattr.handle);
}

static struct refusal check_open_flags(uint32_t flags, uint32_t allowed)
{
	if (flags & ~allowed)
		return refuse(EINVAL, "unknown open flag");
	if (!(flags & (PROTO_OPEN_READ | PROTO_OPEN_WRITE)))
		return refuse(EINVAL, "open for neither reading nor writing");
	if (flags & PROTO_OPEN_APPEND && !(flags & PROTO_OPEN_WRITE))
		return refuse(EINVAL, "append without writing");
	if (flags & PROTO_OPEN_EXCLUSIVE && !(flags & PROTO_OPEN_CREATE))
		return refuse(EINVAL, "exclusive without create");
	if (flags & PROTO_OPEN_CREATE && flags & PROTO_OPEN_DIRECTORY)
		return refuse(EINVAL, "create of a directory by open");
	return accepted;
}

static struct refusal take_open(struct wire_reader *r, struct proto_request *q)
{
	q->open.dir = take_handle(r);
	q->open.flags = take_u32(r);
	q->open.mode = take_u32(r);
	q->open.umask = take_u32(r);
	q->open.path = take_string(r);
	struct refusal bad = check_open_flags(q->open.flags, PROTO_OPEN_FLAGS);
	if (bad.error)
		return bad;
	if (q->open.mode & ~07777u || q->open.umask & ~0777u)
		return refuse(EINVAL, "mode has more than permission bits");
	return check_handle_and_path(q->open.dir, q->open.path);
}

/* A new file is written to, or it would be of no use; nothing else than EXCLUSIVE makes sense with it. */
static struct refusal take_tmpfile(struct wire_reader *r, struct proto_request *q)
{
	q->open.dir = take_handle(r);
	q->open.flags = take_u32(r);
	q->open.mode = take_u32(r);
	q->open.umask = take_u32(r);
	q->open.path = take_string(r);
	if (q->open.flags &
	    ~(PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_APPEND | PROTO_OPEN_EXCLUSIVE | PROTO_OPEN_LAYOUT))
		return refuse(EINVAL, "open flag that means nothing without a name");
	if (!(q->open.flags & PROTO_OPEN_WRITE))
		return refuse(EINVAL, "a file without a name that is not written to");
	if (q->open.mode & ~07777u || q->open.umask & ~0777u)
		return refuse(EINVAL, "mode has more than permission bits");
	return check_handle_and_path(q->open.dir, q->open.path);
}

static struct refusal take_write(struct wire_reader *r, struct proto_request *q)
{
	q->write.open = take_u64(r);
	q->write.offset = take_u64(r);
	q->write.flags = take_u32(r);
	q->write.length = take_u32(r);
	q->write.data = wire_take(r, q->write.length);
	if (q->write.flags & ~PROTO_WRITE_APPEND)
		return refuse(EINVAL, "unknown write flag");
	return check_range(q->write.offset, q->write.length);
}

static struct refusal take_write_commit(struct wire_reader *r, struct proto_request *q)
{
	q->write_commit.open = take_u64(r);
	q->write_commit.offset = take_u64(r);
	q->write_commit.flags = take_u32(r);
	q->write_commit.length = take_u32(r);
	q->write_commit.staging = take_u64(r);
	if (q->write_commit.flags & ~PROTO_WRITE_APPEND)
		return refuse(EINVAL, "unknown write flag");
	if (q->write_commit.staging > UINT64_MAX - q->write_commit.length)
		return refuse(EINVAL, "staging range wraps");
	return check_range(q->write_commit.offset, q->write_commit.length);
}

static struct refusal take_create(struct wire_reader *r, struct proto_request *q)
{
	q->create.dir = take_handle(r);
	q->create.mode = take_u32(r);
	q->create.umask = take_u32(r);
	q->create.rdev = take_u32(r);
	q->create.path = take_string(r);
	if (!is_type(q->create.mode, false) || q->create.mode & ~(uint32_t)(S_IFMT | 07777))
		return refuse(EINVAL, "mode names no type that can be created");
	if (q->create.umask & ~0777u)
		return refuse(EINVAL, "umask has more than permission bits");
	return check_handle_and_path(q->create.dir, q->create.path);
}

static struct refusal take_symlink(struct wire_reader *r, struct proto_request *q)
{
	q->symlink.dir = take_handle(r);
	q->symlink.path = take_string(r);
	q->symlink.target = take_string(r);
	if (q->symlink.target.length == 0)
		return refuse(ENOENT, "empty link target");
	if (q->symlink.target.length > PROTO_MAX_LINK)
		return refuse(ENAMETOOLONG, "link target too long");
	if (memchr(q->symlink.target.data, 0, q->symlink.target.length))
		return refuse(EINVAL, "NUL in a link target");
	return check_handle_and_path(q->symlink.dir, q->symlink.path);
}

static struct refusal take_rename(struct wire_reader *r, struct proto_request *q)
{
	q->rename.from_dir = take_handle(r);
	q->rename.to_dir = take_handle(r);
	q->rename.flags = take_u32(r);
	q->rename.from = take_string(r);
	q->rename.to = take_string(r);
	if (q->rename.flags & ~(PROTO_RENAME_NOREPLACE | PROTO_RENAME_EXCHANGE))
		return refuse(EINVAL, "unknown rename flag");
	if (q->rename.flags == (PROTO_RENAME_NOREPLACE | PROTO_RENAME_EXCHANGE))
		return refuse(EINVAL, "rename flags exclude each other");
	struct refusal bad = check_handle_and_path(q->rename.from_dir, q->rename.from);
	return bad.error ? bad : check_handle_and_path(q->rename.to_dir, q->rename.to);
}

static struct refusal check_attribute(struct proto_handle h, struct proto_string name)
{
	struct refusal bad = check_handle(h);

	if (bad.error)
		return bad;
	if (name.length == 0 || name.length > PROTO_MAX_XATTR_NAME)
		return refuse(ERANGE, "attribute name of impossible length");
	if (memchr(name.data, 0, name.length))
		return refuse(EINVAL, "NUL in an attribute name");
	return accepted;
}

static struct refusal take_setxattr(struct wire_reader *r, struct proto_request *q)
{
	q->setxattr.handle = take_handle(r);
	q->setxattr.flags = take_u32(r);
	q->setxattr.name = take_string(r);
	q->setxattr.length = take_u32(r);
	q->setxattr.staging = take_u64(r);
	if (q->setxattr.length > PROTO_MAX_XATTR_VALUE)
		return refuse(E2BIG, "attribute value too long");
	if (q->setxattr.staging == PROTO_XATTR_HERE)
		q->setxattr.value = wire_take(r, q->setxattr.length);
	else if (q->setxattr.staging > UINT64_MAX - q->setxattr.length)
		return refuse(EINVAL, "staging range wraps");
	if (q->setxattr.flags & ~(PROTO_XATTR_CREATE | PROTO_XATTR_REPLACE))
		return refuse(EINVAL, "unknown attribute flag");
	return check_attribute(q->setxattr.handle, q->setxattr.name);
}

static struct refusal take_fallocate(struct wire_reader *r, struct proto_request *q)
{
	q->fallocate.open = take_u64(r);
	q->fallocate.offset = take_u64(r);
	q->fallocate.length = take_u64(r);
	q->fallocate.mode = take_u32(r);
	if (q->fallocate.mode & ~PROTO_FALLOCATE_MODES)
		return refuse(EOPNOTSUPP, "unknown fallocate mode");
	return check_range(q->fallocate.offset, q->fallocate.length);
}

static struct refusal take_copy(struct wire_reader *r, struct proto_request *q)
{
	q->copy.from_open = take_u64(r);
	q->copy.to_open = take_u64(r);
	q->copy.from_offset = take_u64(r);
	q->copy.to_offset = take_u64(r);
	q->copy.length = take_u64(r);
	struct refusal bad = check_range(q->copy.from_offset, q->copy.length);
	return bad.error ? bad : check_range(q->copy.to_offset, q->copy.length);
}

/* ---- all bodies ---------------------------------------------------------------------------------------------------
 */

static struct refusal take_body(struct wire_reader *r, struct proto_request *q)
{
	switch (q->op) {
	case PROTO_HELLO:
		return take_hello(r, q);
	case PROTO_BYE:
	case PROTO_PING:
	case PROTO_LAYOUT_RETURN:
		return accepted;
	case PROTO_CRED:
		return take_cred(r, q);
	case PROTO_LOOKUP:
		q->lookup.dir = take_handle(r);
		q->lookup.flags = take_u32(r);
		q->lookup.path = take_string(r);
		if (q->lookup.flags & ~PROTO_LOOKUP_NOFOLLOW)
			return refuse(EINVAL, "unknown lookup flag");
		return check_handle_and_path(q->lookup.dir, q->lookup.path);
	case PROTO_GETATTR:
	case PROTO_READLINK:
	case PROTO_STATFS:
		q->getattr.handle = take_handle(r);
		return check_handle(q->getattr.handle);
	case PROTO_SETATTR:
		return take_setattr(r, q);
	case PROTO_ACCESS:
		q->access.handle = take_handle(r);
		q->access.mask = take_u32(r);
		if (q->access.mask & ~(uint32_t)(R_OK | W_OK | X_OK))
			return refuse(EINVAL, "unknown access bit");
		return check_handle(q->access.handle);
	case PROTO_OPEN:
		return take_open(r, q);
	case PROTO_REOPEN: {
		q->reopen.handle = take_handle(r);
		q->reopen.flags = take_u32(r);
		struct refusal bad = check_open_flags(
		    q->reopen.flags, PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_APPEND | PROTO_OPEN_TRUNCATE |
		                         PROTO_OPEN_DIRECTORY | PROTO_OPEN_LAYOUT | PROTO_OPEN_NOATIME);
		return bad.error ? bad : check_handle(q->reopen.handle);
	}
	case PROTO_CLOSE:
		q->close.open = take_u64(r);
		return accepted;
	case PROTO_READ:
		q->read.open = take_u64(r);
		q->read.offset = take_u64(r);
		q->read.length = take_u32(r);
		return check_range(q->read.offset, q->read.length);
	case PROTO_WRITE:
		return take_write(r, q);
	case PROTO_WRITE_COMMIT:
		return take_write_commit(r, q);
	case PROTO_LAYOUT_GET:
		q->layout_get.open = take_u64(r);
		q->layout_get.offset = take_u64(r);
		q->layout_get.length = take_u64(r);
		return check_range(q->layout_get.offset, q->layout_get.length);
	case PROTO_READDIR:
		q->readdir.handle = take_handle(r);
		q->readdir.open = take_u64(r);
		q->readdir.cookie = take_u64(r);
		q->readdir.size = take_u32(r);
		return check_handle(q->readdir.handle);
	case PROTO_CREATE:
		return take_create(r, q);
	case PROTO_SYMLINK:
		return take_symlink(r, q);
	case PROTO_LINK:
		q->link.file = take_handle(r);
		q->link.dir = take_handle(r);
		q->link.path = take_string(r);
		{
			struct refusal bad = check_handle(q->link.file);
			return bad.error ? bad : check_handle_and_path(q->link.dir, q->link.path);
		}
	case PROTO_UNLINK:
	case PROTO_RMDIR:
		q->unlink.dir = take_handle(r);
		q->unlink.path = take_string(r);
		return check_handle_and_path(q->unlink.dir, q->unlink.path);
	case PROTO_RENAME:
		return take_rename(r, q);
	case PROTO_GETXATTR:
	case PROTO_LISTXATTR:
		q->getxattr.handle = take_handle(r);
		q->getxattr.offset = take_u32(r);
		q->getxattr.size = take_u32(r);
		if (q->op == PROTO_LISTXATTR)
			return check_handle(q->getxattr.handle);
		q->getxattr.name = take_string(r);
		return check_attribute(q->getxattr.handle, q->getxattr.name);
	case PROTO_SETXATTR:
		return take_setxattr(r, q);
	case PROTO_REMOVEXATTR:
		q->removexattr.handle = take_handle(r);
		q->removexattr.name = take_string(r);
		return check_attribute(q->removexattr.handle, q->removexattr.name);
	case PROTO_FALLOCATE:
		return take_fallocate(r, q);
	case PROTO_SEEK:
		q->seek.open = take_u64(r);
		q->seek.offset = take_u64(r);
		q->seek.what = take_u32(r);
		if (q->seek.what > PROTO_SEEK_HOLE)
			return refuse(EINVAL, "seek for neither data nor a hole");
		return q->seek.offset > INT64_MAX ? refuse(ENXIO, "seek beyond all files") : accepted;
	case PROTO_COPY:
		return take_copy(r, q);
	case PROTO_TMPFILE:
		return take_tmpfile(r, q);
	case PROTO_QUOTA_GET:
		q->quota_get.project = take_u32(r);
		q->quota_get.flags = take_u32(r);
		if (q->quota_get.flags & ~PROTO_QUOTA_NEXT)
			return refuse(EINVAL, "unknown quota flag");
		return q->quota_get.project ? accepted : refuse(EINVAL, "project 0 is none");
	case PROTO_QUOTA_SET:
		q->quota_set.project = take_u32(r);
		q->quota_set.block_limit = take_u64(r);
		q->quota_set.inode_limit = take_u64(r);
		return q->quota_set.project ? accepted : refuse(EINVAL, "project 0 is none");
	default:
		return refuse(EOPNOTSUPP, "unknown operation");
	}
}

static const char *check_slot(const struct proto_request *q)
{
	bool slotless = q->op == PROTO_HELLO || q->op == PROTO_BYE || q->op == PROTO_LAYOUT_RETURN;

	if (slotless && q->slot != PROTO_SLOT_NONE)
		return "operation takes no slot";
	if (!slotless && q->slot >= PROTO_MAX_SLOTS)
		return "slot out of range";
	return NULL;
}

int proto_decode_request(const void *message, size_t length, struct proto_request *out, const char **why)
{
	struct wire_reader r = {.at = message, .end = (const uint8_t *)message + length};
	struct wire_header h;

	out->op = 0;
	take_header(&r, &h);
	if (r.failed) {
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
	out->quiesced = h.invalidation;
	*why = check_slot(out);
	if (*why || out->cred > UINT16_MAX) {
		if (!*why)
			*why = "credential number out of range";
		out->op = 0;
		return -EPROTO;
	}

	struct refusal bad = take_body(&r, out);
	/* A body cut short gives zeros for the fields that are missing: that comes before what the zeros mean. */
	if (r.failed) {
		*why = "body is shorter than its fields say, or a count is out of range";
		return -EPROTO;
	}
	if (bad.error) {
		*why = bad.why;
		return -bad.error;
	}
	if (r.at != r.end) {
		*why = "bytes after the last field";
		return -EPROTO;
	}
	return 0;
}

static void put_body(struct wire_writer *w, const struct proto_request *q)
{
	switch (q->op) {
	case PROTO_HELLO:
		put_u32(w, q->hello.min_version);
		put_u32(w, q->hello.max_version);
		put_u64(w, q->hello.features);
		put_bytes(w, q->hello.client, sizeof(q->hello.client));
		put_u64(w, q->hello.session);
		put_u64(w, q->hello.session_key);
		put_u32(w, q->hello.uid);
		put_u32(w, q->hello.gid);
		put_groups(w, q->hello.group_count, q->hello.groups);
		break;
	case PROTO_CRED:
		put_u32(w, q->cred_set.number);
		put_u32(w, q->cred_set.uid);
		put_u32(w, q->cred_set.gid);
		put_groups(w, q->cred_set.group_count, q->cred_set.groups);
		break;
	case PROTO_LOOKUP:
		put_handle(w, q->lookup.dir);
		put_u32(w, q->lookup.flags);
		put_string(w, q->lookup.path);
		break;
	case PROTO_GETATTR:
	case PROTO_READLINK:
	case PROTO_STATFS:
		put_handle(w, q->getattr.handle);
		break;
	case PROTO_SETATTR:
		put_handle(w, q->setattr.handle);
		put_u64(w, q->setattr.open);
		put_u32(w, q->setattr.mask);
		put_u32(w, q->setattr.mode);
		put_u32(w, q->setattr.uid);
		put_u32(w, q->setattr.gid);
		put_u32(w, q->setattr.flags);
		put_u32(w, q->setattr.project);
		put_u64(w, q->setattr.size);
		put_u64(w, (uint64_t)q->setattr.atime_ns);
		put_u64(w, (uint64_t)q->setattr.mtime_ns);
		break;
	case PROTO_ACCESS:
		put_handle(w, q->access.handle);
		put_u32(w, q->access.mask);
		break;
	case PROTO_OPEN:
	case PROTO_TMPFILE:
		put_handle(w, q->open.dir);
		put_u32(w, q->open.flags);
		put_u32(w, q->open.mode);
		put_u32(w, q->open.umask);
		put_string(w, q->open.path);
		break;
	case PROTO_REOPEN:
		put_handle(w, q->reopen.handle);
		put_u32(w, q->reopen.flags);
		break;
	case PROTO_CLOSE:
		put_u64(w, q->close.open);
		break;
	case PROTO_READ:
		put_u64(w, q->read.open);
		put_u64(w, q->read.offset);
		put_u32(w, q->read.length);
		break;
	case PROTO_WRITE:
		put_u64(w, q->write.open);
		put_u64(w, q->write.offset);
		put_u32(w, q->write.flags);
		put_u32(w, q->write.length);
		put_bytes(w, q->write.data, q->write.length);
		break;
	case PROTO_WRITE_COMMIT:
		put_u64(w, q->write_commit.open);
		put_u64(w, q->write_commit.offset);
		put_u32(w, q->write_commit.flags);
		put_u32(w, q->write_commit.length);
		put_u64(w, q->write_commit.staging);
		break;
	case PROTO_LAYOUT_GET:
		put_u64(w, q->layout_get.open);
		put_u64(w, q->layout_get.offset);
		put_u64(w, q->layout_get.length);
		break;
	case PROTO_READDIR:
		put_handle(w, q->readdir.handle);
		put_u64(w, q->readdir.open);
		put_u64(w, q->readdir.cookie);
		put_u32(w, q->readdir.size);
		break;
	case PROTO_CREATE:
		put_handle(w, q->create.dir);
		put_u32(w, q->create.mode);
		put_u32(w, q->create.umask);
		put_u32(w, q->create.rdev);
		put_string(w, q->create.path);
		break;
	case PROTO_SYMLINK:
		put_handle(w, q->symlink.dir);
		put_string(w, q->symlink.path);
		put_string(w, q->symlink.target);
		break;
	case PROTO_LINK:
		put_handle(w, q->link.file);
		put_handle(w, q->link.dir);
		put_string(w, q->link.path);
		break;
	case PROTO_UNLINK:
	case PROTO_RMDIR:
		put_handle(w, q->unlink.dir);
		put_string(w, q->unlink.path);
		break;
	case PROTO_RENAME:
		put_handle(w, q->rename.from_dir);
		put_handle(w, q->rename.to_dir);
		put_u32(w, q->rename.flags);
		put_string(w, q->rename.from);
		put_string(w, q->rename.to);
		break;
	case PROTO_GETXATTR:
	case PROTO_LISTXATTR:
		put_handle(w, q->getxattr.handle);
		put_u32(w, q->getxattr.offset);
		put_u32(w, q->getxattr.size);
		if (q->op == PROTO_GETXATTR)
			put_string(w, q->getxattr.name);
		break;
	case PROTO_SETXATTR:
		put_handle(w, q->setxattr.handle);
		put_u32(w, q->setxattr.flags);
		put_string(w, q->setxattr.name);
		put_u32(w, q->setxattr.length);
		put_u64(w, q->setxattr.staging);
		if (q->setxattr.staging == PROTO_XATTR_HERE)
			put_bytes(w, q->setxattr.value, q->setxattr.length);
		break;
	case PROTO_REMOVEXATTR:
		put_handle(w, q->removexattr.handle);
		put_string(w, q->removexattr.name);
		break;
	case PROTO_FALLOCATE:
		put_u64(w, q->fallocate.open);
		put_u64(w, q->fallocate.offset);
		put_u64(w, q->fallocate.length);
		put_u32(w, q->fallocate.mode);
		break;
	case PROTO_SEEK:
		put_u64(w, q->seek.open);
		put_u64(w, q->seek.offset);
		put_u32(w, q->seek.what);
		break;
	case PROTO_COPY:
		put_u64(w, q->copy.from_open);
		put_u64(w, q->copy.to_open);
		put_u64(w, q->copy.from_offset);
		put_u64(w, q->copy.to_offset);
		put_u64(w, q->copy.length);
		break;
	case PROTO_QUOTA_GET:
		put_u32(w, q->quota_get.project);
		put_u32(w, q->quota_get.flags);
		break;
	case PROTO_QUOTA_SET:
		put_u32(w, q->quota_set.project);
		put_u64(w, q->quota_set.block_limit);
		put_u64(w, q->quota_set.inode_limit);
		break;
	default: /* BYE, PING and LAYOUT_RETURN have no body */
		break;
	}
}

int proto_encode_request(const struct proto_request *request, void *buffer, size_t size)
{
	struct wire_writer w = {.at = buffer, .end = (uint8_t *)buffer + size};
	struct wire_header h = {
	    .magic = WIRE_MAGIC_REQUEST,
	    .op = request->op,
	    .slot = request->slot,
	    .sequence = request->sequence,
	    .cred_or_status = request->cred,
	    .invalidation = request->quiesced,
	};

	wire_room(&w, WIRE_HEADER_SIZE);
	put_body(&w, request);
	return wire_finish(&w, buffer, &h);
}
