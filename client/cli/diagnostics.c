/*
 * diagnostics.c -- prints the findings of `farnova doctor`, as text or as JSON.
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
	if (findings->as_json) {
		json_open(&findings->json, NULL, '{');
		json_text(&findings->json, "check", check);
		json_text(&findings->json, "level", words[level]);
		json_text(&findings->json, "text", text);
		if (advice)
			json_text(&findings->json, "advice", advice);
		else
			json_null(&findings->json, "advice");
		json_close(&findings->json, '}');
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
