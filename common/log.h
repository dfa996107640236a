/*
 * log.h -- structured log lines with levels.
 *
 * One line per event on stderr: `2026-01-31T12:00:00.000Z level component: text`. Lines of different
 * threads never mix. The text says what happened, to what, and what to do about it where there is something to do.
 * Thread safe.
 */
#ifndef FARNOVA_COMMON_LOG_H
#define FARNOVA_COMMON_LOG_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* log_set_level -- drop lines above `level`; the default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

/*
 * log_set_sink -- pass each line's component and text, without time stamp or newline, to `sink` instead of stderr;
 * NULL: stderr again. When it returns, the previous sink is not called any more. A sink must not log or set a sink.
 */
void log_set_sink(void (*sink)(enum log_level level, const char *component, const char *text));

/* log_level_from_name -- "error", "warn", "info" or "debug"; -EINVAL if it is none of them. */
int log_level_from_name(const char *name);

void log_write(enum log_level level, const char *component, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Limit for lines that a peer can cause: a burst of LOG_BURST, then one per LOG_INTERVAL_MS. The next line written says
 * how many were dropped. Zero-initialized; any thread.
 */
#define LOG_BURST       20
#define LOG_INTERVAL_MS 500

struct log_limit {
	atomic_int_least64_t next_ms; /* when the next line would be due at one per interval */
	atomic_uint left_out;
};

/* Limits by text, so that many lines of one kind do not suppress others. */
struct log_limits {
	struct log_limit by_text[16];
};

/* log_limit_of -- the limit for lines with this text. */
struct log_limit *log_limit_of(struct log_limits *limits, const char *text);

void log_write_limited(struct log_limit *limit, enum log_level level, const char *component, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* log_limited -- a line with its own limit for this place in the source. */
#define log_limited(level, component, ...)                                                                             \
	do {                                                                                                           \
		static struct log_limit limit_of_this_place;                                                           \
		log_write_limited(&limit_of_this_place, level, component, __VA_ARGS__);                                \
	} while (0)
#define log_error_limited(component, ...) log_limited(LOG_LEVEL_ERROR, component, __VA_ARGS__)
#define log_warn_limited(component, ...)  log_limited(LOG_LEVEL_WARN, component, __VA_ARGS__)
#define log_info_limited(component, ...)  log_limited(LOG_LEVEL_INFO, component, __VA_ARGS__)

#define log_error(component, ...) log_write(LOG_LEVEL_ERROR, component, __VA_ARGS__)
#define log_warn(component, ...)  log_write(LOG_LEVEL_WARN, component, __VA_ARGS__)
#define log_info(component, ...)  log_write(LOG_LEVEL_INFO, component, __VA_ARGS__)
#define log_debug(component, ...) log_write(LOG_LEVEL_DEBUG, component, __VA_ARGS__)

#endif
