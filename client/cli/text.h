/*
 * text.h -- names, sizes and modes as commands print them.
 */
#ifndef FARNOVA_CLI_TEXT_H
#define FARNOVA_CLI_TEXT_H

#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

struct json;

/* print_name -- print a file's name; on a terminal '?' replaces control characters, so that a name cannot control the
 * terminal. */
void print_name(FILE *out, const char *name);

/* human_size -- "1.5G" in `buffer`, powers of 1024. */
const char *human_size(uint64_t bytes, char buffer[24]);

/* mode_text -- "drwxr-xr-x" in `buffer`. */
const char *mode_text(mode_t mode, char buffer[11]);

/* json_stat -- the members that `ls` and `stat` both print for a file, without its times. */
void json_stat(struct json *json, const struct stat *st);

#endif
