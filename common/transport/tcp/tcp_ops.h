/* tcp_ops.h -- the table of the tcp transport's functions, for the registry. */
#ifndef FARNOVA_COMMON_TRANSPORT_TCP_OPS_H
#define FARNOVA_COMMON_TRANSPORT_TCP_OPS_H

#include "common/transport/base/internal.h"

extern const struct transport_ops transport_tcp_ops;

#endif
