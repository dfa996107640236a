/*
 * tcp.c -- the contract over TCP and UNIX sockets: completion queues, and the transport's table of functions.
 *
 * A queue is a level-triggered epoll instance, so no wake-up can be lost: unread data keep the descriptor readable. A
 * queue with few connections reads their sockets directly, which saves a system call for each message.
 */
#include "common/transport/tcp/tcp_ops.h"

#include "common/transport/tcp/tcp.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DIRECT_CONNECTIONS 4u /* up to this many sockets are read directly */
#define READY_AT_ONCE      64
#define BUFFER_SIZE        (128u * 1024)

/* ---- completion queues ------------------------------------------------------------------------------------------ */

static int tcp_available(char *why, size_t why_size)
{
	return transport_why(0, why, why_size, "tcp works on every host");
}

static void free_closed(struct tcp_queue *queue)
{
	struct tcp_conn *conn;

	while ((conn = TAILQ_FIRST(&queue->closed)) != NULL) {
		TAILQ_REMOVE(&queue->closed, conn, link);
		free(conn);
	}
}

static void tcp_queue_destroy(struct transport_queue *base)
{
	struct tcp_queue *queue = (struct tcp_queue *)base;

	free_closed(queue);
	if (queue->epoll >= 0)
		close(queue->epoll);
	free(queue->buffer);
	free(queue);
}

static int tcp_queue_create(struct transport_queue **out)
{
	struct tcp_queue *queue = calloc(1, sizeof(*queue));
	int error;

	if (queue == NULL)
		return -ENOMEM;
	TAILQ_INIT(&queue->living);
	TAILQ_INIT(&queue->dead);
	TAILQ_INIT(&queue->closed);
	TAILQ_INIT(&queue->unsent);
	queue->buffer_size = BUFFER_SIZE;
	queue->buffer = malloc(BUFFER_SIZE);
	queue->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (queue->buffer == NULL || queue->epoll < 0) {
		error = queue->buffer == NULL ? -ENOMEM : -errno;
		tcp_queue_destroy(&queue->base);
		return error;
	}
	*out = &queue->base;
	return 0;
}

static int tcp_queue_fd(const struct transport_queue *queue)
{
	return ((const struct tcp_queue *)queue)->epoll;
}

static void flush_unsent(struct tcp_queue *queue)
{
	struct tcp_conn *conn, *next;

	for (conn = TAILQ_FIRST(&queue->unsent); conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, unsent);
		tcp_conn_flush(conn);
	}
}

static int tcp_arm(struct transport_queue *base)
{
	struct tcp_queue *queue = (struct tcp_queue *)base;

	struct tcp_conn *conn;

	flush_unsent(queue);
	/* Output that was not sent completely continues with the next poll; only a full socket is waited for. */
	TAILQ_FOREACH(conn, &queue->unsent, unsent)
	{
		if (!conn->wants_writable)
			return 1;
	}
	return events_ready(&base->events) > 0 ? 1 : 0;
}

/*
 * Read each in turn, starting with another one each time, so that a busy peer does not delay the others. poll checks
 * without the socket's lock; a receive that finds nothing would take that lock and so delay the peer's send each time.
 */
static void receive_from_each(struct tcp_queue *queue, uint32_t max)
{
	struct pollfd fds[DIRECT_CONNECTIONS];
	struct tcp_conn *conns[DIRECT_CONNECTIONS], *conn;
	nfds_t count = 0;

	TAILQ_FOREACH(conn, &queue->living, link)
	{
		conns[count] = conn;
		fds[count] = (struct pollfd){.fd = conns[count]->fd, .events = POLLIN};
		count++;
	}
	if (count == 0 || poll(fds, count, 0) <= 0)
		return;
	for (nfds_t i = 0; i < count && events_ready(&queue->base.events) < max; i++) {
		if (fds[i].revents == 0)
			continue;
		TAILQ_REMOVE(&queue->living, conns[i], link);
		TAILQ_INSERT_TAIL(&queue->living, conns[i], link);
		tcp_input_receive(conns[i]);
	}
}

static int receive_from_ready(struct tcp_queue *queue, uint32_t max)
{
	struct epoll_event ready[READY_AT_ONCE];
	int count = epoll_wait(queue->epoll, ready, max < READY_AT_ONCE ? (int)max : READY_AT_ONCE, 0);

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++)
		if ((ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
			tcp_input_receive(ready[i].data.ptr);
	return 0;
}

static int tcp_work(struct transport_queue *base, int max)
{
	struct tcp_queue *queue = (struct tcp_queue *)base;

	free_closed(queue);
	flush_unsent(queue);
	if (queue->count > DIRECT_CONNECTIONS)
		return receive_from_ready(queue, (uint32_t)max);
	receive_from_each(queue, (uint32_t)max);
	return 0;
}

const struct transport_ops transport_tcp_ops = {
    .kind = TRANSPORT_TCP,
    .needs_region = false,
    .receive_first = TCP_RECEIVE_FIRST,
    .available = tcp_available,
    .queue_create = tcp_queue_create,
    .queue_destroy = tcp_queue_destroy,
    .work = tcp_work,
    .fd = tcp_queue_fd,
    .arm = tcp_arm,
    .listen = tcp_listen,
    .listener_close = tcp_listener_close,
    .listener_fd = tcp_listener_fd,
    .listener_next = tcp_listener_next,
    .accept = tcp_accept,
    .reject = tcp_reject,
    .connect = tcp_connect,
    .close = tcp_close,
    .local_cpu = tcp_local_cpu,
    .send = tcp_send,
    .flush = tcp_flush,
    .release = tcp_release,
    .register_ = tcp_register,
    .deregister = tcp_deregister,
    .read = tcp_read,
    .write = tcp_write,
};
