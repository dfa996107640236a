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

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* log_set_level -- drop lines above `level`; the default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

/* log_level_from_name -- "error", "warn", "info" or "debug"; -EINVAL if it is none of them. */
int log_level_from_name(const char *name);

void log_write(enum log_level level, const char *component, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(component, ...) log_write(LOG_LEVEL_ERROR, component, __VA_ARGS__)
#define log_warn(component, ...)  log_write(LOG_LEVEL_WARN, component, __VA_ARGS__)
#define log_info(component, ...)  log_write(LOG_LEVEL_INFO, component, __VA_ARGS__)
#define log_debug(component, ...) log_write(LOG_LEVEL_DEBUG, component, __VA_ARGS__)

#endif
