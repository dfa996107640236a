/*
 * log.c -- log lines on stderr, one write(2) each.
 */
#include "common/log.h"

#include "common/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static atomic_int current_level = LOG_LEVEL_INFO;

static pthread_rwlock_t sink_lock = PTHREAD_RWLOCK_INITIALIZER; /* read-locked while a sink is called */
static void (*current_sink)(enum log_level level, const char *component, const char *text);

void log_set_sink(void (*sink)(enum log_level level, const char *component, const char *text))
{
	pthread_rwlock_wrlock(&sink_lock);
	current_sink = sink;
	pthread_rwlock_unlock(&sink_lock);
}

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

/* Clients and media supply names: a newline or escape in a name must not forge a line or control a terminal. */
static void disarm(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
}

static int format_stamp(char *out, size_t size)
{
	struct timespec now = clock_timespec(clock_wall_ns());
	struct tm utc;
	char seconds[32];

	gmtime_r(&now.tv_sec, &utc);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	return snprintf(out, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

/* give_sink -- pass the line to the sink; false if there is none. */
static bool give_sink(enum log_level level, const char *component, const char *format, va_list args)
{
	char text[LINE_MAX_BYTES];
	int saved_errno = errno;

	pthread_rwlock_rdlock(&sink_lock);
	bool given = current_sink != NULL;
	if (given) {
		errno = saved_errno; /* for %m */
		if (vsnprintf(text, sizeof(text), format, args) < 0)
			text[0] = '\0';
		disarm(text);
		current_sink(level, component, text);
	}
	pthread_rwlock_unlock(&sink_lock);
	errno = saved_errno;
	return given;
}

static void write_line(enum log_level level, const char *component, const char *format, va_list args)
{
	char line[LINE_MAX_BYTES];
	const size_t room = sizeof(line) - 1; /* the last byte is reserved for the newline */
	size_t used;
	int saved_errno = errno;
	int n;

	if (give_sink(level, component, format, args))
		return;
	used = (size_t)format_stamp(line, room);
	n = snprintf(line + used, room - used, " %s %s: ", level_names[level], component);
	used = (size_t)n < room - used ? used + (size_t)n : room - 1;
	errno = saved_errno; /* for %m */
	n = vsnprintf(line + used, room - used, format, args);
	if (n < 0)
		line[used] = '\0';
	disarm(line);
	used = strlen(line);
	line[used++] = '\n';
	while (write(STDERR_FILENO, line, used) < 0 && errno == EINTR)
		continue;
	errno = saved_errno;
}

static bool is_dropped(enum log_level level)
{
	return (int)level > atomic_load_explicit(&current_level, memory_order_relaxed);
}

void log_write(enum log_level level, const char *component, const char *format, ...)
{
	va_list args;

	if (is_dropped(level))
		return;
	va_start(args, format);
	write_line(level, component, format, args);
	va_end(args);
}

/* ---- limits ----------------------------------------------------------------------------------------------------- */

struct log_limit *log_limit_of(struct log_limits *limits, const char *text)
{
	unsigned hash = 5381;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		hash = hash * 33 ^ *p;
	return &limits->by_text[hash % (sizeof(limits->by_text) / sizeof(limits->by_text[0]))];
}

/* Each line written advances the time when the next is due by one interval; that time may be ahead of now by a
 * burst. */
static bool take(struct log_limit *limit)
{
	int64_t now_ms = clock_now_ms();
	int64_t next_ms = atomic_load(&limit->next_ms), after_ms;
	do {
		after_ms = (next_ms > now_ms ? next_ms : now_ms) + LOG_INTERVAL_MS;
		if (after_ms - now_ms > (int64_t)LOG_BURST * LOG_INTERVAL_MS)
			return false;
	} while (!atomic_compare_exchange_weak(&limit->next_ms, &next_ms, after_ms));
	return true;
}

void log_write_limited(struct log_limit *limit, enum log_level level, const char *component, const char *format, ...)
{
	va_list args;

	if (is_dropped(level))
		return;
	if (!take(limit)) {
		atomic_fetch_add(&limit->left_out, 1);
		return;
	}
	unsigned left_out = atomic_exchange(&limit->left_out, 0);
	if (left_out > 0)
		log_write(level, component, "%u lines like the next were left out", left_out);
	va_start(args, format);
	write_line(level, component, format, args);
	va_end(args);
}
