/*
 * tcp_conn.c -- a connection over TCP or a UNIX socket: creation and end, posts, registrations.
 */
#include "common/random.h"
#include "common/transport/tcp/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"

#define REGION_LIMIT (1u << 20)
#define INDEX_BITS   20

#define FREE_SLOTS_KEPT 4u /* message buffers that a connection keeps for its next messages */

/* ---- connections ------------------------------------------------------------------------------------------------ */

static void free_contents(struct tcp_conn *conn)
{
	struct tcp_slot *slot;

	tcp_output_fini(&conn->output);
	while ((slot = LIST_FIRST(&conn->all_slots)) != NULL) {
		LIST_REMOVE(slot, of_all);
		free(slot);
	}
	while (!LIST_EMPTY(&conn->base.regions)) {
		struct transport_region *region = LIST_FIRST(&conn->base.regions);

		transport_region_unlink(region);
		free(region);
	}
	free(conn->regions);
	free(conn->next_free);
	free(conn->operations);
}

/* Both ends of a connection within the host have the same address. */
static bool within_host(int fd)
{
	struct sockaddr_storage ours = {0}, theirs = {0};
	socklen_t our_size = sizeof(ours), their_size = sizeof(theirs);

	if (getsockname(fd, (struct sockaddr *)&ours, &our_size) != 0 ||
	    getpeername(fd, (struct sockaddr *)&theirs, &their_size) != 0 || ours.ss_family != theirs.ss_family)
		return false;
	if (ours.ss_family == AF_INET)
		return ((struct sockaddr_in *)&ours)->sin_addr.s_addr ==
		       ((struct sockaddr_in *)&theirs)->sin_addr.s_addr;
	if (ours.ss_family == AF_INET6)
		return memcmp(&((struct sockaddr_in6 *)&ours)->sin6_addr, &((struct sockaddr_in6 *)&theirs)->sin6_addr,
		              sizeof(struct in6_addr)) == 0;
	return false;
}

int tcp_conn_create(struct transport_queue *base, int fd, const struct transport_hello *own,
                    const struct transport_hello *theirs, const char *peer, struct transport_conn **out)
{
	struct tcp_queue *queue = (struct tcp_queue *)base;
	struct tcp_conn *conn = calloc(1, sizeof(*conn));
	struct epoll_event interest = {.events = EPOLLIN, .data.ptr = conn};
	uint32_t operations = 1;
	int rc = -ENOMEM;

	if (conn == NULL) {
		close(fd);
		return -ENOMEM;
	}
	while (operations < own->operations)
		operations *= 2;
	conn->fd = fd;
	conn->within_host = within_host(fd);
	conn->operation_mask = operations - 1;
	conn->operations = calloc(operations, sizeof(*conn->operations));
	if (conn->operations != NULL)
		rc = tcp_output_init(&conn->output, own, theirs);
	if (rc == 0)
		rc = transport_conn_init(&conn->base, base, own, theirs, peer);
	if (rc == 0 && epoll_ctl(queue->epoll, EPOLL_CTL_ADD, fd, &interest) != 0) {
		rc = -errno;
		transport_conn_fini(&conn->base);
	}
	if (rc != 0) {
		close(fd);
		free_contents(conn);
		free(conn);
		return rc;
	}
	TAILQ_INSERT_TAIL(&queue->living, conn, link);
	queue->count++;
	*out = &conn->base;
	return 0;
}

static void leave_unsent(struct tcp_conn *conn)
{
	if (!conn->in_unsent)
		return;
	TAILQ_REMOVE(&tcp_queue_of(conn)->unsent, conn, unsent);
	conn->in_unsent = false;
}

static void tell_error(struct tcp_conn *conn, int status)
{
	uint8_t header[TCP_HEADER_SIZE];

	/* The peer would not understand an error frame inside another frame; the end of the stream suffices then. */
	if (!tcp_output_empty(&conn->output))
		return;
	tcp_frame_encode(&(struct tcp_frame){.type = TCP_ERROR, .length = (uint32_t)-status}, header);
	(void)!send(conn->fd, header, sizeof(header), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void tcp_conn_fail(struct tcp_conn *conn, int status, const char *reason)
{
	struct tcp_queue *queue = tcp_queue_of(conn);

	if (!transport_conn_failed(&conn->base, status))
		return;
	if (reason != NULL) {
		log_warn_limited("transport", "connection with %s ended: %s", conn->base.peer, reason);
		tell_error(conn, status);
	}
	tcp_output_forget(&conn->output);
	leave_unsent(conn);
	epoll_ctl(queue->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
	shutdown(conn->fd, SHUT_WR);
	TAILQ_REMOVE(&queue->living, conn, link);
	TAILQ_INSERT_TAIL(&queue->dead, conn, link);
	queue->count--;
}

void tcp_close(struct transport_conn *base)
{
	struct tcp_conn *conn = tcp_conn_of(base);
	struct tcp_queue *queue = tcp_queue_of(conn);
	struct transport_conn *other;

	/* Their output may refer to the regions. */
	LIST_FOREACH(other, &base->joined, of_joined)
	tcp_conn_fail(tcp_conn_of(other), -ECONNRESET, NULL);
	transport_conn_part(base);
	if (!base->dead)
		queue->count--;
	leave_unsent(conn);
	close(conn->fd); /* also removes it from the epoll set: the descriptor was never duplicated */
	transport_conn_fini(base);
	free_contents(conn);
	TAILQ_REMOVE(base->dead ? &queue->dead : &queue->living, conn, link);
	/* The structure is kept until the next poll, so that no new connection gets its address while the caller may
	 * still find that address in the current batch of events. */
	TAILQ_INSERT_TAIL(&queue->closed, conn, link);
}

static void watch_writable(struct tcp_conn *conn, bool wants)
{
	struct epoll_event interest = {.events = wants ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = conn};

	if (conn->wants_writable == wants)
		return;
	conn->wants_writable = wants;
	epoll_ctl(tcp_queue_of(conn)->epoll, EPOLL_CTL_MOD, conn->fd, &interest);
}

static void enter_unsent(struct tcp_conn *conn)
{
	if (conn->in_unsent)
		return;
	TAILQ_INSERT_TAIL(&tcp_queue_of(conn)->unsent, conn, unsent);
	conn->in_unsent = true;
}

void tcp_conn_flush(struct tcp_conn *conn)
{
	int rc;

	if (conn->base.dead)
		return;
	if ((credits_overdue(&conn->base.credits) || conn->credits_awaited) && tcp_output_has_reserve(&conn->output))
		tcp_conn_frame(conn, (struct tcp_frame){.type = TCP_CREDIT}, 0);
	rc = tcp_output_flush(&conn->output, conn->fd);
	if (rc == 0) {
		leave_unsent(conn);
		watch_writable(conn, false);
	} else if (rc == -EAGAIN || rc == 1) {
		enter_unsent(conn);
		watch_writable(conn, rc == -EAGAIN);
	} else if (rc == -EPIPE || rc == -ECONNRESET) {
		/* Data that the peer sent before are still to be read; the end of the stream ends the connection. */
		tcp_output_forget(&conn->output);
		leave_unsent(conn);
		watch_writable(conn, false);
	} else {
		tcp_conn_fail(conn, rc, NULL);
	}
}

void tcp_conn_frame(struct tcp_conn *conn, struct tcp_frame frame, uint32_t answers)
{
	frame.credits = credits_collect(&conn->base.credits);
	conn->credits_awaited = false;
	tcp_output_frame(&conn->output, &frame, answers);
}

/* Data over loopback are received on the sender's CPU (Linux: SO_INCOMING_CPU). */
int tcp_local_cpu(const struct transport_conn *base)
{
	const struct tcp_conn *conn = (const struct tcp_conn *)base;
	int cpu = -1;
	socklen_t size = sizeof(cpu);

	if (!conn->within_host || base->dead || getsockopt(conn->fd, SOL_SOCKET, SO_INCOMING_CPU, &cpu, &size) != 0)
		return -1;
	return cpu;
}

/* ---- messages and operations ------------------------------------------------------------------------------------ */

static int posted(struct tcp_conn *conn, unsigned flags)
{
	if ((flags & TRANSPORT_MORE) != 0)
		enter_unsent(conn);
	else
		tcp_conn_flush(conn);
	return 0;
}

void tcp_flush(struct transport_conn *conn)
{
	tcp_conn_flush(tcp_conn_of(conn));
}

int tcp_send(struct transport_conn *base, const struct iovec *iov, int count, uint32_t length, unsigned flags)
{
	struct tcp_conn *conn = tcp_conn_of(base);

	if (!tcp_output_has_room(&conn->output, TCP_HEADER_SIZE + length))
		return -EAGAIN;
	base->credits.available--;
	tcp_conn_frame(conn, (struct tcp_frame){.type = TCP_MESSAGE, .length = length}, 0);
	tcp_output_copy(&conn->output, iov, count);
	return posted(conn, flags);
}

void tcp_release(struct transport_conn *base, const void *data)
{
	struct tcp_conn *conn = tcp_conn_of(base);
	struct tcp_slot *slot = (struct tcp_slot *)((char *)data - offsetof(struct tcp_slot, data));

	if (conn->free_slot_count < FREE_SLOTS_KEPT) {
		slot->next = conn->free_slots;
		conn->free_slots = slot;
		conn->free_slot_count++;
	} else {
		LIST_REMOVE(slot, of_all);
		conn->slots--;
		free(slot);
	}
	/* Of buffers above the limit the peer does not get the credits back. */
	if (base->credits.depth > base->receive_limit) {
		base->credits.depth--;
		base->credits.owed--;
	}
	if (credits_overdue(&base->credits))
		tcp_conn_flush(conn);
}

/* Remember an operation that the peer will answer. */
static int remember(struct tcp_conn *conn, void *local, struct transport_region *region, uint32_t length, void *context)
{
	struct tcp_operation *operation = &conn->operations[conn->operation_tail & conn->operation_mask];

	if (conn->operation_tail - conn->operation_head >= conn->base.own.operations)
		return -EAGAIN;
	*operation = (struct tcp_operation){
	    .local = local, .length = length, .region = (struct tcp_region *)region, .context = context};
	if (region != NULL)
		operation->region->local_users++;
	conn->operation_tail++;
	return 0;
}

int tcp_read(struct transport_conn *base, void *local, struct transport_region *region, uint64_t remote, uint64_t key,
             uint32_t length, void *context, unsigned flags)
{
	struct tcp_conn *conn = tcp_conn_of(base);
	int rc;

	if (length > TCP_OPERATION_LIMIT)
		return -EMSGSIZE;
	if (!tcp_output_has_room(&conn->output, TCP_HEADER_SIZE))
		return -EAGAIN;
	rc = remember(conn, local, region, length, context);
	if (rc != 0)
		return rc;
	tcp_conn_frame(conn,
	               (struct tcp_frame){.type = TCP_READ_REQUEST, .length = length, .remote = remote, .key = key}, 0);
	return posted(conn, flags);
}

int tcp_write(struct transport_conn *base, const void *local, struct transport_region *region, uint64_t remote,
              uint64_t key, uint32_t length, void *context, unsigned flags)
{
	struct tcp_conn *conn = tcp_conn_of(base);
	int rc = 0;

	if (length > TCP_OPERATION_LIMIT)
		return -EMSGSIZE;
	if (!tcp_output_has_room(&conn->output, TCP_HEADER_SIZE))
		return -EAGAIN;
	if (context != NULL)
		rc = remember(conn, NULL, region, length, context);
	if (rc != 0)
		return rc;
	tcp_conn_frame(
	    conn,
	    (struct tcp_frame){
	        .type = TCP_WRITE, .wants_ack = context != NULL, .length = length, .remote = remote, .key = key},
	    0);
	tcp_output_external(&conn->output, local, length, NULL, 0);
	return posted(conn, flags);
}

/* ---- registrations ---------------------------------------------------------------------------------------------- */

/*
 * A key consists of the index in the connection's table and a serial number that is unique in this process, so that
 * stale keys and keys of other connections are refused.
 */
static uint64_t next_serial(void)
{
	static uint64_t serial;
	uint64_t seed = 0;

	if (__atomic_load_n(&serial, __ATOMIC_RELAXED) == 0) {
		uint64_t zero = 0;

		if (random_fill(&seed, sizeof(seed)) != 0)
			seed = (uint64_t)getpid();
		seed = (seed >> (INDEX_BITS + 1)) | 1;
		__atomic_compare_exchange_n(&serial, &zero, seed, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	}
	return __atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED);
}

static int grow_table(struct tcp_conn *conn)
{
	uint32_t old = conn->region_capacity;
	uint32_t capacity = old == 0 ? 16 : 2 * old;
	struct tcp_region **regions;
	uint32_t *next_free;

	if (old == REGION_LIMIT)
		return -ENOSPC;
	regions = realloc(conn->regions, capacity * sizeof(struct tcp_region *));
	if (regions == NULL)
		return -ENOMEM;
	conn->regions = regions;
	next_free = realloc(conn->next_free, capacity * sizeof(*next_free));
	if (next_free == NULL)
		return -ENOMEM;
	conn->next_free = next_free;
	for (uint32_t i = old; i < capacity; i++) {
		regions[i] = NULL;
		next_free[i] = i + 1;
	}
	conn->first_free = old;
	conn->region_capacity = capacity;
	return 0;
}

int tcp_register(struct transport_conn *base, void *address, size_t length, uint64_t remote_base, unsigned rights,
                 struct transport_region **out)
{
	struct tcp_conn *conn = tcp_conn_of(base);
	struct tcp_region *region;
	uint32_t index;
	int rc = conn->first_free == conn->region_capacity ? grow_table(conn) : 0;

	if (rc != 0)
		return rc;
	index = conn->first_free;
	region = calloc(1, sizeof(*region));
	if (region == NULL)
		return -ENOMEM;
	region->base.address = address;
	region->base.length = length;
	region->base.base = remote_base;
	region->base.rights = rights;
	region->base.key = next_serial() << INDEX_BITS | index;
	region->index = index;
	conn->regions[index] = region;
	conn->first_free = conn->next_free[index];
	transport_region_link(&region->base, base);
	*out = &region->base;
	return 0;
}

struct tcp_region *tcp_conn_region(struct tcp_conn *conn, uint64_t key, uint64_t remote, uint32_t length,
                                   unsigned right)
{
	const struct tcp_conn *domain = tcp_conn_of(conn->base.domain);
	uint64_t index = key & ((1u << INDEX_BITS) - 1);
	struct tcp_region *region = index < domain->region_capacity ? domain->regions[index] : NULL;

	if (region == NULL || region->base.key != key || (region->base.rights & right) == 0)
		return NULL;
	/* Do not add values from the peer: the sum could wrap. */
	if (remote < region->base.base || remote - region->base.base >= region->base.length ||
	    length > region->base.length - (remote - region->base.base))
		return NULL;
	return region;
}

/* Whether a write of the peer into the region is in progress. */
static bool being_written(const struct tcp_conn *conn, const struct tcp_region *region)
{
	const struct tcp_input *input = &conn->input;

	return input->in_body && input->frame.type == TCP_WRITE && input->region == region;
}

/* end_use -- after this neither the peer nor this side uses the region through `conn`. */
static void end_use(struct tcp_conn *conn, struct tcp_region *region)
{
	int rc = 0;

	if (region->unsent > 0) {
		tcp_conn_flush(conn);
		rc = tcp_output_detach(&conn->output, region);
	}
	if (rc != 0) {
		tcp_conn_fail(conn, rc, "a registration ended while the peer was reading much of it");
	} else if (being_written(conn, region)) {
		tcp_conn_fail(conn, -EACCES, "a registration ended while the peer was writing to it");
	} else if (region->local_users > 0 && &conn->base == region->base.conn) {
		tcp_conn_fail(conn, -EFAULT, "a registration ended while an operation of this side was using it");
	}
}

void tcp_deregister(struct transport_region *base)
{
	struct tcp_region *region = (struct tcp_region *)base;
	struct tcp_conn *conn = tcp_conn_of(base->conn);
	struct transport_conn *other;

	end_use(conn, region);
	LIST_FOREACH(other, &base->conn->joined, of_joined)
	end_use(tcp_conn_of(other), region);
	conn->regions[region->index] = NULL;
	conn->next_free[region->index] = conn->first_free;
	conn->first_free = region->index;
	transport_region_unlink(base);
	free(region);
}
