/*
 * attack.h -- runs attacks on a server, each beside an honest client that must not feel them.
 *
 * The honest client writes, reads back and compares all the time. For each attack three rates are measured in turns:
 * alone, beside a process that only burns a CPU, and beside the attack. The attacker runs on the same host, so it takes
 * CPU time from the honest client as that process does; what the server lets it take is the difference. The attack has
 * failed if the honest client saw no error, kept half of its rate beside the burner, and a client that came meanwhile
 * was let in. Under a sanitizer the rates are only printed. An attack runs in a thread of its own and ends soon after
 * attack_goes_on() says false.
 */
#ifndef FARNOVA_TESTS_SUPPORT_ATTACK_H
#define FARNOVA_TESTS_SUPPORT_ATTACK_H

#include "tests/support/raw_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct attack_server {
	enum transport_kind kind;
	const char *host;
	uint16_t port;
};

struct attack {
	const char *name;
	void (*run)(const struct attack_server *server);
	bool nightly; /* too long for every run */
};

/* attack_begun -- called by an attack once it is under way: measuring begins. attack_goes_on -- until then. */
void attack_begun(void);
bool attack_goes_on(void);

/*
 * attack_all -- run the attacks whose names contain `only` (NULL: all; then those for the night only if `nightly`).
 * Prints a line for each; returns how many did harm. Exits with 1 if the honest client meets an error.
 */
int attack_all(const struct attack_server *server, const struct attack *attacks, size_t count, const char *only,
               bool nightly);

#endif
