/*
 * tcp_setup.c -- establishes tcp connections: listening, connecting, and the exchange of hellos.
 *
 * A listener keeps sockets whose hello has not arrived yet. A peer that sends something else, or nothing in time, is
 * rejected here, and the program does not see it.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/transport/tcp/tcp.h"

#define BACKLOG         512
#define HELLO_SECONDS   5
#define HANDSHAKE_LIMIT 1024 /* sockets without a hello */
#define ACCEPT_AT_ONCE  64
#define PAUSE_SECONDS   1 /* without accepting, after the process ran out of descriptors */

struct tcp_pending {
	struct transport_pending base;
	TAILQ_ENTRY(tcp_pending) link;
	int fd;
	int64_t deadline;
	uint8_t hello[TCP_HELLO_SIZE];
	uint32_t have;
};

struct tcp_listener {
	struct transport_listener base;
	int epoll, socket, timer;
	bool paused;
	uint32_t count;
	TAILQ_HEAD(, tcp_pending) handshakes; /* oldest first */
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

/* ---- sockets ---------------------------------------------------------------------------------------------------- */

static void tune(int fd)
{
	/* A dead host is detected within half a minute. */
	const int on = 1, idle = 10, interval = 5, count = 4, unacknowledged_ms = 30000;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* fails on UNIX sockets, which do not need it */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof(unacknowledged_ms));
}

static int path_address(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	return 0;
}

static int resolve(const char *host, uint16_t port, int flags, struct addrinfo **out, char *why, size_t why_size)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
	char service[8];
	int rc;

	snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(host, service, &hints, out);
	if (rc != 0)
		return transport_why(rc == EAI_AGAIN ? -EHOSTUNREACH : -EADDRNOTAVAIL, why, why_size,
		                     "cannot find the address of host %s: %s", host ? host : "*",
		                     rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	return 0;
}

/* ---- listening -------------------------------------------------------------------------------------------------- */

/* Remove the socket file of a process that has ended, which would prevent the bind; keep one that answers. */
static void remove_stale(const struct sockaddr_un *address)
{
	struct stat status;
	int fd;

	if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 && errno == ECONNREFUSED)
		unlink(address->sun_path);
	close(fd);
}

static int bind_and_listen(const struct sockaddr *address, socklen_t size)
{
	const int on = 1;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd < 0)
		return -errno;
	if (address->sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, address, size) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static int listen_path(const char *path, struct tcp_listener *listener)
{
	struct sockaddr_un address;
	int rc = path_address(path, &address);

	if (rc != 0)
		return rc;
	remove_stale(&address);
	rc = bind_and_listen((const struct sockaddr *)&address, sizeof(address));
	if (rc < 0)
		return rc;
	listener->socket = rc;
	strcpy(listener->path, address.sun_path);
	return 0;
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)address)->sin_port);
	if (address->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
	return 0;
}

static int listen_host(const char *host, uint16_t port, struct tcp_listener *listener, char *why, size_t why_size)
{
	struct sockaddr_storage bound = {0};
	socklen_t size = sizeof(bound);
	struct addrinfo *list;
	int rc = resolve(*host == '\0' || strcmp(host, "*") == 0 ? NULL : host, port, AI_PASSIVE, &list, why, why_size);

	if (rc != 0)
		return rc;
	rc = -EADDRNOTAVAIL;
	for (struct addrinfo *entry = list; entry != NULL && listener->socket < 0; entry = entry->ai_next) {
		rc = bind_and_listen(entry->ai_addr, entry->ai_addrlen);
		if (rc >= 0)
			listener->socket = rc;
	}
	freeaddrinfo(list);
	if (listener->socket < 0)
		return transport_why(rc, why, why_size, "cannot listen on %s port %u: %s%s", host, port, strerror(-rc),
		                     rc == -EADDRINUSE      ? "; stop what listens there or take another port"
		                     : rc == -EADDRNOTAVAIL ? "; take an address of this host"
		                                            : "");
	getsockname(listener->socket, (struct sockaddr *)&bound, &size);
	listener->base.port = port_of(&bound);
	return 0;
}

static int watch(struct tcp_listener *listener, int fd, void *who)
{
	struct epoll_event interest = {.events = EPOLLIN, .data.ptr = who};

	return epoll_ctl(listener->epoll, EPOLL_CTL_ADD, fd, &interest) == 0 ? 0 : -errno;
}

int tcp_listen(const char *host, uint16_t port, struct transport_listener **out, char *why, size_t why_size)
{
	struct tcp_listener *listener = calloc(1, sizeof(*listener));
	int rc;

	if (listener == NULL)
		return transport_why(-ENOMEM, why, why_size, "cannot listen on %s: no memory", host);
	listener->socket = -1;
	TAILQ_INIT(&listener->handshakes);
	listener->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	listener->epoll = epoll_create1(EPOLL_CLOEXEC);
	rc = listener->timer < 0 || listener->epoll < 0 ? -errno : 0;
	if (rc != 0) {
		transport_why(rc, why, why_size, "cannot listen on %s: %s", host, strerror(-rc));
	} else if (host[0] == '/') {
		rc = listen_path(host, listener);
		transport_why(rc, why, why_size, "cannot listen on %s: %s", host, strerror(-rc));
	} else {
		rc = listen_host(host, port, listener, why, why_size);
	}
	if (rc == 0) {
		rc = watch(listener, listener->socket, &listener->socket);
		if (rc == 0)
			rc = watch(listener, listener->timer, &listener->timer);
		transport_why(rc, why, why_size, "cannot listen on %s: %s", host, strerror(-rc));
	}
	if (rc != 0) {
		tcp_listener_close(&listener->base);
		return rc;
	}
	*out = &listener->base;
	return 0;
}

static void drop(struct tcp_listener *listener, struct tcp_pending *pending, const char *reason)
{
	log_warn_limited("transport", "%s turned away: %s", pending->base.peer, reason);
	TAILQ_REMOVE(&listener->handshakes, pending, link);
	listener->count--;
	close(pending->fd);
	free(pending);
}

void tcp_listener_close(struct transport_listener *base)
{
	struct tcp_listener *listener = (struct tcp_listener *)base;

	while (!TAILQ_EMPTY(&listener->handshakes)) {
		struct tcp_pending *pending = TAILQ_FIRST(&listener->handshakes);

		TAILQ_REMOVE(&listener->handshakes, pending, link);
		close(pending->fd);
		free(pending);
	}
	if (listener->socket >= 0)
		close(listener->socket);
	if (listener->path[0] != '\0')
		unlink(listener->path);
	if (listener->timer >= 0)
		close(listener->timer);
	if (listener->epoll >= 0)
		close(listener->epoll);
	free(listener);
}

int tcp_listener_fd(const struct transport_listener *listener)
{
	return ((const struct tcp_listener *)listener)->epoll;
}

static void set_timer(struct tcp_listener *listener, int64_t in_ms)
{
	struct itimerspec time = {.it_value = {.tv_sec = in_ms / 1000, .tv_nsec = in_ms % 1000 * 1000000 + 1}};

	timerfd_settime(listener->timer, 0, &time, NULL);
}

/* Out of descriptors or memory: the socket would stay readable and the loop would spin. Stop accepting for a while. */
static void pause_accepting(struct tcp_listener *listener, int error)
{
	log_error_limited("transport",
	                  "cannot take a connection: %s; trying again in %d s (raise the limit of open files)",
	                  strerror(error), PAUSE_SECONDS);
	epoll_ctl(listener->epoll, EPOLL_CTL_DEL, listener->socket, NULL);
	listener->paused = true;
	set_timer(listener, PAUSE_SECONDS * 1000);
}

static void add_handshake(struct tcp_listener *listener, int fd, const struct sockaddr_storage *from, socklen_t size)
{
	struct tcp_pending *pending = calloc(1, sizeof(*pending));

	if (pending == NULL) {
		close(fd);
		return;
	}
	if (listener->count >= HANDSHAKE_LIMIT)
		drop(listener, TAILQ_FIRST(&listener->handshakes), "too many have not said hello");
	tune(fd);
	transport_format_address((const struct sockaddr *)from, size, pending->base.peer, sizeof(pending->base.peer));
	pending->base.host = transport_host_number((const struct sockaddr *)from);
	pending->fd = fd;
	pending->deadline = clock_now_ms() + HELLO_SECONDS * 1000;
	TAILQ_INSERT_TAIL(&listener->handshakes, pending, link);
	if (listener->count++ == 0)
		set_timer(listener, HELLO_SECONDS * 1000);
	if (watch(listener, fd, pending) != 0)
		drop(listener, pending, strerror(errno));
}

static void accept_some(struct tcp_listener *listener)
{
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		struct sockaddr_storage from = {0};
		socklen_t size = sizeof(from);
		int fd = accept4(listener->socket, (struct sockaddr *)&from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			add_handshake(listener, fd, &from, size);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			/* Drop a connection without a hello to make room for another. */
			if (!TAILQ_EMPTY(&listener->handshakes)) {
				drop(listener, TAILQ_FIRST(&listener->handshakes), strerror(errno));
				continue;
			}
			pause_accepting(listener, errno);
			return;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		}
		/* Other errors concern a single peer that has gone already. */
	}
}

static void on_timer(struct tcp_listener *listener)
{
	int64_t now = clock_now_ms();
	uint64_t expirations;

	if (read(listener->timer, &expirations, sizeof(expirations)) < 0)
		return;
	if (listener->paused && watch(listener, listener->socket, &listener->socket) == 0)
		listener->paused = false;
	while (!TAILQ_EMPTY(&listener->handshakes)) {
		struct tcp_pending *oldest = TAILQ_FIRST(&listener->handshakes);

		if (oldest->deadline > now) {
			set_timer(listener, oldest->deadline - now);
			return;
		}
		drop(listener, oldest, "it did not say hello in time");
	}
	if (listener->paused)
		set_timer(listener, PAUSE_SECONDS * 1000);
}

/* 1: the hello is complete; 0: not yet, or dropped. */
static int receive_hello(struct tcp_listener *listener, struct tcp_pending *pending)
{
	const char *reason;
	ssize_t count = recv(pending->fd, pending->hello + pending->have, TCP_HELLO_SIZE - pending->have, MSG_DONTWAIT);

	if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	if (count <= 0) {
		drop(listener, pending, "it left before its hello");
		return 0;
	}
	pending->have += (uint32_t)count;
	if (pending->have < TCP_HELLO_SIZE)
		return 0;
	if (tcp_hello_decode(pending->hello, &pending->base.hello, &reason) != 0) {
		drop(listener, pending, reason);
		return 0;
	}
	return 1;
}

int tcp_listener_next(struct transport_listener *base, struct transport_pending **out)
{
	struct tcp_listener *listener = (struct tcp_listener *)base;
	struct epoll_event ready;

	/* One event at a time: unread data keep the descriptor readable. */
	while (epoll_wait(listener->epoll, &ready, 1, 0) == 1) {
		struct tcp_pending *pending = ready.data.ptr;

		if (ready.data.ptr == &listener->socket) {
			accept_some(listener);
		} else if (ready.data.ptr == &listener->timer) {
			on_timer(listener);
		} else if (receive_hello(listener, pending) == 1) {
			epoll_ctl(listener->epoll, EPOLL_CTL_DEL, pending->fd, NULL);
			TAILQ_REMOVE(&listener->handshakes, pending, link);
			listener->count--;
			*out = &pending->base;
			return 0;
		}
	}
	return -EAGAIN;
}

int tcp_accept(struct transport_pending *base, struct transport_queue *queue, const struct transport_hello *own,
               struct transport_conn *join, struct transport_conn **out)
{
	struct tcp_pending *pending = (struct tcp_pending *)base;
	uint8_t hello[TCP_HELLO_SIZE];
	int rc;

	tcp_hello_encode(own, hello);
	if (send(pending->fd, hello, sizeof(hello), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(hello)) {
		close(pending->fd);
		rc = -ECONNRESET;
	} else {
		rc = tcp_conn_create(queue, pending->fd, own, &base->hello, base->peer, out);
	}
	if (rc == 0 && join != NULL)
		transport_conn_join(*out, join);
	free(pending);
	return rc;
}

void tcp_reject(struct transport_pending *base, int error)
{
	struct tcp_pending *pending = (struct tcp_pending *)base;
	uint8_t header[TCP_HEADER_SIZE];

	tcp_frame_encode(&(struct tcp_frame){.type = TCP_ERROR, .length = (uint32_t)error}, header);
	(void)!send(pending->fd, header, sizeof(header), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(pending->fd);
	free(pending);
}

/* ---- connecting ------------------------------------------------------------------------------------------------- */

static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd wait = {.fd = fd, .events = events};
	int64_t left = deadline - clock_now_ms();
	int rc = left <= 0 ? 0 : poll(&wait, 1, (int)left);

	if (rc < 0)
		return errno == EINTR ? 0 : -errno;
	return rc == 0 && clock_now_ms() >= deadline ? -ETIMEDOUT : 0;
}

static int connect_address(const struct sockaddr *address, socklen_t size, int64_t deadline)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
	struct sockaddr_storage peer;
	socklen_t error_size = sizeof(error), peer_size;
	int rc;

	if (fd < 0)
		return -errno;
	rc = connect(fd, address, size) == 0 ? 0 : -errno;
	while (rc == -EINPROGRESS || rc == -EINTR) {
		rc = wait_for(fd, POLLOUT, deadline);
		peer_size = sizeof(peer);
		if (rc == 0 && getpeername(fd, (struct sockaddr *)&peer, &peer_size) != 0) {
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
			rc = error != 0 ? -error : -EINPROGRESS;
		}
	}
	if (rc != 0) {
		close(fd);
		return rc;
	}
	tune(fd);
	return fd;
}

static int exchange_hellos(int fd, const struct transport_hello *own, int64_t deadline, struct transport_hello *theirs,
                           const char **reason)
{
	uint8_t hello[TCP_HELLO_SIZE];
	struct tcp_frame frame;
	size_t have = 0;
	int rc;

	*reason = NULL;
	tcp_hello_encode(own, hello);
	if (send(fd, hello, sizeof(hello), MSG_NOSIGNAL) != (ssize_t)sizeof(hello))
		return -ECONNRESET;
	while (have < TCP_HELLO_SIZE) {
		ssize_t count = recv(fd, hello + have, TCP_HELLO_SIZE - have, 0);

		if (count == 0)
			return -ECONNRESET;
		if (count < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		have += count > 0 ? (size_t)count : 0;
		if (have >= TCP_HEADER_SIZE && tcp_frame_decode(hello, &frame, reason) == 0 &&
		    frame.type == TCP_ERROR) {
			*reason = "it turned the connection away";
			return -(int)frame.length;
		}
		rc = have < TCP_HELLO_SIZE ? wait_for(fd, POLLIN, deadline) : 0;
		if (rc != 0)
			return rc;
	}
	return tcp_hello_decode(hello, theirs, reason);
}

static int connect_host(const char *host, uint16_t port, int64_t deadline, char *peer, size_t peer_size, char *why,
                        size_t why_size)
{
	struct addrinfo *list;
	int rc = resolve(host, port, 0, &list, why, why_size);

	if (rc != 0)
		return rc;
	for (struct addrinfo *entry = list; entry != NULL; entry = entry->ai_next) {
		transport_format_address(entry->ai_addr, entry->ai_addrlen, peer, peer_size);
		rc = connect_address(entry->ai_addr, entry->ai_addrlen, deadline);
		if (rc >= 0)
			break;
	}
	freeaddrinfo(list);
	if (rc < 0)
		transport_why(rc, why, why_size, "cannot connect to %s: %s", peer, strerror(-rc));
	return rc;
}

static int connect_path(const char *path, int64_t deadline, char *peer, size_t peer_size, char *why, size_t why_size)
{
	struct sockaddr_un address;
	int rc = path_address(path, &address);

	snprintf(peer, peer_size, "unix:%s", path);
	/* A full backlog of a UNIX socket gives EAGAIN, and no event reports when there is room again. */
	while (rc == 0 || (rc == -EAGAIN && clock_now_ms() < deadline)) {
		if (rc == -EAGAIN)
			poll(NULL, 0, 10);
		rc = connect_address((const struct sockaddr *)&address, sizeof(address), deadline);
	}
	if (rc < 0)
		transport_why(rc, why, why_size, "cannot connect to %s: %s%s", path, strerror(-rc),
		              rc == -ENOENT ? "; is farnovad running?" : "");
	return rc;
}

int tcp_connect(struct transport_queue *queue, const char *host, uint16_t port, const struct transport_hello *own,
                int timeout_ms, struct transport_conn **out, char *why, size_t why_size)
{
	int64_t deadline = clock_now_ms() + timeout_ms;
	char peer[TRANSPORT_PEER_SIZE] = "";
	struct transport_hello theirs;
	const char *reason;
	int fd, rc;

	if (host[0] == '/')
		fd = connect_path(host, deadline, peer, sizeof(peer), why, why_size);
	else
		fd = connect_host(host, port, deadline, peer, sizeof(peer), why, why_size);
	if (fd < 0)
		return fd;
	rc = exchange_hellos(fd, own, deadline, &theirs, &reason);
	if (rc != 0) {
		close(fd);
		return transport_why(rc, why, why_size, "no connection with %s: %s", peer,
		                     reason != NULL ? reason : strerror(-rc));
	}
	rc = tcp_conn_create(queue, fd, own, &theirs, peer, out);
	return transport_why(rc, why, why_size, "no connection with %s: %s", peer, strerror(-rc));
}
