/*
 * deferred.c -- deferred requests.
 */
#include "server/state/deferred.h"

#include "common/container_of.h"
#include "server/net/conn.h"
#include "server/nova/long.h"
#include "server/state/session.h"
#include "server/state/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPACE_RETRY_MS 2
#define SPACE_MORE_MS  1000 /* beyond two recall time-outs */
#define LOADS_MAX      8    /* for one request: a path may have several directories */

void deferred_drop_work(struct deferred *deferred)
{
	struct deferred_work *work = deferred->work;

	deferred->work = NULL;
	if (work)
		work->discard(work, deferred->state->nova);
}

void deferred_free(struct deferred *deferred)
{
	if (!deferred)
		return;
	deferred_drop_work(deferred);
	free(deferred->message);
	free(deferred);
}

static void attach(struct session *session, struct deferred *deferred)
{
	deferred->attached = true;
	deferred->previous = NULL;
	deferred->next = session->deferred;
	if (deferred->next)
		deferred->next->previous = deferred;
	session->deferred = deferred;
}

static void detach(struct session *session, struct deferred *deferred)
{
	deferred->attached = false;
	if (deferred->previous)
		deferred->previous->next = deferred->next;
	else
		session->deferred = deferred->next;
	if (deferred->next)
		deferred->next->previous = deferred->previous;
}

static void run_again(struct deferred *deferred)
{
	if (!deferred->message)
		return;
	slot_table_get(&deferred->session->slots, deferred->slot)->busy = false;
	deferred->state->resume(deferred);
}

/* The layouts for which the request waited have returned. */
static void change_may_go(struct mail *mail)
{
	struct deferred *deferred = (struct deferred *)(void *)mail;

	deferred->may_go = true;
	if (deferred->session)
		run_again(deferred);
	else
		deferred_free(deferred);
}

/* A connection pays for the time of bulk threads as for the loop's. */
static void charge(const struct deferred *deferred)
{
	struct net *net = deferred->state->net;

	if (deferred->session && deferred->session->conn && deferred->job.used_ns > 0)
		turns_charge(&deferred->session->conn->turn, deferred->job.used_ns, net->now_ns);
}

/* The final work of a lost request is done: let go of the session, which may then be resumed. */
static void find_again(struct deferred *deferred)
{
	struct session *session = deferred->session;

	deferred->lost = false;
	if (session->dead) {
		detach(session, deferred);
		deferred_free(deferred);
	} else {
		run_again(deferred);
	}
	if (--session->lost == 0)
		session->found(session);
}

/* A bulk thread has done the request's work, or the request's next turn has come. */
static void turn_has_come(struct mail *mail)
{
	struct deferred *deferred = container_of(mail, struct deferred, job.mail);

	deferred->waiting_turn = false;
	charge(deferred);
	if (deferred->lost)
		find_again(deferred);
	else if (deferred->session)
		run_again(deferred);
	else
		deferred_free(deferred);
}

static void run_work(struct bulk_job *job, struct nova_worker *worker)
{
	struct deferred *deferred = container_of(job, struct deferred, job);

	deferred->work->run(deferred->work, worker);
}

/* The structure of a request that may have to wait. If it does not, the structure stays as the spare for the next. */
static struct deferred *get(struct state *state, struct deferred *deferred)
{
	if (deferred)
		return deferred;
	if (!state->spare)
		state->spare = calloc(1, sizeof(*state->spare));
	if (state->spare) {
		state->spare->waiter.mail.deliver = change_may_go;
		state->spare->job.mail.deliver = turn_has_come;
		state->spare->job.mailbox = &state->net->mailbox;
		state->spare->state = state;
	}
	return state->spare;
}

static int wait_in(struct session *session, struct deferred *deferred, struct deferred **out)
{
	if (deferred->state->spare == deferred)
		deferred->state->spare = NULL;
	deferred->session = session;
	*out = deferred;
	return DEFERRED;
}

static int wait_for_space(struct session *session, struct deferred *deferred, struct deferred **out)
{
	struct state *state = session->state;

	deferred->waiting_space = true;
	deferred->next_space = state->space_first;
	state->space_first = deferred;
	state->space_ms = state->net->now_ms + SPACE_RETRY_MS;
	return wait_in(session, deferred, out);
}

/* Whether blocks may become free for the operation. */
static bool may_get_space(const struct session *session, int error)
{
	const struct state *state = session->state;

	if (error == -EDQUOT)
		return atomic_load_explicit(&session->layouts.quarantined_blocks, memory_order_relaxed) > 0;
	return layout_quarantined_blocks(state->shared->layouts) > 0 || state->returns ||
	       nova_space_returns(state->nova, state->returned);
}

int deferred_no_space(struct session *session, struct deferred **out, int error)
{
	struct state *state = session->state;
	/* By then every session that did not answer has ended, and so has the quarantine of its blocks. */
	int64_t longest_ms = 2 * (int64_t)state->shared->config->recall_ms + SPACE_MORE_MS;
	struct deferred *deferred = may_get_space(session, error) ? get(state, *out) : NULL;

	if (!deferred)
		return error;
	if (deferred->since_ms == 0)
		deferred->since_ms = state->net->now_ms;
	if (state->net->now_ms - deferred->since_ms > longest_ms) {
		deferred->since_ms = 0;
		return error;
	}
	if (error == -EDQUOT)
		layout_demand_quiesce(&session->layouts);
	else
		state->shared->space_short(state->shared);
	return wait_for_space(session, deferred, out);
}

/* An overwrite adds nothing to a project's usage, but the quarantine of the old blocks does. */
static bool keeps_too_much(struct session *session, struct proto_handle handle)
{
	const struct nova_call call = {.worker = session->state->nova};
	const struct nova_handle file = {.ino = {handle.ino}, .generation = handle.generation};

	if (layout_is_full(&session->layouts))
		return true;
	return atomic_load_explicit(&session->layouts.charged_blocks, memory_order_relaxed) > 0 &&
	       nova_quota_full(&call, file);
}

int deferred_change(struct session *session, struct deferred **out, struct proto_handle handle, bool drop_own,
                    struct layout_change *change)
{
	struct deferred *deferred = get(session->state, *out);

	if (!deferred)
		return -ENOMEM;
	if (deferred->waiting_change) {
		deferred->waiting_change = false;
		if (deferred->waiter.ino == handle.ino) {
			layout_change_go(&deferred->waiter, drop_own, change);
			return 0;
		}
		/* The path refers to another file by now. */
		lease_change_abandon(&deferred->waiter);
	}
	if (keeps_too_much(session, handle)) {
		layout_demand_quiesce(&session->layouts);
		return wait_for_space(session, deferred, out);
	}
	int rc = layout_change_begin(&session->layouts, handle, drop_own, &deferred->waiter, change);
	if (rc <= 0)
		return rc;
	deferred->waiting_change = true;
	deferred->may_go = false;
	return wait_in(session, deferred, out);
}

static int submit(struct session *session, struct deferred *deferred,
                  void (*run)(struct bulk_job *job, struct nova_worker *worker), const nova_ino inodes[BULK_INODES],
                  struct deferred **out)
{
	deferred->job.owner = session->bulk;
	deferred->job.run = run;
	memcpy(deferred->job.inodes, inodes, sizeof(deferred->job.inodes));
	if (!bulk_submit(session->state->shared->bulk, &deferred->job))
		return -EAGAIN;
	deferred->waiting_turn = true;
	return wait_in(session, deferred, out);
}

int deferred_bulk(struct session *session, struct deferred **out, struct deferred_work *work)
{
	struct deferred *deferred = get(session->state, *out);

	if (!deferred)
		return -ENOMEM;
	deferred->work = work;
	int rc = submit(session, deferred, run_work, work->inodes, out);
	if (rc < 0)
		deferred->work = NULL;
	return rc;
}

int deferred_bulk_again(struct session *session, struct deferred **out)
{
	return deferred_bulk(session, out, (*out)->work);
}

static void load(struct bulk_job *job, struct nova_worker *worker)
{
	nova_load(worker, container_of(job, struct deferred, job)->load);
}

int deferred_load(struct session *session, struct deferred **out, nova_ino ino)
{
	struct deferred *deferred = get(session->state, *out);

	if (!deferred || deferred->loads == LOADS_MAX)
		return -EAGAIN;
	deferred->load = ino;
	int rc = submit(session, deferred, load, (const nova_ino[BULK_INODES]){ino}, out);
	if (rc == DEFERRED)
		deferred->loads++;
	return rc;
}

int deferred_busy(struct session *session, struct deferred **out, nova_ino ino)
{
	struct deferred *deferred = get(session->state, *out);

	if (!deferred)
		return -EAGAIN;
	deferred->waiting_turn = true;
	wait_in(session, deferred, out);
	bulk_wait(session->state->shared->bulk, &deferred->job, ino);
	return DEFERRED;
}

int deferred_yield(struct session *session, struct deferred **out, uint64_t progress)
{
	struct deferred *deferred = get(session->state, *out);

	if (!deferred)
		return -ENOMEM;
	deferred->progress = progress;
	deferred->waiting_turn = true;
	deferred->job.used_ns = 0;
	mailbox_post(deferred->job.mailbox, &deferred->job.mail);
	return wait_in(session, deferred, out);
}

void deferred_retry_space(struct state *state)
{
	struct deferred *list = state->space_first;

	state->space_first = NULL;
	while (list) {
		struct deferred *deferred = list;
		list = deferred->next_space;
		deferred->waiting_space = false;
		if (deferred->session)
			run_again(deferred);
		else
			deferred_free(deferred);
	}
}

void deferred_retry_soon(struct state *state)
{
	state->space_ms = state->net->now_ms;
}

/* Cancel the change of a request. Returns whether its mail is still to come. */
static bool give_up_change(struct deferred *deferred)
{
	if (!deferred->waiting_change)
		return false;
	if (!deferred->may_go)
		return !lease_change_cancel(&deferred->waiter);
	lease_change_abandon(&deferred->waiter);
	return false;
}

void deferred_cancel(struct deferred *deferred)
{
	struct session *session = deferred->session;
	struct slot *slot = slot_table_get(&session->slots, deferred->slot);

	detach(session, deferred);
	/* The client sends it again with the same sequence. */
	slot->busy = false;
	slot->sequence = deferred->sequence - 1;
	bool mail_coming = give_up_change(deferred);
	deferred->session = NULL;
	if (!mail_coming && !deferred->waiting_space && !deferred->waiting_turn)
		deferred_free(deferred);
}

/* Whether it is too late to drop the request. */
static bool has_begun(struct deferred *deferred)
{
	if (!deferred->waiting_turn)
		return false;
	if (bulk_cancel(deferred->state->shared->bulk, &deferred->job)) {
		deferred->waiting_turn = false;
		return false;
	}
	return deferred->work && deferred->work->final && deferred->job.run == run_work;
}

void deferred_cancel_all(struct session *session)
{
	for (struct deferred *deferred = session->deferred, *next; deferred; deferred = next) {
		next = deferred->next;
		if (!has_begun(deferred)) {
			deferred_cancel(deferred);
			continue;
		}
		session->lost++;
		deferred->lost = true;
	}
}

int deferred_keep(struct deferred *deferred, const struct proto_request *request, const void *message, uint32_t length)
{
	struct session *session = deferred->session;

	slot_table_get(&session->slots, request->slot)->busy = true;
	if (deferred->attached)
		return 0;
	deferred->slot = request->slot;
	deferred->sequence = request->sequence;
	attach(session, deferred);
	deferred->message = malloc(length);
	if (!deferred->message)
		return -ENOMEM;
	memcpy(deferred->message, message, length);
	deferred->length = length;
	return 0;
}

void deferred_done(struct deferred *deferred)
{
	if (deferred->waiting_change)
		lease_change_abandon(&deferred->waiter);
	if (deferred->attached)
		detach(deferred->session, deferred);
	deferred_free(deferred);
}
