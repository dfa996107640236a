/*
 * attacks.h -- the attacks of attacks.c, and what they share.
 *
 * Each attacks the server, by connections of its own, until attack_goes_on() says no, and ends the program if it cannot
 * do so.
 */
#ifndef TESTS_INTEGRATION_ATTACKS_H
#define TESTS_INTEGRATION_ATTACKS_H

#include "tests/support/attack.h"

#define MAX_CLIENTS 64u /* as the server was told */
#define CROWD       16u /* as many connections as one host may always have */

/* die -- end the program: the attack could not be made. */
void die(const char *what, int rc);

/* intruder -- a connection; NULL if the server refuses it, which it may. greeted -- a connection with a session. */
struct raw_client *intruder(const struct attack_server *server);
struct raw_client *greeted(const struct attack_server *server);

/* attacks_connections.c: many connections. */
void leave_without_bye(const struct attack_server *server);
void say_no_hello(const struct attack_server *server);
void send_garbage(const struct attack_server *server);
void flood_from_one_host(const struct attack_server *server);
void say_nothing(const struct attack_server *server);

/* attacks_requests.c: costly requests, layouts that are kept, and what is not theirs. */
void walk_far(const struct attack_server *server);
void write_much(const struct attack_server *server);
void fill_ring(const struct attack_server *server);
void read_much(const struct attack_server *server);
void keep_blocks(const struct attack_server *server);
void guess_handles(const struct attack_server *server);
void walk_far_from_many(const struct attack_server *server);

#endif
