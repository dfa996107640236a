/*
 * dispatch.h -- messages of clients: decode, check slot and sequence, run the handler of the operation, and answer.
 */
#ifndef FARNOVA_SERVER_DISPATCH_H
#define FARNOVA_SERVER_DISPATCH_H

#include <stdint.h>

struct conn;
struct deferred;
struct state;

/*
 * dispatch_arrived -- a message waits for its connection's turn. What it has quiesced counts at once, because others
 * may be waiting for it.
 */
void dispatch_arrived(struct conn *conn, const void *data, uint32_t length);

/* dispatch_message -- handle a message; its buffer is free when this returns. */
void dispatch_message(struct state *state, struct conn *conn, const void *data, uint32_t length);

/* dispatch_resume -- run a request again that has waited; for struct state. */
void dispatch_resume(struct deferred *deferred);

#endif
