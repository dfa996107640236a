/*
 * penalty.h -- how long a session gets no leases because others had to wait for it.
 *
 * Without it a session that takes a lease and does not answer its recall could take it again at once, and so hold up
 * every change for nearly all of the time.
 *
 *  - Who answers a recall late, though within the time-out, gets no leases for PENALTY_FACTOR times as long as it took:
 *    so it can hold up others for a small share of the time at most.
 *  - Who does not answer in time gets none for PENALTY_FIRST_MS, and twice as long each further time, up to
 *    PENALTY_MAX_MS. The penalty halves with a recall answered in time, at most once in as long as it is: else a session
 *    could work it off by recalls that it causes itself.
 *  - Sessions that a host opens afterwards begin with the penalty of its last offender, and get no leases for as long as
 *    one that answered late: a new identity is for nothing. Those that it has already do not: many honest clients may
 *    share one.
 */
#ifndef FARNOVA_SERVER_PENALTY_H
#define FARNOVA_SERVER_PENALTY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define PENALTY_FIRST_MS 4000
#define PENALTY_MAX_MS   60000
#define PENALTY_FACTOR   8

/* Of one session; zeros: none. Times are milliseconds of clock_now_ms. */
struct penalty {
	int64_t length_ms;  /* of the next one; 0 = PENALTY_FIRST_MS */
	int64_t until_ms;   /* no leases before */
	int64_t changed_ms; /* when length_ms last changed */
};

/* penalty_holds -- whether the session gets no leases now. */
bool penalty_holds(const struct penalty *penalty, int64_t now_ms);

/* penalty_answered -- a recall was answered after `took_ms`, in time. penalty_lost -- the connection ended before it
 * was. penalty_unanswered -- it was not answered in time. */
void penalty_answered(struct penalty *penalty, int64_t took_ms, int64_t now_ms);
void penalty_lost(struct penalty *penalty, int64_t took_ms, int64_t now_ms);
void penalty_unanswered(struct penalty *penalty, int64_t now_ms);

/* ---- hosts ------------------------------------------------------------------------------------------------------ */

#define PENALTY_HOSTS         256u /* remembered; then the one that is to be forgotten first goes */
#define PENALTY_FORGET_FACTOR 10   /* a host is remembered for so many times its penalty */

struct penalty_record {
	uint64_t host;     /* as transport_pending_host tells it */
	int64_t length_ms; /* as of a session */
	int64_t until_ms;
	int64_t forget_ms; /* past: the record is not in use */
};

/* Thread safe. */
struct penalty_table {
	pthread_mutex_t lock;
	struct penalty_record records[PENALTY_HOSTS];
};

void penalty_table_init(struct penalty_table *table);
void penalty_table_destroy(struct penalty_table *table);

/* penalty_remember -- `penalty` is what a session of this host has got because others had to wait for it. */
void penalty_remember(struct penalty_table *table, uint64_t host, const struct penalty *penalty, int64_t now_ms);

/* penalty_begin -- what a session begins with that this host opens. */
void penalty_begin(struct penalty_table *table, uint64_t host, struct penalty *penalty, int64_t now_ms);

#endif
