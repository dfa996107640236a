// driver-tcp.c -- the raw transport of suite native: a ping-pong of each case's sizes over TCP loopback, both sides
// polling. It makes its own peer, a child process; nothing is stored.
#include "tests/bench/driver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEADER   64u
// A side that has polled for this long without a byte sleeps until one comes, so that a subject whose turn it is not
// costs the others nothing.
#define SPIN_NS  2000000u
// Past this the other side is likely not running: where another process has its CPU, spinning on keeps it off ours too.
#define YIELD_NS 20000u

// What precedes the `put` bytes of a request; the answer is HEADER bytes and `get` more.
struct request {
	uint64_t put;
	uint64_t get;
	uint8_t rest[HEADER - 16];
};

struct pingpong {
	int socket;
	pid_t peer;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int wait_for(int fd, short events, uint64_t *since)
{
	struct pollfd p = {.fd = fd, .events = events};

	uint64_t waited = now_ns() - *since;
	if (waited < SPIN_NS) {
		if (waited > YIELD_NS)
			sched_yield();
		return 0;
	}
	if (poll(&p, 1, -1) < 0 && errno != EINTR)
		return -errno;
	*since = now_ns();
	return 0;
}

static int receive_all(int fd, void *to, size_t n)
{
	uint64_t since = now_ns();

	while (n) {
		ssize_t got = recv(fd, to, n, MSG_DONTWAIT);
		if (!got)
			return -ECONNRESET;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (got < 0) {
			int rc = wait_for(fd, POLLIN, &since);
			if (rc)
				return rc;
			continue;
		}
		to = (char *)to + got;
		n -= (size_t)got;
	}
	return 0;
}

// Header and payload leave in one call, as one message.
static int send_all(int fd, const void *header, const void *payload, size_t n)
{
	struct iovec parts[2] = {{(void *)header, HEADER}, {(void *)payload, n}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = n ? 2 : 1};
	size_t left = HEADER + n;

	while (left) {
		ssize_t put = sendmsg(fd, &message, MSG_NOSIGNAL);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		left -= (size_t)put;
		while (message.msg_iovlen && (size_t)put >= message.msg_iov->iov_len) {
			put -= (ssize_t)message.msg_iov->iov_len;
			message.msg_iov++;
			message.msg_iovlen--;
		}
		if (message.msg_iovlen) {
			message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + put;
			message.msg_iov->iov_len -= (size_t)put;
		}
	}
	return 0;
}

static void serve(int fd)
{
	uint8_t *buffer = calloc(1, BENCH_BIG);
	struct request request;

	while (buffer && !receive_all(fd, &request, HEADER)) {
		if (request.put > BENCH_BIG || request.get > BENCH_BIG || receive_all(fd, buffer, request.put) ||
		    send_all(fd, &request, buffer, request.get))
			break;
	}
	free(buffer);
}

static int no_delay(int fd)
{
	int one = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ? -errno : 0;
}

// A connected pair over TCP loopback: ends[0] is ours, ends[1] the peer's.
static int connect_pair(int ends[2])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = 0;

	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ends[1] = -1;
	if (listener < 0 || ends[0] < 0 || bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &length) ||
	    connect(ends[0], (struct sockaddr *)&address, length) || (ends[1] = accept(listener, NULL, NULL)) < 0)
		rc = -errno;
	if (!rc)
		rc = no_delay(ends[0]);
	if (!rc)
		rc = no_delay(ends[1]);
	if (listener >= 0)
		close(listener);
	if (rc && ends[0] >= 0)
		close(ends[0]);
	if (rc && ends[1] >= 0)
		close(ends[1]);
	return rc;
}

static int tcp_connect(struct bench_place *place, const struct bench_scale *scale, void **subject)
{
	struct pingpong *s = calloc(1, sizeof(*s));
	int ends[2];

	if (!s)
		return -ENOMEM;
	int rc = connect_pair(ends);
	if (rc) {
		free(s);
		return rc;
	}
	s->socket = ends[0];
	s->peer = fork();
	if (s->peer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		serve(ends[1]);
		_exit(0);
	}
	close(ends[1]);
	if (s->peer < 0) {
		rc = -errno;
		close(s->socket);
		free(s);
		return rc;
	}
	*subject = s;
	return 0;
}

static void tcp_disconnect(void *subject)
{
	struct pingpong *s = subject;

	close(s->socket);
	waitpid(s->peer, NULL, 0);
	free(s);
}

static int exchange(struct pingpong *s, const void *put, size_t put_n, void *get, size_t get_n)
{
	struct request request = {.put = put_n, .get = get_n};
	int rc = send_all(s->socket, &request, put, put_n);

	if (!rc)
		rc = receive_all(s->socket, &request, HEADER);
	return rc ? rc : receive_all(s->socket, get, get_n);
}

static int tcp_name(void *subject, const char *name)
{
	return exchange(subject, NULL, 0, NULL, 0);
}

static int tcp_rename(void *subject, const char *from, const char *to)
{
	return exchange(subject, NULL, 0, NULL, 0);
}

static int tcp_open(void *subject, const char *name, bool create, void **file)
{
	*file = subject;
	return 0;
}

static int tcp_close(void *subject, void *file)
{
	return 0;
}

static int tcp_read(void *subject, void *file, void *to, size_t n, uint64_t offset)
{
	return exchange(subject, NULL, 0, to, n);
}

static int tcp_write(void *subject, void *file, const void *from, size_t n, uint64_t offset)
{
	return exchange(subject, from, n, NULL, 0);
}

int main(int argc, char **argv)
{
	static const struct bench_api api = {
	    .usage = "ignored: the peer is a child on 127.0.0.1",
	    .keeps_data = false,
	    .connect = tcp_connect,
	    .disconnect = tcp_disconnect,
	    .create = tcp_name,
	    .stat = tcp_name,
	    .rename = tcp_rename,
	    .unlink = tcp_name,
	    .open = tcp_open,
	    .close = tcp_close,
	    .read = tcp_read,
	    .write = tcp_write,
	};

	return bench_driver_main(&api, argc, argv);
}
