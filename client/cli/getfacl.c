/*
 * getfacl.c -- `farnova getfacl`: show the ACLs of files as getfacl(1) does.
 */
#include "client/cli/acl_remote.h"
#include "client/cli/command.h"
#include "client/cli/report.h"
#include "client/cli/text.h"
#include "client/cli/walk.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

static const char help[] =
    "Usage: farnova getfacl [OPTION]... URL...\n"
    "Show the access control lists of files, in the form that `farnova setfacl` and setfacl(1) read.\n\n"
    "  -a, --access          only who may use the file\n"
    "  -d, --default         only what a directory gives to what is made in it\n"
    "  -c, --omit-header     no lines with name, owner and group\n"
    "  -e, --all-effective   say of every entry what the mask lets through\n"
    "  -E, --no-effective    say it of none\n"
    "  -n, --numeric         numbers of users and groups, not this host's names for them\n"
    "  -R, --recursive       all below directories, too; links there are passed over\n"
    "  -s, --skip-base       leave out files that have only what their mode says\n" REMOTE_HELP;

struct getfacl_run {
	bool no_access, no_defaults, no_header, skip_base;
	struct acl_style style;
	struct file_acls acls;
};

static void print_header(const char *url, const struct stat *st, bool numeric)
{
	const struct passwd *user = numeric ? NULL : getpwuid(st->st_uid);
	const struct group *group = numeric ? NULL : getgrgid(st->st_gid);

	printf("# file: ");
	print_name(stdout, url);
	if (user)
		printf("\n# owner: %s\n", user->pw_name);
	else
		printf("\n# owner: %u\n", st->st_uid);
	if (group)
		printf("# group: %s\n", group->gr_name);
	else
		printf("# group: %u\n", st->st_gid);
	if (st->st_mode & (S_ISUID | S_ISGID | S_ISVTX))
		printf("# flags: %c%c%c\n", st->st_mode & S_ISUID ? 's' : '-', st->st_mode & S_ISGID ? 's' : '-',
		       st->st_mode & S_ISVTX ? 't' : '-');
}

static int show(struct walk *walk, struct farnova *fs, const char *path, const char *url, const struct stat *st)
{
	struct getfacl_run *run = walk->context;

	if (S_ISLNK(st->st_mode))
		return EXIT_OK;
	if (acl_load(fs, path, st, &run->acls)) {
		report_remote("getfacl", url);
		return EXIT_FAILED;
	}
	if (run->skip_base && run->acls.access.count <= 3 && run->acls.defaults.count == 0)
		return EXIT_OK;
	if (!run->no_header)
		print_header(url, st, run->style.numeric);
	run->style.prefix = "";
	if (!run->no_access)
		acl_print(stdout, &run->acls.access, &run->style);
	/* Without the access ACL the prefix is not needed. */
	run->style.prefix = run->no_access ? "" : "default:";
	if (!run->no_defaults)
		acl_print(stdout, &run->acls.defaults, &run->style);
	putchar('\n');
	return EXIT_OK;
}

/* Returns -1 to continue, else an exit code. */
static int take_option(struct getfacl_run *run, struct walk *walk, int option)
{
	switch (option) {
	case 'a':
		run->no_defaults = true;
		return -1;
	case 'd':
		run->no_access = true;
		return -1;
	case 'c':
		run->no_header = true;
		return -1;
	case 'e':
		run->style.effective = ACL_EFFECTIVE_ALL;
		return -1;
	case 'E':
		run->style.effective = ACL_EFFECTIVE_NONE;
		return -1;
	case 'n':
		run->style.numeric = true;
		return -1;
	case 'R':
		walk->recursive = true;
		return -1;
	case 's':
		run->skip_base = true;
		return -1;
	default:
		return remote_option(walk->remote, option, help);
	}
}

int getfacl_main(int argc, char **argv)
{
	static const struct option long_options[] = {REMOTE_LONG_OPTIONS,
	                                             {"access", no_argument, NULL, 'a'},
	                                             {"default", no_argument, NULL, 'd'},
	                                             {"omit-header", no_argument, NULL, 'c'},
	                                             {"all-effective", no_argument, NULL, 'e'},
	                                             {"no-effective", no_argument, NULL, 'E'},
	                                             {"numeric", no_argument, NULL, 'n'},
	                                             {"recursive", no_argument, NULL, 'R'},
	                                             {"skip-base", no_argument, NULL, 's'},
	                                             {NULL, 0, NULL, 0}};
	struct getfacl_run *run = calloc(1, sizeof(*run));
	struct remote remote;
	int option, code = -1;

	if (!run) {
		report_error("getfacl", "out of memory");
		return EXIT_FAILED;
	}
	remote_init(&remote, "getfacl");
	struct walk walk = {.remote = &remote, .visit = show, .context = run};
	while (code < 0 && (option = getopt_long(argc, argv, "adceEnRs", long_options, NULL)) != -1)
		code = take_option(run, &walk, option);
	if (code < 0 && run->no_access && run->no_defaults)
		run->no_access = run->no_defaults = false;
	if (code < 0 && optind == argc)
		code = report_usage("getfacl", "which URL?");
	if (code < 0)
		code = walk_urls(&walk, argv + optind, argc - optind);
	remote_done(&remote);
	free(run);
	return code;
}
