/*
 * setfacl.c -- `farnova setfacl`: changes the ACLs of files as setfacl(1) does.
 *
 * The changes are applied in the order of the command line to a copy of a file's two lists, which is then stored; each
 * list is one change on the server. Missing entries are added as by setfacl(1): a default ACL gets its missing base
 * entries from the access ACL, and a mask that was not given permits everything that it limits.
 */
#include "client/cli/acl_remote.h"
#include "client/cli/command.h"
#include "client/cli/report.h"
#include "client/cli/walk.h"

#include <errno.h>
#include <linux/posix_acl.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX  (1u << 20)
#define STEPS_MAX 64
#define NO_ID     UINT32_MAX

static const char help[] =
    "Usage: farnova setfacl [OPTION]... URL...\n"
    "Change the access control lists of files. An entry is user:NAME:PERMS, group:NAME:PERMS, user::PERMS (the\n"
    "owner), group::PERMS (the owning group), mask::PERMS or other::PERMS, the words also as u, g, m and o, with\n"
    "default: or d: before it for what is made in a directory. NAME may be a number. PERMS are of r, w, x and X (x\n"
    "if it is a directory or somebody has it), - is none.\n\n"
    "  -m, --modify ENTRIES        add or change these entries, which commas separate\n"
    "  -M, --modify-file FILE      those of a file such as getfacl writes; - is standard input\n"
    "  -x, --remove ENTRIES        remove these entries, which have no permissions\n"
    "  -X, --remove-file FILE      those of a file\n"
    "      --set ENTRIES           these and no others\n"
    "      --set-file FILE         those of a file and no others\n"
    "  -b, --remove-all            leave only what the mode says\n"
    "  -k, --remove-default        remove what is for what is made in a directory\n"
    "  -d, --default               all entries are meant for the default ACL\n"
    "  -n, --no-mask               leave the mask as it is\n"
    "      --mask                  let the mask allow all that it limits, though one was given\n"
    "  -R, --recursive             all below directories, too; links there are passed over\n" REMOTE_HELP;

enum { OPTION_SET = OPTION_COMMAND, OPTION_SET_FILE, OPTION_MASK };

struct step {
	int option;
	const char *text;
	struct acl_changes changes;
};

struct setfacl_run {
	struct step steps[STEPS_MAX];
	size_t count;
	bool all_default, no_mask, mask;
	struct file_acls old, new; /* of the current file */
	bool mask_given[2];        /* for the current file; [1] for the default ACL */
};

/* ---- one file --------------------------------------------------------------------------------------------------- */

static bool somebody_executes(const struct acl *acl)
{
	for (size_t i = 0; i < acl->count; i++)
		if (acl->entries[i].permissions & ACL_EXECUTE)
			return true;
	return false;
}

static struct acl *list_of(struct setfacl_run *run, bool of_default)
{
	return of_default ? &run->new.defaults : &run->new.access;
}

static int put_all(struct setfacl_run *run, const struct acl_changes *changes, const struct stat *st)
{
	const bool executes = S_ISDIR(st->st_mode) || somebody_executes(&run->old.access);
	int error = 0;

	for (size_t i = 0; i < changes->count && !error; i++) {
		const struct acl_change *change = &changes->changes[i];
		uint16_t permissions = change->entry.permissions;

		if (change->execute_too && executes)
			permissions |= ACL_EXECUTE;
		if (change->entry.tag == ACL_MASK)
			run->mask_given[change->of_default] = true;
		error = acl_put(list_of(run, change->of_default), change->entry.tag, change->entry.id, permissions);
	}
	return error;
}

static void drop_all(struct setfacl_run *run, const struct acl_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++)
		acl_drop(list_of(run, changes->changes[i].of_default), changes->changes[i].entry.tag,
		         changes->changes[i].entry.id);
}

/* Without the mask the owning group must not get more permissions than the mask allowed. */
static void drop_extended(struct acl *acl, mode_t mode)
{
	uint16_t limit = 7;
	const struct acl_entry *mask = acl_find(acl, ACL_MASK, NO_ID);

	if (mask)
		limit = mask->permissions;
	const struct acl_entry *owner = acl_find(acl, ACL_USER_OBJ, NO_ID),
	                       *group = acl_find(acl, ACL_GROUP_OBJ, NO_ID), *other = acl_find(acl, ACL_OTHER, NO_ID);
	if (owner && group && other)
		mode = (mode_t)(owner->permissions << 6 | (group->permissions & limit) << 3 | other->permissions);
	acl_of_mode(mode, acl);
}

static int take_step(struct setfacl_run *run, const struct step *step, const struct stat *st)
{
	switch (step->option) {
	case 'b':
		drop_extended(&run->new.access, st->st_mode);
		run->new.defaults.count = 0;
		return 0;
	case 'k':
		run->new.defaults.count = 0;
		return 0;
	case 'x':
	case 'X':
		drop_all(run, &step->changes);
		return 0;
	case OPTION_SET:
	case OPTION_SET_FILE:
		for (size_t i = 0; i < step->changes.count; i++)
			list_of(run, step->changes.changes[i].of_default)->count = 0;
		return put_all(run, &step->changes, st);
	default:
		return put_all(run, &step->changes, st);
	}
}

/* Add the required entries that a default ACL lacks from the access ACL. */
static int complete_defaults(struct setfacl_run *run)
{
	static const uint16_t base[] = {ACL_USER_OBJ, ACL_GROUP_OBJ, ACL_OTHER};
	struct acl *defaults = &run->new.defaults;
	int error = 0;

	for (size_t i = 0; i < 3 && !error && defaults->count; i++) {
		const struct acl_entry *from = acl_find(&run->new.access, base[i], NO_ID);
		if (from && !acl_find(defaults, base[i], NO_ID))
			error = acl_put(defaults, base[i], NO_ID, from->permissions);
	}
	return error;
}

static bool same(const struct acl *a, const struct acl *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (a->entries[i].tag != b->entries[i].tag || a->entries[i].id != b->entries[i].id ||
		    a->entries[i].permissions != b->entries[i].permissions)
			return false;
	return a->count == b->count;
}

static int settle_mask(struct setfacl_run *run, bool of_default)
{
	struct acl *acl = list_of(run, of_default);
	bool there = acl_find(acl, ACL_MASK, NO_ID);

	if (same(acl, of_default ? &run->old.defaults : &run->old.access) && !run->mask)
		return 0;
	if (there && !run->mask && (run->no_mask || run->mask_given[of_default]))
		return 0;
	return there || acl_names_any(acl) ? acl_put(acl, ACL_MASK, NO_ID, acl_union(acl)) : 0;
}

static bool has_base(struct acl *acl)
{
	return acl_find(acl, ACL_USER_OBJ, NO_ID) && acl_find(acl, ACL_GROUP_OBJ, NO_ID) &&
	       acl_find(acl, ACL_OTHER, NO_ID);
}

static int store(struct setfacl_run *run, struct farnova *fs, const char *path, const char *url)
{
	if ((!same(&run->new.access, &run->old.access) && acl_store_access(fs, path, &run->new.access)) ||
	    (!same(&run->new.defaults, &run->old.defaults) && acl_store_defaults(fs, path, &run->new.defaults))) {
		report_remote("setfacl", url);
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static int change(struct walk *walk, struct farnova *fs, const char *path, const char *url, const struct stat *st)
{
	struct setfacl_run *run = walk->context;
	int error = 0;

	if (S_ISLNK(st->st_mode))
		return EXIT_OK;
	if (acl_load(fs, path, st, &run->old)) {
		report_remote("setfacl", url);
		return EXIT_FAILED;
	}
	run->new = run->old;
	memset(run->mask_given, 0, sizeof(run->mask_given));
	for (size_t i = 0; i < run->count && !error; i++)
		error = take_step(run, &run->steps[i], st);
	if (!S_ISDIR(st->st_mode) && run->new.defaults.count) {
		if (!walk->recursive) {
			report_error("setfacl", "'%s': only directories have default ACLs", url);
			return EXIT_FAILED;
		}
		run->new.defaults.count = 0;
	}
	if (!error)
		error = complete_defaults(run);
	for (int i = 0; i < 2 && !error; i++)
		error = settle_mask(run, i);
	if (error) {
		report_error("setfacl", "'%s': more than %u entries", url, ACL_ENTRIES_MAX);
		return EXIT_FAILED;
	}
	if (!has_base(&run->new.access) || (run->new.defaults.count && !has_base(&run->new.defaults))) {
		report_error("setfacl", "'%s': an ACL needs user::, group:: and other::; -b and -k remove all of one",
		             url);
		return EXIT_FAILED;
	}
	return store(run, fs, path, url);
}

/* ---- the command line ------------------------------------------------------------------------------------------- */

/* The contents of a text file, which the caller frees; NULL after reporting the error. */
static char *read_text(const char *path)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *text = file ? malloc(TEXT_MAX + 1) : NULL;

	if (!text) {
		report_error("setfacl", "cannot read '%s': %m", path);
		if (file && file != stdin)
			fclose(file);
		return NULL;
	}
	size_t length = fread(text, 1, TEXT_MAX + 1, file);
	bool good = !ferror(file) && length <= TEXT_MAX;
	if (!good)
		report_error("setfacl", "cannot read '%s': %s", path,
		             ferror(file) ? strerror(errno) : "it is longer than a megabyte");
	if (file != stdin)
		fclose(file);
	if (!good) {
		free(text);
		return NULL;
	}
	text[length] = 0;
	return text;
}

/* Returns -1 to continue, else an exit code. */
static int read_step(struct step *step, bool all_default)
{
	const bool removes = step->option == 'x' || step->option == 'X';
	const bool file = step->option == 'M' || step->option == 'X' || step->option == OPTION_SET_FILE;
	char why[600], *contents = NULL;
	const char *text = step->text;

	if (!text)
		return -1;
	if (file) {
		text = contents = read_text(text);
		if (!contents)
			return EXIT_FAILED;
	}
	int error = acl_read_text(text, !removes, all_default, &step->changes, why, sizeof(why));
	free(contents);
	return error ? report_usage("setfacl", "%s", why) : -1;
}

static int take_option(struct setfacl_run *run, struct walk *walk, int option)
{
	switch (option) {
	case 'm':
	case 'M':
	case 'x':
	case 'X':
	case OPTION_SET:
	case OPTION_SET_FILE:
	case 'b':
	case 'k':
		if (run->count == STEPS_MAX)
			return report_usage("setfacl", "more than %d changes at once", STEPS_MAX);
		run->steps[run->count++] = (struct step){.option = option, .text = optarg};
		return -1;
	case 'd':
		run->all_default = true;
		return -1;
	case 'n':
		run->no_mask = true;
		return -1;
	case OPTION_MASK:
		run->mask = true;
		return -1;
	case 'R':
		walk->recursive = true;
		return -1;
	default:
		return remote_option(walk->remote, option, help);
	}
}

static int take_options(struct setfacl_run *run, struct walk *walk, int argc, char **argv)
{
	static const struct option long_options[] = {REMOTE_LONG_OPTIONS,
	                                             {"modify", required_argument, NULL, 'm'},
	                                             {"modify-file", required_argument, NULL, 'M'},
	                                             {"remove", required_argument, NULL, 'x'},
	                                             {"remove-file", required_argument, NULL, 'X'},
	                                             {"set", required_argument, NULL, OPTION_SET},
	                                             {"set-file", required_argument, NULL, OPTION_SET_FILE},
	                                             {"remove-all", no_argument, NULL, 'b'},
	                                             {"remove-default", no_argument, NULL, 'k'},
	                                             {"default", no_argument, NULL, 'd'},
	                                             {"no-mask", no_argument, NULL, 'n'},
	                                             {"mask", no_argument, NULL, OPTION_MASK},
	                                             {"recursive", no_argument, NULL, 'R'},
	                                             {NULL, 0, NULL, 0}};
	int option, code;

	while ((option = getopt_long(argc, argv, "m:M:x:X:bkdnR", long_options, NULL)) != -1)
		if ((code = take_option(run, walk, option)) >= 0)
			return code;
	if (run->count == 0 && !run->mask)
		return report_usage("setfacl", "what to change? Say -m, -x, --set, -b or -k");
	if (optind == argc)
		return report_usage("setfacl", "which URL?");
	for (size_t i = 0; i < run->count; i++)
		if ((code = read_step(&run->steps[i], run->all_default)) >= 0)
			return code;
	return -1;
}

int setfacl_main(int argc, char **argv)
{
	struct setfacl_run *run = calloc(1, sizeof(*run));
	struct remote remote;

	if (!run) {
		report_error("setfacl", "out of memory");
		return EXIT_FAILED;
	}
	remote_init(&remote, "setfacl");
	struct walk walk = {.remote = &remote, .visit = change, .context = run};
	int code = take_options(run, &walk, argc, argv);
	if (code < 0)
		code = walk_urls(&walk, argv + optind, argc - optind);
	for (size_t i = 0; i < run->count; i++)
		acl_changes_free(&run->steps[i].changes);
	remote_done(&remote);
	free(run);
	return code;
}
