/*
 * wrap_poll.c -- descriptors, eventfd, timerfd, poll(2), and epoll as a set that poll waits for, on the simulated machine.
 */
#include "tests/sim/descriptors.h"
#include "tests/sim/kernel_internal.h"
#include "tests/sim/wrap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#define FIRST           (1 << 20)
#define DESCRIPTORS_MAX 4096
#define POLLED_MAX      64

struct descriptor {
	bool open, readable, is_timer, is_set;
	uint64_t count;   /* of an eventfd or a timer */
	uint64_t setting; /* of a timer: tells the newest setting from earlier ones */
	int set;          /* the epoll descriptor whose set it is in, 0: none */
};

static struct descriptor table[DESCRIPTORS_MAX];

static struct descriptor *descriptor_of(int fd)
{
	int at = fd - FIRST;

	if (at < 0 || at >= DESCRIPTORS_MAX || !table[at].open)
		sim_failed("descriptor %d is used but not open", fd);
	return &table[at];
}

int descriptor_open(void)
{
	for (int i = 0; i < DESCRIPTORS_MAX; i++) {
		if (!table[i].open) {
			table[i] = (struct descriptor){.open = true};
			return FIRST + i;
		}
	}
	sim_failed("too many descriptors");
}

void descriptor_close(int fd)
{
	descriptor_of(fd)->open = false;
}

bool descriptor_is(int fd)
{
	return fd >= FIRST;
}

void descriptor_set(int fd, bool readable)
{
	struct descriptor *descriptor = descriptor_of(fd);

	descriptor->readable = readable;
	if (readable)
		kernel_fd_ready(fd);
	if (readable && descriptor->set)
		kernel_fd_ready(descriptor->set);
}

/* is_readable -- also of a set, which is readable while one in it is. */
static bool is_readable(int fd)
{
	bool readable = table[fd - FIRST].readable;

	for (int i = 0; table[fd - FIRST].is_set && !readable && i < DESCRIPTORS_MAX; i++)
		readable = table[i].open && table[i].set == fd && table[i].readable;
	return readable;
}

bool descriptor_readable(int fd)
{
	return descriptor_of(fd)->readable;
}

int __wrap_eventfd(unsigned count, int flags)
{
	int fd = descriptor_open();

	(void)flags;
	descriptor_of(fd)->count = count;
	descriptor_set(fd, count > 0);
	return fd;
}

ssize_t __wrap_read(int fd, void *out, size_t size)
{
	if (!descriptor_is(fd))
		return __real_read(fd, out, size);
	struct descriptor *descriptor = descriptor_of(fd);

	if (descriptor->count == 0 || size < sizeof(uint64_t)) {
		errno = descriptor->count == 0 ? EAGAIN : EINVAL;
		return -1;
	}
	memcpy(out, &descriptor->count, sizeof(uint64_t));
	descriptor->count = 0;
	descriptor->readable = false;
	return sizeof(uint64_t);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	uint64_t count;

	if (!descriptor_is(fd))
		return __real_write(fd, data, size);
	memcpy(&count, data, sizeof(count));
	descriptor_of(fd)->count += count;
	descriptor_set(fd, true);
	sim_point();
	return (ssize_t)size;
}

int __wrap_close(int fd)
{
	if (!descriptor_is(fd))
		return __real_close(fd);
	descriptor_close(fd);
	return 0;
}

/* ---- sets ------------------------------------------------------------------------------------------------------- */

int __wrap_epoll_create1(int flags)
{
	int fd = descriptor_open();

	(void)flags;
	descriptor_of(fd)->is_set = true;
	return fd;
}

int __wrap_epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
	struct descriptor *descriptor = descriptor_of(fd);

	if (operation != EPOLL_CTL_ADD || event->events != EPOLLIN || descriptor->set || !descriptor_of(set)->is_set)
		sim_failed("a use of epoll that the simulator does not know");
	descriptor->set = set;
	return 0;
}

/* ---- timers ----------------------------------------------------------------------------------------------------- */

struct setting {
	int fd;
	uint64_t number;
};

static void timer_ends(void *argument)
{
	struct setting *setting = argument;
	struct descriptor *timer = &table[setting->fd - FIRST];

	if (timer->open && timer->is_timer && timer->setting == setting->number) {
		timer->count = 1;
		descriptor_set(setting->fd, true);
	}
	free(setting);
}

int __wrap_timerfd_create(int clock, int flags)
{
	int fd = descriptor_open();

	(void)flags;
	if (clock != CLOCK_MONOTONIC)
		sim_failed("a timer of a clock that the simulator does not know");
	descriptor_of(fd)->is_timer = true;
	return fd;
}

/* A clock that leaps meanwhile does not hasten it: a timer may always be late. */
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *time, struct itimerspec *old)
{
	static uint64_t settings; /* of all timers: a descriptor's number is used again */
	struct descriptor *timer = descriptor_of(fd);
	int64_t at = time->it_value.tv_sec * SIM_NS_PER_S + time->it_value.tv_nsec;
	struct setting *setting;

	if (!timer->is_timer || flags != TFD_TIMER_ABSTIME || old || time->it_interval.tv_sec ||
	    time->it_interval.tv_nsec)
		sim_failed("a use of a timer that the simulator does not know");
	timer->count = 0;
	timer->readable = false;
	timer->setting = ++settings;
	if (at == 0)
		return 0;
	setting = malloc(sizeof(*setting));
	if (!setting)
		sim_failed("out of memory");
	*setting = (struct setting){.fd = fd, .number = timer->setting};
	sim_at(sim_from_clock(at), timer_ends, setting);
	return 0;
}

/* ---- poll ------------------------------------------------------------------------------------------------------- */

/* What is closed when poll begins is told; what is closed during the wait is waited for in vain. */
static int readable_now(struct pollfd *fds, nfds_t count, bool begins)
{
	int ready = 0;

	for (nfds_t i = 0; i < count; i++) {
		const struct descriptor *descriptor = fds[i].fd >= 0 ? &table[fds[i].fd - FIRST] : NULL;

		fds[i].revents = 0;
		if (descriptor && !descriptor->open)
			fds[i].revents = begins ? POLLNVAL : 0;
		else if (descriptor && (fds[i].events & POLLIN) && is_readable(fds[i].fd))
			fds[i].revents = POLLIN;
		ready += fds[i].revents != 0;
	}
	return ready;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	int64_t until = timeout_ms < 0 ? SIM_FOREVER : sim_now() + timeout_ms * SIM_NS_PER_MS;
	int numbers[POLLED_MAX];
	unsigned used = 0;
	int ready;

	if (count > POLLED_MAX)
		sim_failed("poll of %lu descriptors", (unsigned long)count);
	for (nfds_t i = 0; i < count; i++)
		if (fds[i].fd >= 0)
			numbers[used++] = fds[i].fd;
	/* Others run beside a thread that finds again and again what it waits for. */
	ready = readable_now(fds, count, true);
	if (timeout_ms == 0 || ready > 0)
		sim_yield();
	while (ready == 0 && sim_now() < until) {
		kernel_wait_fds(numbers, used, until);
		ready = readable_now(fds, count, false);
	}
	return ready;
}
