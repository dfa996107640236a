/*
 * server_seal_test.c -- handles that clients hold: one that this pool's server did not give out is refused.
 */
#include "server/state/seal.h"
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

#define USER 1000u

static const uint8_t key[SEAL_KEY_SIZE] = {1, 2, 3, 4};

static bool accepts(struct sealer *sealer, struct proto_handle handle, bool superuser)
{
	struct proto_request request = {.op = PROTO_GETATTR};

	request.getattr.handle = handle;
	return seal_check(sealer, &request, superuser);
}

static void only_what_was_sealed_is_accepted(void **state)
{
	struct proto_reply reply = {.op = PROTO_GETATTR};
	struct sealer *sealer, *other;
	uint8_t other_key[SEAL_KEY_SIZE];

	(void)state;
	memcpy(other_key, key, sizeof(key));
	other_key[15] ^= 1;
	assert_int_equal(sealer_create(key, &sealer), 0);
	assert_int_equal(sealer_create(other_key, &other), 0);
	reply.attr.attr.handle = (struct proto_handle){.ino = 77, .generation = 3};
	seal_reply(sealer, &reply);
	struct proto_handle good = reply.attr.attr.handle;
	assert_true(accepts(sealer, good, false));
	assert_false(accepts(other, good, false));
	assert_false(accepts(other, good, true));
	for (unsigned bit = 0; bit < 64; bit++) {
		struct proto_handle bad = good;
		bad.seal ^= 1ULL << bit;
		assert_false(accepts(sealer, bad, true));
		bad = good;
		bad.ino ^= 1ULL << bit;
		assert_false(accepts(sealer, bad, false));
		bad = good;
		bad.generation ^= 1u << bit % 32;
		assert_false(accepts(sealer, bad, false));
	}
	/* Without a seal: the superuser alone. */
	good.seal = 0;
	assert_false(accepts(sealer, good, false));
	assert_true(accepts(sealer, good, true));
	sealer_destroy(sealer);
	sealer_destroy(other);
}

static void both_handles_of_a_request_are_checked(void **state)
{
	struct proto_request request = {.op = PROTO_RENAME};
	struct sealer *sealer;

	(void)state;
	assert_int_equal(sealer_create(key, &sealer), 0);
	request.rename.from_dir = (struct proto_handle){.ino = 1, .generation = 1};
	request.rename.to_dir = (struct proto_handle){.ino = 2, .generation = 1};
	seal_handle(sealer, &request.rename.from_dir);
	assert_false(seal_check(sealer, &request, false));
	seal_handle(sealer, &request.rename.to_dir);
	assert_true(seal_check(sealer, &request, false));
	request.rename.from_dir.seal++;
	assert_false(seal_check(sealer, &request, false));
	sealer_destroy(sealer);
}

/* ---- against a whole server -------------------------------------------------------------------------------------- */

static uint16_t port;

static struct raw_client *client(uint32_t uid)
{
	struct raw_client *c = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);

	assert_int_equal(raw_try_hello(c, uid, NULL), 0);
	return c;
}

/* A file that everyone may read, in a directory that only root may enter. */
static struct proto_handle make_secret(struct raw_client *root)
{
	struct proto_request request = {.op = PROTO_CREATE};
	struct proto_reply reply;

	request.create.dir = root->hello.hello.root;
	request.create.mode = S_IFDIR | 0700;
	request.create.path = (struct proto_string){.data = "closed", .length = 6};
	assert_int_equal(raw_call(root, &request, &reply), 0);
	assert_int_equal(raw_open(root, "closed/secret", PROTO_OPEN_READ | PROTO_OPEN_CREATE, &reply), 0);
	return reply.open.attr.handle;
}

static int reopen(struct raw_client *c, struct proto_handle handle)
{
	struct proto_request request = {.op = PROTO_REOPEN};
	struct proto_reply reply;

	request.reopen.handle = handle;
	request.reopen.flags = PROTO_OPEN_READ;
	return raw_call(c, &request, &reply);
}

static void a_handle_cannot_be_made_up(void **state)
{
	struct running_server *server = server_run(&port, (const char *const[]){"--workers", "1", NULL});
	struct raw_client *root = client(0), *user = client(USER);
	struct proto_handle secret = make_secret(root);

	(void)state;
	assert_int_not_equal(secret.seal, 0);
	struct proto_handle guess = secret;
	for (guess.seal = 0; guess.seal < 64; guess.seal++)
		assert_int_equal(reopen(user, guess), -ESTALE);
	guess.seal = user->hello.hello.root.seal;
	assert_int_equal(reopen(user, guess), -ESTALE);
	/* One that was given to him, by whomever, is as good as any: docs/security.md. */
	assert_int_equal(reopen(user, secret), 0);
	guess.seal = 0;
	assert_int_equal(reopen(root, guess), 0);
	raw_close(root);
	raw_close(user);
	server_end(server);
}

static void where_root_is_squashed_it_cannot_either(void **state)
{
	struct running_server *server =
	    server_run(&port, (const char *const[]){"--workers", "1", "--squash-root", NULL});
	struct raw_client *root = client(0);
	struct proto_handle handle = root->hello.hello.root;

	(void)state;
	assert_int_equal(reopen(root, handle), 0);
	handle.seal = 0;
	assert_int_equal(reopen(root, handle), -ESTALE);
	raw_close(root);
	server_end(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_was_sealed_is_accepted),
	    cmocka_unit_test(both_handles_of_a_request_are_checked),
	    cmocka_unit_test(a_handle_cannot_be_made_up),
	    cmocka_unit_test(where_root_is_squashed_it_cannot_either),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
