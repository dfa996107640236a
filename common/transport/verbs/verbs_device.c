/* verbs_device.c -- checks whether this host can use RDMA now, and says what to do if not; registers memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/transport/verbs/verbs.h"

#define PROBE_SIZE (4u << 20) /* about the memory that one connection pins */

static bool has_active_port(struct ibv_context *device)
{
	struct ibv_device_attr attributes;
	struct ibv_port_attr port;

	if (ibv_query_device(device, &attributes) != 0)
		return false;
	for (uint8_t number = 1; number != 0 && number <= attributes.phys_port_cnt; number++)
		if (ibv_query_port(device, number, &port) == 0 && port.state == IBV_PORT_ACTIVE)
			return true;
	return false;
}

/* The limit on locked memory does not apply to all users: test whether memory can be registered. */
static int try_to_register(struct ibv_context *device)
{
	void *memory = mmap(NULL, PROBE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ibv_pd *pd = ibv_alloc_pd(device);
	struct ibv_mr *mr = NULL;
	int rc = 0;

	if (memory == MAP_FAILED || pd == NULL)
		rc = -ENOMEM;
	if (rc == 0) {
		mr = ibv_reg_mr(pd, memory, PROBE_SIZE, IBV_ACCESS_LOCAL_WRITE);
		rc = mr != NULL ? 0 : -errno;
	}
	if (mr != NULL)
		ibv_dereg_mr(mr);
	if (pd != NULL)
		ibv_dealloc_pd(pd);
	if (memory != MAP_FAILED)
		munmap(memory, PROBE_SIZE);
	return rc;
}

static int try_device(struct ibv_device *which, char *why, size_t why_size)
{
	const char *name = ibv_get_device_name(which);
	struct ibv_context *device = ibv_open_device(which);
	int rc;

	if (device == NULL)
		return transport_why(-EACCES, why, why_size,
		                     "RDMA device %s cannot be opened: %s; check the rights on /dev/infiniband", name,
		                     strerror(errno));
	if (!has_active_port(device)) {
		ibv_close_device(device);
		return transport_why(-ENETDOWN, why, why_size,
		                     "no port of RDMA device %s is active; bring its link up (ip link, ibstat)", name);
	}
	rc = try_to_register(device);
	ibv_close_device(device);
	if (rc != 0)
		return transport_why(
		    rc, why, why_size,
		    "RDMA device %s cannot register %u MiB: %s; raise the limit of locked memory (ulimit "
		    "-l unlimited, or LimitMEMLOCK=infinity in the unit)",
		    name, PROBE_SIZE >> 20, strerror(-rc));
	return transport_why(0, why, why_size, "RDMA device %s is active", name);
}

int verbs_device_available(char *why, size_t why_size)
{
	int count = 0, rc = -ENODEV;
	struct ibv_device **list = ibv_get_device_list(&count);

	transport_why(
	    -ENODEV, why, why_size,
	    "this host has no RDMA device; on an Ethernet interface soft-RoCE makes one: modprobe rdma_rxe && "
	    "rdma link add rxe0 type rxe netdev eth0");
	for (int i = 0; list != NULL && i < count && rc != 0; i++)
		rc = try_device(list[i], why, why_size);
	if (list != NULL)
		ibv_free_device_list(list);
	return rc;
}

int verbs_allocate_registered(struct ibv_pd *pd, size_t size, uint8_t **bytes, struct ibv_mr **mr)
{
	*bytes = aligned_alloc(4096, (size + 4095) & ~(size_t)4095);
	if (*bytes == NULL)
		return -ENOMEM;
	memset(*bytes, 0, size); /* a short message must not leak earlier heap contents */
	*mr = ibv_reg_mr(pd, *bytes, size, IBV_ACCESS_LOCAL_WRITE);
	return *mr != NULL ? 0 : -errno;
}
