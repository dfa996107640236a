/*
 * mount_options.h -- the words of `farnova mount -o`: which there are, and what each asks for.
 */
#ifndef FARNOVA_CLI_MOUNT_OPTIONS_H
#define FARNOVA_CLI_MOUNT_OPTIONS_H

#include <stdbool.h>

struct mount_words {
	unsigned long set, clear; /* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC: said, and the contrary said */
	bool remount;
	bool allow_other;
	bool local_locks, local_maps;
};

/*
 * mount_words_take -- what a comma-separated list says, in addition to what `words` holds; the last of two contrary
 * words counts. `present` are the options of the mount that is changed, NULL for a new one: what holds there may be
 * said again. Returns -1 to go on, or an exit code after the word that is refused was reported, with the reason.
 */
int mount_words_take(struct mount_words *words, const char *list, const char *present);

/* mount_words_has -- whether a comma-separated list has the word. */
bool mount_words_has(const char *list, const char *word);

#endif
