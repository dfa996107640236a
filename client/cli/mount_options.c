/*
 * mount_options.c -- the words of `farnova mount -o` and their meaning.
 *
 * mount(8) passes the options of /etc/fstab (mount_helper.c); for a remount it also passes the options of the
 * existing mount.
 */
#include "client/cli/mount_options.h"

#include "client/cli/command.h"
#include "client/cli/report.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>
#include <unistd.h>

/* Words for the kernel, which stores them for each mount. */
static const struct {
	const char *word;
	unsigned long set, clear;
} flag_words[] = {
    {"ro", MS_RDONLY, 0},   {"rw", 0, MS_RDONLY}, {"nosuid", MS_NOSUID, 0}, {"suid", 0, MS_NOSUID},
    {"nodev", MS_NODEV, 0}, {"dev", 0, MS_NODEV}, {"noexec", MS_NOEXEC, 0}, {"exec", 0, MS_NOEXEC},
};

/* Words for programs that read /etc/fstab: when to mount, and what to wait for. The mount itself ignores them. */
static const char *const fstab_words[] = {"defaults", "auto", "noauto", "nofail", "_netdev", "nouser"};

static const struct {
	const char *word, *reason;
} refused_words[] = {
    {"noatime", "access times are the server's: set `atime` in farnovad's configuration"},
    {"relatime", "access times are the server's: set `atime` in farnovad's configuration"},
    {"strictatime", "access times are the server's: set `atime` in farnovad's configuration"},
    {"nodiratime", "access times are the server's: set `atime` in farnovad's configuration"},
    {"lazytime", "times are durable with the change they belong to"},
    {"async", "every change is durable when it returns"},
    {"user",
     "any user may mount at a directory of his own with fusermount3; say nosuid,nodev,noexec for what it implies"},
    {"users",
     "any user may mount at a directory of his own with fusermount3; say nosuid,nodev,noexec for what it implies"},
    {"default_permissions", "the kernel always checks permissions, beside the server"},
    {"kernel_cache", "say --cache=kernel"},
};

#define CHANNELS_MOST 16u /* of farnova_options */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool mount_words_has(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (; *list; list += strcspn(list, ","), list += *list == ',')
		if (strcspn(list, ",") == length && !strncmp(list, word, length))
			return true;
	return false;
}

static bool is_fstab_word(const char *word)
{
	for (size_t i = 0; i < COUNT(fstab_words); i++)
		if (!strcmp(word, fstab_words[i]))
			return true;
	return !strncasecmp(word, "x-", 2) || !strncmp(word, "comment=", 8);
}

static bool take_flag(struct mount_words *words, const char *word)
{
	for (size_t i = 0; i < COUNT(flag_words); i++) {
		if (strcmp(word, flag_words[i].word))
			continue;
		words->set = (words->set & ~flag_words[i].clear) | flag_words[i].set;
		words->clear = (words->clear & ~flag_words[i].set) | flag_words[i].clear;
		return true;
	}
	return false;
}

static int refuse(const char *word)
{
	for (size_t i = 0; i < COUNT(refused_words); i++)
		if (!strcmp(word, refused_words[i].word))
			return report_usage("mount", "-o %s is refused: %s", word, refused_words[i].reason);
	return report_usage(
	    "mount",
	    "-o knows ro, rw, allow_other, locallocks, localmaps, channels=N, [no]suid, [no]dev, [no]exec and "
	    "remount, not '%s'",
	    word);
}

static int take_channels(struct mount_words *words, const char *number)
{
	char *end;

	words->channels = (unsigned)strtoul(number, &end, 10);
	if (*number < '0' || *number > '9' || *end || words->channels > CHANNELS_MOST)
		return report_usage("mount", "-o channels takes 0 to %u, not '%s'", CHANNELS_MOST, number);
	return -1;
}

static int take_word(struct mount_words *words, const char *word, const char *present)
{
	if (take_flag(words, word) || is_fstab_word(word) || !*word)
		return -1;
	if (!strcmp(word, "remount"))
		words->remount = true;
	else if (present)
		return mount_words_has(present, word)
		           ? -1
		           : report_usage("mount",
		                          "a remount changes ro, rw, [no]suid, [no]dev and [no]exec, not '%s': "
		                          "unmount and mount anew",
		                          word);
	else if (!strcmp(word, "allow_other"))
		words->allow_other = true;
	else if (!strcmp(word, "locallocks"))
		words->local_locks = true;
	else if (!strcmp(word, "localmaps"))
		words->local_maps = true;
	else if (!strncmp(word, "channels=", 9))
		return take_channels(words, word + 9);
	else
		return refuse(word);
	return -1;
}

int mount_words_take(struct mount_words *words, const char *list, const char *present)
{
	char *copy = strdup(list), *rest = NULL;
	int code = -1;

	if (!copy) {
		report_error("mount", "out of memory");
		return EXIT_FAILED;
	}
	for (char *word = strtok_r(copy, ",", &rest); word && code < 0; word = strtok_r(NULL, ",", &rest))
		code = take_word(words, word, present);
	free(copy);
	if (code < 0 && words->clear & (MS_NOSUID | MS_NODEV) && geteuid() != 0)
		code =
		    report_usage("mount", "only root may mount with -o %s", words->clear & MS_NODEV ? "dev" : "suid");
	return code;
}
