/*
 * verbs_absent.c -- replaces the verbs transport in a build without it (-DFARNOVA_VERBS=OFF): never available.
 */
#include <errno.h>

#include "common/transport/verbs/verbs_ops.h"

static int absent_available(char *why, size_t why_size)
{
	return transport_why(-EPROTONOSUPPORT, why, why_size,
	                     "this build has no RDMA (FARNOVA_VERBS=OFF); use tcp, or install a build that has it");
}

static int absent_queue_create(struct transport_queue **out)
{
	*out = NULL;
	return -EPROTONOSUPPORT;
}

static int absent_listen(const char *host, uint16_t port, struct transport_listener **out, char *why, size_t why_size)
{
	*out = NULL;
	return absent_available(why, why_size);
}

static int absent_connect(struct transport_queue *queue, const char *host, uint16_t port,
                          const struct transport_hello *own, int timeout_ms, struct transport_conn **out, char *why,
                          size_t why_size)
{
	*out = NULL;
	return absent_available(why, why_size);
}

/* Functions on a queue, a listener or a connection are never called, since none can be created. */
const struct transport_ops transport_verbs_ops = {
    .kind = TRANSPORT_VERBS,
    .available = absent_available,
    .queue_create = absent_queue_create,
    .listen = absent_listen,
    .connect = absent_connect,
};
