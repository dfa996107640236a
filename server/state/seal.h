/*
 * seal.h -- handles as clients hold them: sealed, so that one can be used only by who was given it.
 *
 * A handle names an inode past all directories, so whoever can make one up has got round their permissions. The seal is
 * a keyed MAC of 64 bits over inode number and generation; its key is the pool's, so that handles outlive the server.
 * All replies are sealed in seal_reply, all requests are checked in seal_check.
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

/* sealer_create -- -ENOMEM, or -ENOTSUP where libcrypto has no AES. sealer_destroy -- NULL is allowed. */
int sealer_create(const uint8_t key[SEAL_KEY_SIZE], struct sealer **out);
void sealer_destroy(struct sealer *sealer);

/* seal_handle, seal_reply -- put the seal on a handle; on all that a reply has. */
void seal_handle(struct sealer *sealer, struct proto_handle *handle);
void seal_reply(struct sealer *sealer, struct proto_reply *reply);

/*
 * seal_check -- whether all handles of a request are sealed as they should be. The superuser's may have no seal at all
 * (0): nothing is closed to him, and a mount that the kernel asks for an inode by number has no other way.
 */
bool seal_check(struct sealer *sealer, const struct proto_request *request, bool superuser);

#endif
