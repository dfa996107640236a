/* cpu_share.c -- yields while polling, and detects when the CPU is so crowded that blocking is cheaper. */
#include "common/cpu_share.h"

#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

typedef int64_t (*run_delay_source)(void);

static _Atomic(run_delay_source) source;

void cpu_share_set_source(int64_t (*run_delay_ns)(void))
{
	atomic_store_explicit(&source, run_delay_ns, memory_order_relaxed);
}

int64_t cpu_share_run_delay_ns(void)
{
	run_delay_source other = atomic_load_explicit(&source, memory_order_relaxed);
	char text[96];
	int64_t delay_ns;

	if (other != NULL)
		return other();
	int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t length = read(fd, text, sizeof(text) - 1);
	int error = length < 0 ? errno : 0;
	close(fd);
	if (error != 0)
		return -error;
	text[length] = 0;
	/* Run time and run delay, both in ns, and the number of time slices. */
	return sscanf(text, "%*u %" SCNd64, &delay_ns) == 1 && delay_ns >= 0 ? delay_ns : -EPROTO;
}

/* watched_yield -- whether the yield was late because other threads ran; `*late` if it was late for any reason. */
static bool watched_yield(bool *late)
{
	int64_t waited_ns = cpu_share_run_delay_ns();
	int64_t before_ns = clock_now_ns();

	sched_yield();
	int64_t took_ns = clock_now_ns() - before_ns;
	*late = took_ns >= CPU_SHARE_LATE_NS;
	if (!*late || waited_ns < 0)
		return *late;
	return cpu_share_run_delay_ns() - waited_ns >= took_ns / 2;
}

bool cpu_share_yield(struct cpu_share *share)
{
	int64_t before_ns = clock_now_ns();
	bool late, crowded = false;

	if (share->crowded_until_ns != 0 && before_ns >= share->crowded_until_ns) {
		share->crowded_until_ns = 0;
		share->watched = CPU_SHARE_WATCHED;
	}
	if (share->watched > 0) {
		crowded = watched_yield(&late);
		share->watched--;
	} else {
		sched_yield();
		late = clock_now_ns() - before_ns >= CPU_SHARE_LATE_NS;
	}
	if (late)
		share->watched = CPU_SHARE_WATCHED;
	if (crowded)
		share->crowded_until_ns = clock_now_ns() + CPU_SHARE_CROWDED_NS;
	return crowded;
}
