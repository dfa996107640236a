/*
 * attributes.h -- file flags as text.
 */
#ifndef FARNOVA_CLI_ATTRIBUTES_H
#define FARNOVA_CLI_ATTRIBUTES_H

#include "common/json.h"

#include <stdio.h>

/* print_flags -- print the names of the flags, separated by commas. flags_json -- write them as the array `name`. */
void print_flags(FILE *out, unsigned flags);
void flags_json(struct json *json, const char *name, unsigned flags);

#endif
