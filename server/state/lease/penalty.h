/*
 * penalty.h -- penalties: for how long a session gets no leases because others had to wait for it.
 *
 * Without penalties a session could take a lease, not answer its recall and take the lease again at once. So it could
 * delay every change for nearly all of the time.
 *
 *  - A session that answers a recall late, but within the time-out, gets no leases for PENALTY_FACTOR times the time of
 *    its answer. So it can delay others for a small share of the time at most.
 *  - A session that does not answer in time gets no leases for PENALTY_FIRST_MS, and for twice as long each further
 *    time, up to PENALTY_MAX_MS. A recall answered in time halves the penalty, but at most once in the length of the
 *    penalty: else a session could reduce it by recalls that it causes itself.
 *  - Sessions that the same host opens later begin with the penalty of its last such session, and get no leases for as
 *    long: a new identity does not help. The host's present sessions are not affected: honest clients may share a host.
 */
#ifndef FARNOVA_SERVER_PENALTY_H
#define FARNOVA_SERVER_PENALTY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define PENALTY_FIRST_MS 4000
#define PENALTY_MAX_MS   60000
#define PENALTY_FACTOR   8

/* The penalty of one session; zeros: none. Times are milliseconds of clock_now_ms. */
struct penalty {
	int64_t length_ms;  /* of the next penalty; 0 = PENALTY_FIRST_MS */
	int64_t until_ms;   /* no leases before */
	int64_t changed_ms; /* when length_ms last changed */
};

/* penalty_holds -- whether the session gets no leases now. */
bool penalty_holds(const struct penalty *penalty, int64_t now_ms);

/* penalty_answered -- a recall was answered after `took_ms`, in time. penalty_lost -- the connection ended before the
 * answer. penalty_unanswered -- the recall was not answered in time. */
void penalty_answered(struct penalty *penalty, int64_t took_ms, int64_t now_ms);
void penalty_lost(struct penalty *penalty, int64_t took_ms, int64_t now_ms);
void penalty_unanswered(struct penalty *penalty, int64_t now_ms);

/* ---- hosts ------------------------------------------------------------------------------------------------------ */

#define PENALTY_HOSTS         256u /* in the table; a new one replaces that with the earliest forget_ms */
#define PENALTY_FORGET_FACTOR 10   /* a host is remembered for so many times its penalty */

struct penalty_record {
	uint64_t host;     /* as from transport_pending_host */
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

/* penalty_remember -- record the penalty of a session of this host. */
void penalty_remember(struct penalty_table *table, uint64_t host, const struct penalty *penalty, int64_t now_ms);

/* penalty_begin -- the initial penalty of a session that this host opens. */
void penalty_begin(struct penalty_table *table, uint64_t host, struct penalty *penalty, int64_t now_ms);

#endif
