/*
 * log.c -- passes the library's log lines to the program's callback, and nowhere else.
 */
#include "client/api/log.h"

#include "client/include/farnova.h"
#include "common/log.h"

#include <pthread.h>
#include <stdio.h>

_Static_assert(FARNOVA_LOG_ERROR == LOG_LEVEL_ERROR && FARNOVA_LOG_WARN == LOG_LEVEL_WARN &&
                   FARNOVA_LOG_INFO == LOG_LEVEL_INFO && FARNOVA_LOG_DEBUG == LOG_LEVEL_DEBUG,
               "the interface's levels are the log's");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* held during the callback: one at a time */
static void (*callback)(void *context, int level, const char *text);
static void *callback_context;

static void give(enum log_level level, const char *component, const char *text)
{
	char line[2200];

	snprintf(line, sizeof(line), "%s: %s", component, text);
	pthread_mutex_lock(&lock);
	if (callback)
		callback(callback_context, (int)level, line);
	pthread_mutex_unlock(&lock);
}

static void begin(void)
{
	log_set_sink(give);
}

void log_keep_to_program(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, begin);
}

void farnova_set_log(void (*log)(void *context, int level, const char *text), void *context)
{
	log_keep_to_program();
	pthread_mutex_lock(&lock);
	callback = log;
	callback_context = context;
	pthread_mutex_unlock(&lock);
}
