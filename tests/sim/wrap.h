/*
 * wrap.h -- the functions that the linker puts before those of the libraries (--wrap); CMakeLists.txt has their list.
 */
#ifndef FARNOVA_TESTS_SIM_WRAP_H
#define FARNOVA_TESTS_SIM_WRAP_H

#include "common/pm/pm.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>

/* wrap_sync.c */
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes);
int __wrap_pthread_cond_destroy(pthread_cond_t *condition);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until);
int __wrap_pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *until);
int __wrap_pthread_cond_signal(pthread_cond_t *condition);
int __wrap_pthread_cond_broadcast(pthread_cond_t *condition);
int __wrap_pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attributes);
int __wrap_pthread_rwlock_destroy(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_trywrlock(pthread_rwlock_t *lock);
int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *lock);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_once(pthread_once_t *once, void (*run)(void));
int __wrap_pthread_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));
int __wrap_sched_yield(void);

/* wrap_host.c */
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags);
long __wrap_sysconf(int name);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int __wrap_sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *set);

/* wrap_poll.c */
struct epoll_event;
int __wrap_eventfd(unsigned count, int flags);
ssize_t __wrap_read(int fd, void *out, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __wrap_close(int fd);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_epoll_create1(int flags);
int __wrap_epoll_ctl(int set, int operation, int fd, struct epoll_event *event);
int __wrap_timerfd_create(int clock, int flags);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *time, struct itimerspec *old);
ssize_t __real_read(int fd, void *out, size_t size);
ssize_t __real_write(int fd, const void *data, size_t size);
int __real_close(int fd);

/* wrap_event.c */
struct event_base;
struct event;
struct event_base *__wrap_event_base_new(void);
void __wrap_event_base_free(struct event_base *base);
struct event *__wrap_event_new(struct event_base *base, int fd, short what, void (*call)(int, short, void *),
                               void *argument);
void __wrap_event_free(struct event *event);
int __wrap_event_add(struct event *event, const struct timeval *time);
int __wrap_event_del(struct event *event);
int __wrap_event_base_loop(struct event_base *base, int flags);

/* medium.c */
int __wrap_pm_open(const char *path, bool read_only, struct pm *pm, char *why, size_t why_size);
void __wrap_pm_close(struct pm *pm);
void __wrap_pm_populate(const struct pm *pm, uint64_t offset, uint64_t length);

#endif
