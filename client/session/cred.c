/*
 * cred.c -- the credentials on whose behalf threads make calls.
 *
 * A thread's credential is stored as a number, so that a program that serves others can switch credentials for each
 * request at almost no cost.
 */
#include "client/session/cred.h"

#include "client/include/farnova.h"
#include "proto/proto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cred_init(struct creds *creds)
{
	*creds = (struct creds){0};
	return caller_attach(&creds->callers);
}

void cred_destroy(struct creds *creds)
{
	for (unsigned i = 0; i < creds->count; i++)
		free(creds->list[i]);
	free(creds->list);
	caller_detach(&creds->callers);
}

uint32_t cred_number(const struct creds *creds)
{
	return caller_get(&creds->callers).cred;
}

uint32_t cred_umask(const struct creds *creds)
{
	return caller_get(&creds->callers).umask;
}

void cred_request(const struct creds *creds, unsigned number, struct proto_request *request)
{
	const struct cred *cred = creds->list[number - 1];

	request->op = PROTO_CRED;
	request->cred_set.number = number;
	request->cred_set.uid = cred->uid;
	request->cred_set.gid = cred->gid;
	request->cred_set.group_count = cred->group_count;
	memcpy(request->cred_set.groups, cred->groups, cred->group_count * sizeof(cred->groups[0]));
}

bool cred_same(const struct cred *known, const struct farnova_cred *cred)
{
	return known->uid == cred->uid && known->gid == cred->gid && known->group_count == cred->group_count &&
	       (cred->group_count == 0 || memcmp(known->groups, cred->groups, cred->group_count * sizeof(gid_t)) == 0);
}

/* find -- the number of a credential, or 0. Searches the newest first: programs serve the same few users repeatedly. */
static unsigned find(const struct creds *creds, const struct farnova_cred *cred)
{
	for (unsigned number = creds->count; number > 0; number--) {
		if (cred_same(creds->list[number - 1], cred))
			return number;
	}
	return 0;
}

static int add(struct creds *creds, const struct farnova_cred *cred)
{
	if (creds->count == CREDS_MAX)
		return -EUSERS;
	if (!creds->list && !(creds->list = calloc(CREDS_MAX, sizeof(*creds->list))))
		return -ENOMEM;
	struct cred *copy = malloc(sizeof(*copy) + cred->group_count * sizeof(gid_t));
	if (!copy)
		return -ENOMEM;
	copy->session = 0;
	copy->uid = cred->uid;
	copy->gid = cred->gid;
	copy->group_count = cred->group_count;
	if (cred->group_count > 0)
		memcpy(copy->groups, cred->groups, cred->group_count * sizeof(gid_t));
	creds->list[creds->count++] = copy;
	return 0;
}

int cred_intern(struct creds *creds, const struct farnova_cred *cred, unsigned *number)
{
	*number = find(creds, cred);
	int error = *number ? 0 : add(creds, cred);
	if (error == 0 && *number == 0)
		*number = creds->count;
	return error;
}
