/*
 * verbs_receive.c -- receive buffers in slabs, whose number follows what the peer has in flight.
 */
#include "common/transport/verbs/verbs_receive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/assert.h"
#include "common/log.h"
#include "common/transport/verbs/verbs.h"

#define MESSAGES_PER_LOOK 64u /* how many messages the peak is taken over before a slab may retire */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static struct verbs_slab *slab_of(const struct verbs_conn *conn, uint32_t buffer)
{
	const struct verbs_receive *receive = &conn->receive;

	for (unsigned i = 0; i < receive->slab_count; i++) {
		const struct verbs_slab *slab = &receive->slabs[i];

		if (buffer - slab->first < slab->count)
			return (struct verbs_slab *)slab;
	}
	return NULL;
}

static uint8_t *bytes_of(const struct verbs_conn *conn, const struct verbs_slab *slab, uint32_t buffer)
{
	return slab->bytes + (size_t)(buffer - slab->first) * conn->receive.stride;
}

static int post(struct verbs_conn *conn, const struct verbs_slab *slab, uint32_t buffer)
{
	struct ibv_sge sge = {
	    .addr = (uintptr_t)bytes_of(conn, slab, buffer),
	    .length = conn->receive.stride,
	    .lkey = slab->mr->lkey,
	};
	struct ibv_recv_wr wr = {
	    .wr_id = verbs_work_id(conn, VERBS_RECEIVE_BIT | buffer), .sg_list = &sge, .num_sge = 1};
	struct ibv_recv_wr *bad;

	return -ibv_post_recv(conn->id->qp, &wr, &bad);
}

/* ---- slabs ------------------------------------------------------------------------------------------------------ */

static void slab_free(struct verbs_slab *slab)
{
	if (slab->mr != NULL)
		ibv_dereg_mr(slab->mr);
	free(slab->bytes);
	free(slab->idle_buffers);
	*slab = (struct verbs_slab){0};
}

static int slab_add(struct verbs_conn *conn, uint32_t count)
{
	struct verbs_receive *receive = &conn->receive;
	struct verbs_slab *slab = &receive->slabs[receive->slab_count];
	int rc;

	fn_assert(receive->slab_count < VERBS_RECEIVE_SLABS);
	rc = verbs_allocate_registered(conn->pd, (size_t)count * receive->stride, &slab->bytes, &slab->mr);
	if (rc == 0)
		slab->idle_buffers = calloc(count, sizeof(*slab->idle_buffers));
	if (rc != 0 || slab->idle_buffers == NULL) {
		slab_free(slab);
		return rc != 0 ? rc : -ENOMEM;
	}
	slab->first = receive->slab_count == 0 ? 0 : slab[-1].first + slab[-1].count;
	slab->count = count;
	receive->slab_count++;
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = post(conn, slab, slab->first + i);
	return rc;
}

/* Credits for `count` buffers more. The peer may have none left, and the user may hold all messages for long. */
static void add_credits(struct verbs_conn *conn, uint32_t count)
{
	conn->receive.circulating += count;
	conn->base.credits.depth = conn->receive.circulating;
	conn->base.credits.owed += count;
	conn->receive.awaited = true;
}

static int unretire(struct verbs_conn *conn)
{
	struct verbs_receive *receive = &conn->receive;
	struct verbs_slab *slab = &receive->slabs[receive->slab_count - 1];
	uint32_t count = slab->idle;
	int rc = 0;

	receive->retiring = false;
	while (rc == 0 && slab->idle > 0)
		rc = post(conn, slab, slab->idle_buffers[--slab->idle]);
	add_credits(conn, count);
	return rc;
}

/* The peer may have no credit left: give it as many again. Where memory is short it goes on with those that it has. */
static int grow(struct verbs_conn *conn)
{
	struct verbs_receive *receive = &conn->receive;
	int rc;

	if (receive->circulating >= conn->base.receive_limit)
		return 0;
	if (receive->retiring)
		return unretire(conn);
	uint32_t count = least(receive->circulating, conn->base.receive_limit - receive->circulating);
	rc = slab_add(conn, count);
	if (rc == -ENOMEM) {
		log_warn_limited("transport",
		                 "no memory can be pinned for more receive buffers of %s: its requests "
		                 "wait for each other; raise the limit of locked memory (ulimit -l)",
		                 conn->base.peer);
		return 0;
	}
	if (rc == 0)
		add_credits(conn, count);
	return rc;
}

/* After some messages: let the newest slab go if the peer has used few of its credits, or has more than it may. */
static void consider_retiring(struct verbs_receive *receive, uint32_t limit)
{
	if (receive->seen < MESSAGES_PER_LOOK)
		return;
	if (receive->slab_count > 1 && (receive->peak <= receive->circulating / 4 || receive->circulating > limit))
		receive->retiring = true;
	receive->seen = receive->peak = 0;
}

static void retire(struct verbs_conn *conn, struct verbs_slab *slab, uint32_t buffer)
{
	struct verbs_receive *receive = &conn->receive;

	slab->idle_buffers[slab->idle++] = buffer;
	receive->circulating--;
	conn->base.credits.owed--;
	conn->base.credits.depth = receive->circulating;
	if (slab->idle < slab->count)
		return;
	slab_free(slab);
	receive->slab_count--;
	receive->retiring = false;
}

/* ---- for the connection ----------------------------------------------------------------------------------------- */

int verbs_receive_build(struct verbs_conn *conn)
{
	struct verbs_receive *receive = &conn->receive;

	receive->stride = (conn->base.own.message_size + 63u) & ~63u;
	receive->circulating = conn->base.own.receive_first;
	return slab_add(conn, receive->circulating + VERBS_CREDIT_SLOTS);
}

void verbs_receive_free(struct verbs_conn *conn)
{
	while (conn->receive.slab_count > 0)
		slab_free(&conn->receive.slabs[--conn->receive.slab_count]);
}

uint8_t *verbs_receive_at(const struct verbs_conn *conn, uint32_t buffer)
{
	const struct verbs_slab *slab = slab_of(conn, buffer);

	return slab != NULL ? bytes_of(conn, slab, buffer) : NULL;
}

int verbs_receive_again(struct verbs_conn *conn, uint32_t buffer)
{
	const struct verbs_slab *slab = slab_of(conn, buffer);

	return slab != NULL ? post(conn, slab, buffer) : -EIO;
}

int verbs_receive_took(struct verbs_conn *conn)
{
	struct verbs_receive *receive = &conn->receive;
	uint32_t used;

	if (receive->held + conn->base.credits.owed >= receive->circulating)
		return -EPROTO;
	receive->held++;
	receive->seen++;
	/* What the peer has sent, and what it has not been given back. */
	used = receive->held + conn->base.credits.owed;
	if (used > receive->peak)
		receive->peak = used;
	return used == receive->circulating ? grow(conn) : 0;
}

int verbs_receive_release(struct verbs_conn *conn, const void *data)
{
	struct verbs_receive *receive = &conn->receive;
	struct verbs_slab *slab = NULL;
	uint32_t buffer;

	for (unsigned i = 0; i < receive->slab_count && slab == NULL; i++)
		if ((size_t)((const uint8_t *)data - receive->slabs[i].bytes) <
		    (size_t)receive->slabs[i].count * receive->stride)
			slab = &receive->slabs[i];
	fn_assert(slab != NULL);
	buffer = slab->first + (uint32_t)((size_t)((const uint8_t *)data - slab->bytes) / receive->stride);
	receive->held--;
	if (conn->base.dead)
		return 0;
	consider_retiring(receive, conn->base.receive_limit);
	if (receive->retiring && slab == &receive->slabs[receive->slab_count - 1]) {
		retire(conn, slab, buffer);
		return 0;
	}
	return post(conn, slab, buffer);
}
