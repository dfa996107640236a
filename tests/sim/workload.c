/*
 * workload.c -- what the simulated clients do.
 */
#include "tests/sim/programs.h"

#include "tests/sim/cluster.h"
#include "tests/sim/transport.h"
#include "tests/sim/trees.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ATTEMPTS      400u
#define STEPS_AT_ONCE 4u /* operations in a tree, one after another, up to */

struct workload_options workload_options;
struct history workload_calls;
unsigned workload_no_space;
static struct client clients[WORKLOAD_CLIENTS];
static unsigned thread_count;

const struct history *workload_history(void)
{
	return &workload_calls;
}

unsigned workload_refused(void)
{
	return workload_no_space;
}

unsigned workload_count(void)
{
	return workload_calls.count + trees_steps();
}

uint64_t workload_below(uint64_t limit)
{
	return sim_below(SIM_WORKLOAD, limit);
}

void workload_note(struct call *call, int64_t result, int error)
{
	if (result >= 0) {
		history_end(&workload_calls, call);
		return;
	}
	switch (error) {
	case ECONNRESET: /* an exclusive open, whose file is gone when the reply is asked for again (durability.md) */
		if (call->type != CALL_CREATE &&
		    workload_options.room_kib == 0) /* or that of a client without a record */
			sim_failed("a call gets ECONNRESET: %s", farnova_last_error());
		history_end(&workload_calls, call);
		call->perhaps = true;
		break;
	case ENOSPC:
	case ENOENT:
	case EEXIST:
	case ENODATA:
	case ENOTDIR:
	case EISDIR:
		if (error != ENOSPC && CALL_IS_OF_FILE(call->type) && !CALL_IS_OF_XATTR(call->type))
			sim_failed("a call on a file gets %s: %s", strerror(error), farnova_last_error());
		workload_no_space += error == ENOSPC;
		call->error = error;
		history_end(&workload_calls, call);
		break;
	default:
		history_print(call);
		sim_failed("a call gets %s: %s", strerror(error), farnova_last_error());
	}
	sim_note("error", call->tag, (uint64_t)error);
}

/* ---- clients ---------------------------------------------------------------------------------------------------- */

static bool may_try_again(int error)
{
	return error == ECONNREFUSED || error == ETIMEDOUT || error == ECONNRESET || error == EHOSTUNREACH ||
	       error == EUSERS;
}

static struct farnova *connect_client(bool verbs, unsigned channels)
{
	const struct farnova_options given = {.size = sizeof(given),
	                                      .transport = verbs ? "verbs" : "tcp",
	                                      .timeout_ms = workload_options.timeout_ms,
	                                      .channels = channels};

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct farnova *fs = farnova_connect(CLUSTER_URL, &given);

		if (fs)
			return fs;
		if (!may_try_again(errno))
			break;
		sim_sleep_until(sim_now() + 50 * SIM_NS_PER_MS);
	}
	sim_failed("a client cannot connect: %s", farnova_last_error());
}

static struct farnova_file *open_file(struct farnova *fs, unsigned number, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/f%u", number);
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct farnova_file *file = farnova_open(fs, path, flags, 0644);

		if (file)
			return file;
		if (!may_try_again(errno))
			break;
	}
	sim_failed("file %u cannot be opened: %s", number, farnova_last_error());
}

static struct farnova_handle open_names(struct farnova *fs)
{
	struct farnova_handle dir;
	struct stat st;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		if (farnova_lookup_at(fs, farnova_root(fs), "names", &dir, &st) == 0)
			return dir;
		if (!may_try_again(errno))
			break;
	}
	sim_failed("the directory cannot be looked up: %s", farnova_last_error());
}

static void set_up(struct thread *thread)
{
	thread->dir = open_names(thread->fs);
	thread->number = thread_count++;
	thread->buffer = calloc(HISTORY_UNITS, workload_options.unit);
	if (!thread->buffer)
		sim_failed("out of memory");
	for (unsigned i = 0; i < workload_options.files; i++)
		thread->files[i] = open_file(thread->fs, i, O_RDWR);
}

static void work_in_tree(struct thread *thread)
{
	for (uint64_t left = 1 + workload_below(STEPS_AT_ONCE); left > 0; left--)
		trees_step(thread->fs, &thread->tree);
	tree_become(thread->fs, NULL);
}

static void *thread_main(void *argument)
{
	struct thread *thread = argument;
	struct client *client = thread->client;

	set_up(thread);
	while (client->left[thread->index] > 0) {
		client->left[thread->index]--;
		if (workload_options.pause_ns > 0)
			sim_sleep_until(sim_now() + (int64_t)workload_below((uint64_t)workload_options.pause_ns));
		if (workload_below(1024) < workload_options.of_trees)
			work_in_tree(thread);
		else if (workload_below(1024) < workload_options.of_names)
			workload_choose_on_names(thread);
		else
			workload_choose_on_file(thread);
	}
	client->running--;
	sim_wake(client);
	return NULL;
}

static void *client_main(void *argument)
{
	struct client *client = argument;
	struct sim_process *process = sim_process_current();
	struct farnova *fs =
	    connect_client(workload_options.verbs[client->number], workload_options.channels[client->number]);

	client->running = workload_options.threads;
	for (unsigned i = 0; i < workload_options.threads; i++) {
		struct thread *thread = calloc(1, sizeof(*thread));

		if (!thread)
			sim_failed("out of memory");
		*thread = (struct thread){.client = client, .process = process, .fs = fs, .index = i};
		sim_start(process, thread_main, thread);
	}
	while (client->running > 0)
		sim_wait(client, SIM_FOREVER);
	farnova_disconnect(fs);
	client->process = NULL;
	sim_wake(&clients);
	return NULL;
}

static void start_client(struct client *client)
{
	char name[24];

	snprintf(name, sizeof(name), "client %u.%u", client->number, client->life++);
	client->process = sim_process_create(name);
	client->process->clock_drift = workload_options.drift[client->number];
	sim_start(client->process, client_main, client);
}

struct preparing {
	bool done;
};

/* Blocks are used again at once where few are left. */
static void fill_pool(struct farnova *fs)
{
	struct farnova_file *file = farnova_open(fs, "/ballast", O_RDWR | O_CREAT, 0644);
	off_t size = 0;

	if (!file)
		sim_failed("no ballast: %s", farnova_last_error());
	for (off_t step = 1 << 20; step >= 4096; step /= 4)
		while (farnova_fallocate(file, 0, size, step) == 0)
			size += step;
	if (size < (off_t)workload_options.room_kib * 1024 ||
	    farnova_ftruncate(file, size - (off_t)workload_options.room_kib * 1024) != 0)
		sim_failed("ballast of %lld bytes: %s", (long long)size, farnova_last_error());
	farnova_close(file);
}

static void *prepare_main(void *argument)
{
	struct preparing *preparing = argument;
	struct farnova *fs = connect_client(false, 0);

	for (unsigned i = 0; i < workload_options.files; i++)
		farnova_close(open_file(fs, i, O_RDWR | O_CREAT));
	if (farnova_mkdir(fs, "/names", 0777) != 0)
		sim_failed("no directory: %s", farnova_last_error());
	if (workload_options.room_kib > 0)
		fill_pool(fs);
	farnova_disconnect(fs);
	preparing->done = true;
	sim_wake(preparing);
	return NULL;
}

static void *look_main(void *argument)
{
	struct preparing *looking = argument;
	struct thread thread = {.fs = connect_client(false, 0)};
	struct call *call;

	set_up(&thread);
	for (unsigned i = 0; i < workload_options.files; i++) {
		for (unsigned at = 0; at < HISTORY_UNITS; at += workload_units_at_once(HISTORY_UNITS)) {
			if ((call = history_begin(&workload_calls, CALL_READ, thread.number)) == NULL)
				break;
			call->file = i;
			call->a = at;
			call->b = workload_units_at_once(HISTORY_UNITS - at);
			workload_run_on_file(&thread, call);
		}
		for (unsigned k = 0; k < 2; k++) {
			call = history_begin(&workload_calls, k ? CALL_SIZE : CALL_GET_XATTR, thread.number);
			if (!call)
				break;
			call->file = i;
			workload_run_on_file(&thread, call);
		}
	}
	for (unsigned i = 0; i < workload_options.names; i++) {
		if ((call = history_begin(&workload_calls, CALL_STAT, thread.number)) != NULL) {
			call->a = i;
			workload_run_on_names(&thread, call);
		}
	}
	trees_look(thread.fs);
	farnova_disconnect(thread.fs);
	looking->done = true;
	sim_wake(looking);
	return NULL;
}

static void run_alone(const char *name, void *(*run)(void *))
{
	struct preparing preparing = {0};

	sim_start(sim_process_create(name), run, &preparing);
	while (!preparing.done)
		sim_wait(&preparing, SIM_FOREVER);
}

void workload_prepare(const struct workload_options *given)
{
	workload_options = *given;
	run_alone("prepare", prepare_main);
}

void workload_start(void)
{
	for (unsigned i = 0; i < workload_options.clients; i++) {
		clients[i] = (struct client){.number = i};
		for (unsigned k = 0; k < workload_options.threads; k++)
			clients[i].left[k] = workload_options.calls;
		start_client(&clients[i]);
	}
}

struct sim_process *workload_client(unsigned number)
{
	return clients[number].process;
}

void workload_kill(unsigned number)
{
	struct client *client = &clients[number];

	sim_note("client killed", number, client->life);
	sim_process_kill(client->process);
	network_died(client->process);
	start_client(client);
}

void workload_wait(void)
{
	for (unsigned i = 0; i < workload_options.clients; i++)
		while (clients[i].process)
			sim_wait(&clients, SIM_FOREVER);
}

void workload_look(void)
{
	run_alone("look", look_main);
}
