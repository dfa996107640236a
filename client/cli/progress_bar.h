/*
 * progress_bar.h -- a line on the terminal with the progress of a long copy.
 *
 * Nothing is shown if stderr is not a terminal, nor in the first second. One thread.
 */
#ifndef FARNOVA_CLI_PROGRESS_BAR_H
#define FARNOVA_CLI_PROGRESS_BAR_H

#include <stdbool.h>
#include <stdint.h>

/* progress_bar_start -- begin to count; `enabled` false shows nothing. */
void progress_bar_start(bool enabled);

/* progress_bar_file -- set the current file and its size; `path` must stay valid until the next call. */
void progress_bar_file(const char *path, uint64_t size);

/* progress_bar_bytes -- add copied bytes. */
void progress_bar_bytes(uint64_t count);

/* progress_bar_clear -- erase the line, so that something else can be printed. */
void progress_bar_clear(void);

/* progress_bar_finish -- erase the line and, after a long copy, print a summary. */
void progress_bar_finish(void);

#endif
