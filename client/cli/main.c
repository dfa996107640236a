/*
 * main.c -- `farnova`: finds the requested command and runs it.
 */
#include "client/cli/command.h"
#include "client/cli/remote.h"
#include "client/include/farnova.h"
#include "server/pool/cmd/pool_commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct group {
	const char *title;
	struct command commands[20];
};

static const struct group groups[] = {
    {"On a pool (a devdax device or a file; no server may be using it):",
     {
         {"mkfs", "[OPTION]... POOL", "make an empty file system", pool_mkfs_main},
         {"grow", "[OPTION]... POOL", "make a file system larger", pool_grow_main},
         {"new-uuid", "[OPTION]... POOL", "make the copy of a pool a pool of its own", pool_new_uuid_main},
         {"fsck", "[OPTION]... POOL", "check a file system, and repair it if asked to", pool_fsck_main},
         {"dump", "[OPTION]... POOL", "show what is on a pool", pool_dump_main},
     }},
    {"On files of a server (URL is farnova://HOST[:PORT]/PATH):",
     {
         {"ls", "[OPTION]... URL...", "list directories", ls_main},
         {"stat", "[OPTION]... URL...", "show everything about files", stat_main},
         {"cat", "[OPTION]... URL...", "write files to standard output", cat_main},
         {"put", "[OPTION]... FILE... URL", "copy local files to a server", put_main},
         {"get", "[OPTION]... URL... FILE", "copy files from a server", get_main},
         {"cp", "[OPTION]... URL... URL", "copy files on a server or between servers", cp_main},
         {"mv", "[OPTION]... URL... URL", "rename files on a server", mv_main},
         {"rm", "[OPTION]... URL...", "remove files", rm_main},
         {"mkdir", "[OPTION]... URL...", "make directories", mkdir_main},
         {"ln", "[OPTION]... TARGET URL", "make hard and symbolic links", ln_main},
         {"xattr", "ACTION [OPTION]... URL...", "show and change extended attributes", xattr_main},
         {"getfacl", "[OPTION]... URL...", "show access control lists", getfacl_main},
         {"setfacl", "-m|-x ENTRIES URL...", "change access control lists", setfacl_main},
         {"lsattr", "[OPTION]... URL...", "show the flags of files", lsattr_main},
         {"chattr", "+FLAGS|-FLAGS URL...", "make files immutable or append-only", chattr_main},
         {"quota", "ACTION [OPTION]... URL...", "limit what directory trees may use", quota_main},
         {"df", "[OPTION]... URL...", "show how full a file system is", df_main},
     }},
    {"On this host:",
     {
         {"mount", "[OPTION]... URL DIR", "mount a remote file system at a directory", mount_main},
         {"umount", "[OPTION]... DIR...", "take such a mount down", umount_main},
         {"doctor", "[OPTION]... [URL|POOL]...", "look for what keeps farnova from working well", doctor_main},
     }},
};

#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static void print_help(FILE *out)
{
	fprintf(out, "Usage: farnova COMMAND [OPTION]... [ARGUMENT]...\n"
	             "Work with farnova file systems: files on persistent memory, served over RDMA or TCP.\n");
	for (size_t g = 0; g < GROUPS; g++) {
		fprintf(out, "\n%s\n", groups[g].title);
		for (const struct command *c = groups[g].commands; c->name; c++)
			fprintf(out, "  %-8s %-25s %s\n", c->name, c->arguments, c->summary);
	}
	fprintf(out,
	        "\n`farnova COMMAND --help` tells more; so does farnova(1). `farnova --version` tells the version.\n"
	        "Exit codes: 0 all done, 1 something failed (fsck: errors were repaired; 4 errors left, 8 not "
	        "checked), 2 wrong command "
	        "line.\n");
}

static const struct command *find_command(const char *name)
{
	for (size_t g = 0; g < GROUPS; g++)
		for (const struct command *c = groups[g].commands; c->name; c++)
			if (!strcmp(c->name, name))
				return c;
	return NULL;
}

static int unknown_command(const char *name)
{
	fprintf(stderr, "farnova: there is no command '%s'; `farnova --help` lists the commands\n", name);
	return EXIT_USAGE;
}

static int help_main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stdout);
		return EXIT_OK;
	}
	const struct command *command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	char option[] = "--help";
	char *arguments[] = {argv[1], option, NULL};
	return command->run(2, arguments);
}

/* A full disk or a closed pipe shows only when the last buffer is written. Commands leave the report to this
 * function. */
static int finish_stdout(int code, int unwritten)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	/* If an earlier buffer was lost and this one was not, the reason is unknown. */
	fprintf(stderr, "farnova: writing to standard output failed%s%s\n", errno ? ": " : "",
	        errno ? strerror(errno) : "");
	return unwritten;
}

int main(int argc, char **argv)
{
	if (argc > 0 && mount_helper_is_called(argv[0]))
		return mount_helper_main(argc, argv);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("farnova %s\n", farnova_version());
		return finish_stdout(EXIT_OK, EXIT_FAILED);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_help(stdout);
		return finish_stdout(EXIT_OK, EXIT_FAILED);
	}
	if (!strcmp(argv[1], "help"))
		return finish_stdout(help_main(argc - 1, argv + 1), EXIT_FAILED);

	/* mount.fuse3 passes no command. mount(8) uses it for the type fuse.farnova where mount.fuse.farnova is missing. */
	if (remote_is_url(argv[1]))
		return finish_stdout(mount_main(argc, argv), EXIT_FAILED);
	const struct command *command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	int code = command->run(argc - 1, argv + 1);
	/* The exit code 1 of fsck means that errors were repaired, so lost output is reported as an operational
	 * error. */
	int unwritten = command->run == pool_fsck_main ? POOL_FSCK_OPERATIONAL : EXIT_FAILED;
	return finish_stdout(code, code == EXIT_USAGE ? code : unwritten);
}
