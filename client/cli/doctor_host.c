/*
 * doctor_host.c -- the checks of `farnova doctor` on the host itself: limits, FUSE, kernel and CPU.
 */
#include "client/cli/diagnostics.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static bool may_lock_memory(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & (1u << CAP_IPC_LOCK));
}

static void check_memlock(struct findings *findings)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit)) {
		finding(findings, "memlock", FINDING_NOTE, NULL, "the limit on locked memory cannot be read: %s",
		        strerror(errno));
	} else if (limit.rlim_cur == RLIM_INFINITY) {
		finding(findings, "memlock", FINDING_OK, NULL, "locked memory is not limited");
	} else if (may_lock_memory()) {
		finding(findings, "memlock", FINDING_OK, NULL,
		        "the limit on locked memory (%llu KiB) does not bind a process with CAP_IPC_LOCK",
		        (unsigned long long)limit.rlim_cur / 1024);
	} else {
		finding(
		    findings, "memlock", FINDING_NOTE,
		    "for verbs raise it: `ulimit -l unlimited`, LimitMEMLOCK=infinity in a systemd unit, or memlock in "
		    "/etc/security/limits.conf (TCP does not need it)",
		    "locked memory is limited to %llu KiB: a server cannot register a pool, a client hardly its "
		    "buffers",
		    (unsigned long long)limit.rlim_cur / 1024);
	}
}

static bool in_path(const char *program)
{
	const char *path = getenv("PATH");
	char *copy = strdup(path ? path : "/usr/bin:/bin"), *rest = NULL, file[4096];
	bool found = false;

	for (char *dir = strtok_r(copy, ":", &rest); dir && !found; dir = strtok_r(NULL, ":", &rest)) {
		snprintf(file, sizeof(file), "%s/%s", dir, program);
		found = access(file, X_OK) == 0;
	}
	free(copy);
	return found;
}

static void check_fuse(struct findings *findings)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		finding(findings, "fuse", FINDING_NOTE,
		        errno == ENOENT || errno == ENODEV || errno == ENXIO
		            ? "`modprobe fuse`; in a container --device /dev/fuse --cap-add SYS_ADMIN"
		            : "run as root, or pass the device into the container",
		        "/dev/fuse cannot be opened (%s): `farnova mount` does not work, everything else does",
		        strerror(errno));
		return;
	}
	close(fd);
	if (geteuid() != 0 && !in_path("fusermount3"))
		finding(findings, "fuse", FINDING_NOTE, "install the package fuse3, or mount as root",
		        "fusermount3 is not installed: only root can mount");
	else
		finding(findings, "fuse", FINDING_OK, NULL, "/dev/fuse is there: `farnova mount` works");
}

static void check_userfaultfd(struct findings *findings)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	if (fd < 0) {
		finding(findings, "kernel", FINDING_NOTE,
		        errno == ENOSYS ? "use a kernel with CONFIG_USERFAULTFD"
		                        : "allow the system call in the container's seccomp profile",
		        "no userfaultfd (%s): nothing needs it yet; mapping remote files will", strerror(errno));
		return;
	}
	struct uffdio_api api = {.api = UFFD_API};
	bool sigbus = ioctl(fd, UFFDIO_API, &api) == 0 && (api.features & UFFD_FEATURE_SIGBUS);
	close(fd);
	finding(findings, "kernel", FINDING_OK, NULL, "userfaultfd is there%s",
	        sigbus ? ", with faults served in the faulting thread" : "");
}

static void check_kernel(struct findings *findings)
{
	struct utsname name;

	if (uname(&name) == 0)
		finding(findings, "kernel", FINDING_OK, NULL, "%s %s on %s", name.sysname, name.release, name.machine);
	check_userfaultfd(findings);
}

static bool has_flag(const char *flags, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = flags; (at = strstr(at, name)); at += length)
		if ((at == flags || at[-1] == ' ' || at[-1] == '\t') && (at[length] == ' ' || at[length] == '\n'))
			return true;
	return false;
}

static void check_cpu(struct findings *findings)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (file && !found && getline(&line, &size, file) > 0)
		found = !strncmp(line, "flags", 5);
	if (file)
		fclose(file);
	if (!found) {
		finding(findings, "cpu", FINDING_NOTE, NULL, "the CPU's features cannot be read from /proc/cpuinfo");
	} else if (has_flag(line, "clwb")) {
		finding(findings, "cpu", FINDING_OK, NULL, "lines are written back with clwb%s",
		        has_flag(line, "avx512f") ? "; AVX-512 stores are there" : "");
	} else {
		finding(findings, "cpu", FINDING_NOTE, "a server is faster on a CPU with clwb",
		        "no clwb: lines are %s, and read from memory again afterwards",
		        has_flag(line, "clflushopt") ? "flushed with clflushopt" : "flushed with clflush, one by one");
	}
	free(line);
}

void doctor_host(struct findings *findings)
{
	check_memlock(findings);
	check_fuse(findings);
	check_kernel(findings);
	check_cpu(findings);
}
