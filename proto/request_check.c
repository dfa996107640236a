/*
 * request_check.c -- the one place that validates requests: field by field, each error with its reason and errno.
 */
#include "proto/request_check.h"
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

static bool can_be_created(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		return true;
	default:
		return false;
	}
}

/* ---- operations with more than a few fields ---------------------------------------------------------------------- */

static struct refusal check_hello(const struct proto_request *q)
{
	if (q->hello.min_version > q->hello.max_version)
		return refuse(EPROTO, "version range is empty");
	return accepted;
}

static struct refusal check_cred(const struct proto_request *q)
{
	if (q->cred_set.number == 0 || q->cred_set.number > UINT16_MAX)
		return refuse(EINVAL, "credential number out of range");
	return accepted;
}

static struct refusal check_setattr(const struct proto_request *q)
{
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
	if (flags & PROTO_OPEN_PATH)
		return flags & ~(PROTO_OPEN_PATH | PROTO_OPEN_NOFOLLOW | PROTO_OPEN_RECLAIM)
		           ? refuse(EINVAL, "a reference with more than that")
		           : accepted;
	if (!(flags & (PROTO_OPEN_READ | PROTO_OPEN_WRITE)))
		return refuse(EINVAL, "open for neither reading nor writing");
	if (flags & PROTO_OPEN_APPEND && !(flags & PROTO_OPEN_WRITE))
		return refuse(EINVAL, "append without writing");
	if (flags & PROTO_OPEN_EXCLUSIVE && !(flags & PROTO_OPEN_CREATE))
		return refuse(EINVAL, "exclusive without create");
	if (flags & PROTO_OPEN_CREATE && flags & PROTO_OPEN_DIRECTORY)
		return refuse(EINVAL, "create of a directory by open");
	if (flags & PROTO_OPEN_EXECUTE &&
	    flags & (PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE | PROTO_OPEN_CREATE | PROTO_OPEN_DIRECTORY))
		return refuse(EINVAL, "execution with more than reading");
	if (flags & PROTO_OPEN_RECLAIM && flags & PROTO_OPEN_TRUNCATE)
		return refuse(EINVAL, "truncation of what was open before");
	return accepted;
}

static struct refusal check_open(const struct proto_request *q)
{
	struct refusal bad = check_open_flags(q->open.flags, PROTO_OPEN_FLAGS);

	if (bad.error)
		return bad;
	if (q->open.mode & ~07777u || q->open.umask & ~0777u)
		return refuse(EINVAL, "mode has more than permission bits");
	return check_handle_and_path(q->open.dir, q->open.path);
}

/* A TMPFILE must be opened for writing; of the open flags only EXCLUSIVE makes sense in addition. */
static struct refusal check_tmpfile(const struct proto_request *q)
{
	if (q->open.flags &
	    ~(PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_APPEND | PROTO_OPEN_EXCLUSIVE | PROTO_OPEN_LAYOUT))
		return refuse(EINVAL, "open flag that means nothing without a name");
	if (!(q->open.flags & PROTO_OPEN_WRITE))
		return refuse(EINVAL, "a file without a name that is not written to");
	if (q->open.mode & ~07777u || q->open.umask & ~0777u)
		return refuse(EINVAL, "mode has more than permission bits");
	return check_handle_and_path(q->open.dir, q->open.path);
}

static struct refusal check_write(const struct proto_request *q)
{
	if (q->write.flags & ~PROTO_WRITE_APPEND)
		return refuse(EINVAL, "unknown write flag");
	return check_range(q->write.offset, q->write.length);
}

static struct refusal check_write_commit(const struct proto_request *q)
{
	if (q->write_commit.flags & ~PROTO_WRITE_APPEND)
		return refuse(EINVAL, "unknown write flag");
	if (q->write_commit.staging > UINT64_MAX - q->write_commit.length)
		return refuse(EINVAL, "staging range wraps");
	return check_range(q->write_commit.offset, q->write_commit.length);
}

static struct refusal check_create(const struct proto_request *q)
{
	if (!can_be_created(q->create.mode) || q->create.mode & ~(uint32_t)(S_IFMT | 07777))
		return refuse(EINVAL, "mode names no type that can be created");
	if (q->create.umask & ~0777u)
		return refuse(EINVAL, "umask has more than permission bits");
	return check_handle_and_path(q->create.dir, q->create.path);
}

static struct refusal check_symlink(const struct proto_request *q)
{
	if (q->symlink.target.length == 0)
		return refuse(ENOENT, "empty link target");
	if (q->symlink.target.length > PROTO_MAX_LINK)
		return refuse(ENAMETOOLONG, "link target too long");
	if (memchr(q->symlink.target.data, 0, q->symlink.target.length))
		return refuse(EINVAL, "NUL in a link target");
	return check_handle_and_path(q->symlink.dir, q->symlink.path);
}

static struct refusal check_rename(const struct proto_request *q)
{
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

static struct refusal check_setxattr(const struct proto_request *q)
{
	if (q->setxattr.length > PROTO_MAX_XATTR_VALUE)
		return refuse(E2BIG, "attribute value too long");
	if (q->setxattr.staging != PROTO_XATTR_HERE && q->setxattr.staging > UINT64_MAX - q->setxattr.length)
		return refuse(EINVAL, "staging range wraps");
	if (q->setxattr.flags & ~(PROTO_XATTR_CREATE | PROTO_XATTR_REPLACE))
		return refuse(EINVAL, "unknown attribute flag");
	return check_attribute(q->setxattr.handle, q->setxattr.name);
}

static struct refusal check_fallocate(const struct proto_request *q)
{
	if (q->fallocate.mode & ~PROTO_FALLOCATE_MODES)
		return refuse(EOPNOTSUPP, "unknown fallocate mode");
	return check_range(q->fallocate.offset, q->fallocate.length);
}

static struct refusal check_copy(const struct proto_request *q)
{
	struct refusal bad = check_range(q->copy.from_offset, q->copy.length);

	return bad.error ? bad : check_range(q->copy.to_offset, q->copy.length);
}

/* ---- all operations ---------------------------------------------------------------------------------------------- */

static struct refusal check_body(const struct proto_request *q)
{
	switch (q->op) {
	case PROTO_HELLO:
		return check_hello(q);
	case PROTO_STAGING:
		return q->staging.want <= 1 ? accepted : refuse(EINVAL, "a staging ring is wanted, or given back");
	case PROTO_BIND_CONN:
		return q->bind_conn.session != 0 ? accepted : refuse(EINVAL, "no session has number 0");
	case PROTO_BYE:
	case PROTO_PING:
	case PROTO_LAYOUT_RETURN:
		return accepted;
	case PROTO_CRED:
		return check_cred(q);
	case PROTO_LOOKUP:
		if (q->lookup.flags & ~PROTO_LOOKUP_FLAGS)
			return refuse(EINVAL, "unknown lookup flag");
		return check_handle_and_path(q->lookup.dir, q->lookup.path);
	case PROTO_GETATTR:
	case PROTO_READLINK:
	case PROTO_STATFS:
		return check_handle(q->getattr.handle);
	case PROTO_SETATTR:
		return check_setattr(q);
	case PROTO_ACCESS:
		if (q->access.mask & ~(uint32_t)(R_OK | W_OK | X_OK))
			return refuse(EINVAL, "unknown access bit");
		return check_handle(q->access.handle);
	case PROTO_OPEN:
		return check_open(q);
	case PROTO_REOPEN: {
		struct refusal bad = check_open_flags(
		    q->reopen.flags, PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_APPEND | PROTO_OPEN_TRUNCATE |
		                         PROTO_OPEN_DIRECTORY | PROTO_OPEN_LAYOUT | PROTO_OPEN_NOATIME |
		                         PROTO_OPEN_EXECUTE | PROTO_OPEN_RECLAIM | PROTO_OPEN_PATH);
		return bad.error ? bad : check_handle(q->reopen.handle);
	}
	case PROTO_CLOSE:
		return accepted;
	case PROTO_READ:
		return check_range(q->read.offset, q->read.length);
	case PROTO_WRITE:
		return check_write(q);
	case PROTO_WRITE_COMMIT:
		return check_write_commit(q);
	case PROTO_LAYOUT_GET:
		return check_range(q->layout_get.offset, q->layout_get.length);
	case PROTO_READDIR:
		return check_handle(q->readdir.handle);
	case PROTO_CREATE:
		return check_create(q);
	case PROTO_SYMLINK:
		return check_symlink(q);
	case PROTO_LINK: {
		struct refusal bad = check_handle(q->link.file);
		return bad.error ? bad : check_handle_and_path(q->link.dir, q->link.path);
	}
	case PROTO_UNLINK:
	case PROTO_RMDIR:
		return check_handle_and_path(q->unlink.dir, q->unlink.path);
	case PROTO_RENAME:
		return check_rename(q);
	case PROTO_LISTXATTR:
		return check_handle(q->listxattr.handle);
	case PROTO_GETXATTR:
		return check_attribute(q->getxattr.handle, q->getxattr.name);
	case PROTO_SETXATTR:
		return check_setxattr(q);
	case PROTO_REMOVEXATTR:
		return check_attribute(q->removexattr.handle, q->removexattr.name);
	case PROTO_FALLOCATE:
		return check_fallocate(q);
	case PROTO_SEEK:
		if (q->seek.what > PROTO_SEEK_HOLE)
			return refuse(EINVAL, "seek for neither data nor a hole");
		return q->seek.offset > INT64_MAX ? refuse(ENXIO, "seek beyond all files") : accepted;
	case PROTO_COPY:
		return check_copy(q);
	case PROTO_TMPFILE:
		return check_tmpfile(q);
	case PROTO_QUOTA_GET:
		if (q->quota_get.flags & ~PROTO_QUOTA_NEXT)
			return refuse(EINVAL, "unknown quota flag");
		return q->quota_get.project ? accepted : refuse(EINVAL, "project 0 is none");
	case PROTO_QUOTA_SET:
		return q->quota_set.project ? accepted : refuse(EINVAL, "project 0 is none");
	default:
		return refuse(EOPNOTSUPP, "unknown operation");
	}
}

int request_check(const struct proto_request *request, const char **why)
{
	struct refusal bad = check_body(request);

	*why = bad.why;
	return bad.error;
}
