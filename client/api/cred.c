/*
 * cred.c -- the public calls that set the credential and umask of a thread's calls.
 */
#include "client/api/result.h"
#include "client/link/user_memory.h"
#include "client/session/call.h"

#include <errno.h>

int farnova_set_umask(struct farnova *fs, mode_t mask)
{
	int error =
	    mask & ~(mode_t)0777 ? -EINVAL : caller_set(&fs->creds.callers, cred_number(&fs->creds), (uint32_t)mask);
	return error ? error_set(-error, "set the umask %#o on %s", (unsigned)mask, connection_name(&fs->link)) : 0;
}

static int receive_cred(struct farnova *fs, struct call *call, const struct proto_reply *reply)
{
	struct cred *cred = call->result;

	if (!cred)
		return 0;
	cred->session = fs->session.id;
	return 0;
}

/* announce -- send credential `number` to the server; lock held. */
static int announce(struct farnova *fs, unsigned number)
{
	struct call *call = call_new(fs, PROTO_CRED);

	if (!call)
		return -ENOMEM;
	call->receive = receive_cred;
	call->result = fs->creds.list[number - 1];
	cred_request(&fs->creds, number, &call->request);
	call_start(fs, call, poller_self());
	return call_finish(fs, call);
}

/* choose -- set `number` as the calling thread's credential. */
static int choose(struct farnova *fs, uint32_t number)
{
	return caller_set(&fs->creds.callers, number, cred_umask(&fs->creds));
}

/* copy_cred -- copy a credential, with the groups in `groups`; -EINVAL, -EFAULT. */
static int copy_cred(const struct farnova_cred *cred, struct farnova_cred *copy, gid_t groups[PROTO_MAX_GROUPS])
{
	int error = user_copy_in(copy, cred, sizeof(*copy));

	if (error)
		return error;
	if (copy->group_count > PROTO_MAX_GROUPS || (copy->group_count > 0 && !copy->groups))
		return -EINVAL;
	error = user_copy_in(groups, copy->groups, copy->group_count * sizeof(gid_t));
	copy->groups = groups;
	return error;
}

int farnova_set_cred(struct farnova *fs, const struct farnova_cred *given)
{
	const struct farnova_cred *cred = NULL;
	gid_t groups[PROTO_MAX_GROUPS];
	struct farnova_cred copy;
	unsigned number = 0;
	int error = 0;

	if (given) {
		error = copy_cred(given, &copy, groups);
		if (error)
			return error_set(-error, "set a credential on %s", connection_name(&fs->link));
		cred = &copy;
	}
	/* The thread has this credential already, and the entry of a number never changes. */
	uint32_t before = cred_number(&fs->creds);
	if (cred && before && cred_same(fs->creds.list[before - 1], cred))
		return 0;
	if (cred) {
		/* PROTO_CRED may run under any credential that the server knows: use the process's own. */
		error = choose(fs, 0);
		if (error)
			return error_set(-error, "set a thread's credential");
		connection_lock(&fs->link);
		error = cred_intern(&fs->creds, cred, &number);
		if (error == 0 && fs->creds.list[number - 1]->session != fs->session.id)
			error = announce(fs, number);
		connection_unlock(&fs->link);
		if (error) {
			cred_unuse(&fs->creds, number);
			choose(fs, before); /* the thread's table exists, so this cannot fail */
			return error_set(-error, "set the credential of uid %u on %s", (unsigned)cred->uid,
			                 connection_name(&fs->link));
		}
	}
	error = choose(fs, number);
	cred_unuse(&fs->creds, error ? number : before);
	return error ? error_set(-error, "set a thread's credential") : 0;
}
