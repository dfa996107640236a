/*
 * dump_view.c -- writes fields as indented text or as JSON.
 */
#include "server/pool/dump/dump_view.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static void indent(const struct dump_view *view)
{
	for (int i = 0; i < view->depth; i++)
		fputs("  ", stdout);
}

static void label(const struct dump_view *view, const char *name)
{
	indent(view);
	printf("%s: ", name);
}

void dump_open(struct dump_view *view, const char *name, char bracket)
{
	if (view->as_json) {
		json_open(&view->json, name, bracket);
		return;
	}
	if (name) {
		indent(view);
		printf("%s:\n", name);
	} else if (view->depth) {
		indent(view);
		puts("-");
	}
	view->depth++;
}

void dump_close(struct dump_view *view, char bracket)
{
	if (view->as_json)
		json_close(&view->json, bracket);
	view->depth--;
}

void dump_number(struct dump_view *view, const char *name, uint64_t value)
{
	if (view->as_json) {
		json_number(&view->json, name, value);
		return;
	}
	label(view, name);
	printf("%" PRIu64 "\n", value);
}

void dump_octal(struct dump_view *view, const char *name, unsigned value)
{
	char text[16];

	snprintf(text, sizeof(text), "%04o", value);
	dump_text(view, name, text);
}

void dump_hex(struct dump_view *view, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	dump_text(view, name, text);
}

void dump_text(struct dump_view *view, const char *name, const char *text)
{
	dump_bytes(view, name, text, strlen(text));
}

void dump_bytes(struct dump_view *view, const char *name, const void *bytes, size_t length)
{
	const uint8_t *p = bytes;

	if (view->as_json) {
		json_string(&view->json, name, bytes, length);
		return;
	}
	label(view, name);
	for (size_t i = 0; i < length; i++)
		if (p[i] < 0x20 || p[i] == 0x7f)
			printf("\\x%02x", p[i]);
		else
			putchar(p[i]);
	putchar('\n');
}

void dump_time(struct dump_view *view, const char *name, le64 ns)
{
	int64_t value = (int64_t)le64_get(ns);
	int64_t fraction = (value % 1000000000 + 1000000000) % 1000000000;
	time_t seconds = (time_t)((value - fraction) / 1000000000);
	char text[64];
	struct tm utc;

	if (view->as_json) {
		json_signed(&view->json, name, value);
		return;
	}
	gmtime_r(&seconds, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	label(view, name);
	printf("%s.%09" PRId64 "Z\n", text, fraction);
}

void dump_word(struct dump_view *view, const char *name, const struct image_word *word)
{
	if (!word->valid[0] && !word->valid[1]) {
		dump_text(view, name, "damaged");
		return;
	}
	dump_number(view, name, word->value);
	if (word->valid[0] && word->valid[1] && word->copy[0] == word->copy[1])
		return;
	for (int i = 0; i < 2; i++) {
		char title[40];

		snprintf(title, sizeof(title), "%s_copy_%d", name, i);
		if (word->valid[i])
			dump_number(view, title, word->copy[i]);
		else
			dump_text(view, title, "damaged");
	}
}
