/*
 * identity.c -- the identity of a client: its key is checked, and one is made where there is none.
 */
#include "server/state/identity.h"

#include "common/log.h"
#include "common/random.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#define HASH_SIZE 32u

static int hash_key(const struct proto_request *hello, uint8_t half[NOVA_CLIENT_KEY])
{
	uint8_t hash[HASH_SIZE];
	unsigned length = sizeof(hash);

	if (EVP_Digest(hello->hello.identity_key, sizeof(hello->hello.identity_key), hash, &length, EVP_sha256(),
	               NULL) != 1)
		return -ENOMEM;
	memcpy(half, hash, NOVA_CLIENT_KEY);
	return 0;
}

static int find(struct nova *nova, const struct proto_request *hello, struct nova_client **out)
{
	uint8_t half[NOVA_CLIENT_KEY];

	*out = NULL;
	if (hello->hello.identity == 0)
		return -ENOENT;
	int rc = hash_key(hello, half);
	return rc < 0 ? rc : nova_client_find(nova, hello->hello.identity, half, out);
}

int identity_check(struct nova *nova, const struct proto_request *hello)
{
	struct nova_client *client;

	int rc = find(nova, hello, &client);
	if (rc == 0)
		nova_client_release(nova, client);
	return rc == -ENOENT || rc == -EROFS ? 0 : rc;
}

static int make(struct nova_worker *worker, const struct proto_request *hello, struct nova_client **out)
{
	uint8_t half[NOVA_CLIENT_KEY];

	int rc = hash_key(hello, half);
	for (bool taken = true; rc == 0 && taken;) {
		uint64_t number = 0;
		rc = random_fill(&number, sizeof(number));
		if (rc < 0 || number == 0)
			continue;
		rc = nova_client_new(worker, number, half, out);
		taken = rc == -EEXIST;
		rc = taken ? 0 : rc;
	}
	return rc;
}

int identity_take(struct nova *nova, struct nova_worker *worker, const struct proto_request *hello,
                  struct nova_client **out, bool *known)
{
	int rc = find(nova, hello, out);

	*known = rc == 0;
	if (rc == -ENOENT)
		rc = make(worker, hello, out);
	if (rc == -EROFS || rc == -ENOSPC) {
		*out = NULL;
		if (rc == -ENOSPC)
			log_warn_limited("session",
			                 "no space for a client's record: after a restart its calls in flight fail");
		return 0;
	}
	return rc;
}
