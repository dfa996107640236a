/*
 * messages.c -- one valid message of each kind.
 */
#include "tests/support/messages.h"

#include "common/le.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

const struct proto_handle dir = {.ino = 0x1234, .generation = 7, .seal = 0x0123456789abcdef};
const struct proto_handle file = {.ino = 0xffffffffffff, .generation = 0xffffffff, .seal = ~0ULL};

struct proto_string string(const char *s)
{
	return (struct proto_string){.data = s, .length = (uint32_t)strlen(s)};
}

static bool is_slotless(uint16_t op)
{
	switch (op) {
#define PROTO_SLOTLESS(NAME, number) case number:
#include "proto/ops.def"
		return true;
	default:
		return false;
	}
}

void fill_request(struct proto_request *q, uint16_t op)
{
	memset(q, 0, sizeof(*q));
	q->op = op;
	q->slot = is_slotless(op) ? PROTO_SLOT_NONE : 5;
	q->sequence = 99;
	q->cred = 3;
	q->slots_used = 77;
	q->window = 65535;
	q->quiesced = 1ULL << 40;
	q->close_first = q->slot == PROTO_SLOT_NONE ? 0 : 1ULL << 41;
	switch (op) {
	case PROTO_STAGING:
		q->staging.want = 1;
		break;
	case PROTO_BIND_CONN:
		q->bind_conn.session = 17;
		q->bind_conn.session_key = ~0ULL;
		break;
	case PROTO_HELLO:
		q->hello.min_version = q->hello.max_version = PROTO_VERSION;
		q->hello.identity = 0x1122334455667788;
		memset(q->hello.identity_key, 0xab, sizeof(q->hello.identity_key));
		q->hello.session = 17;
		q->hello.session_key = ~0ULL;
		q->hello.slots = 1024;
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

const uint16_t request_ops[] = {
#define PROTO_SLOTLESS(NAME, number)                                       PROTO_##NAME,
#define PROTO_OPERATION(NAME, number, handler, keeps_reply, changes, open) PROTO_##NAME,
#include "proto/ops.def"
};
const size_t request_op_count = sizeof(request_ops) / sizeof(request_ops[0]);

uint8_t buffer[PROTO_MAX_MESSAGE], again[PROTO_MAX_MESSAGE];

bool is_one_of_ours(const struct proto_handle *h)
{
	return (h->ino == dir.ino && h->generation == dir.generation && h->seal == dir.seal) ||
	       (h->ino == file.ino && h->generation == file.generation && h->seal == file.seal);
}

/* Counted in the bytes: where a handle begins its number does, and no other field of these messages looks like one. */
unsigned handles_in(const uint8_t *bytes, size_t length)
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

const struct proto_attr attr = {
    .handle = {.ino = 42, .generation = 1},
    .mode = S_IFREG | 0644,
    .nlink = 2,
    .flags = PROTO_FILE_IMMUTABLE,
    .size = 1 << 30,
    .atime_ns = -5,
    .change = 9,
};
const struct proto_extent extents[2] = {
    {.offset = 0, .length = 8192, .address = 1 << 20, .key = 77},
    {.offset = 8192, .length = 4096},
};

void fill_reply(struct proto_reply *p, uint16_t op, uint8_t *entries, size_t *used)
{
	memset(p, 0, sizeof(*p));
	p->op = op;
	p->slot = is_slotless(op) ? PROTO_SLOT_NONE : 1;
	p->sequence = 4;
	p->slots = 64;
	p->window = 65535;
	p->invalidation = 123456789012;
	switch (op) {
	case PROTO_STAGING:
		p->staging.granted = true;
		p->staging.address = 4096;
		p->staging.key = 7;
		break;
	case PROTO_HELLO:
		p->hello.version = PROTO_VERSION;
		p->hello.identity = 0x99aabbccddeeff00;
		p->hello.known = true;
		p->hello.session = 5;
		p->hello.resumed = true;
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
