/*
 * proto_test.c -- the wire protocol: what is encoded decodes to the same, and whatever else arrives is refused with a
 * reason and touches nothing.
 */
#include "common/le.h"
#include "proto/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct proto_handle dir = {.ino = 0x1234, .generation = 7, .seal = 0x0123456789abcdef};
static const struct proto_handle file = {.ino = 0xffffffffffff, .generation = 0xffffffff, .seal = ~0ULL};

static struct proto_string string(const char *s)
{
	return (struct proto_string){.data = s, .length = (uint32_t)strlen(s)};
}

static void fill_request(struct proto_request *q, uint16_t op)
{
	memset(q, 0, sizeof(*q));
	q->op = op;
	q->slot = op == PROTO_HELLO || op == PROTO_BYE || op == PROTO_LAYOUT_RETURN ? PROTO_SLOT_NONE : 5;
	q->sequence = 99;
	q->cred = 3;
	q->quiesced = 1ULL << 40;
	q->close_first = q->slot == PROTO_SLOT_NONE ? 0 : 1ULL << 41;
	switch (op) {
	case PROTO_HELLO:
		q->hello.min_version = q->hello.max_version = PROTO_VERSION;
		q->hello.identity = 0x1122334455667788;
		memset(q->hello.identity_key, 0xab, sizeof(q->hello.identity_key));
		q->hello.session = 17;
		q->hello.session_key = ~0ULL;
		q->hello.uid = 1000;
		q->hello.gid = 100;
		q->hello.group_count = 2;
		q->hello.groups[0] = 4;
		q->hello.groups[1] = 27;
		break;
	case PROTO_CRED:
		q->cred_set.number = 65535;
		q->cred_set.uid = 1;
		q->cred_set.group_count = PROTO_MAX_GROUPS;
		for (unsigned i = 0; i < PROTO_MAX_GROUPS; i++)
			q->cred_set.groups[i] = i;
		break;
	case PROTO_LOOKUP:
		q->lookup.dir = dir;
		q->lookup.flags = PROTO_LOOKUP_NOFOLLOW;
		q->lookup.path = string("/a/b");
		break;
	case PROTO_GETATTR:
	case PROTO_READLINK:
	case PROTO_STATFS:
		q->getattr.handle = file;
		break;
	case PROTO_SETATTR:
		q->setattr.handle = file;
		q->setattr.open = 8;
		q->setattr.mask =
		    PROTO_SET_MODE | PROTO_SET_SIZE | PROTO_SET_ATIME | PROTO_SET_MTIME_NOW | PROTO_SET_FLAGS;
		q->setattr.mode = 0640;
		q->setattr.flags = PROTO_FILE_APPEND;
		q->setattr.project = 7;
		q->setattr.size = INT64_MAX;
		q->setattr.atime_ns = -1;
		break;
	case PROTO_ACCESS:
		q->access.handle = file;
		q->access.mask = R_OK | X_OK;
		break;
	case PROTO_OPEN:
		q->open.dir = dir;
		q->open.flags = PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_CREATE | PROTO_OPEN_EXCLUSIVE;
		q->open.mode = 0600;
		q->open.umask = 0022;
		q->open.path = string("f");
		break;
	case PROTO_REOPEN:
		q->reopen.handle = file;
		q->reopen.flags = PROTO_OPEN_READ | PROTO_OPEN_LAYOUT;
		break;
	case PROTO_CLOSE:
		q->close.open = 4;
		break;
	case PROTO_READ:
		q->read.open = 4;
		q->read.offset = 1;
		q->read.length = 4096;
		break;
	case PROTO_WRITE:
		q->write.open = 4;
		q->write.offset = INT64_MAX - 5;
		q->write.flags = PROTO_WRITE_APPEND;
		q->write.length = 5;
		q->write.data = "hello";
		break;
	case PROTO_WRITE_COMMIT:
		q->write_commit.open = 4;
		q->write_commit.offset = 4096;
		q->write_commit.length = 1 << 20;
		q->write_commit.staging = 65536;
		break;
	case PROTO_LAYOUT_GET:
		q->layout_get.open = 4;
		q->layout_get.length = INT64_MAX;
		break;
	case PROTO_READDIR:
		q->readdir.handle = dir;
		q->readdir.cookie = 12;
		q->readdir.size = 16384;
		break;
	case PROTO_CREATE:
		q->create.dir = dir;
		q->create.mode = S_IFDIR | 0755;
		q->create.umask = 0777;
		q->create.path = string("sub");
		break;
	case PROTO_SYMLINK:
		q->symlink.dir = dir;
		q->symlink.path = string("l");
		q->symlink.target = string("../somewhere");
		break;
	case PROTO_LINK:
		q->link.file = file;
		q->link.dir = dir;
		q->link.path = string("hard");
		break;
	case PROTO_UNLINK:
	case PROTO_RMDIR:
		q->unlink.dir = dir;
		q->unlink.path = string("x/y");
		break;
	case PROTO_RENAME:
		q->rename.from_dir = dir;
		q->rename.to_dir = file;
		q->rename.flags = PROTO_RENAME_EXCHANGE;
		q->rename.from = string("old");
		q->rename.to = string("new");
		break;
	case PROTO_TMPFILE:
		q->open.dir = dir;
		q->open.flags = PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_EXCLUSIVE;
		q->open.mode = 0600;
		q->open.umask = 022;
		q->open.path = string("a/dir");
		break;
	case PROTO_QUOTA_GET:
		q->quota_get.project = 7;
		q->quota_get.flags = PROTO_QUOTA_NEXT;
		break;
	case PROTO_QUOTA_SET:
		q->quota_set.project = UINT32_MAX;
		q->quota_set.block_limit = UINT64_MAX;
		q->quota_set.inode_limit = 1;
		break;
	case PROTO_GETXATTR:
		q->getxattr.name = string("user.a");
		/* fall through */
	case PROTO_LISTXATTR:
		q->getxattr.handle = file;
		q->getxattr.offset = 16000;
		q->getxattr.size = PROTO_MAX_XATTR_VALUE;
		break;
	case PROTO_SETXATTR:
		q->setxattr.handle = file;
		q->setxattr.flags = PROTO_XATTR_REPLACE;
		q->setxattr.name = string("trusted.b");
		q->setxattr.length = 5;
		q->setxattr.staging = PROTO_XATTR_HERE;
		q->setxattr.value = "value";
		break;
	case PROTO_REMOVEXATTR:
		q->removexattr.handle = file;
		q->removexattr.name = string("security.c");
		break;
	case PROTO_FALLOCATE:
		q->fallocate.open = 4;
		q->fallocate.offset = 4096;
		q->fallocate.length = INT64_MAX - 4096;
		q->fallocate.mode = PROTO_FALLOCATE_PUNCH_HOLE | PROTO_FALLOCATE_KEEP_SIZE;
		break;
	case PROTO_SEEK:
		q->seek.open = 4;
		q->seek.offset = INT64_MAX;
		q->seek.what = PROTO_SEEK_HOLE;
		break;
	case PROTO_COPY:
		q->copy.from_open = 4;
		q->copy.to_open = 5;
		q->copy.from_offset = 6;
		q->copy.to_offset = 7;
		q->copy.length = 1ULL << 40;
		break;
	default:
		break;
	}
}

static const uint16_t request_ops[] = {
#define PROTO_SLOTLESS(NAME, number)                                       PROTO_##NAME,
#define PROTO_OPERATION(NAME, number, handler, keeps_reply, changes, open) PROTO_##NAME,
#include "proto/ops.def"
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint8_t buffer[PROTO_MAX_MESSAGE], again[PROTO_MAX_MESSAGE];

static void every_request_survives_the_wire(void **state)
{
	for (size_t i = 0; i < COUNT(request_ops); i++) {
		struct proto_request in, out;
		const char *why = NULL;

		fill_request(&in, request_ops[i]);
		int length = proto_encode_request(&in, buffer, sizeof(buffer));
		assert_true(length >= (int)PROTO_REQUEST_HEADER);
		if (proto_decode_request(buffer, (size_t)length, &out, &why) != 0)
			fail_msg("%s refused: %s", proto_op_name(request_ops[i]), why);
		assert_int_equal(out.op, in.op);
		assert_int_equal(out.slot, in.slot);
		assert_int_equal(out.sequence, in.sequence);
		assert_int_equal(out.cred, in.cred);
		assert_true(out.quiesced == in.quiesced);
		assert_true(out.close_first == in.close_first);
		/* The decoded form holds pointers, so equality is judged on what it encodes to. */
		assert_int_equal(proto_encode_request(&out, again, sizeof(again)), length);
		assert_memory_equal(buffer, again, (size_t)length);
	}
}

static bool is_one_of_ours(const struct proto_handle *h)
{
	return (h->ino == dir.ino && h->generation == dir.generation && h->seal == dir.seal) ||
	       (h->ino == file.ino && h->generation == file.generation && h->seal == file.seal);
}

/* Counted in the bytes: where a handle begins its number does, and no other field of these messages looks like one. */
static unsigned handles_in(const uint8_t *bytes, size_t length)
{
	unsigned count = 0;

	for (size_t at = 0; at + 20 <= length; at++) {
		le64 ino, seal;
		le32 generation;
		memcpy(&ino, bytes + at, 8);
		memcpy(&generation, bytes + at + 8, 4);
		memcpy(&seal, bytes + at + 12, 8);
		count += is_one_of_ours(&(struct proto_handle){le64_get(ino), le32_get(generation), le64_get(seal)});
	}
	return count;
}

static void all_handles_of_a_request_are_found(void **state)
{
	unsigned with_handles = 0;

	for (size_t i = 0; i < COUNT(request_ops); i++) {
		const struct proto_handle *handles[PROTO_MAX_HANDLES];
		struct proto_request in;

		fill_request(&in, request_ops[i]);
		int length = proto_encode_request(&in, buffer, sizeof(buffer));
		unsigned count = proto_request_handles(&in, handles);
		assert_int_equal(count, handles_in(buffer, (size_t)length));
		for (unsigned n = 0; n < count; n++)
			assert_true(is_one_of_ours(handles[n]));
		with_handles += count > 0;
	}
	assert_true(with_handles > 15);
}

static void a_request_cut_short_or_too_long_is_refused(void **state)
{
	for (size_t i = 0; i < COUNT(request_ops); i++) {
		struct proto_request in, out;
		const char *why;

		fill_request(&in, request_ops[i]);
		int length = proto_encode_request(&in, buffer, sizeof(buffer));
		for (int cut = 0; cut < length; cut++) {
			/* Both a message shorter than its header says and one whose header agrees with the cut. */
			why = NULL;
			assert_true(proto_decode_request(buffer, (size_t)cut, &out, &why) < 0);
			assert_non_null(why);
			uint8_t *exact = malloc((size_t)cut + 1);
			memcpy(exact, buffer, (size_t)cut);
			if (cut >= 8) {
				le32 claimed = le32_of((uint32_t)cut);
				memcpy(exact + 4, &claimed, 4);
			}
			assert_true(proto_decode_request(exact, (size_t)cut, &out, &why) < 0);
			free(exact);
		}
		le32 longer = le32_of((uint32_t)length + 1);
		memcpy(buffer + 4, &longer, 4);
		assert_int_equal(proto_decode_request(buffer, (size_t)length + 1, &out, &why), -EPROTO);
		for (int room = 0; room < length; room++)
			assert_int_equal(proto_encode_request(&in, again, (size_t)room), -EMSGSIZE);
	}
}

static int refused(struct proto_request *q)
{
	struct proto_request out;
	const char *why = NULL;
	int length = proto_encode_request(q, buffer, sizeof(buffer));

	assert_true(length > 0);
	int error = proto_decode_request(buffer, (size_t)length, &out, &why);
	if (error)
		assert_non_null(why);
	return error;
}

#define REFUSED(op, change, error)                                                                                     \
	do {                                                                                                           \
		struct proto_request q;                                                                                \
		fill_request(&q, op);                                                                                  \
		change;                                                                                                \
		assert_int_equal(refused(&q), -(error));                                                               \
	} while (0)

static void every_field_out_of_range_is_refused(void **state)
{
	static char long_path[PROTO_MAX_PATH + 1];
	memset(long_path, 'a', sizeof(long_path));

	REFUSED(PROTO_LOOKUP, q.slot = PROTO_MAX_SLOTS, EPROTO);
	REFUSED(PROTO_HELLO, q.slot = 0, EPROTO);
	REFUSED(PROTO_HELLO, q.close_first = 1, EPROTO);
	REFUSED(PROTO_LOOKUP, q.cred = 65536, EPROTO);
	REFUSED(PROTO_LOOKUP, q.op = 77, EOPNOTSUPP);
	REFUSED(PROTO_HELLO, q.hello.min_version = PROTO_VERSION + 1, EPROTO);
	REFUSED(PROTO_CRED, q.cred_set.number = 0, EINVAL);
	REFUSED(PROTO_LOOKUP, q.lookup.flags = 4, EINVAL);
	REFUSED(PROTO_LOOKUP, q.lookup.dir.ino = 0, ESTALE);
	REFUSED(PROTO_LOOKUP, q.lookup.dir.ino = 1ULL << 48, ESTALE);
	REFUSED(PROTO_LOOKUP, q.lookup.path.length = 0, ENOENT);
	REFUSED(PROTO_LOOKUP, (q.lookup.path = (struct proto_string){"a\0b", 3}), EINVAL);
	REFUSED(PROTO_LOOKUP, (q.lookup.path = (struct proto_string){long_path, sizeof(long_path)}), ENAMETOOLONG);
	REFUSED(PROTO_SETATTR, q.setattr.mask = PROTO_SET_ALL + 1, EINVAL);
	REFUSED(PROTO_SETATTR, q.setattr.mask |= PROTO_SET_ATIME_NOW, EINVAL);
	REFUSED(PROTO_SETATTR, q.setattr.mode = S_IFREG, EINVAL);
	REFUSED(PROTO_SETATTR, q.setattr.size = 1ULL << 63, EFBIG);
	REFUSED(PROTO_ACCESS, q.access.mask = 8, EINVAL);
	REFUSED(PROTO_OPEN, q.open.flags = 0, EINVAL);
	REFUSED(PROTO_OPEN, q.open.flags |= 1u << 10, EINVAL);
	REFUSED(PROTO_OPEN, q.open.flags = PROTO_OPEN_READ | PROTO_OPEN_APPEND, EINVAL);
	REFUSED(PROTO_OPEN, q.open.flags = PROTO_OPEN_READ | PROTO_OPEN_EXCLUSIVE, EINVAL);
	REFUSED(PROTO_OPEN, q.open.flags |= PROTO_OPEN_DIRECTORY, EINVAL);
	REFUSED(PROTO_OPEN, q.open.mode = 010000, EINVAL);
	REFUSED(PROTO_OPEN, q.open.umask = 01000, EINVAL);
	REFUSED(PROTO_REOPEN, q.reopen.flags |= PROTO_OPEN_CREATE, EINVAL);
	REFUSED(PROTO_REOPEN, q.reopen.flags |= PROTO_OPEN_EXECUTE | PROTO_OPEN_WRITE, EINVAL);
	REFUSED(PROTO_REOPEN, q.reopen.flags |= PROTO_OPEN_RECLAIM | PROTO_OPEN_TRUNCATE, EINVAL);
	REFUSED(PROTO_OPEN, q.open.flags = PROTO_OPEN_READ | PROTO_OPEN_RECLAIM, EINVAL);
	REFUSED(PROTO_READ, q.read.length = 0, EINVAL);
	REFUSED(PROTO_READ, q.read.offset = INT64_MAX, EFBIG);
	REFUSED(PROTO_WRITE, q.write.flags = 2, EINVAL);
	REFUSED(PROTO_WRITE, q.write.offset = INT64_MAX - 4, EFBIG);
	REFUSED(PROTO_WRITE_COMMIT, q.write_commit.length = 0, EINVAL);
	REFUSED(PROTO_WRITE_COMMIT, q.write_commit.staging = UINT64_MAX, EINVAL);
	REFUSED(PROTO_LAYOUT_GET, q.layout_get.length = 1ULL << 63, EFBIG);
	REFUSED(PROTO_CREATE, q.create.mode = 0644, EINVAL);
	REFUSED(PROTO_CREATE, q.create.mode = S_IFLNK | 0777, EINVAL);
	REFUSED(PROTO_SYMLINK, q.symlink.target.length = 0, ENOENT);
	REFUSED(PROTO_SYMLINK, (q.symlink.target = (struct proto_string){long_path, 4096}), ENAMETOOLONG);
	REFUSED(PROTO_RENAME, q.rename.flags = 3, EINVAL);
	REFUSED(PROTO_RENAME, q.rename.flags = 4, EINVAL);
	REFUSED(PROTO_CREATE, q.create.umask = 01777, EINVAL);
	REFUSED(PROTO_GETXATTR, q.getxattr.name.length = 0, ERANGE);
	REFUSED(PROTO_GETXATTR, (q.getxattr.name = (struct proto_string){long_path, 256}), ERANGE);
	REFUSED(PROTO_REMOVEXATTR, (q.removexattr.name = (struct proto_string){"user.a\0b", 8}), EINVAL);
	REFUSED(PROTO_LISTXATTR, q.listxattr.handle.ino = 0, ESTALE);
	REFUSED(PROTO_TMPFILE, q.open.flags = PROTO_OPEN_READ, EINVAL);
	REFUSED(PROTO_TMPFILE, q.open.flags |= PROTO_OPEN_CREATE, EINVAL);
	REFUSED(PROTO_TMPFILE, q.open.mode = S_IFREG, EINVAL);
	REFUSED(PROTO_TMPFILE, q.open.dir.ino = 0, ESTALE);
	REFUSED(PROTO_QUOTA_GET, q.quota_get.project = 0, EINVAL);
	REFUSED(PROTO_QUOTA_GET, q.quota_get.flags = 2, EINVAL);
	REFUSED(PROTO_QUOTA_SET, q.quota_set.project = 0, EINVAL);
	REFUSED(PROTO_SETXATTR, q.setxattr.flags = 4, EINVAL);
	REFUSED(PROTO_SETXATTR, q.setxattr.name.length = 0, ERANGE);
	REFUSED(PROTO_SETXATTR, (q.setxattr.length = 65537, q.setxattr.staging = 0), E2BIG);
	REFUSED(PROTO_SETXATTR, q.setxattr.staging = UINT64_MAX - 1, EINVAL);
	REFUSED(PROTO_FALLOCATE, q.fallocate.mode = 4, EOPNOTSUPP);
	REFUSED(PROTO_FALLOCATE, q.fallocate.mode = 0x40, EOPNOTSUPP);
	REFUSED(PROTO_FALLOCATE, q.fallocate.length = 0, EINVAL);
	REFUSED(PROTO_FALLOCATE, q.fallocate.offset = 4097, EFBIG);
	REFUSED(PROTO_SEEK, q.seek.what = 2, EINVAL);
	REFUSED(PROTO_SEEK, q.seek.offset = 1ULL << 63, ENXIO);
	REFUSED(PROTO_COPY, q.copy.length = 0, EINVAL);
	REFUSED(PROTO_COPY, q.copy.from_offset = INT64_MAX, EFBIG);
	REFUSED(PROTO_COPY, q.copy.to_offset = UINT64_MAX, EFBIG);
}

/* ---- replies ----------------------------------------------------------------------------------------------------- */

static const struct proto_attr attr = {
    .handle = {.ino = 42, .generation = 1},
    .mode = S_IFREG | 0644,
    .nlink = 2,
    .flags = PROTO_FILE_IMMUTABLE,
    .size = 1 << 30,
    .atime_ns = -5,
    .change = 9,
};
static const struct proto_extent extents[2] = {
    {.offset = 0, .length = 8192, .address = 1 << 20, .key = 77},
    {.offset = 8192, .length = 4096},
};

static void fill_reply(struct proto_reply *p, uint16_t op, uint8_t *entries, size_t *used)
{
	memset(p, 0, sizeof(*p));
	p->op = op;
	p->slot = op == PROTO_HELLO || op == PROTO_BYE ? PROTO_SLOT_NONE : 1;
	p->sequence = 4;
	p->invalidation = 123456789012;
	switch (op) {
	case PROTO_HELLO:
		p->hello.version = PROTO_VERSION;
		p->hello.identity = 0x99aabbccddeeff00;
		p->hello.known = true;
		p->hello.session = 5;
		p->hello.resumed = true;
		p->hello.slots = 64;
		p->hello.max_read = 16384;
		p->hello.max_write = 2048;
		p->hello.staging_size = 8 << 20;
		p->hello.root = dir;
		break;
	case PROTO_OPEN:
	case PROTO_REOPEN:
		p->open.open = 3;
		p->open.created = p->open.layout = true;
		p->open.attr = attr;
		p->open.extent_count = 2;
		memcpy(p->open.extents, extents, sizeof(extents));
		break;
	case PROTO_LOOKUP:
		p->lookup.found = p->lookup.has_directory = true;
		p->lookup.attr = attr;
		p->lookup.directory = attr;
		p->lookup.directory.handle = dir;
		break;
	case PROTO_READ:
		p->read.length = 3;
		p->read.data = "abc";
		break;
	case PROTO_WRITE:
	case PROTO_WRITE_COMMIT:
		p->write.offset = 50;
		p->write.size = 100;
		p->write.replaced_length = 12288;
		p->write.extent_count = 2;
		memcpy(p->write.extents, extents, sizeof(extents));
		break;
	case PROTO_LAYOUT_GET:
		p->layout.granted = true;
		p->layout.size = 9000;
		p->layout.extent_count = 2;
		memcpy(p->layout.extents, extents, sizeof(extents));
		break;
	case PROTO_READDIR: {
		struct proto_dirent e = {.cookie = 6, .ino = 8, .type = S_IFDIR, .name = "name", .length = 4};
		*used = 0;
		assert_true(proto_dirent_put(entries, 100, used, &e));
		e.cookie = 9;
		assert_true(proto_dirent_put(entries, 100, used, &e));
		e.length = 30;
		assert_false(proto_dirent_put(entries, 100, used, &e));
		p->readdir.length = (uint32_t)*used;
		p->readdir.entries = entries;
		p->readdir.parent = 1;
		break;
	}
	case PROTO_READLINK:
		p->readlink.target = string("target");
		break;
	case PROTO_TMPFILE:
		p->open.open = 3;
		p->open.created = true;
		p->open.attr = attr;
		break;
	case PROTO_QUOTA_GET:
		p->quota.project = 7;
		p->quota.block_limit = 1ULL << 40;
		p->quota.inodes = 5;
		break;
	case PROTO_STATFS:
		p->statfs.blocks = 1000;
		p->statfs.inode_limit = 10;
		break;
	case PROTO_RENAME:
		p->rename.replaced_died = true;
		break;
	case PROTO_GETXATTR:
	case PROTO_LISTXATTR:
		p->xattr.total = PROTO_MAX_XATTR_VALUE;
		p->xattr.change = 77;
		p->xattr.length = 4;
		p->xattr.data = "part";
		break;
	case PROTO_SEEK:
		p->seek.offset = INT64_MAX;
		break;
	case PROTO_COPY:
		p->copy.count = PROTO_MAX_COPY;
		p->copy.attr = attr;
		p->copy.replaced_offset = 4096;
		p->copy.replaced_length = PROTO_MAX_COPY;
		break;
	case PROTO_FALLOCATE:
		p->fallocate.attr = attr;
		p->fallocate.replaced_offset = 4096;
		p->fallocate.replaced_length = 8192;
		break;
	default:
		p->attr.attr = attr;
		break;
	}
}

static void every_reply_survives_the_wire_and_no_part_of_it_does(void **state)
{
	uint8_t entries[100];
	size_t used;

	for (size_t i = 0; i < COUNT(request_ops); i++) {
		struct proto_reply in, out;
		const char *why = NULL;

		if (request_ops[i] == PROTO_LAYOUT_RETURN)
			continue; /* a notice has no reply */
		fill_reply(&in, request_ops[i], entries, &used);
		int length = proto_encode_reply(&in, buffer, sizeof(buffer));
		assert_true(length >= (int)PROTO_REPLY_HEADER);
		if (proto_decode_reply(buffer, (size_t)length, &out, &why) != 0)
			fail_msg("%s refused: %s", proto_op_name(request_ops[i]), why);
		assert_true(out.invalidation == in.invalidation);
		assert_int_equal(proto_encode_reply(&out, again, sizeof(again)), length);
		assert_memory_equal(buffer, again, (size_t)length);
		for (int cut = 0; cut < length; cut++) {
			uint8_t *exact = malloc((size_t)cut + 1);
			memcpy(exact, buffer, (size_t)cut);
			if (cut >= 8) {
				le32 claimed = le32_of((uint32_t)cut);
				memcpy(exact + 4, &claimed, 4);
			}
			assert_int_equal(proto_decode_reply(exact, (size_t)cut, &out, &why), -EPROTO);
			free(exact);
		}
		in.status = ENOENT;
		length = proto_encode_reply(&in, buffer, sizeof(buffer));
		assert_int_equal(length, PROTO_REPLY_HEADER + (in.op == PROTO_HELLO ? 4 : 0)); /* no reason */
		assert_int_equal(proto_decode_reply(buffer, (size_t)length, &out, &why), 0);
		assert_int_equal(out.status, ENOENT);
	}
}

static void requests_that_change_something_are_told_from_others(void **state)
{
	static struct proto_request request;

	request.op = PROTO_UNLINK;
	assert_true(proto_request_changes(&request));
	request.op = PROTO_GETATTR;
	assert_false(proto_request_changes(&request));
	request.op = PROTO_CLOSE;
	assert_false(proto_request_changes(&request));
	request.op = PROTO_HELLO;
	assert_false(proto_request_changes(&request));
	/* An open changes something by its flags. */
	request.op = PROTO_OPEN;
	request.open.flags = PROTO_OPEN_READ | PROTO_OPEN_WRITE;
	assert_false(proto_request_changes(&request));
	request.open.flags = PROTO_OPEN_WRITE | PROTO_OPEN_CREATE;
	assert_true(proto_request_changes(&request));
	request.open.flags = PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE;
	assert_true(proto_request_changes(&request));
	request.op = PROTO_REOPEN;
	request.reopen.flags = PROTO_OPEN_WRITE;
	assert_false(proto_request_changes(&request));
	request.reopen.flags = PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE;
	assert_true(proto_request_changes(&request));
	assert_int_equal(proto_next_sequence(1), 2);
	assert_int_equal(proto_next_sequence(UINT32_MAX), 1);
}

static void all_handles_of_a_reply_are_found(void **state)
{
	uint8_t entries[100];
	size_t used;

	for (size_t i = 0; i < COUNT(request_ops); i++) {
		struct proto_handle *handles[PROTO_MAX_HANDLES], *decoded[PROTO_MAX_HANDLES];
		struct proto_reply reply, out;
		const char *why;

		if (request_ops[i] == PROTO_LAYOUT_RETURN)
			continue;
		fill_reply(&reply, request_ops[i], entries, &used);
		unsigned count = proto_reply_handles(&reply, handles);
		/* They are those that travel. */
		for (unsigned n = 0; n < count; n++)
			handles[n]->seal = 4711 + n;
		int length = proto_encode_reply(&reply, buffer, sizeof(buffer));
		assert_int_equal(handles_in(buffer, (size_t)length), 0);
		assert_int_equal(proto_decode_reply(buffer, (size_t)length, &out, &why), 0);
		assert_int_equal(proto_reply_handles(&out, decoded), count);
		for (unsigned n = 0; n < count; n++)
			assert_int_equal(decoded[n]->seal, 4711 + n);
	}
}

static void a_refusal_tells_its_reason(void **state)
{
	struct proto_reply in = {.op = PROTO_HELLO, .slot = PROTO_SLOT_NONE, .status = EUSERS}, out;
	char text[PROTO_MAX_REASON + 2];
	const char *why;

	in.reason = string("there are too many");
	int length = proto_encode_reply(&in, buffer, sizeof(buffer));
	assert_int_equal(proto_decode_reply(buffer, (size_t)length, &out, &why), 0);
	assert_int_equal(out.status, EUSERS);
	assert_int_equal(out.reason.length, in.reason.length);
	assert_memory_equal(out.reason.data, in.reason.data, in.reason.length);
	for (int cut = (int)PROTO_REPLY_HEADER; cut < length; cut++) {
		le32 claimed = le32_of((uint32_t)cut);
		memcpy(buffer + 4, &claimed, 4);
		assert_int_equal(proto_decode_reply(buffer, (size_t)cut, &out, &why), -EPROTO);
	}
	/* Too long, and what would drive a terminal. */
	memset(text, 'a', sizeof(text));
	in.reason = (struct proto_string){.data = text, .length = sizeof(text)};
	length = proto_encode_reply(&in, buffer, sizeof(buffer));
	assert_int_equal(proto_decode_reply(buffer, (size_t)length, &out, &why), -EPROTO);
	in.reason = string("\033[2J");
	length = proto_encode_reply(&in, buffer, sizeof(buffer));
	assert_int_equal(proto_decode_reply(buffer, (size_t)length, &out, &why), -EPROTO);
}

static void data_of_a_reply_begin_where_the_protocol_says(void **state)
{
	uint8_t entries[100];
	struct proto_reply p;
	size_t used;

	fill_reply(&p, PROTO_READ, NULL, NULL);
	assert_int_equal(proto_encode_reply(&p, buffer, sizeof(buffer)), PROTO_REPLY_HEADER + PROTO_READ_FIXED + 3);
	fill_reply(&p, PROTO_READDIR, entries, &used);
	assert_int_equal(proto_encode_reply(&p, buffer, sizeof(buffer)),
	                 PROTO_REPLY_HEADER + PROTO_READDIR_FIXED + used);
	fill_reply(&p, PROTO_GETXATTR, NULL, NULL);
	assert_int_equal(proto_encode_reply(&p, buffer, sizeof(buffer)), PROTO_REPLY_HEADER + PROTO_XATTR_FIXED + 4);
}

static void an_attribute_longer_than_any_is_refused(void **state)
{
	struct proto_reply in, out;
	const char *why;

	for (unsigned i = 0; i < 2; i++) {
		fill_reply(&in, PROTO_GETXATTR, NULL, NULL);
		in.xattr.total = i ? 3 : PROTO_MAX_XATTR_VALUE + 1;
		int length = proto_encode_reply(&in, buffer, sizeof(buffer));
		assert_int_equal(proto_decode_reply(buffer, (size_t)length, &out, &why), -EPROTO);
	}
}

static void extents_out_of_order_or_out_of_range_are_refused(void **state)
{
	struct proto_reply in, out;
	const char *why;
	static const struct proto_extent bad[][2] = {
	    {{.offset = 4096, .length = 8192}, {.offset = 8192, .length = 4096}},
	    {{.offset = 1, .length = 4096}, {.offset = 8192, .length = 4096}},
	    {{.offset = 0, .length = 0}, {.offset = 8192, .length = 4096}},
	    {{.offset = 0, .length = 4096}, {.offset = 8192, .length = 1ULL << 63}},
	    {{.offset = 0, .length = 4096}, {.offset = 8192, .length = 4096, .address = ~0ULL, .key = 1}},
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		fill_reply(&in, PROTO_LAYOUT_GET, NULL, NULL);
		memcpy(in.layout.extents, bad[i], sizeof(bad[i]));
		int length = proto_encode_reply(&in, buffer, sizeof(buffer));
		assert_int_equal(proto_decode_reply(buffer, (size_t)length, &out, &why), -EPROTO);
	}
}

static void directory_entries_with_bad_names_are_refused(void **state)
{
	static const struct {
		const char *name;
		uint32_t length;
		uint64_t cookie;
	} bad[] = {{"a/b", 3, 9}, {"a\0b", 3, 9}, {"", 0, 9}, {"ok", 2, 6}};
	struct proto_reply in, out;
	const char *why;

	for (size_t i = 0; i < COUNT(bad); i++) {
		uint8_t entries[100];
		size_t used = 0;
		struct proto_dirent e = {.cookie = 6, .ino = 8, .type = S_IFREG, .name = "first", .length = 5};

		proto_dirent_put(entries, sizeof(entries), &used, &e);
		e.name = bad[i].name;
		e.length = bad[i].length;
		e.cookie = bad[i].cookie;
		proto_dirent_put(entries, sizeof(entries), &used, &e);
		memset(&in, 0, sizeof(in));
		in.op = PROTO_READDIR;
		in.readdir.entries = entries;
		in.readdir.length = (uint32_t)used;
		in.readdir.parent = 1;
		int length = proto_encode_reply(&in, buffer, sizeof(buffer));
		assert_int_equal(proto_decode_reply(buffer, (size_t)length, &out, &why), -EPROTO);
	}
	for (uint64_t parent = 0; parent <= 1ull << 48; parent += 1ull << 48) {
		memset(&in, 0, sizeof(in));
		in.op = PROTO_READDIR;
		in.readdir.parent = parent;
		int length = proto_encode_reply(&in, buffer, sizeof(buffer));
		assert_int_equal(proto_decode_reply(buffer, (size_t)length, &out, &why), -EPROTO);
	}
}

static void a_recall_survives_the_wire_and_is_told_from_a_reply(void **state)
{
	struct proto_recall in = {.invalidation = 31, .handle = file}, out;
	struct proto_reply reply;
	const char *why;
	int length = proto_encode_recall(&in, buffer, sizeof(buffer));

	assert_true(proto_is_recall(buffer, (size_t)length));
	assert_int_equal(proto_decode_recall(buffer, (size_t)length, &out, &why), 0);
	assert_true(out.invalidation == 31 && out.handle.ino == file.ino && out.handle.generation == file.generation);
	assert_int_equal(proto_decode_reply(buffer, (size_t)length, &reply, &why), -EPROTO);
	assert_int_equal(proto_decode_recall(buffer, (size_t)length - 1, &out, &why), -EPROTO);
	fill_reply(&reply, PROTO_PING, NULL, NULL);
	length = proto_encode_reply(&reply, buffer, sizeof(buffer));
	assert_false(proto_is_recall(buffer, (size_t)length));
}

/* Under the address sanitizer this shows that no damage makes a decoder read beyond the message. */
static void damaged_messages_never_harm(void **state)
{
	unsigned seed = 1;

	for (int round = 0; round < 200000; round++) {
		struct proto_request q;
		struct proto_reply p;
		struct proto_recall recall;
		const char *why;
		uint8_t entries[100];
		size_t used;
		uint16_t op = request_ops[(unsigned)rand_r(&seed) % COUNT(request_ops)];
		bool request = rand_r(&seed) & 1 || op == PROTO_LAYOUT_RETURN || op == PROTO_CRED;
		int length;

		if (op == PROTO_CRED)
			continue; /* 4 KiB of groups would take most of the time */
		if (request) {
			fill_request(&q, op);
			length = proto_encode_request(&q, buffer, sizeof(buffer));
		} else {
			fill_reply(&p, op, entries, &used);
			length = proto_encode_reply(&p, buffer, sizeof(buffer));
		}
		uint8_t *exact = malloc((size_t)length);
		memcpy(exact, buffer, (size_t)length);
		for (int flips = 1 + rand_r(&seed) % 4; flips > 0; flips--)
			exact[8 + (unsigned)rand_r(&seed) % ((unsigned)length - 8)] = (uint8_t)rand_r(&seed);
		if (request)
			proto_decode_request(exact, (size_t)length, &q, &why);
		else
			proto_decode_reply(exact, (size_t)length, &p, &why);
		proto_decode_recall(exact, (size_t)length, &recall, &why);
		free(exact);
	}
}

/* ---- the corpus of the fuzz targets ---- */

/* A seed that is no message any more leads nowhere. FARNOVA_RENEW_CORPUS=1 writes all of them as they have to be. */
static size_t seed_of(const char *target, const char *name, const void *message, int length)
{
	char path[512];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s/%s", FARNOVA_SOURCE_DIR, target, name);
	f = fopen(path, getenv("FARNOVA_RENEW_CORPUS") ? "w+e" : "re");
	if (!f)
		fail_msg("there is no %s: run this test with FARNOVA_RENEW_CORPUS=1", path);
	if (getenv("FARNOVA_RENEW_CORPUS")) {
		fwrite(message, 1, (size_t)length, f);
		rewind(f);
	}
	n = fread(again, 1, sizeof(again), f);
	fclose(f);
	return n;
}

static void assert_good_seed(int rc, unsigned op, const char *target, const char *name, const char *why)
{
	if (rc || strcmp(proto_op_name(op), name) != 0)
		fail_msg("tests/fuzz/corpus/%s/%s is no %s (%s): run this test with FARNOVA_RENEW_CORPUS=1", target,
		         name, name, rc ? why : proto_op_name(op));
}

static void the_fuzz_targets_have_a_seed_of_each_message_as_it_is_now(void **state)
{
	const struct proto_recall recall = {.invalidation = 31, .handle = file};
	struct proto_recall recalled;
	const char *why = NULL;
	size_t n;

	for (size_t i = 0; i < COUNT(request_ops); i++) {
		const char *name = proto_op_name(request_ops[i]);
		struct proto_request q, q_out;
		struct proto_reply p, p_out;
		uint8_t entries[100];
		size_t used;
		int length, rc;

		fill_request(&q, request_ops[i]);
		length = proto_encode_request(&q, buffer, sizeof(buffer));
		n = seed_of("proto_request_fuzz", name, buffer, length);
		rc = proto_decode_request(again, n, &q_out, &why);
		assert_good_seed(rc, q_out.op, "proto_request_fuzz", name, why);
		if (request_ops[i] == PROTO_LAYOUT_RETURN)
			continue; /* a notice has no reply */
		fill_reply(&p, request_ops[i], entries, &used);
		length = proto_encode_reply(&p, buffer, sizeof(buffer));
		n = seed_of("proto_reply_fuzz", name, buffer, length);
		rc = proto_decode_reply(again, n, &p_out, &why);
		assert_good_seed(rc, p_out.op, "proto_reply_fuzz", name, why);
	}
	n = seed_of("proto_reply_fuzz", "RECALL", buffer, proto_encode_recall(&recall, buffer, sizeof(buffer)));
	assert_int_equal(proto_decode_recall(again, n, &recalled, &why), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_request_survives_the_wire),
	    cmocka_unit_test(all_handles_of_a_request_are_found),
	    cmocka_unit_test(all_handles_of_a_reply_are_found),
	    cmocka_unit_test(requests_that_change_something_are_told_from_others),
	    cmocka_unit_test(a_refusal_tells_its_reason),
	    cmocka_unit_test(a_request_cut_short_or_too_long_is_refused),
	    cmocka_unit_test(every_field_out_of_range_is_refused),
	    cmocka_unit_test(every_reply_survives_the_wire_and_no_part_of_it_does),
	    cmocka_unit_test(data_of_a_reply_begin_where_the_protocol_says),
	    cmocka_unit_test(an_attribute_longer_than_any_is_refused),
	    cmocka_unit_test(extents_out_of_order_or_out_of_range_are_refused),
	    cmocka_unit_test(directory_entries_with_bad_names_are_refused),
	    cmocka_unit_test(a_recall_survives_the_wire_and_is_told_from_a_reply),
	    cmocka_unit_test(damaged_messages_never_harm),
	    cmocka_unit_test(the_fuzz_targets_have_a_seed_of_each_message_as_it_is_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
