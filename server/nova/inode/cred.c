/*
 * cred.c -- the groups of a credential.
 */
#include "server/nova/inode/cred.h"

bool cred_in_group(const struct nova_cred *cred, uint32_t gid)
{
	if (cred->gid == gid)
		return true;
	for (uint32_t i = 0; i < cred->group_count; i++)
		if (cred->groups[i] == gid)
			return true;
	return false;
}
