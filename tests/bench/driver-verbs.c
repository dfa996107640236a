// driver-verbs.c -- the raw transport of suite vm: the least that verbs allow for each case, both sides polling.
//
// A read is one RDMA READ. A write is an RDMA WRITE into the peer's buffer and a 64-byte SEND posted with it, answered
// by a SEND; an operation on a name is a SEND answered by a SEND. It makes its own peer, a child process; nothing is
// stored.
#include "tests/bench/driver.h"

#include <errno.h>
#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE 64u
#define DEPTH   8u
// A peer that has polled for this long without a message sleeps until one comes, so that it costs the subject whose
// turn it is nothing.
#define SPIN_NS 2000000u

// What the peer tells about its buffer when it accepts.
struct buffer_name {
	uint64_t address;
	uint32_t key;
};

struct end {
	struct rdma_cm_id *id;
	uint8_t *messages; // DEPTH receive slots, then one for sending
	struct ibv_mr *messages_mr;
	uint8_t *buffer; // BENCH_BIG: what READ and WRITE move
	struct ibv_mr *buffer_mr;
	struct buffer_name remote;
	pid_t peer;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void end_free(struct end *e)
{
	if (e->buffer_mr)
		ibv_dereg_mr(e->buffer_mr);
	if (e->messages_mr)
		ibv_dereg_mr(e->messages_mr);
	if (e->id)
		rdma_destroy_ep(e->id);
	free(e->buffer);
	free(e->messages);
	free(e);
}

static int post_receive(struct end *e, uint64_t slot)
{
	struct ibv_sge sge = {(uintptr_t)(e->messages + slot * MESSAGE), MESSAGE, e->messages_mr->lkey};
	struct ibv_recv_wr wr = {.wr_id = slot, .sg_list = &sge, .num_sge = 1};
	struct ibv_recv_wr *bad;

	return -ibv_post_recv(e->id->qp, &wr, &bad);
}

// Registers the buffers and fills the receive queue of an end whose queue pair exists.
static int prepare(struct end *e)
{
	e->messages = calloc(DEPTH + 1, MESSAGE);
	e->buffer = aligned_alloc(BENCH_BLOCK, BENCH_BIG);
	if (!e->messages || !e->buffer)
		return -ENOMEM;
	memset(e->buffer, 0, BENCH_BIG);
	e->messages_mr = ibv_reg_mr(e->id->pd, e->messages, (DEPTH + 1) * MESSAGE, IBV_ACCESS_LOCAL_WRITE);
	e->buffer_mr = ibv_reg_mr(e->id->pd, e->buffer, BENCH_BIG,
	                          IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ);
	if (!e->messages_mr || !e->buffer_mr)
		return -errno;
	for (uint64_t slot = 0; slot < DEPTH; slot++) {
		int rc = post_receive(e, slot);
		if (rc)
			return rc;
	}
	return 0;
}

static int endpoint(const char *where, const char *port, bool passive, struct rdma_cm_id **id)
{
	struct rdma_addrinfo hints = {.ai_port_space = RDMA_PS_TCP, .ai_flags = passive ? RAI_PASSIVE : 0};
	struct ibv_qp_init_attr attr = {
	    .qp_type = IBV_QPT_RC,
	    .cap = {.max_send_wr = DEPTH,
	            .max_recv_wr = DEPTH,
	            .max_send_sge = 1,
	            .max_recv_sge = 1,
	            .max_inline_data = MESSAGE},
	};
	struct rdma_addrinfo *info;

	if (rdma_getaddrinfo(where, port, &hints, &info))
		return errno ? -errno : -EADDRNOTAVAIL;
	int rc = rdma_create_ep(id, info, NULL, &attr) ? -errno : 0;
	rdma_freeaddrinfo(info);
	return rc;
}

// A SEND of one message, after a WRITE of `n` bytes of our buffer if n is not 0; one doorbell for both.
static int post_message(struct end *e, size_t n)
{
	struct ibv_sge data = {(uintptr_t)e->buffer, (uint32_t)n, e->buffer_mr->lkey};
	struct ibv_sge message = {(uintptr_t)(e->messages + DEPTH * MESSAGE), MESSAGE, e->messages_mr->lkey};
	struct ibv_send_wr send = {
	    .sg_list = &message,
	    .num_sge = 1,
	    .opcode = IBV_WR_SEND,
	    .send_flags = IBV_SEND_SIGNALED | IBV_SEND_INLINE,
	};
	struct ibv_send_wr write = {
	    .next = &send,
	    .sg_list = &data,
	    .num_sge = 1,
	    .opcode = IBV_WR_RDMA_WRITE,
	    .wr.rdma = {e->remote.address, e->remote.key},
	};
	struct ibv_send_wr *bad;

	return -ibv_post_send(e->id->qp, n ? &write : &send, &bad);
}

// Polls; a software device's kernel threads need the CPU to make progress, and without the yield they wait for the next
// tick of the scheduler (a WRITE and SEND exchange over rdma_rxe takes 164 us instead of 120).
static int spin(struct ibv_cq *cq, struct ibv_wc *wc)
{
	int got;

	while (!(got = ibv_poll_cq(cq, 1, wc)))
		sched_yield();
	if (got < 0)
		return -EIO;
	return wc->status == IBV_WC_SUCCESS ? 0 : -ECONNRESET;
}

// Sleeps until the receive queue may hold something; what came before it was armed is found by polling again.
static int sleep_on_receives(struct end *e)
{
	struct ibv_cq *cq;
	void *context;

	if (ibv_get_cq_event(e->id->recv_cq_channel, &cq, &context))
		return -errno;
	ibv_ack_cq_events(cq, 1);
	return 0;
}

static int next_message(struct end *e, struct ibv_wc *wc)
{
	uint64_t since = now_ns();
	bool armed = false;

	for (;;) {
		int got = ibv_poll_cq(e->id->recv_cq, 1, wc);
		if (got)
			return got > 0 && wc->status == IBV_WC_SUCCESS ? 0 : -ECONNRESET;
		if (now_ns() - since < SPIN_NS) {
			sched_yield();
			continue;
		}
		int rc = armed ? sleep_on_receives(e) : -ibv_req_notify_cq(e->id->recv_cq, 0);
		if (rc)
			return rc;
		armed = !armed;
	}
}

static int serve(struct end *e)
{
	struct ibv_wc wc;

	for (;;) {
		int rc = next_message(e, &wc);
		if (!rc)
			rc = post_receive(e, wc.wr_id);
		if (!rc)
			rc = post_message(e, 0);
		if (!rc)
			rc = spin(e->id->send_cq, &wc);
		if (rc)
			return rc;
	}
}

// The peer: listens, tells its port through `port_to`, and serves one connection until it is killed.
static int be_peer(const char *where, int port_to)
{
	struct end peer = {0};
	struct end *e = &peer;
	struct rdma_cm_id *listener;
	int rc = endpoint(where, "0", true, &listener);

	if (rc)
		return rc;
	if (rdma_listen(listener, 1))
		return -errno;
	uint16_t port = ntohs(rdma_get_src_port(listener));
	if (write(port_to, &port, sizeof(port)) != sizeof(port) || rdma_get_request(listener, &e->id))
		return -errno;
	rc = prepare(e);
	if (rc)
		return rc;
	struct buffer_name name = {(uintptr_t)e->buffer, e->buffer_mr->rkey};
	struct rdma_conn_param param = {
	    .private_data = &name,
	    .private_data_len = sizeof(name),
	    .responder_resources = 1,
	    .initiator_depth = 1,
	    .rnr_retry_count = 7,
	};
	if (rdma_accept(e->id, &param))
		return -errno;
	return serve(e);
}

static int start_peer(const char *where, pid_t *peer, char port[static 8])
{
	uint16_t number;
	int ends[2];

	if (pipe(ends))
		return -errno;
	*peer = fork();
	if (*peer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		int rc = be_peer(where, ends[1]);
		fprintf(stderr, "bench: the ping-pong's peer on %s: %s\n", where, strerror(-rc));
		_exit(1);
	}
	close(ends[1]);
	ssize_t got = *peer > 0 ? read(ends[0], &number, sizeof(number)) : -1;
	close(ends[0]);
	if (got != sizeof(number))
		return -ECONNREFUSED;
	snprintf(port, 8, "%u", number);
	return 0;
}

static int connect_to_peer(struct end *e, const char *where, const char *port)
{
	struct rdma_conn_param param = {
	    .responder_resources = 1, .initiator_depth = 1, .retry_count = 7, .rnr_retry_count = 7};
	int rc = endpoint(where, port, false, &e->id);

	if (!rc)
		rc = prepare(e);
	if (rc)
		return rc;
	if (rdma_connect(e->id, &param))
		return -errno;
	if (!e->id->event || e->id->event->param.conn.private_data_len < sizeof(e->remote))
		return -EPROTO;
	memcpy(&e->remote, e->id->event->param.conn.private_data, sizeof(e->remote));
	return 0;
}

static int verbs_connect(struct bench_place *place, const struct bench_scale *scale, void **subject)
{
	struct end *e = calloc(1, sizeof(*e));
	char port[8];

	if (!e)
		return -ENOMEM;
	int rc = start_peer(place->where, &e->peer, port);
	if (!rc)
		rc = connect_to_peer(e, place->where, port);
	if (rc) {
		if (e->peer > 0)
			kill(e->peer, SIGKILL);
		end_free(e);
		return rc;
	}
	*subject = e;
	return 0;
}

static void verbs_disconnect(void *subject)
{
	struct end *e = subject;

	// rdma_disconnect would wait for an answer of the peer, which watches its receive queue and nothing else.
	kill(e->peer, SIGKILL);
	waitpid(e->peer, NULL, 0);
	end_free(e);
}

// WRITE of n bytes if n is not 0, SEND, and the peer's answer.
static int exchange(struct end *e, size_t n)
{
	struct ibv_wc wc;
	int rc = post_message(e, n);

	if (!rc)
		rc = spin(e->id->recv_cq, &wc);
	if (!rc)
		rc = post_receive(e, wc.wr_id);
	return rc ? rc : spin(e->id->send_cq, &wc);
}

static int verbs_name(void *subject, const char *name)
{
	return exchange(subject, 0);
}

static int verbs_rename(void *subject, const char *from, const char *to)
{
	return exchange(subject, 0);
}

static int verbs_open(void *subject, const char *name, bool create, void **file)
{
	*file = subject;
	return 0;
}

static int verbs_close(void *subject, void *file)
{
	return 0;
}

static int verbs_read(void *subject, void *file, void *to, size_t n, uint64_t offset)
{
	struct end *e = subject;
	struct ibv_sge data = {(uintptr_t)e->buffer, (uint32_t)n, e->buffer_mr->lkey};
	struct ibv_send_wr read = {
	    .sg_list = &data,
	    .num_sge = 1,
	    .opcode = IBV_WR_RDMA_READ,
	    .send_flags = IBV_SEND_SIGNALED,
	    .wr.rdma = {e->remote.address, e->remote.key},
	};
	struct ibv_send_wr *bad;
	struct ibv_wc wc;
	int rc = -ibv_post_send(e->id->qp, &read, &bad);

	return rc ? rc : spin(e->id->send_cq, &wc);
}

static int verbs_write(void *subject, void *file, const void *from, size_t n, uint64_t offset)
{
	return exchange(subject, n);
}

int main(int argc, char **argv)
{
	static const struct bench_api api = {
	    .usage = "the address of an RDMA device of this host; the peer listens there",
	    .keeps_data = false,
	    .connect = verbs_connect,
	    .disconnect = verbs_disconnect,
	    .create = verbs_name,
	    .stat = verbs_name,
	    .rename = verbs_rename,
	    .unlink = verbs_name,
	    .open = verbs_open,
	    .close = verbs_close,
	    .read = verbs_read,
	    .write = verbs_write,
	};

	return bench_driver_main(&api, argc, argv);
}
