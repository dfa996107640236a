/*
 * seal.h -- seals of handles, so that a client can use only handles that the server has given out.
 *
 * A handle names an inode directly, so a client that guesses one would bypass the permissions of the directories. The
 * seal is a keyed MAC of 64 bits over inode number and generation. The key belongs to the pool, so handles stay valid
 * when the server is restarted. seal_reply seals the handles of all replies, seal_check checks those of all requests.
 *
 * A sealer is used by one thread.
 */
#ifndef FARNOVA_SERVER_SEAL_H
#define FARNOVA_SERVER_SEAL_H

#include "proto/proto.h"

#include <stdbool.h>
#include <stdint.h>

#define SEAL_KEY_SIZE 16u

struct sealer;

/* sealer_create -- -ENOMEM, or -ENOTSUP if libcrypto has no AES. sealer_destroy -- NULL is allowed. */
int sealer_create(const uint8_t key[SEAL_KEY_SIZE], struct sealer **out);
void sealer_destroy(struct sealer *sealer);

/* seal_handle -- seal a handle. seal_reply -- seal all handles of a reply. */
void seal_handle(struct sealer *sealer, struct proto_handle *handle);
void seal_reply(struct sealer *sealer, struct proto_reply *reply);

/*
 * seal_check -- whether all handles of a request have the right seal. Those of the superuser may have no seal (0):
 * permissions do not bind the superuser, and a mount has no seal when the kernel looks up an inode by its number.
 */
bool seal_check(struct sealer *sealer, const struct proto_request *request, bool superuser);

#endif
