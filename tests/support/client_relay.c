/*
 * client_relay.c -- a relay between a client and a server.
 */
#include "tests/support/client_relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
/* cmocka.h wants the above first */
#include <cmocka.h>

static bool forward(int from, int to, bool drop)
{
	char buffer[65536];
	ssize_t length = recv(from, buffer, sizeof(buffer), 0);

	return length > 0 && (drop || send(to, buffer, (size_t)length, MSG_NOSIGNAL) == length);
}

static void pass_on(struct client_relay *relay, int client)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	                              .sin_port = htons((uint16_t)relay->server_port),
	                              .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int peer = socket(AF_INET, SOCK_STREAM, 0);
	bool alive = connect(peer, (struct sockaddr *)&address, sizeof(address)) == 0;
	struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = peer, .events = POLLIN}};

	while (alive && !relay->ended && !relay->shut) {
		poll(fds, 2, 10);
		if (fds[0].revents) {
			bool swallow = relay->swallow;
			alive = forward(client, peer, swallow);
			relay->swallowed += swallow;
		}
		if (alive && fds[1].revents)
			alive = forward(peer, client, relay->mute);
	}
	close(client);
	close(peer);
}

static void *run(void *argument)
{
	struct client_relay *relay = argument;

	while (!relay->ended) {
		struct pollfd fd = {.fd = relay->listener, .events = POLLIN};
		if (poll(&fd, 1, 10) != 1)
			continue;
		relay->connections++;
		int accepted = accept(relay->listener, NULL, NULL);
		if (relay->shut)
			close(accepted);
		else
			pass_on(relay, accepted);
	}
	return NULL;
}

void client_relay_start(struct client_relay *relay, int server_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(address);

	relay->server_port = server_port;
	relay->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(relay->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(relay->listener, 8), 0);
	assert_int_equal(getsockname(relay->listener, (struct sockaddr *)&address, &size), 0);
	snprintf(relay->url, sizeof(relay->url), "farnova://127.0.0.1:%d/", ntohs(address.sin_port));
	assert_int_equal(pthread_create(&relay->thread, NULL, run, relay), 0);
}

void client_relay_stop(struct client_relay *relay)
{
	relay->ended = true;
	assert_int_equal(pthread_join(relay->thread, NULL), 0);
	close(relay->listener);
}
