/*
 * client_server.h -- a real farnovad for tests of the client library in a program of their own.
 *
 * Functions fail the test when they cannot do what they say.
 */
#ifndef FARNOVA_TESTS_UNIT_CLIENT_SERVER_H
#define FARNOVA_TESTS_UNIT_CLIENT_SERVER_H

#include <sys/types.h>

struct client_server {
	pid_t pid;            /* 0: not running */
	const char *flags[4]; /* more of farnovad's, as far as they are set; to be set before a start */
	int port;             /* the same for all starts */
	char pool[64];
	char url[64];
};

/* client_server_create -- make a pool in memory and start a server on it. */
void client_server_create(struct client_server *server);
/* client_server_kill -- as a crash would. client_server_start -- again, on the same pool and port. */
void client_server_kill(struct client_server *server);
void client_server_start(struct client_server *server);
/* client_server_freeze -- stop it with SIGSTOP, and wait until none of its threads runs. SIGCONT lets it go on. */
void client_server_freeze(struct client_server *server);
/* client_server_destroy -- end the server with SIGTERM, which must succeed, and remove the pool. */
void client_server_destroy(struct client_server *server);

#endif
