/*
 * doctor_rdma_absent.c -- the output of `farnova doctor` on RDMA in a build without it (-DFARNOVA_VERBS=OFF).
 */
#include "client/cli/diagnostics.h"

#include <errno.h>

void doctor_rdma(struct findings *findings)
{
	finding(findings, "rdma", FINDING_NOTE, "install a build with RDMA, that is with -DFARNOVA_VERBS=ON",
	        "this build has no RDMA: TCP is used");
}

int doctor_register(void *memory, unsigned long length, char device[64])
{
	return -ENODEV;
}
