/*
 * mount_helper.c -- `mount.farnova`: how mount(8) calls farnova for `mount -t farnova` and /etc/fstab.
 *
 * mount(8) calls /sbin/mount.TYPE, a link to farnova, with SOURCE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE].
 * The type that the kernel shows is fuse.farnova, so that name has a link, too: mount(8) uses it for a remount.
 */
#include "client/cli/command.h"
#include "client/cli/mount_options.h"
#include "client/cli/report.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Exit codes of mount(8). */
#define HELPER_USAGE  1
#define HELPER_FAILED 32

#define MAX_ARGUMENTS 32

/* Options of `farnova mount` that stand in -o as WORD=VALUE. */
static const char *const values[] = {"cache", "log", "threads", "timeout", "transport"};

/* Words that a remount cannot change. mount(8) repeats them from /etc/fstab. */
static const char *const kept[] = {"allow_other", "locallocks", "localmaps"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool mount_helper_is_called(const char *program)
{
	const char *name = strrchr(program, '/');

	return !strncmp(name ? name + 1 : program, "mount.", 6);
}

static bool has_value(const char *word)
{
	for (size_t i = 0; i < COUNT(values); i++) {
		size_t length = strlen(values[i]);
		if (!strncmp(word, values[i], length) && word[length] == '=')
			return true;
	}
	return false;
}

static bool is_kept(const char *word)
{
	for (size_t i = 0; i < COUNT(kept); i++)
		if (!strcmp(word, kept[i]))
			return true;
	return false;
}

struct arguments {
	char *list[MAX_ARGUMENTS + 1];
	int count;
	char *words; /* for -o */
	bool remount;
};

/* The arguments own their text. Without memory or room: false. */
static bool add(struct arguments *arguments, const char *dashes, const char *text)
{
	if (arguments->count == MAX_ARGUMENTS || asprintf(&arguments->list[arguments->count], "%s%s", dashes, text) < 0)
		return false;
	arguments->count++;
	return true;
}

static bool add_word(struct arguments *arguments, const char *word)
{
	char *text;

	if (has_value(word))
		return arguments->remount || add(arguments, "--", word);
	if (arguments->remount && is_kept(word))
		return true;
	if (asprintf(&text, "%s%s%s", arguments->words ? arguments->words : "", arguments->words ? "," : "", word) < 0)
		return false;
	free(arguments->words);
	arguments->words = text;
	return true;
}

static bool add_words(struct arguments *arguments, const char *list)
{
	char *copy = strdup(list), *rest = NULL;
	bool added = copy;

	arguments->remount = arguments->remount || mount_words_has(list, "remount");
	for (char *word = added ? strtok_r(copy, ",", &rest) : NULL; word && added; word = strtok_r(NULL, ",", &rest))
		added = add_word(arguments, word);
	free(copy);
	return added;
}

static int mount_as_asked(struct arguments *arguments, const char *source, const char *directory)
{
	bool added = !arguments->words || add(arguments, "-o", arguments->words);

	if (!added || !add(arguments, "", source) || !add(arguments, "", directory)) {
		report_error("mount", "out of memory, or too many options");
		return HELPER_FAILED;
	}
	optind = 0; /* a new list of arguments */
	int code = mount_main(arguments->count, arguments->list);
	return code == EXIT_OK ? 0 : code == EXIT_USAGE ? HELPER_USAGE : HELPER_FAILED;
}

int mount_helper_main(int argc, char **argv)
{
	struct arguments arguments = {.count = 0};
	bool added = add(&arguments, "", "mount"), fake = false;
	int option, code = 0;

	while ((option = getopt(argc, argv, "sfnvN:o:t:")) != -1) {
		if (option == 'o')
			added = added && add_words(&arguments, optarg);
		else if (option == 'f')
			fake = true;
		else if (option == 'N' || option == '?')
			code = HELPER_USAGE;
	}
	if (argc - optind != 2)
		code = HELPER_USAGE;
	if (code) {
		report_error("mount", "mount(8) calls this as: mount.farnova URL DIR [-sfnv] [-o OPTIONS] [-t TYPE]");
	} else if (!added) {
		report_error("mount", "out of memory, or too many options");
		code = HELPER_FAILED;
	} else if (!fake) {
		code = mount_as_asked(&arguments, argv[optind], argv[optind + 1]);
	}
	for (int i = 0; i < arguments.count; i++)
		free(arguments.list[i]);
	free(arguments.words);
	return code;
}
