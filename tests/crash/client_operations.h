/*
 * client_operations.h -- operations that change the client table: the first request of a new client, and its end.
 */
#ifndef FARNOVA_TESTS_CRASH_CLIENT_OPERATIONS_H
#define FARNOVA_TESTS_CRASH_CLIENT_OPERATIONS_H

#include "tests/crash/world.h"

/* clients_first_request -- a client that was not there creates a file: its record, its page and its first intent.
 * clients_free_page -- before it: another client had a page and has ended. */
void clients_free_page(struct world *world);
int clients_first_request(struct world *world);

/* clients_make -- a client with an intent; clients_end -- it ends. */
void clients_make(struct world *world);
int clients_end(struct world *world);

#endif
