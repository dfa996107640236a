/*
 * proto_request_test.c -- requests survive the wire, and each bad one is refused.
 */
#include "common/le.h"
#include "tests/support/messages.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static void every_request_survives_the_wire(void **state)
{
	for (size_t i = 0; i < request_op_count; i++) {
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

static void all_handles_of_a_request_are_found(void **state)
{
	unsigned with_handles = 0;

	for (size_t i = 0; i < request_op_count; i++) {
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

static void a_request_cut_short_or_too_long_is_refused(void **state)
{
	for (size_t i = 0; i < request_op_count; i++) {
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_request_survives_the_wire),
	    cmocka_unit_test(all_handles_of_a_request_are_found),
	    cmocka_unit_test(requests_that_change_something_are_told_from_others),
	    cmocka_unit_test(a_request_cut_short_or_too_long_is_refused),
	    cmocka_unit_test(every_field_out_of_range_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
