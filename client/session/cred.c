/*
 * cred.c -- the credentials on whose behalf threads make calls.
 *
 * A thread's credential is stored as a number, so that a program that serves others can switch credentials for each
 * request at almost no cost.
 */
#include "client/session/cred.h"

#include "client/include/farnova.h"
#include "common/container_of.h"
#include "proto/proto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* caller_exits -- a thread ends that has set a credential. */
static void caller_exits(struct caller_key *key, const struct caller *caller)
{
	cred_unuse(container_of(key, struct creds, callers), caller->cred);
}

int cred_init(struct creds *creds)
{
	*creds = (struct creds){0};
	creds->callers.on_exit = caller_exits;
	return caller_attach(&creds->callers);
}

void cred_destroy(struct creds *creds)
{
	caller_detach(&creds->callers); /* no thread that ends comes here from now on */
	for (unsigned i = 0; i < creds->count; i++)
		free(creds->list[i]);
	free(creds->list);
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

/* oldest_unused -- the number that nothing has used for the longest time, or 0. */
static unsigned oldest_unused(const struct creds *creds)
{
	unsigned oldest = 0;

	for (unsigned number = 1; number <= creds->count; number++) {
		const struct cred *cred = creds->list[number - 1];
		if (atomic_load_explicit(&cred->uses, memory_order_acquire) == 0 &&
		    (oldest == 0 || cred->chosen < creds->list[oldest - 1]->chosen))
			oldest = number;
	}
	return oldest;
}

static int add(struct creds *creds, const struct farnova_cred *cred, unsigned *number)
{
	*number = creds->count < CREDS_MAX ? creds->count + 1 : oldest_unused(creds);
	if (*number == 0)
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
	atomic_init(&copy->uses, 0);
	if (cred->group_count > 0)
		memcpy(copy->groups, cred->groups, cred->group_count * sizeof(gid_t));
	free(creds->list[*number - 1]);
	creds->list[*number - 1] = copy;
	if (*number > creds->count)
		creds->count = *number;
	return 0;
}

int cred_intern(struct creds *creds, const struct farnova_cred *cred, unsigned *number)
{
	*number = find(creds, cred);
	int error = *number ? 0 : add(creds, cred, number);

	if (error)
		return error;
	creds->list[*number - 1]->chosen = ++creds->clock;
	cred_use(creds, *number);
	return 0;
}

void cred_use(struct creds *creds, uint32_t number)
{
	if (number)
		atomic_fetch_add_explicit(&creds->list[number - 1]->uses, 1, memory_order_relaxed);
}

void cred_unuse(struct creds *creds, uint32_t number)
{
	if (number)
		atomic_fetch_sub_explicit(&creds->list[number - 1]->uses, 1, memory_order_release);
}
