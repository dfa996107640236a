/*
 * mount.c -- `farnova mount`: mount a remote file system at a directory.
 */
#include "client/cli/command.h"
#include "client/cli/remote.h"
#include "client/cli/report.h"
#include "client/fuse/fuse_mount.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: farnova mount [OPTION]... URL DIR\n"
    "Mount a remote file system at a directory, through FUSE. Returns when the mount is live, and leaves a\n"
    "process behind that serves it; `farnova umount DIR` or SIGTERM ends it.\n\n"
    "  -f, --foreground    stay in the foreground and serve until Ctrl-C\n"
    "  -o OPT[,OPT...]     ro, allow_other, or what /etc/fstab passes on and means nothing here\n"
    "      --read-only     the same as -o ro\n"
    "      --allow-other   let all users in (the server checks what each may do); always so for root\n"
    "      --no-allow-other  only the user who mounts, also for root\n"
    "      --cache=none    the default: every read and every look at a name sees what other clients did\n"
    "      --cache=kernel  cache data, names and attributes for a second: faster, and mmap shared for writing;\n"
    "                      only where no other client changes the files\n"
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

/* -1 to go on, else an exit code. */
static int take_mount_options(struct fuse_mount_options *options, char *list)
{
	static const char *const ignored[] = {"rw",   "_netdev",  "nofail", "noauto", "auto", "defaults",
	                                      "user", "nouser",   "nosuid", "nodev",  "suid", "dev",
	                                      "exec", "relatime", "users",  "noatime"};
	char *rest = NULL;

	for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		size_t i = 0;
		while (i < sizeof(ignored) / sizeof(ignored[0]) && strcmp(word, ignored[i]) && strncmp(word, "x-", 2))
			i++;
		if (!strcmp(word, "ro"))
			options->read_only = true;
		else if (!strcmp(word, "allow_other"))
			options->allow_other = true;
		else if (i == sizeof(ignored) / sizeof(ignored[0]))
			return report_usage("mount", "-o knows ro and allow_other, not '%s'", word);
	}
	return -1;
}

static int take_option(struct fuse_mount_options *options, int option, struct remote *remote)
{
	char *end;

	switch (option) {
	case 'f':
		options->foreground = true;
		return -1;
	case 'o':
		return take_mount_options(options, optarg);
	case OPTION_ALLOW_OTHER:
		options->allow_other = true;
		return -1;
	case OPTION_NO_ALLOW_OTHER:
		options->allow_other = false;
		return -1;
	case OPTION_READ_ONLY:
		options->read_only = true;
		return -1;
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
	struct remote remote;
	int option, code;

	remote_init(&remote, "mount");
	while ((option = getopt_long(argc, argv, "fo:", long_options, NULL)) != -1)
		if ((code = take_option(&options, option, &remote)) >= 0)
			return code;
	if (argc - optind != 2)
		return report_usage("mount", "two arguments are asked for: the URL and the directory");
	options.url = argv[optind];
	options.directory = argv[optind + 1];
	options.connect = remote.options;
	code = remote_check_url(&remote, options.url);
	if (code)
		return code;
	return fuse_mount_run(&options, report) ? EXIT_FAILED : EXIT_OK;
}
