/*
 * server_fixture.h -- a whole server in the test's own process, on a small pool in memory, over TCP on loopback.
 */
#ifndef FARNOVA_TESTS_UNIT_SERVER_FIXTURE_H
#define FARNOVA_TESTS_UNIT_SERVER_FIXTURE_H

#include <stdint.h>

struct running_server;

/* server_run -- make a pool and serve it on any free port, which `port` receives. `flags` are farnovad's, ended by
 * NULL. Exits with a message where that fails. */
struct running_server *server_run(uint16_t *port, const char *const *flags);

/* server_run_sized -- the same with a pool of so many bytes. server_restart -- stop it as SIGTERM does and start it again
 * on the same pool, with the same flags; any free port. */
struct running_server *server_run_sized(uint16_t *port, const char *const *flags, uint64_t bytes);
void server_restart(struct running_server *running, uint16_t *port);

/* server_end -- stop it as SIGTERM does and remove the pool. */
void server_end(struct running_server *running);

#endif
