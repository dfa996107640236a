/*
 * position.c -- the lock of a file's shared position, which waits no longer than a request.
 *
 * It is a flag beneath a mutex rather than the mutex itself, because its holder waits for the server, and a wait for it
 * must end by time and by cancellation.
 */
#include "client/api/position.h"

#include "client/session/call.h"
#include "common/clock.h"

#include <errno.h>

#define LOOK_NS 20000000 /* between looks whether the thread's calls are cancelled */

/* wait_for -- wait until the position is free; `inner` is held. */
static int wait_for(struct farnova *fs, struct position *position)
{
	int64_t deadline_ns = call_deadline(fs);

	while (position->taken) {
		int64_t now = clock_now_ns(), until = now + LOOK_NS;
		if (poller_cancelled(&fs->link, poller_self()) || (deadline_ns && now >= deadline_ns))
			return -ETIMEDOUT;
		if (deadline_ns && deadline_ns < until)
			until = deadline_ns;
		struct timespec time = clock_timespec(until);
		pthread_cond_clockwait(&position->freed, &position->inner, CLOCK_MONOTONIC, &time);
	}
	return 0;
}

int position_lock(struct farnova_file *file)
{
	struct position *position = &file->position;

	if (file->fs->link.forked)
		return -ECHILD;
	pthread_mutex_lock(&position->inner);
	int error = wait_for(file->fs, position);
	if (error == 0)
		position->taken = true;
	pthread_mutex_unlock(&position->inner);
	return error;
}

void position_unlock(struct farnova_file *file)
{
	struct position *position = &file->position;

	pthread_mutex_lock(&position->inner);
	position->taken = false;
	pthread_cond_signal(&position->freed);
	pthread_mutex_unlock(&position->inner);
}
