/*
 * diagnostics.c -- print what `farnova doctor` finds, for people or as JSON.
 */
#include "client/cli/diagnostics.h"

#include "client/cli/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void finding(struct findings *findings, const char *check, enum finding_level level, const char *advice,
             const char *format, ...)
{
	static const char *const words[] = {"ok", "note", "bad"};
	static const char *const colors[] = {"\033[32m", "\033[33m", "\033[31m"};
	va_list arguments;
	char text[4608];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (findings->json) {
		printf("%s\n  {\"check\": \"%s\", \"level\": \"%s\", \"text\": ", findings->count ? "," : "", check,
		       words[level]);
		print_json_string(stdout, text);
		printf(", \"advice\": ");
		if (advice)
			print_json_string(stdout, advice);
		else
			printf("null");
		printf("}");
	} else {
		bool terminal = isatty(STDOUT_FILENO);
		printf("%s%-4s%s  %-8s %s\n", terminal ? colors[level] : "", words[level], terminal ? "\033[0m" : "",
		       check, text);
		if (advice)
			printf("                -> %s\n", advice);
	}
	findings->count++;
	findings->bad += level == FINDING_BAD;
}
