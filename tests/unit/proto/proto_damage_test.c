/*
 * proto_damage_test.c -- damaged messages do no harm, and the corpus of the fuzz targets has each message.
 */
#include "tests/support/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
		uint16_t op = request_ops[(unsigned)rand_r(&seed) % request_op_count];
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

	for (size_t i = 0; i < request_op_count; i++) {
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
	    cmocka_unit_test(damaged_messages_never_harm),
	    cmocka_unit_test(the_fuzz_targets_have_a_seed_of_each_message_as_it_is_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
