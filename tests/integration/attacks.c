/*
 * attacks.c -- attacks on a server beside an honest client: `attacks [--nightly] TRANSPORT HOST PORT [NAME]`. Exit
 * status 0 if none of them did harm. The server is to run with --workers 1, so that all share a thread, and with
 * --max-clients 64.
 */
#include "tests/integration/attacks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *what, int rc)
{
	fprintf(stderr, "attack: %s: %s\n", what, strerror(-rc));
	exit(1);
}

struct raw_client *intruder(const struct attack_server *server)
{
	struct raw_client *client;
	char why[512];

	return raw_try_connect(server->kind, server->host, server->port, &client, why, sizeof(why)) == 0 ? client
	                                                                                                 : NULL;
}

struct raw_client *greeted(const struct attack_server *server)
{
	struct raw_client *client = intruder(server);
	int rc = client ? raw_try_hello(client, 0, NULL) : -ECONNREFUSED;

	if (rc < 0)
		die("HELLO", rc);
	return client;
}

static const struct attack attacks[] = {
    {"sessions left without BYE", leave_without_bye, false},
    {"connections without HELLO", say_no_hello, false},
    {"garbage on many connections", send_garbage, false},
    {"short requests from many connections of one host", flood_from_one_host, false},
    {"walks of 78,000 components", walk_far, false},
    {"staged writes of 8 MiB", write_much, false},
    {"one-sided writes", fill_ring, false},
    {"one-sided reads", read_much, false},
    {"blocks kept from being used", keep_blocks, false},
    {"guessed handles", guess_handles, false},
    {"sockets without a hello", say_nothing, true},
    {"long walks from many connections", walk_far_from_many, true},
};

int main(int argc, char **argv)
{
	bool nightly = argc > 1 && strcmp(argv[1], "--nightly") == 0;
	struct attack_server server;

	argv += nightly;
	argc -= nightly;
	if ((argc != 4 && argc != 5) || transport_kind_from_name(argv[1], &server.kind) < 0) {
		fprintf(stderr, "usage: attacks [--nightly] TRANSPORT HOST PORT [NAME]\n");
		return 2;
	}
	server.host = argv[2];
	server.port = (uint16_t)atoi(argv[3]);
	int harmful = attack_all(&server, attacks, sizeof(attacks) / sizeof(attacks[0]), argv[4], nightly);
	if (harmful > 0)
		fprintf(stderr, "%d attacks did harm\n", harmful);
	return harmful > 0;
}
