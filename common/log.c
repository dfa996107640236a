/*
 * log.c -- log lines on stderr, one write(2) each.
 */
#include "common/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static atomic_int current_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

int log_level_from_name(const char *name)
{
	for (int i = 0; i < (int)(sizeof(level_names) / sizeof(level_names[0])); i++)
		if (strcmp(name, level_names[i]) == 0)
			return i;
	return -EINVAL;
}

/* Names come from clients and media: a newline or an escape in one must not forge a line or drive a terminal. */
static void disarm(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
}

static int format_stamp(char *out, size_t size)
{
	struct timespec now;
	struct tm utc;
	char seconds[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	return snprintf(out, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

void log_write(enum log_level level, const char *component, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	const size_t room = sizeof(line) - 1; /* the last byte is the newline's */
	size_t used;
	va_list args;
	int saved_errno = errno;
	int n;

	if ((int)level > atomic_load_explicit(&current_level, memory_order_relaxed))
		return;
	used = (size_t)format_stamp(line, room);
	n = snprintf(line + used, room - used, " %s %s: ", level_names[level], component);
	used = (size_t)n < room - used ? used + (size_t)n : room - 1;
	va_start(args, format);
	errno = saved_errno; /* for %m */
	n = vsnprintf(line + used, room - used, format, args);
	va_end(args);
	if (n < 0)
		line[used] = '\0';
	disarm(line);
	used = strlen(line);
	line[used++] = '\n';
	while (write(STDERR_FILENO, line, used) < 0 && errno == EINTR)
		continue;
	errno = saved_errno;
}
