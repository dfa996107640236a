/*
 * json.h -- writes JSON to a stream, one value after another.
 *
 * The writer adds commas and tracks nesting; each object in an array starts a line. Strings are escaped. A byte that is
 * not part of valid UTF-8 becomes the lone surrogate \udcXX, where XX is the byte: so different names stay different,
 * and Python restores the bytes (surrogateescape).
 */
#ifndef FARNOVA_COMMON_JSON_H
#define FARNOVA_COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	bool first; /* no value at this level yet */
};

/* `name` is the name of the member in an object, NULL in an array or at the top. */
void json_open(struct json *json, const char *name, char bracket);
void json_close(struct json *json, char bracket);
void json_string(struct json *json, const char *name, const void *bytes, size_t length);
void json_text(struct json *json, const char *name, const char *text);
void json_number(struct json *json, const char *name, uint64_t value);
void json_signed(struct json *json, const char *name, int64_t value);
void json_null(struct json *json, const char *name);
/* json_time -- seconds since 1970 with nine decimal places. */
void json_time(struct json *json, const char *name, int64_t seconds, long nanoseconds);
void json_bool(struct json *json, const char *name, bool value);

#endif
