/*
 * proto_reply_test.c -- replies and notices survive the wire, and each bad one is refused.
 */
#include "common/le.h"
#include "tests/support/messages.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static void every_reply_survives_the_wire_and_no_part_of_it_does(void **state)
{
	uint8_t entries[100];
	size_t used;

	for (size_t i = 0; i < request_op_count; i++) {
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

static void all_handles_of_a_reply_are_found(void **state)
{
	uint8_t entries[100];
	size_t used;

	for (size_t i = 0; i < request_op_count; i++) {
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_reply_survives_the_wire_and_no_part_of_it_does),
	    cmocka_unit_test(all_handles_of_a_reply_are_found),
	    cmocka_unit_test(a_refusal_tells_its_reason),
	    cmocka_unit_test(data_of_a_reply_begin_where_the_protocol_says),
	    cmocka_unit_test(an_attribute_longer_than_any_is_refused),
	    cmocka_unit_test(extents_out_of_order_or_out_of_range_are_refused),
	    cmocka_unit_test(directory_entries_with_bad_names_are_refused),
	    cmocka_unit_test(a_recall_survives_the_wire_and_is_told_from_a_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
