/*
 * wrap_sync.c -- mutexes, conditions, read-write locks and threads of the product, on the simulated machine.
 *
 * Their state lies in the pthread objects themselves; all bytes zero is unlocked, as the static initializers have it.
 */
#include "tests/sim/kernel_internal.h"
#include "tests/sim/wrap.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

struct mutex {
	uint32_t owner; /* sim_self of it, 0: free */
	uint32_t waiters;
};

/* The writer stands where the C library has it: the file system asserts that it is there. */
struct rwlock {
	uint32_t readers;
	uint32_t waiters;
	uint32_t unused[4];
	uint32_t writer;
};

_Static_assert(offsetof(struct rwlock, writer) == offsetof(pthread_rwlock_t, __data.__cur_writer),
               "as the C library has it");

_Static_assert(sizeof(struct mutex) <= sizeof(pthread_mutex_t) && sizeof(struct rwlock) <= sizeof(pthread_rwlock_t),
               "they lie in the pthread objects");

/* ---- mutexes ---------------------------------------------------------------------------------------------------- */

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
	(void)attributes;
	memset(mutex, 0, sizeof(*mutex));
	return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
	if (((struct mutex *)(void *)mutex)->owner)
		sim_failed("a mutex is destroyed while thread %u has it", ((struct mutex *)(void *)mutex)->owner);
	return 0;
}

static void mutex_free(void *lock)
{
	struct mutex *mutex = lock;

	mutex->owner = 0;
	if (mutex->waiters > 0)
		sim_wake(mutex);
}

static void mutex_take(struct mutex *mutex)
{
	if (mutex->owner && mutex->owner == sim_self())
		sim_failed("thread %u takes a mutex that it has", mutex->owner);
	while (mutex->owner) {
		mutex->waiters++;
		sim_wait(mutex, SIM_FOREVER);
		mutex->waiters--;
	}
	mutex->owner = sim_self();
	sim_hold(mutex, mutex_free);
}

static void mutex_give(struct mutex *mutex)
{
	if (mutex->owner != sim_self())
		sim_failed("thread %u releases a mutex that %u has", sim_self(), mutex->owner);
	sim_drop(mutex);
	mutex_free(mutex);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	sim_point();
	mutex_take((struct mutex *)(void *)mutex);
	return 0;
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	struct mutex *own = (struct mutex *)(void *)mutex;

	sim_point();
	if (own->owner)
		return EBUSY;
	mutex_take(own);
	return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	mutex_give((struct mutex *)(void *)mutex);
	sim_point();
	return 0;
}

/* ---- conditions ------------------------------------------------------------------------------------------------- */

int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes)
{
	(void)attributes; /* the product's conditions with a time are all of CLOCK_MONOTONIC */
	memset(condition, 0, sizeof(*condition));
	return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *condition)
{
	(void)condition;
	return 0;
}

static int wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t until)
{
	bool woken;

	mutex_give((struct mutex *)(void *)mutex);
	woken = sim_wait(condition, until);
	mutex_take((struct mutex *)(void *)mutex);
	return woken ? 0 : ETIMEDOUT;
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
	return wait_until(condition, mutex, SIM_FOREVER);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until)
{
	return wait_until(condition, mutex, sim_from_clock(until->tv_sec * SIM_NS_PER_S + until->tv_nsec));
}

int __wrap_pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *until)
{
	if (clock != CLOCK_MONOTONIC)
		return EINVAL;
	return __wrap_pthread_cond_timedwait(condition, mutex, until);
}

int __wrap_pthread_cond_signal(pthread_cond_t *condition)
{
	sim_wake_one(condition);
	sim_point();
	return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *condition)
{
	sim_wake(condition);
	sim_point();
	return 0;
}

/* ---- read-write locks ------------------------------------------------------------------------------------------- */

int __wrap_pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attributes)
{
	(void)attributes;
	memset(lock, 0, sizeof(*lock));
	return 0;
}

int __wrap_pthread_rwlock_destroy(pthread_rwlock_t *lock)
{
	(void)lock;
	return 0;
}

static void rwlock_free(void *lock)
{
	struct rwlock *own = lock;

	if (own->writer)
		own->writer = 0;
	else
		own->readers--;
	if (own->waiters > 0)
		sim_wake(own);
}

static bool rwlock_try(struct rwlock *lock, bool write)
{
	if (lock->writer || (write && lock->readers > 0))
		return false;
	if (write)
		lock->writer = sim_self();
	else
		lock->readers++;
	sim_hold(lock, rwlock_free);
	return true;
}

static void rwlock_take(struct rwlock *lock, bool write)
{
	sim_point();
	while (!rwlock_try(lock, write)) {
		lock->waiters++;
		sim_wait(lock, SIM_FOREVER);
		lock->waiters--;
	}
}

int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
	rwlock_take((struct rwlock *)(void *)lock, false);
	return 0;
}

int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
	rwlock_take((struct rwlock *)(void *)lock, true);
	return 0;
}

int __wrap_pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
	sim_point();
	return rwlock_try((struct rwlock *)(void *)lock, false) ? 0 : EBUSY;
}

int __wrap_pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
	sim_point();
	return rwlock_try((struct rwlock *)(void *)lock, true) ? 0 : EBUSY;
}

int __wrap_pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
	sim_drop(lock);
	rwlock_free(lock);
	sim_point();
	return 0;
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
	(void)attributes;
	return kernel_create(sim_process_current(), thread, run, argument);
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
	return kernel_join(thread, result);
}

/* What the product does once never waits. */
int __wrap_pthread_once(pthread_once_t *once, void (*run)(void))
{
	if (*once == PTHREAD_ONCE_INIT) {
		*once = 2; /* what the C library stores there when it is done */
		run();
	}
	return 0;
}

/* Whoever yields waits for others: time goes on by some of what they may need, or loops of yields would take most turns
 * of a run. */
/* No process of the simulated machine forks. */
int __wrap_pthread_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
	(void)before;
	(void)in_parent;
	(void)in_child;
	return 0;
}

int __wrap_sched_yield(void)
{
	if (sim_running())
		sim_sleep_until(sim_now() + sim_between(SIM_SCHEDULE, 500, 20000));
	return 0;
}
