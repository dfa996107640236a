/*
 * json.h -- writes JSON to a stream, one value after another.
 *
 * Commas and nesting are kept by the writer; each object of an array begins a line. Strings are escaped. A byte that is
 * no UTF-8 becomes the lone surrogate \udcXX, XX being the byte: so all names differ, and Python reads back the bytes
 * (surrogateescape).
 */
#ifndef FARNOVA_COMMON_JSON_H
#define FARNOVA_COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	bool first; /* nothing yet at this level */
};

/* `name` is the member's name in an object, NULL in an array or at the top. */
void json_open(struct json *json, const char *name, char bracket);
void json_close(struct json *json, char bracket);
void json_string(struct json *json, const char *name, const void *bytes, size_t length);
void json_text(struct json *json, const char *name, const char *text);
void json_number(struct json *json, const char *name, uint64_t value);
void json_signed(struct json *json, const char *name, int64_t value);
void json_null(struct json *json, const char *name);
/* json_time -- seconds since 1970 with nine digits behind the point. */
void json_time(struct json *json, const char *name, int64_t seconds, long nanoseconds);
void json_bool(struct json *json, const char *name, bool value);

#endif
