/*
 * lane.h -- what one-sided READs need of the connection that they go by.
 *
 * The session's connection has a lane, and so has each of its channels. The connection's lock guards it.
 */
#ifndef FARNOVA_CLIENT_LANE_H
#define FARNOVA_CLIENT_LANE_H

#include "client/link/bounce.h"
#include "client/session/layout.h"

struct lane {
	struct connection *link;
	struct reads_list *reads; /* in flight */
	struct bounce bounce;
};

#endif
