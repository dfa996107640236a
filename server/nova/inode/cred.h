/*
 * cred.h -- whom a caller speaks for. A NULL cred may do everything, as may uid 0.
 */
#ifndef FARNOVA_NOVA_CRED_H
#define FARNOVA_NOVA_CRED_H

#include "server/nova/nova.h"

static inline bool cred_super(const struct nova_cred *cred)
{
	return !cred || cred->uid == 0;
}

/* cred_in_group -- as its own group or as one of the others. */
bool cred_in_group(const struct nova_cred *cred, uint32_t gid);

#endif
