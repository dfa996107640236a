/*
 * cred.h -- tests of a caller's credential. A NULL cred may do everything, like uid 0.
 */
#ifndef FARNOVA_NOVA_CRED_H
#define FARNOVA_NOVA_CRED_H

#include "server/nova/nova.h"

static inline bool cred_super(const struct nova_cred *cred)
{
	return !cred || cred->uid == 0;
}

/* cred_in_group -- whether `gid` is the cred's group or one of its supplementary groups. */
bool cred_in_group(const struct nova_cred *cred, uint32_t gid);

#endif
