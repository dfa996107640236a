/*
 * doctor_rdma.c -- the checks of `farnova doctor` on RDMA devices.
 */
#include "client/cli/diagnostics.h"

#include <errno.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char no_device_advice[] =
    "TCP is used. For RDMA over any Ethernet card: `modprobe rdma_rxe && rdma link add rxe0 type rxe netdev eth0` "
    "(packages iproute2, ibverbs-providers)";

static void report_port(struct findings *findings, const char *device, uint8_t port, const struct ibv_port_attr *attr)
{
	bool ethernet = attr->link_layer == IBV_LINK_LAYER_ETHERNET;
	unsigned mtu = 128u << attr->active_mtu;

	if (attr->state != IBV_PORT_ACTIVE) {
		finding(findings, "rdma", FINDING_NOTE,
		        ethernet ? "bring its network interface up and give it an address (`ip link set ... up`)"
		                 : "check the cable and the subnet manager (opensm)",
		        "%s port %u is %s, not active: not used", device, port, ibv_port_state_str(attr->state));
		return;
	}
	if (ethernet && mtu < 4096)
		finding(
		    findings, "rdma", FINDING_NOTE,
		    "4 KiB transfers are faster in one packet: set the interface's mtu to 4200 or more on both hosts",
		    "%s port %u is active over Ethernet with an RDMA MTU of %u", device, port, mtu);
	else
		finding(findings, "rdma", FINDING_OK, NULL, "%s port %u is active over %s, MTU %u", device, port,
		        ethernet ? "Ethernet" : "InfiniBand", mtu);
}

static void report_device(struct findings *findings, struct ibv_device *device)
{
	const char *name = ibv_get_device_name(device);
	struct ibv_context *context = ibv_open_device(device);
	struct ibv_device_attr attr;

	if (!context) {
		finding(findings, "rdma", FINDING_NOTE,
		        "check the rights on /dev/infiniband/uverbs*; in a container pass the devices in",
		        "%s cannot be opened: %s", name, strerror(errno));
		return;
	}
	if (ibv_query_device(context, &attr)) {
		finding(findings, "rdma", FINDING_NOTE, NULL, "%s cannot be asked: %s", name, strerror(errno));
	} else {
		for (uint8_t port = 1; port <= attr.phys_port_cnt; port++) {
			struct ibv_port_attr port_attr;
			if (ibv_query_port(context, port, &port_attr) == 0)
				report_port(findings, name, port, &port_attr);
		}
	}
	ibv_close_device(context);
}

void doctor_rdma(struct findings *findings)
{
	int count = 0;
	struct ibv_device **devices = ibv_get_device_list(&count);

	for (int i = 0; devices && i < count; i++)
		report_device(findings, devices[i]);
	if (devices)
		ibv_free_device_list(devices);
	if (count == 0) {
		finding(findings, "rdma", FINDING_NOTE, no_device_advice, "there is no RDMA device");
		return;
	}
	if (access("/dev/infiniband/rdma_cm", R_OK | W_OK))
		finding(findings, "rdma", FINDING_NOTE,
		        "`modprobe rdma_ucm`; in a container pass /dev/infiniband in; it must be readable and writable",
		        "/dev/infiniband/rdma_cm cannot be used (%s): no connection can be made over verbs",
		        strerror(errno));
}

static bool has_active_port(struct ibv_context *context)
{
	struct ibv_device_attr attr;
	struct ibv_port_attr port_attr;

	if (ibv_query_device(context, &attr))
		return false;
	for (uint8_t port = 1; port <= attr.phys_port_cnt; port++)
		if (ibv_query_port(context, port, &port_attr) == 0 && port_attr.state == IBV_PORT_ACTIVE)
			return true;
	return false;
}

static int register_with(struct ibv_context *context, void *memory, unsigned long length)
{
	struct ibv_pd *pd = ibv_alloc_pd(context);
	int error = 0;

	if (!pd)
		return -errno;
	struct ibv_mr *mr = ibv_reg_mr(pd, memory, length, IBV_ACCESS_REMOTE_READ);
	if (mr)
		ibv_dereg_mr(mr);
	else
		error = -errno;
	ibv_dealloc_pd(pd);
	return error;
}

int doctor_register(void *memory, unsigned long length, char device[64])
{
	int count = 0, error = -ENODEV;
	struct ibv_device **devices = ibv_get_device_list(&count);

	for (int i = 0; devices && i < count && error == -ENODEV; i++) {
		struct ibv_context *context = ibv_open_device(devices[i]);
		if (context && has_active_port(context)) {
			error = register_with(context, memory, length);
			snprintf(device, 64, "%s", ibv_get_device_name(devices[i]));
		}
		if (context)
			ibv_close_device(context);
	}
	if (devices)
		ibv_free_device_list(devices);
	return error;
}
