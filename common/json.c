/*
 * json.c -- writes JSON to a stream.
 */
#include "common/json.h"

#include <inttypes.h>
#include <string.h>

/* Length of the UTF-8 sequence at p, 0 if it is invalid. */
static size_t sequence_length(const uint8_t *p, size_t left)
{
	size_t n = p[0] < 0x80                   ? 1
	           : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
	           : (p[0] & 0xf0) == 0xe0       ? 3
	           : (p[0] & 0xf8) == 0xf0       ? 4
	                                         : 0;

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    p[0] > 0xf4 || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void write_string(FILE *out, const uint8_t *p, size_t length)
{
	fputc('"', out);
	while (length) {
		size_t n = sequence_length(p, length);

		if (n == 0) {
			fprintf(out, "\\udc%02x", *p);
			n = 1;
		} else if (*p == '"' || *p == '\\') {
			fprintf(out, "\\%c", *p);
		} else if (*p < 0x20 || *p == 0x7f) {
			fprintf(out, "\\u%04x", *p);
		} else {
			fwrite(p, 1, n, out);
		}
		p += n;
		length -= n;
	}
	fputc('"', out);
}

static void begin(struct json *json, const char *name)
{
	if (!json->first)
		fputc(',', json->out);
	json->first = false;
	if (!name)
		return;
	write_string(json->out, (const uint8_t *)name, strlen(name));
	fputc(':', json->out);
}

void json_open(struct json *json, const char *name, char bracket)
{
	bool more = !json->first;

	begin(json, name);
	if (more && !name)
		fputc('\n', json->out);
	fputc(bracket, json->out);
	json->first = true;
}

void json_close(struct json *json, char bracket)
{
	fputc(bracket, json->out);
	json->first = false;
}

void json_string(struct json *json, const char *name, const void *bytes, size_t length)
{
	begin(json, name);
	write_string(json->out, bytes, length);
}

void json_text(struct json *json, const char *name, const char *text)
{
	json_string(json, name, text, strlen(text));
}

void json_number(struct json *json, const char *name, uint64_t value)
{
	begin(json, name);
	fprintf(json->out, "%" PRIu64, value);
}

void json_signed(struct json *json, const char *name, int64_t value)
{
	begin(json, name);
	fprintf(json->out, "%" PRId64, value);
}

void json_bool(struct json *json, const char *name, bool value)
{
	begin(json, name);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *name)
{
	begin(json, name);
	fputs("null", json->out);
}

void json_time(struct json *json, const char *name, int64_t seconds, long nanoseconds)
{
	begin(json, name);
	fprintf(json->out, "%" PRId64 ".%09ld", seconds, nanoseconds);
}
