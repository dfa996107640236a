/*
 * reply_killer.h -- what a test and the library that it preloads into farnovad (reply_killer.c) tell each other.
 *
 * The library counts the replies that the server sends, and ends the server just before the one that it is told: what
 * the request asked for has been done then, and the client does not know.
 */
#ifndef FARNOVA_TESTS_REPLY_KILLER_H
#define FARNOVA_TESTS_REPLY_KILLER_H

#include <stdatomic.h>
#include <stdint.h>

#define REPLY_KILLER_FILE "FARNOVA_REPLY_KILLER" /* environment: path of a file that holds a struct reply_killer */

enum reply_killer_end {
	REPLY_KILLER_KILL, /* SIGKILL */
	REPLY_KILLER_TERM, /* SIGTERM; this reply and all later ones are lost */
};

/* In a file that both map. The test sets `at` and `end` while no server runs, or before it sends the first request. */
struct reply_killer {
	atomic_uint replies; /* that were to be sent so far */
	atomic_uint at;      /* the reply before which the server ends, counted from 1; 0 = none */
	atomic_uint end;     /* enum reply_killer_end */
	atomic_uint op;      /* of the reply that was not sent; 0 = the server has not been ended */
	atomic_uint status;  /* of that reply */
};

#endif
