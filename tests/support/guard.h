/*
 * guard.h -- what a test program leaves in this host is taken away when it ends, however it ends.
 */
#ifndef FARNOVA_TESTS_SUPPORT_GUARD_H
#define FARNOVA_TESTS_SUPPORT_GUARD_H

#include <sys/types.h>

/* guard -- from now on, when this process has ended: kill `pid`, if it is not 0, and unlink `path`. One such pair is kept;
 * each call replaces it. `pid` must be replaced by 0 once it was waited for. The first call starts the guard, a process of
 * its own, which learns of the end of this one from a pipe. */
void guard(pid_t pid, const char *path);

#endif
