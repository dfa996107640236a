/*
 * progress_bar.h -- a line on the terminal that says how far a long copy has come.
 *
 * Nothing is shown where stderr is no terminal, nor in the first second. One thread.
 */
#ifndef FARNOVA_CLI_PROGRESS_BAR_H
#define FARNOVA_CLI_PROGRESS_BAR_H

#include <stdbool.h>
#include <stdint.h>

/* progress_bar_start -- begin to count; `enabled` false keeps it silent. */
void progress_bar_start(bool enabled);

/* progress_bar_file -- the file now being copied and its size; `path` must stay valid until the next call. */
void progress_bar_file(const char *path, uint64_t size);

/* progress_bar_bytes -- that many more bytes are through. */
void progress_bar_bytes(uint64_t count);

/* progress_bar_clear -- take the line away, so that something else can be printed. */
void progress_bar_clear(void);

/* progress_bar_finish -- take the line away and, after a long copy, say what was done. */
void progress_bar_finish(void);

#endif
