/*
 * umount.c -- `farnova umount`: unmounts and waits until the mount's process has ended.
 */
#include "client/cli/command.h"
#include "client/cli/remote.h"
#include "client/cli/report.h"
#include "client/fuse/mounts.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_TIMEOUT_MS 30000

extern char **environ;

static const char help[] = "Usage: farnova umount [OPTION]... DIR...\n"
                           "Take down mounts that `farnova mount` made, and wait until they are gone.\n\n"
                           "  -l, --lazy          also while files there are open: it goes when the last is closed\n"
                           "      --help          show this help\n";

static int run_fusermount(const char *path, bool lazy)
{
	char program[] = "fusermount3", unmount[] = "-u", lazily[] = "-uz", quiet[] = "-q", *copy = strdup(path);
	char *arguments[] = {program, quiet, lazy ? lazily : unmount, copy, NULL};
	pid_t child;
	int status = 0;

	int error = copy ? posix_spawnp(&child, program, NULL, NULL, arguments, environ) : ENOMEM;
	free(copy);
	if (error)
		return -error;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

/* Wait until the mount's process has ended its session and exited. */
static void await_end(int watch)
{
	struct pollfd poll_fd = {.fd = watch, .events = POLLIN};

	if (poll(&poll_fd, 1, END_TIMEOUT_MS) == 0)
		report_error("umount", "the mount is gone, but the process that served it still runs");
}

static int unmount(const char *directory, bool lazy)
{
	char path[PATH_MAX], device[MOUNT_DEVICE_SIZE];

	int error = mounts_resolve(directory, path);
	if (error) {
		report_error("umount", "'%s': %s", directory, strerror(-error));
		return EXIT_FAILED;
	}
	switch (mounts_find(path, device)) {
	case MOUNT_NONE:
		report_error("umount", "nothing is mounted at '%s'", directory);
		return EXIT_FAILED;
	case MOUNT_OTHER:
		report_error("umount", "what is mounted at '%s' is not farnova's: use umount(8)", directory);
		return EXIT_FAILED;
	case MOUNT_FARNOVA:
		break;
	}
	int watch = lazy ? -1 : mounts_watch(device); /* if its process has died, there is nothing to wait for */
	if (geteuid() == 0)
		error = umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) ? -errno : 0;
	else
		error = run_fusermount(path, lazy);
	if (error == -EBUSY)
		report_error("umount",
		             "'%s' is in use: close what is open there (`fuser -vm %s` lists it), or use --lazy",
		             directory, directory);
	else if (error == -ENOENT)
		report_error("umount", "fusermount3 is not installed: install the package fuse3, or run as root");
	else if (error)
		report_error("umount", "'%s': %s", directory, strerror(-error));
	if (watch >= 0) {
		if (!error)
			await_end(watch);
		close(watch);
	}
	return error ? EXIT_FAILED : EXIT_OK;
}

int umount_main(int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"help", no_argument, NULL, OPTION_HELP}, {"lazy", no_argument, NULL, 'l'}, {NULL, 0, NULL, 0}};
	struct remote remote;
	bool lazy = false;
	int option, code;

	remote_init(&remote, "umount");
	while ((option = getopt_long(argc, argv, "l", long_options, NULL)) != -1) {
		if (option == 'l')
			lazy = true;
		else if ((code = remote_option(&remote, option, help)) >= 0)
			return code;
	}
	if (optind == argc)
		return report_usage("umount", "which directory?");
	code = EXIT_OK;
	for (int i = optind; i < argc; i++)
		if (unmount(argv[i], lazy))
			code = EXIT_FAILED;
	return code;
}
