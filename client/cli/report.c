/*
 * report.c -- how commands say what went wrong, and strings in JSON.
 */
#include "client/cli/report.h"

#include "client/cli/command.h"
#include "client/cli/progress_bar.h"
#include "client/include/farnova.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static void vreport(const char *command, const char *format, va_list arguments)
{
	char line[8192];

	progress_bar_clear();
	vsnprintf(line, sizeof(line), format, arguments);
	fprintf(stderr, "farnova %s: %s\n", command, line);
}

void report_error(const char *command, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vreport(command, format, arguments);
	va_end(arguments);
}

void report_remote(const char *command, const char *what)
{
	int error = errno;
	const char *words = farnova_last_error();

	if (*words)
		report_error(command, "%s", words);
	else
		report_error(command, "%s: %s", what, strerror(error));
}

int report_usage(const char *command, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vreport(command, format, arguments);
	va_end(arguments);
	fprintf(stderr, "`farnova %s --help` shows how it is used\n", command);
	return EXIT_USAGE;
}

/* The length of the valid UTF-8 sequence at `s`, or 0. */
static int utf8_length(const unsigned char *s)
{
	int length = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;

	if (length == 4 && (s[0] < 0xf0 || s[0] > 0xf4))
		return 0;
	for (int i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what lies beyond U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

void print_json_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	fputc('"', out);
	while (*s) {
		int length = utf8_length(s);
		if (length == 0)
			fprintf(out, "\\udc%02x", *s++);
		else if (length > 1)
			s += fwrite(s, 1, (size_t)length, out);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s++);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\u%04x", *s++);
		else
			fputc(*s++, out);
	}
	fputc('"', out);
}
