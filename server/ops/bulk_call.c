/*
 * bulk_call.c -- changes of one file that may take long.
 */
#include "server/ops/bulk_call.h"

#include "common/container_of.h"
#include "server/nova/clients.h"
#include "server/nova/long.h"
#include "server/state/session.h"
#include "server/state/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct call_work {
	struct deferred_work work; /* first */
	struct nova *fs;
	struct bulk_args args;
	struct nova_call call; /* its worker is set by the bulk thread */
	struct layout_change change;
	struct nova_attr attr;
	ssize_t result;
	bool returns;              /* as in struct state */
	bool made, taken;          /* the bulk thread has made the call; the request has taken its result */
	struct nova_intent intent; /* a copy that lasts as long as the work; it holds its client */
	struct nova_cred cred;
	uint32_t groups[]; /* of `cred`: a copy, because the client may change its credentials meanwhile */
};

static ssize_t call_core(const struct nova_call *call, const struct bulk_args *args, struct nova_attr *attr)
{
	switch (args->what) {
	case BULK_FALLOCATE:
		return nova_fallocate(call, args->file, args->mask, args->offset, args->length, attr);
	case BULK_SETATTR:
		return nova_setattr(call, args->file, args->mask, &args->in, attr);
	case BULK_COPY:
		return nova_copy_commit(call, args->copy, attr);
	}
	return -EINVAL;
}

static void run(struct deferred_work *deferred_work, struct nova_worker *worker)
{
	struct call_work *work = container_of(deferred_work, struct call_work, work);

	work->call.worker = worker;
	uint64_t returned = nova_returned(worker);
	for (unsigned i = 0; i < BULK_INODES; i++)
		if (work->work.inodes[i].n)
			nova_occupy(worker, work->work.inodes[i]);
	work->result = call_core(&work->call, &work->args, &work->attr);
	work->returns = work->result == -ENOSPC && nova_space_returns(worker, returned);
	nova_vacate(worker);
	work->made = true;
}

static void free_work(struct call_work *work)
{
	if (work && work->intent.client)
		nova_client_release(work->fs, work->intent.client);
	free(work);
}

static void discard(struct deferred_work *deferred_work, struct nova_worker *worker)
{
	struct call_work *work = container_of(deferred_work, struct call_work, work);
	struct layout_effect effect;

	if (!work->taken)
		layout_change_end(&work->change, 0, 0, &effect);
	if (!work->made && work->args.what == BULK_COPY)
		nova_copy_discard(worker, work->args.copy);
	free_work(work);
}

static struct call_work *make_work(const struct request *rq, const struct bulk_args *args,
                                   const struct layout_change *change)
{
	const struct nova_cred *cred = rq->call.cred;
	struct call_work *work = malloc(sizeof(*work) + cred->group_count * sizeof(uint32_t));

	if (!work)
		return NULL;
	*work = (struct call_work){
	    .work = {.final = true, .inodes = {args->file.ino}, .run = run, .discard = discard},
	    .fs = rq->shared->nova,
	    .args = *args,
	    .call = rq->call,
	    .change = *change,
	    .cred = *cred,
	};
	if (args->from.n != args->file.ino.n)
		work->work.inodes[1] = args->from;
	memcpy(work->groups, cred->groups, cred->group_count * sizeof(uint32_t));
	work->cred.groups = work->groups;
	work->call.cred = &work->cred;
	work->call.change = &work->change;
	if (rq->call.intent) {
		work->intent = *rq->call.intent;
		work->call.intent = &work->intent;
		nova_client_hold(rq->shared->nova, work->intent.client);
	}
	return work;
}

int bulk_call(struct request *rq, const struct bulk_args *args, const struct layout_change *change,
              struct nova_attr *attr, ssize_t *result)
{
	struct call_work *work = rq->by_bulk ? make_work(rq, args, change) : NULL;

	if (work && deferred_bulk(rq->session, &rq->deferred, &work->work) == DEFERRED)
		return DEFERRED;
	free_work(work);
	/* There is no thread or no memory for it: this worker makes the change, however long it takes. */
	if (rq->by_bulk)
		nova_may_defer(rq->call.worker, false);
	*result = call_core(&rq->call, args, attr);
	return 0;
}

bool bulk_call_ended(struct request *rq, int what, struct nova_handle file, struct layout_change *change,
                     struct nova_attr *attr, ssize_t *result)
{
	struct deferred_work *deferred_work = rq->deferred ? rq->deferred->work : NULL;

	if (!deferred_work || deferred_work->run != run)
		return false;
	struct call_work *work = container_of(deferred_work, struct call_work, work);
	bool same = work->made && (int)work->args.what == what && work->args.file.ino.n == file.ino.n &&
	            work->args.file.generation == file.generation;
	if (same) {
		*change = work->change;
		*attr = work->attr;
		*result = work->result;
		work->taken = true;
		rq->state->returns = work->returns;
	}
	deferred_drop_work(rq->deferred);
	return same;
}
