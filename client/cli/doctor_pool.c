/*
 * doctor_pool.c -- the checks of `farnova doctor POOL` on a pool, or on the place of a future pool.
 *
 * Like mkfs, fsck and dump it accesses the medium itself, not a server. So it uses common/pm, whereas commands on URLs
 * use only farnova.h.
 */
#include "client/cli/diagnostics.h"
#include "common/pm/pm.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRY_SIZE (2ul << 20)

static void judge_kind(struct findings *findings, const char *path, enum pm_kind kind)
{
	switch (kind) {
	case PM_DEVDAX:
		finding(findings, "pool", FINDING_OK, NULL, "'%s' is devdax: what is stored survives power failure",
		        path);
		break;
	case PM_FSDAX:
		finding(findings, "pool", FINDING_OK, NULL,
		        "'%s' is on fsdax (MAP_SYNC): what is stored survives power failure", path);
		break;
	case PM_MEMORY:
		finding(findings, "pool", FINDING_NOTE, "for data to keep use a devdax device or a file on fsdax",
		        "'%s' is in memory: it survives a crash of the server, not of the host", path);
		break;
	case PM_FILE:
		finding(findings, "pool", FINDING_NOTE, "for data to keep use a devdax device or a file on fsdax",
		        "'%s' is an ordinary file: it survives a crash of the server, not power failure", path);
		break;
	}
}

static void judge_registration(struct findings *findings, enum pm_kind kind, void *memory, unsigned long length)
{
	char device[64] = "";
	int error = doctor_register(memory, length, device);

	if (error == 0)
		finding(findings, "pool", FINDING_OK, NULL, "it can be registered for RDMA (tried with %s)", device);
	else if (error == -ENODEV && (kind == PM_DEVDAX || kind == PM_MEMORY))
		finding(findings, "pool", FINDING_OK, NULL,
		        "it can be registered for RDMA by its kind (not tried: no active RDMA device)");
	else
		finding(findings, "pool", FINDING_NOTE,
		        kind == PM_FSDAX
		            ? "for RDMA make the namespace devdax: `ndctl create-namespace -f -e NAMESPACE -m devdax`"
		        : kind == PM_FILE ? "for RDMA use a devdax device, or a file on tmpfs or hugetlbfs"
		                          : "see `memlock` above",
		        "it cannot be registered for RDMA%s%s%s: a server on it serves over TCP only",
		        *device ? " (" : " by its kind", *device ? strerror(-error) : "", *device ? ")" : "");
}

/* Check a file in `directory` as a pool there would be. */
static void judge_directory(struct findings *findings, const char *directory)
{
	char path[4096], why[512];
	struct pm pm;

	snprintf(path, sizeof(path), "%s/.farnova-doctor-%d", directory, getpid());
	int error = pm_create(path, TRY_SIZE, false, &pm, why, sizeof(why));
	if (error) {
		finding(findings, "pool", FINDING_BAD, "name a place where a file can be made", "%s", why);
		return;
	}
	judge_kind(findings, directory, pm.kind);
	judge_registration(findings, pm.kind, pm.base, pm.size);
	pm_close(&pm);
	unlink(path);
}

void doctor_pool(struct findings *findings, const char *path)
{
	char why[512];
	struct stat st;
	struct pm pm;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		judge_directory(findings, path);
		return;
	}
	if (access(path, F_OK) && errno == ENOENT) {
		char *copy = strdup(path);
		finding(findings, "pool", FINDING_BAD,
		        "make it with `farnova mkfs`; what its place is fit for is told next", "there is no '%s'",
		        path);
		if (copy)
			judge_directory(findings, dirname(copy));
		free(copy);
		return;
	}
	int error = pm_open(path, true, &pm, why, sizeof(why));
	if (error == -EBUSY) {
		finding(findings, "pool", FINDING_NOTE, "ask its server: `farnova doctor URL`",
		        "'%s' is in use by a server, which a look from here would disturb", path);
	} else if (error) {
		finding(findings, "pool", FINDING_BAD, "see the sentence above", "%s", why);
	} else {
		judge_kind(findings, path, pm.kind);
		judge_registration(findings, pm.kind, pm.base, pm.size < TRY_SIZE ? pm.size : TRY_SIZE);
		pm_close(&pm);
	}
}
