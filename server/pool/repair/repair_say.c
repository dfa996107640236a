/*
 * repair_say.c -- reports the steps of a repair.
 */
#include "server/pool/repair/repair_internal.h"

#include <stdarg.h>
#include <stdio.h>

void repair_say(struct repair *r, const char *part, uint64_t ino, uint64_t block, const char *format, ...)
{
	struct check_finding step = {.part = part, .ino = ino, .block = block};
	char text[320];
	va_list args;

	r->report->repairs++;
	if (!r->report->repaired)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	step.text = text;
	r->report->repaired(r->report, &step);
}
