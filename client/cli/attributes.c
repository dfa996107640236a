/*
 * attributes.c -- `farnova xattr`: extended attributes of files; `farnova lsattr` and `farnova chattr`: their flags.
 */
#include "client/cli/attributes.h"

#include "client/cli/command.h"
#include "client/cli/remote.h"
#include "client/cli/report.h"
#include "client/cli/text.h"
#include "client/cli/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define VALUE_MAX 65536

static const char xattr_help[] =
    "Usage: farnova xattr list [OPTION]... URL...\n"
    "       farnova xattr get [OPTION]... NAME URL\n"
    "       farnova xattr set [OPTION]... NAME VALUE URL...\n"
    "       farnova xattr remove [OPTION]... NAME URL...\n"
    "Show and change extended attributes: user.*, trusted.*, security.* and the two of ACLs,\n"
    "system.posix_acl_access and system.posix_acl_default, in the kernel's binary form (`farnova getfacl` and "
    "`setfacl` have them in words).\n"
    "`get` writes the value as it is; a VALUE of - is read from standard input.\n\n"
    "  -h                  of a symbolic link itself\n"
    "      --create        set: fail if it is there\n"
    "      --replace       set: fail if it is not there\n" REMOTE_HELP;

static const char lsattr_help[] =
    "Usage: farnova lsattr [OPTION]... URL...\n"
    "Show the flags of files: i immutable, a append-only, P (directories) what is made in it\n"
    "has its project.\n\n"
    "  -R, --recursive     all below directories, too; links there are passed over\n" REMOTE_HELP;

static const char chattr_help[] =
    "Usage: farnova chattr [OPTION]... +FLAGS|-FLAGS|=FLAGS URL...\n"
    "Set (+), clear (-) or give exactly (=) flags: i immutable, a append-only, P pass on the\n"
    "project (directories). Only the superuser may.\n\n"
    "  -R, --recursive     all below directories, too; links there are passed over\n" REMOTE_HELP;

/* ---- flags ------------------------------------------------------------------------------------------------------ */

static const struct {
	char letter;
	unsigned flag;
	const char *word;
} flag_names[] = {
    {'i', FARNOVA_FILE_IMMUTABLE, "immutable"},
    {'a', FARNOVA_FILE_APPEND, "append-only"},
    {'P', FARNOVA_FILE_PROJECT_INHERIT, "project-inherit"},
};

#define FLAG_NAMES (sizeof(flag_names) / sizeof(flag_names[0]))

void print_flags(FILE *out, unsigned flags)
{
	const char *before = "";

	for (size_t i = 0; i < FLAG_NAMES; i++)
		if (flags & flag_names[i].flag) {
			fprintf(out, "%s%s", before, flag_names[i].word);
			before = ", ";
		}
}

void flags_json(struct json *json, const char *name, unsigned flags)
{
	json_open(json, name, '[');
	for (size_t i = 0; i < FLAG_NAMES; i++)
		if (flags & flag_names[i].flag)
			json_text(json, NULL, flag_names[i].word);
	json_close(json, ']');
}

/* "+ia", "-a", "=i": the flags to set and to clear. */
static bool parse_change(const char *text, unsigned *set, unsigned *clear)
{
	unsigned named = 0;

	if (!strchr("+-=", text[0]) || (!text[1] && text[0] != '='))
		return false;
	for (const char *letter = text + 1; *letter; letter++) {
		size_t i = 0;
		while (i < FLAG_NAMES && flag_names[i].letter != *letter)
			i++;
		if (i == FLAG_NAMES)
			return false;
		named |= flag_names[i].flag;
	}
	*set = text[0] == '-' ? 0 : named;
	*clear = text[0] == '-' ? named : text[0] == '=' ? ~named : 0;
	return true;
}

struct flag_change {
	unsigned set, clear;
};

/* Only files and directories have flags. */
static bool has_flags(const struct stat *st)
{
	return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

static int change_flags(struct walk *walk, struct farnova *fs, const char *path, const char *url, const struct stat *st)
{
	const struct flag_change *change = walk->context;
	unsigned flags, wanted;

	if (walk->recursive && !has_flags(st))
		return EXIT_OK;
	if (farnova_getflags(fs, path, &flags)) {
		report_remote("chattr", url);
		return EXIT_FAILED;
	}
	wanted = (flags & ~change->clear) | change->set;
	/* A recursive change also covers files, which cannot inherit. */
	if (walk->recursive && !S_ISDIR(st->st_mode))
		wanted &= ~FARNOVA_FILE_PROJECT_INHERIT;
	if (farnova_setflags(fs, path, wanted)) {
		report_remote("chattr", url);
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static int show_flags(struct walk *walk, struct farnova *fs, const char *path, const char *url, const struct stat *st)
{
	unsigned flags;

	if (walk->recursive && !has_flags(st))
		return EXIT_OK;
	if (farnova_getflags(fs, path, &flags)) {
		report_remote("lsattr", url);
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < FLAG_NAMES; i++)
		putchar(flags & flag_names[i].flag ? flag_names[i].letter : '-');
	putchar(' ');
	print_name(stdout, url);
	putchar('\n');
	return EXIT_OK;
}

/* take_walk_options -- parse -R and the common options. Returns -1 to continue, else an exit code. */
static int take_walk_options(struct walk *walk, int argc, char **argv, const char *help)
{
	static const struct option long_options[] = {
	    REMOTE_LONG_OPTIONS, {"recursive", no_argument, NULL, 'R'}, {NULL, 0, NULL, 0}};
	int option, code;

	while ((option = getopt_long(argc, argv, "R", long_options, NULL)) != -1) {
		if (option == 'R')
			walk->recursive = true;
		else if ((code = remote_option(walk->remote, option, help)) >= 0)
			return code;
	}
	return -1;
}

int lsattr_main(int argc, char **argv)
{
	struct remote remote;
	struct walk walk = {.remote = &remote, .visit = show_flags};

	remote_init(&remote, "lsattr");
	int code = take_walk_options(&walk, argc, argv, lsattr_help);
	if (code < 0 && optind == argc)
		code = report_usage("lsattr", "which URL?");
	if (code < 0)
		code = walk_urls(&walk, argv + optind, argc - optind);
	remote_done(&remote);
	return code;
}

int chattr_main(int argc, char **argv)
{
	struct flag_change change = {0};
	struct remote remote;
	struct walk walk = {.remote = &remote, .visit = change_flags, .context = &change};
	bool changes = false;

	/* A change such as -i looks like an option, so it is removed before the options are parsed. */
	for (int i = 1; i < argc && !changes; i++) {
		changes = parse_change(argv[i], &change.set, &change.clear);
		if (changes) {
			memmove(&argv[i], &argv[i + 1], (size_t)(argc - i) * sizeof(*argv));
			argc--;
		}
	}
	remote_init(&remote, "chattr");
	int code = take_walk_options(&walk, argc, argv, chattr_help);
	if (code < 0 && !changes)
		code = report_usage("chattr", "which flags? Say +i, -i, +a, -a or =ia");
	if (code < 0 && optind == argc)
		code = report_usage("chattr", "which URL?");
	if (code < 0)
		code = walk_urls(&walk, argv + optind, argc - optind);
	remote_done(&remote);
	return code;
}

/* ---- extended attributes ---------------------------------------------------------------------------------------- */

struct xattr_run {
	struct remote remote;
	bool link;
	int flags;
	const char *name;
	char *value;
	size_t length;
	bool many; /* print the name of each of several files */
};

static int list_one(struct xattr_run *run, const char *url, struct farnova *fs, const char *path)
{
	char *list = malloc(VALUE_MAX);
	ssize_t length = !list       ? -1
	                 : run->link ? farnova_llistxattr(fs, path, list, VALUE_MAX)
	                             : farnova_listxattr(fs, path, list, VALUE_MAX);

	if (length < 0) {
		report_remote("xattr", url);
		free(list);
		return EXIT_FAILED;
	}
	if (run->many) {
		print_name(stdout, url);
		puts(":");
	}
	for (const char *name = list; name < list + length; name += strlen(name) + 1) {
		print_name(stdout, name);
		putchar('\n');
	}
	free(list);
	return EXIT_OK;
}

static int get_one(struct xattr_run *run, const char *url, struct farnova *fs, const char *path)
{
	char *value = malloc(VALUE_MAX);
	ssize_t length = !value      ? -1
	                 : run->link ? farnova_lgetxattr(fs, path, run->name, value, VALUE_MAX)
	                             : farnova_getxattr(fs, path, run->name, value, VALUE_MAX);

	if (length < 0)
		report_remote("xattr", url);
	else
		fwrite(value, 1, (size_t)length, stdout);
	free(value);
	return length < 0 ? EXIT_FAILED : EXIT_OK;
}

static int set_one(struct xattr_run *run, const char *url, struct farnova *fs, const char *path)
{
	if ((run->link ? farnova_lsetxattr : farnova_setxattr)(fs, path, run->name, run->value, run->length,
	                                                       run->flags) == 0)
		return EXIT_OK;
	report_remote("xattr", url);
	return EXIT_FAILED;
}

static int remove_one(struct xattr_run *run, const char *url, struct farnova *fs, const char *path)
{
	if ((run->link ? farnova_lremovexattr : farnova_removexattr)(fs, path, run->name) == 0)
		return EXIT_OK;
	report_remote("xattr", url);
	return EXIT_FAILED;
}

static const struct action {
	const char *word;
	int arguments; /* arguments before the URLs */
	bool one;      /* accepts only one URL */
	int (*run)(struct xattr_run *run, const char *url, struct farnova *fs, const char *path);
} actions[] = {
    {"list", 0, false, list_one},
    {"get", 1, true, get_one},
    {"set", 2, false, set_one},
    {"remove", 1, false, remove_one},
};

static const struct action *find_action(const char *word)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].word, word) == 0)
			return &actions[i];
	return NULL;
}

/* Take the value from the command line or standard input. Reading one byte more than the maximum detects a value that
 * is too long. */
static int take_value(struct xattr_run *run, const char *text)
{
	if (strcmp(text, "-") != 0) {
		run->value = strdup(text);
		run->length = strlen(text);
		return run->value ? EXIT_OK : EXIT_FAILED;
	}
	run->value = malloc(VALUE_MAX + 1);
	if (!run->value)
		return EXIT_FAILED;
	run->length = fread(run->value, 1, VALUE_MAX + 1, stdin);
	if (!ferror(stdin))
		return EXIT_OK;
	report_error("xattr", "reading standard input failed: %m");
	return EXIT_FAILED;
}

static int take_xattr_options(struct xattr_run *run, int argc, char **argv)
{
	enum { OPTION_CREATE = OPTION_COMMAND, OPTION_REPLACE };
	static const struct option long_options[] = {REMOTE_LONG_OPTIONS,
	                                             {"create", no_argument, NULL, OPTION_CREATE},
	                                             {"replace", no_argument, NULL, OPTION_REPLACE},
	                                             {NULL, 0, NULL, 0}};
	int option, code;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (option == 'h')
			run->link = true;
		else if (option == OPTION_CREATE)
			run->flags = XATTR_CREATE;
		else if (option == OPTION_REPLACE)
			run->flags = XATTR_REPLACE;
		else if ((code = remote_option(&run->remote, option, xattr_help)) >= 0)
			return code;
	}
	return -1;
}

static int run_action(struct xattr_run *run, const struct action *action, int count, char **arguments)
{
	int code = EXIT_OK;

	if (count <= action->arguments || (action->one && count != action->arguments + 1))
		return report_usage("xattr", "`xattr %s` takes other arguments", action->word);
	if (action->arguments > 0)
		run->name = arguments[0];
	if (action->arguments > 1)
		code = take_value(run, arguments[1]);
	run->many = count - action->arguments > 1;
	for (int i = action->arguments; i < count && (code == EXIT_OK || i > action->arguments); i++) {
		struct farnova *fs;
		const char *path;
		int result = remote_open(&run->remote, arguments[i], &fs, &path);
		if (!result)
			result = action->run(run, arguments[i], fs, path);
		code = result > code ? result : code;
	}
	return code;
}

int xattr_main(int argc, char **argv)
{
	struct xattr_run run = {0};

	remote_init(&run.remote, "xattr");
	int code = take_xattr_options(&run, argc, argv);
	if (code < 0) {
		const struct action *action = optind < argc ? find_action(argv[optind]) : NULL;
		code = action ? run_action(&run, action, argc - optind - 1, argv + optind + 1)
		              : report_usage("xattr", "what to do? Say list, get, set or remove");
	}
	free(run.value);
	remote_done(&run.remote);
	return code;
}
