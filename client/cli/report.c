/*
 * report.c -- prints the errors of commands, on one line each.
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
