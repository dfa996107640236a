/*
 * mount_options.h -- the words of `farnova mount -o` and their meaning.
 */
#ifndef FARNOVA_CLI_MOUNT_OPTIONS_H
#define FARNOVA_CLI_MOUNT_OPTIONS_H

#include <stdbool.h>

struct mount_words {
	unsigned long set, clear; /* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC: flags to set, and to clear */
	bool remount;
	bool allow_other;
	bool local_locks, local_maps;
	unsigned channels; /* further connections for reads */
};

/*
 * mount_words_take -- add the words of a comma-separated list to `words`; of two contrary words the last one counts.
 * `present` has the options of the mount that is changed, NULL for a new mount: a word that is already in effect is
 * accepted. Returns -1 to continue, or an exit code after it has reported a refused word with the reason.
 */
int mount_words_take(struct mount_words *words, const char *list, const char *present);

/* mount_words_has -- whether a comma-separated list contains the word. */
bool mount_words_has(const char *list, const char *word);

#endif
