/*
 * cred.c -- on whose behalf a thread's calls are made.
 *
 * A thread's choice is kept by number, so that a program that serves others can name the caller of each request at next
 * to no cost.
 */
#include "client/session/cred.h"

#include "client/link/error.h"
#include "client/session/call.h"

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

int farnova_set_umask(struct farnova *fs, mode_t mask)
{
	int error =
	    mask & ~(mode_t)0777 ? -EINVAL : caller_set(&fs->creds.callers, cred_number(&fs->creds), (uint32_t)mask);
	return error ? error_set(-error, "set the umask %#o on %s", (unsigned)mask, connection_name(fs)) : 0;
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

static bool same(const struct cred *known, const struct farnova_cred *cred)
{
	return known->uid == cred->uid && known->gid == cred->gid && known->group_count == cred->group_count &&
	       (cred->group_count == 0 || memcmp(known->groups, cred->groups, cred->group_count * sizeof(gid_t)) == 0);
}

/* find -- its number, or 0. The newest come first: programs serve the same few users again and again. */
static unsigned find(const struct creds *creds, const struct farnova_cred *cred)
{
	for (unsigned number = creds->count; number > 0; number--) {
		if (same(creds->list[number - 1], cred))
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

static int receive_cred(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct cred *cred = call->result;
	cred->session = fs->session.id;
	return 0;
}

/* announce -- make the server know credential `number`; lock held. */
static int announce(struct farnova *fs, unsigned number)
{
	struct proto_request request;
	struct call call = {.request = &request, .receive = receive_cred, .result = fs->creds.list[number - 1]};

	cred_request(&fs->creds, number, &request);
	call_start(fs, &call);
	return call_finish(fs, &call);
}

/* choose -- `number` is the calling thread's from now on. */
static int choose(struct farnova *fs, uint32_t number)
{
	return caller_set(&fs->creds.callers, number, cred_umask(&fs->creds));
}

int farnova_set_cred(struct farnova *fs, const struct farnova_cred *cred)
{
	unsigned number = 0;
	int error = 0;

	if (cred && (cred->group_count > PROTO_MAX_GROUPS || (cred->group_count > 0 && !cred->groups)))
		return error_set(EINVAL, "set a credential of %u groups on %s", cred->group_count, connection_name(fs));
	/* Its number is the thread's own already, and the entry behind a number never changes. */
	uint32_t before = cred_number(&fs->creds);
	if (cred && before && same(fs->creds.list[before - 1], cred))
		return 0;
	if (cred) {
		/* What the request for it is made for does not matter, but it must be known: the process's own. */
		error = choose(fs, 0);
		if (error)
			return error_set(-error, "set a thread's credential");
		connection_lock(fs);
		number = find(&fs->creds, cred);
		if (number == 0 && (error = add(&fs->creds, cred)) == 0)
			number = fs->creds.count;
		if (error == 0 && fs->creds.list[number - 1]->session != fs->session.id)
			error = announce(fs, number);
		connection_unlock(fs);
		if (error) {
			choose(fs, before); /* its table is there, so this cannot fail */
			return error_set(-error, "set the credential of uid %u on %s", (unsigned)cred->uid,
			                 connection_name(fs));
		}
	}
	error = choose(fs, number);
	return error ? error_set(-error, "set a thread's credential") : 0;
}
