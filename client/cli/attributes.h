/*
 * attributes.h -- how file flags are told in words.
 */
#ifndef FARNOVA_CLI_ATTRIBUTES_H
#define FARNOVA_CLI_ATTRIBUTES_H

#include <stdio.h>

/* print_flags -- each flag's word in quotes of the caller's choice, `between` each two. */
void print_flags(FILE *out, unsigned flags, const char *quote, const char *between);

#endif
