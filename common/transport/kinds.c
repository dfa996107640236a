/*
 * kinds.c -- the table of transports. A program that links another table in its place, as the simulator does, has other
 * transports by the same names.
 */
#include "common/transport/base/internal.h"
#include "common/transport/tcp/tcp_ops.h"
#include "common/transport/verbs/verbs_ops.h"

const struct transport_ops *const transport_kinds[TRANSPORT_KINDS] = {
    [TRANSPORT_TCP] = &transport_tcp_ops,
    [TRANSPORT_VERBS] = &transport_verbs_ops,
};
