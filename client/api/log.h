/*
 * log.h -- what the library has to say goes to the program's callback, and nowhere else.
 */
#ifndef FARNOVA_CLIENT_LOG_H
#define FARNOVA_CLIENT_LOG_H

/* log_keep_to_program -- from now on nothing is said on stderr. Any number of times, any thread. */
void log_keep_to_program(void);

#endif
