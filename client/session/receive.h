/*
 * receive.h -- the session's handlers for messages, ticks and the loss of the connection.
 *
 * They implement struct connection_handler.
 */
#ifndef FARNOVA_CLIENT_RECEIVE_H
#define FARNOVA_CLIENT_RECEIVE_H

#include "client/link/connection.h"

void receive_message(struct connection *link, const void *data, uint32_t length);
void receive_polled(struct connection *link);
void receive_lost(struct connection *link);
int64_t receive_tick(struct connection *link, bool idle);

#endif
