/*
 * log.h -- passes the library's log lines to the program's callback, and nowhere else.
 */
#ifndef FARNOVA_CLIENT_LOG_H
#define FARNOVA_CLIENT_LOG_H

/* log_keep_to_program -- stop log output on stderr. May be called repeatedly, by any thread. */
void log_keep_to_program(void);

#endif
