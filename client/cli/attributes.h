/*
 * attributes.h -- how file flags are told in words.
 */
#ifndef FARNOVA_CLI_ATTRIBUTES_H
#define FARNOVA_CLI_ATTRIBUTES_H

#include "common/json.h"

#include <stdio.h>

/* print_flags -- each flag's word, a comma between each two. flags_json -- the array `name` of them. */
void print_flags(FILE *out, unsigned flags);
void flags_json(struct json *json, const char *name, unsigned flags);

#endif
