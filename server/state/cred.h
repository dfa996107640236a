/*
 * cred.h -- the credentials of a session, by number. Root is squashed here only.
 */
#ifndef FARNOVA_SERVER_CRED_H
#define FARNOVA_SERVER_CRED_H

#include "server/nova/nova.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRED_SQUASHED   65534u
#define CRED_MAX_NUMBER 65535u

struct cred_table {
	struct nova_cred **by_number;
	size_t size;
	size_t count;
};

/*
 * cred_set -- set the credential of a number. With `squash` uid 0, gid 0 and group 0 become 65534. -EINVAL if the
 * number is too large, -ENOSPC beyond PROTO_MAX_CREDS credentials, -ENOMEM.
 */
int cred_set(struct cred_table *table, uint32_t number, bool squash, uint32_t uid, uint32_t gid, uint32_t group_count,
             const uint32_t *groups);

/* cred_get -- the credential of a number, or NULL. */
const struct nova_cred *cred_get(const struct cred_table *table, uint32_t number);

void cred_table_free(struct cred_table *table);

#endif
