/*
 * attacks_connections.c -- attacks with many connections: without sessions, without a hello, of garbage, and a flood.
 */
#include "tests/integration/attacks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define SILENT_SOCKETS 1500u
#define FLOODS         48u  /* connections of the flood from one host, */
#define FLOOD_DEPTH    8u   /* requests that each keeps in flight, */
#define FLOOD_STEPS    200u /* and components that each request walks */

/* What a job of many processes does that is killed and started again. */
void leave_without_bye(const struct attack_server *server)
{
	for (unsigned i = 0; attack_goes_on(); i++) {
		struct raw_client *client = intruder(server);
		if (client) {
			raw_try_hello(client, 0, NULL);
			raw_close(client);
		}
		if (i == 2 * MAX_CLIENTS)
			attack_begun();
		usleep(2000);
	}
}

void say_no_hello(const struct attack_server *server)
{
	struct raw_client *clients[4 * MAX_CLIENTS] = {NULL};
	size_t count = sizeof(clients) / sizeof(clients[0]);

	for (size_t i = 0; attack_goes_on(); i = (i + 1) % count) {
		if (clients[i])
			raw_close(clients[i]);
		clients[i] = intruder(server);
		if (i == count - 1)
			attack_begun();
		usleep(2000);
	}
	for (size_t i = 0; i < count; i++) {
		if (clients[i])
			raw_close(clients[i]);
	}
}

/* The address from which this thread connects over tcp; 0: the kernel chooses. The transport calls connect(2) through
 * this function (the linker's --wrap). */
static _Thread_local in_addr_t source;

int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	const struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = source};

	if (source != 0 && address->sa_family == AF_INET && bind(fd, (const struct sockaddr *)&from, sizeof(from)) != 0)
		return -1;
	return __real_connect(fd, address, size);
}

/* Short requests (some 10 us), of which no connection makes many, but all of them together: from another host than the
 * honest client. The attacker takes little of the CPU, for which the honest client would have to wait: so the server is
 * what is short. Over verbs this host has no second address. */
void flood_from_one_host(const struct attack_server *server)
{
	struct raw_client *clients[FLOODS];
	uint32_t sequences[FLOODS][FLOOD_DEPTH] = {{0}};
	struct proto_request request = {.op = PROTO_LOOKUP};
	struct proto_reply reply;
	unsigned count = 0;
	char path[2 * FLOOD_STEPS];

	if (server->kind != TRANSPORT_TCP || strncmp(server->host, "127.", 4) != 0) {
		attack_begun();
		return;
	}
	for (unsigned i = 0; i < FLOOD_STEPS; i++)
		memcpy(path + 2 * i, "./", 2);
	request.lookup.path = (struct proto_string){.data = path, .length = sizeof(path)};
	source = inet_addr("127.0.0.2");
	/* A crowded server lets in only max_per_host of them. */
	for (; count < FLOODS && (clients[count] = intruder(server)) != NULL; count++) {
		if (raw_try_hello(clients[count], 0, NULL) < 0) {
			raw_close(clients[count]);
			break;
		}
	}
	if (count < CROWD)
		die("not even max_per_host connections", -ECONNREFUSED);
	for (unsigned i = 0; i < count; i++) {
		request.lookup.dir = clients[i]->hello.hello.root;
		for (request.slot = 0; request.slot < FLOOD_DEPTH; request.slot++) {
			request.sequence = ++sequences[i][request.slot];
			if (!raw_post(clients[i], &request))
				die("a request", -ECONNRESET);
		}
	}
	attack_begun();
	while (attack_goes_on()) {
		for (unsigned i = 0; i < count; i++) {
			while (raw_reply(clients[i], &reply, 0)) {
				request.lookup.dir = clients[i]->hello.hello.root;
				request.slot = reply.slot;
				request.sequence = ++sequences[i][reply.slot];
				if (!raw_post(clients[i], &request))
					die("a request", -ECONNRESET);
			}
		}
		usleep(500); /* the server has requests for longer than that */
	}
	for (unsigned i = 0; i < count; i++)
		raw_close(clients[i]);
}

/* Sockets that do not even begin, more than may wait for their hello. */
void say_nothing(const struct attack_server *server)
{
	const struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(server->port), .sin_addr.s_addr = inet_addr(server->host)};
	static int sockets[SILENT_SOCKETS];
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	memset(sockets, -1, sizeof(sockets));
	for (unsigned i = 0; server->kind == TRANSPORT_TCP && attack_goes_on(); i = (i + 1) % SILENT_SOCKETS) {
		if (sockets[i] >= 0)
			close(sockets[i]);
		sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (sockets[i] >= 0)
			(void)!connect(sockets[i], (const struct sockaddr *)&address, sizeof(address));
		if (i == SILENT_SOCKETS - 1)
			attack_begun();
		if (i % 16 == 0)
			usleep(1000);
	}
	attack_begun();
	for (unsigned i = 0; i < SILENT_SOCKETS; i++) {
		if (sockets[i] >= 0)
			close(sockets[i]);
	}
}

/* Bytes that are no messages; each ends its connection and would fill the log. */
void send_garbage(const struct attack_server *server)
{
	const uint8_t garbage[512] = {0x5a};

	attack_begun();
	while (attack_goes_on()) {
		struct raw_client *client = intruder(server);
		if (!client)
			continue;
		raw_send(client, garbage, sizeof(garbage));
		raw_wait_closed(client, 10000);
		raw_close(client);
		usleep(1000);
	}
}
