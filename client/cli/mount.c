/*
 * mount.c -- `farnova mount`: mount a remote file system at a directory.
 */
#include "client/cli/command.h"
#include "client/cli/mount_options.h"
#include "client/cli/remote.h"
#include "client/cli/report.h"
#include "client/fuse/fuse_mount.h"
#include "client/fuse/mounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static const char help[] =
    "Usage: farnova mount [OPTION]... URL DIR\n"
    "       farnova mount -o remount,OPT... DIR\n"
    "Mount a remote file system at a directory through FUSE. Returns when the mount works. A process in the\n"
    "background serves it until `farnova umount DIR` or SIGTERM.\n\n"
    "  -f, --foreground    stay in the foreground and serve until Ctrl-C\n"
    "  -o OPT[,OPT...]     options of mount(8): ro, rw; suid, dev (root only), noexec and their opposites\n"
    "                      (the default is nosuid,nodev,exec); allow_other; locallocks: grant locks (flock, fcntl)\n"
    "                      among the programs of this mount; other clients do not see them (without it: ENOLCK);\n"
    "                      localmaps: fail if the kernel does not support shared mappings (before Linux 6.6);\n"
    "                      channels=N: read by N more connections (0 to 16), for programs that read much at once;\n"
    "                      remount: change ro, suid, dev and exec of an existing mount\n"
    "      --read-only     the same as -o ro\n"
    "      --allow-other   let all users access the mount (the server checks permissions); always so for root\n"
    "      --no-allow-other  only the user who mounts, also for root\n"
    "      --cache=none    the default: every call sees what other clients did before it\n"
    "      --cache=kernel  cache data, names and attributes for a second: faster; only if no other client changes\n"
    "                      the files\n"
    "      --threads N     serve at most N requests at once (16)\n"
    "      --log FILE      append messages of the background process to FILE\n"
    "      --debug         print every request (implies -f)\n" REMOTE_HELP;

enum {
	OPTION_ALLOW_OTHER = OPTION_COMMAND,
	OPTION_NO_ALLOW_OTHER,
	OPTION_READ_ONLY,
	OPTION_CACHE,
	OPTION_THREADS,
	OPTION_LOG,
	OPTION_DEBUG,
};

static void report(const char *text)
{
	report_error("mount", "%s", text);
}

/* Collect the words of -o: they are checked when all arguments are known. Returns -1 to continue, else an exit code. */
static int add_words(char **list, const char *words)
{
	char *text = NULL;

	if (asprintf(&text, "%s%s%s", *list ? *list : "", *list ? "," : "", words) < 0) {
		report("out of memory");
		return EXIT_FAILED;
	}
	free(*list);
	*list = text;
	return -1;
}

static int take_option(struct fuse_mount_options *options, int option, char **words, struct remote *remote)
{
	char *end;

	switch (option) {
	case 'f':
		options->foreground = true;
		return -1;
	case 'o':
		return add_words(words, optarg);
	case OPTION_ALLOW_OTHER:
		options->allow_other = true;
		return -1;
	case OPTION_NO_ALLOW_OTHER:
		options->allow_other = false;
		return -1;
	case OPTION_READ_ONLY:
		return add_words(words, "ro");
	case OPTION_CACHE:
		if (strcmp(optarg, "none") && strcmp(optarg, "kernel"))
			return report_usage("mount", "--cache is none or kernel, not '%s'", optarg);
		options->kernel_cache = !strcmp(optarg, "kernel");
		return -1;
	case OPTION_THREADS:
		options->threads = (unsigned)strtoul(optarg, &end, 10);
		if (*end || options->threads < 1 || options->threads > 1024)
			return report_usage("mount", "--threads takes 1 to 1024, not '%s'", optarg);
		return -1;
	case OPTION_LOG:
		options->log_path = optarg;
		return -1;
	case OPTION_DEBUG:
		options->debug = options->foreground = true;
		return -1;
	default:
		return remote_option(remote, option, help);
	}
}

static unsigned long present_flags(const char *present)
{
	return (mount_words_has(present, "ro") ? MS_RDONLY : 0) | (mount_words_has(present, "nosuid") ? MS_NOSUID : 0) |
	       (mount_words_has(present, "nodev") ? MS_NODEV : 0) |
	       (mount_words_has(present, "noexec") ? MS_NOEXEC : 0);
}

/* Change the kernel's options of an existing mount; its process is not affected. */
static int remount(const char *directory, const char *list)
{
	char path[PATH_MAX], present[MOUNT_OPTIONS_SIZE];
	struct mount_words words = {0};

	int error = mounts_resolve(directory, path);
	if (!error && mounts_options(path, present) != MOUNT_FARNOVA) {
		report_error("mount", "cannot remount '%s': no farnova file system is mounted there", directory);
		return EXIT_FAILED;
	}
	int code = error ? -1 : mount_words_take(&words, list, present);
	if (code >= 0)
		return code;
	unsigned long flags = (present_flags(present) & ~words.clear) | words.set;
	if (!error && mount(NULL, path, NULL, MS_REMOUNT | flags, ""))
		error = -errno;
	if (error)
		report_error("mount", "cannot remount '%s': %s%s", directory, strerror(-error),
		             error == -EBUSY ? "; a file is open for writing there" : "");
	return error ? EXIT_FAILED : EXIT_OK;
}

static int run(int argc, char **argv, struct fuse_mount_options *options, const char *list)
{
	struct mount_words words = {.set = MS_NOSUID | MS_NODEV};
	struct remote remote;

	if (list && mount_words_has(list, "remount")) {
		if (argc < 1 || argc > 2)
			return report_usage("mount", "a remount takes the directory, and the URL may come before it");
		return remount(argv[argc - 1], list);
	}
	if (argc != 2)
		return report_usage("mount", "two arguments are asked for: the URL and the directory");
	remote_init(&remote, "mount");
	int code = remote_check_url(&remote, argv[0]);
	if (code)
		return code;
	if (list && (code = mount_words_take(&words, list, NULL)) >= 0)
		return code;
	options->url = argv[0];
	options->directory = argv[1];
	options->flags = words.set;
	options->allow_other |= words.allow_other;
	options->local_locks = words.local_locks;
	options->local_maps = words.local_maps;
	options->connect.channels = words.channels;
	return fuse_mount_run(options, report) ? EXIT_FAILED : EXIT_OK;
}

int mount_main(int argc, char **argv)
{
	static const struct option long_options[] = {REMOTE_LONG_OPTIONS,
	                                             {"foreground", no_argument, NULL, 'f'},
	                                             {"allow-other", no_argument, NULL, OPTION_ALLOW_OTHER},
	                                             {"no-allow-other", no_argument, NULL, OPTION_NO_ALLOW_OTHER},
	                                             {"read-only", no_argument, NULL, OPTION_READ_ONLY},
	                                             {"cache", required_argument, NULL, OPTION_CACHE},
	                                             {"threads", required_argument, NULL, OPTION_THREADS},
	                                             {"log", required_argument, NULL, OPTION_LOG},
	                                             {"debug", no_argument, NULL, OPTION_DEBUG},
	                                             {NULL, 0, NULL, 0}};
	struct fuse_mount_options options = {.allow_other = geteuid() == 0};
	char *words = NULL;
	struct remote remote;
	int option, code = -1;

	remote_init(&remote, "mount");
	while (code < 0 && (option = getopt_long(argc, argv, "fo:", long_options, NULL)) != -1)
		code = take_option(&options, option, &words, &remote);
	options.connect = remote.options;
	if (code < 0)
		code = run(argc - optind, argv + optind, &options, words);
	free(words);
	return code;
}
