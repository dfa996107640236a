/*
 * client_relay.h -- a relay between a client and a server, one connection after the other, which loses what it is told to.
 *
 * Functions fail the test when they cannot do what they say.
 */
#ifndef FARNOVA_TESTS_CLIENT_RELAY_H
#define FARNOVA_TESTS_CLIENT_RELAY_H

#include <pthread.h>
#include <stdatomic.h>

struct client_relay {
	char url[64];

	/* orders */
	atomic_bool mute;    /* drop what the server says */
	atomic_bool swallow; /* drop what the client says */
	atomic_bool shut;    /* end connections, and take no other */

	/* what it has seen */
	atomic_uint connections;
	atomic_uint swallowed; /* times that it dropped something of the client's */

	/* private */
	atomic_bool ended;
	int listener, server_port;
	pthread_t thread;
};

/* client_relay_start -- begin to pass connections on to `server_port` of this host. client_relay_stop -- end all. */
void client_relay_start(struct client_relay *relay, int server_port);
void client_relay_stop(struct client_relay *relay);

#endif
