/*
 * nova_threaded_test.c -- several workers at once, in shared and in separate directories; run it under TSan.
 */
#include "server/nova/inode/nova_inode.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define THREADS 4
#define ROUNDS  10000

struct actor {
	struct fixture *f;
	struct nova_handle dirs[3]; /* two shared, one of its own */
	struct nova_handle shared_file;
	unsigned seed;
	int bad; /* the first result that no order of the operations can explain */
	pthread_t thread;
};

static bool allowed(int err, const int *list)
{
	if (err >= 0)
		return true;
	for (; *list; list++)
		if (err == *list)
			return true;
	return false;
}

static bool count_name(void *context, const struct nova_dirent *entry)
{
	++*(int *)context;
	return true;
}

/* One random operation; names are few, so that threads meet. */
static int act(struct actor *actor, const struct nova_call *call)
{
	static const int none[] = {-ENOENT, -EEXIST, -ESTALE, -EISDIR, -ENOTDIR, -ENOTEMPTY, -EINVAL, 0};
	struct nova_handle dir = actor->dirs[rand_r(&actor->seed) % 3];
	struct nova_handle to = actor->dirs[rand_r(&actor->seed) % 3];
	uint8_t data[6000];
	struct nova_attr attr;
	char a[16];
	char b[16];
	int la = snprintf(a, sizeof a, "n%d", rand_r(&actor->seed) % 6);
	int lb = snprintf(b, sizeof b, "n%d", rand_r(&actor->seed) % 6);
	int names = 0;
	int err;

	switch (rand_r(&actor->seed) % 12) {
	case 0:
	case 1:
		err = nova_create(call, dir, a, (size_t)la, S_IFREG | 0644, 0, &attr);
		break;
	case 2:
		err = nova_create(call, dir, a, (size_t)la, S_IFDIR | 0755, 0, &attr);
		break;
	case 3:
		err = nova_unlink(call, dir, a, (size_t)la, &attr);
		break;
	case 4:
		err = nova_rmdir(call, dir, a, (size_t)la, NULL);
		break;
	case 5:
	case 6:
		err = nova_rename(call, dir, a, (size_t)la, to, b, (size_t)lb,
		                  rand_r(&actor->seed) % 3 ? 0 : NOVA_RENAME_EXCHANGE, NULL);
		break;
	case 7:
		err = nova_lookup(call, dir, a, (size_t)la, &attr);
		if (!err && S_ISREG(attr.mode))
			err = nova_link(call, attr.handle, to, b, (size_t)lb, NULL);
		break;
	case 8:
		err = nova_lookup(call, dir, a, (size_t)la, &attr);
		if (!err && S_ISREG(attr.mode)) {
			memset(data, a[1], sizeof data);
			err = (int)nova_write(call, attr.handle, (uint64_t)(rand_r(&actor->seed) % 9000), data,
			                      sizeof data, 0, NULL);
		}
		break;
	case 9:
		err = nova_lookup(call, dir, a, (size_t)la, &attr);
		if (!err && S_ISREG(attr.mode)) {
			attr.size = (uint64_t)(rand_r(&actor->seed) % 9000);
			err = nova_setattr(call, attr.handle, NOVA_SET_SIZE, &attr, NULL);
		}
		break;
	case 10:
		err = nova_readdir(call, dir, 0, NULL, count_name, &names);
		break;
	default:
		err = nova_lookup(call, dir, a, (size_t)la, &attr);
		if (!err && !nova_open(call, attr.handle, NULL))
			err = nova_close(call, attr.handle);
		break;
	}
	return allowed(err, none) ? 0 : err;
}

/* Each write fills 8 KiB of the shared file with one value, so a read never sees two. */
static int whole_write(struct actor *actor, const struct nova_call *call)
{
	uint8_t data[8192];
	ssize_t n;

	memset(data, rand_r(&actor->seed), sizeof data);
	n = nova_write(call, actor->shared_file, 0, data, sizeof data, 0, NULL);
	if (n != sizeof data)
		return n < 0 ? (int)n : -1;
	n = nova_read(call, actor->shared_file, 0, data, sizeof data);
	if (n != sizeof data)
		return n < 0 ? (int)n : -1;
	return memcmp(data, data + 1, sizeof data - 1) ? -1 : 0;
}

static void *run(void *context)
{
	struct actor *actor = context;
	struct nova_worker *worker;
	struct nova_call call = {0};

	actor->bad = nova_worker_open(actor->f->fs, &worker);
	call.worker = worker;
	for (int i = 0; i < ROUNDS && !actor->bad; i++) {
		actor->bad = act(actor, &call);
		if (!actor->bad && i % 8 == 0)
			actor->bad = whole_write(actor, &call);
	}
	nova_worker_close(worker);
	return NULL;
}

/* `cache_bytes` as in struct nova_mount_options; `idle` files are there that nobody uses. */
static void let_threads_act(uint64_t cache_bytes, int idle)
{
	struct fixture f;
	struct actor actors[THREADS];
	struct nova_handle shared[2];
	struct nova_handle file;

	fixture_open(&f, 128 * MIB);
	f.fs->cache_bytes = cache_bytes;
	for (int i = 0; i < idle; i++) {
		char name[16];

		snprintf(name, sizeof name, "idle%d", i);
		fixture_create(&f, f.root, name, S_IFREG | 0644);
	}
	shared[0] = fixture_create(&f, f.root, "s0", S_IFDIR | 0755).handle;
	shared[1] = fixture_create(&f, f.root, "s1", S_IFDIR | 0755).handle;
	file = fixture_create(&f, f.root, "shared", S_IFREG | 0644).handle;
	for (unsigned i = 0; i < THREADS; i++) {
		char name[8];

		snprintf(name, sizeof name, "own%u", i);
		actors[i] = (struct actor){.f = &f, .shared_file = file, .seed = i + 1};
		actors[i].dirs[0] = shared[0];
		actors[i].dirs[1] = shared[1];
		actors[i].dirs[2] = fixture_create(&f, f.root, name, S_IFDIR | 0755).handle;
		assert_int_equal(pthread_create(&actors[i].thread, NULL, run, &actors[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(actors[i].thread, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(actors[i].bad, 0);
	if (idle)
		assert_true(f.fs->incore < (uint64_t)idle);
	fixture_assert_same_after_remount(&f);
	fixture_close(&f);
}

static void many_threads_leave_a_tree_that_survives_a_remount(void **state)
{
	let_threads_act(0, 0);
}

/* With no room at all the hand of the clock takes each inode that is not in use at that moment. */
static void threads_meet_over_inodes_that_are_given_up_all_the_time(void **state)
{
	let_threads_act(1, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(many_threads_leave_a_tree_that_survives_a_remount),
	    cmocka_unit_test(threads_meet_over_inodes_that_are_given_up_all_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
