/*
 * server_replaced_test.c -- a request by path whose file or directory is replaced between the walk and its use is done
 * with what has the name then, against a whole server.
 *
 * The linker puts functions of this program before those of the core that the server calls with what a walk has found.
 * They replace it, as another worker may at that moment, and go on.
 */
#include "server/nova/nova.h"
#include "tests/support/raw_client.h"
#include "tests/support/server_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct running_server *server;
static struct raw_client *client;

/* ---- what is replaced ------------------------------------------------------------------------------------------- */

static atomic_int replace_file, replace_directory, remove_made; /* how often */
static atomic_int replaced;
static struct nova_handle root;

int __real_nova_access(const struct nova_call *call, struct nova_handle file, int mask);
int __real_nova_create(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                       uint32_t mode, uint32_t rdev, struct nova_attr *attr);
int __real_nova_lookup(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                       struct nova_attr *attr);
int __real_nova_open(const struct nova_call *call, struct nova_handle file, struct nova_attr *attr);
int __wrap_nova_open(const struct nova_call *call, struct nova_handle file, struct nova_attr *attr);
int __wrap_nova_access(const struct nova_call *call, struct nova_handle file, int mask);
int __wrap_nova_create(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                       uint32_t mode, uint32_t rdev, struct nova_attr *attr);
int __wrap_nova_lookup(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                       struct nova_attr *attr);

static bool take(atomic_int *times)
{
	if (atomic_load(times) == 0)
		return false;
	atomic_fetch_sub(times, 1);
	atomic_fetch_add(&replaced, 1);
	return true;
}

static struct nova_call by_root(const struct nova_call *call)
{
	return (struct nova_call){.worker = call->worker, .change = call->change};
}

/* In the worker's thread, which cannot fail a test. */
static void must(int rc)
{
	if (rc != 0)
		abort();
}

static void new_file(const struct nova_call *call)
{
	const struct nova_call own = by_root(call);
	struct nova_attr attr;

	must(__real_nova_create(&own, root, "new", 3, S_IFREG | 0644, 0, &attr));
	must(nova_rename(&own, root, "new", 3, root, "file", 4, 0, NULL));
}

static void new_directory(const struct nova_call *call)
{
	const struct nova_call own = by_root(call);
	struct nova_attr attr;

	must(nova_rmdir(&own, root, "dir", 3, NULL));
	must(__real_nova_create(&own, root, "dir", 3, S_IFDIR | 0755, 0, &attr));
}

int __wrap_nova_access(const struct nova_call *call, struct nova_handle file, int mask)
{
	if (take(&replace_file))
		new_file(call);
	return __real_nova_access(call, file, mask);
}

int __wrap_nova_create(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                       uint32_t mode, uint32_t rdev, struct nova_attr *attr)
{
	if (dir.ino.n != root.ino.n && take(&replace_directory))
		new_directory(call);
	return __real_nova_create(call, dir, name, length, mode, rdev, attr);
}

int __wrap_nova_lookup(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                       struct nova_attr *attr)
{
	if (dir.ino.n != root.ino.n && take(&replace_directory)) {
		const struct nova_call own = by_root(call);
		struct nova_attr in;

		new_directory(call);
		must(__real_nova_lookup(&own, root, "dir", 3, &in));
		must(__real_nova_create(&own, in.handle, name, length, S_IFREG | 0644, 0, &in));
	}
	return __real_nova_lookup(call, dir, name, length, attr);
}

/* When a file that was just made is about to be opened, its name goes. */
int __wrap_nova_open(const struct nova_call *call, struct nova_handle file, struct nova_attr *attr)
{
	if (take(&remove_made)) {
		const struct nova_call own = by_root(call);

		must(nova_unlink(&own, root, "made", 4, NULL));
	}
	return __real_nova_open(call, file, attr);
}

/* ---- the tests -------------------------------------------------------------------------------------------------- */

static int start(void **state)
{
	uint16_t port;

	(void)state;
	server = server_run(&port, (const char *const[]){"--workers", "1", NULL});
	client = raw_connect(TRANSPORT_TCP, "127.0.0.1", port);
	raw_hello(client, NULL);
	root = (struct nova_handle){.ino = {client->hello.hello.root.ino},
	                            .generation = client->hello.hello.root.generation};
	atomic_store(&replaced, 0);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	atomic_store(&replace_file, 0);
	atomic_store(&replace_directory, 0);
	raw_close(client);
	server_end(server);
	return 0;
}

static struct proto_string string(const char *path)
{
	return (struct proto_string){.data = path, .length = (uint32_t)strlen(path)};
}

/* Open it, and close it again: it is to die when it is replaced. */
static int open_once(const char *path, uint32_t flags, struct proto_reply *reply)
{
	int rc = raw_open(client, path, flags, reply);
	struct proto_request request = {.op = PROTO_CLOSE};
	struct proto_reply closed;

	if (rc < 0)
		return rc;
	request.close.open = reply->open.open;
	return raw_call(client, &request, &closed);
}

static int make_file(const char *path, struct proto_reply *reply)
{
	return open_once(path, PROTO_OPEN_WRITE | PROTO_OPEN_CREATE, reply);
}

static int make_directory(const char *path)
{
	struct proto_request request = {.op = PROTO_CREATE};
	struct proto_reply reply;

	request.create.dir = client->hello.hello.root;
	request.create.path = string(path);
	request.create.mode = S_IFDIR | 0755;
	request.create.umask = request.create.rdev = 0;
	return raw_call(client, &request, &reply);
}

static int look_up(const char *path, struct proto_reply *reply)
{
	struct proto_request request = {.op = PROTO_LOOKUP};

	request.lookup.dir = client->hello.hello.root;
	request.lookup.path = string(path);
	request.lookup.flags = 0;
	return raw_call(client, &request, reply);
}

static void file_that_is_replaced_is_opened_anew(void **state)
{
	struct proto_reply first, reply, found;

	(void)state;
	assert_int_equal(make_file("file", &first), 0);
	for (int times = 1; times <= 3; times++) {
		atomic_store(&replace_file, times);
		assert_int_equal(open_once("file", PROTO_OPEN_READ | PROTO_OPEN_LAYOUT, &reply), 0);
		assert_int_equal(atomic_load(&replace_file), 0);
		assert_int_equal(look_up("file", &found), 0);
		assert_int_equal(reply.open.attr.handle.ino, found.lookup.attr.handle.ino);
		assert_int_equal(reply.open.attr.handle.generation, found.lookup.attr.handle.generation);
	}
	atomic_store(&replace_file, 1);
	assert_int_equal(open_once("file", PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE, &reply), 0);
}

static void file_that_is_removed_at_once_is_not_made_again(void **state)
{
	struct proto_reply reply, found;

	(void)state;
	atomic_store(&remove_made, 1);
	assert_int_equal(open_once("made", PROTO_OPEN_WRITE | PROTO_OPEN_CREATE | PROTO_OPEN_EXCLUSIVE, &reply), 0);
	assert_int_equal(atomic_load(&replaced), 1);
	assert_true(reply.open.created);
	assert_int_equal(look_up("made", &found), -ENOENT);
}

static void directory_that_is_replaced_gets_the_new_name(void **state)
{
	struct proto_reply found;

	(void)state;
	assert_int_equal(make_directory("dir"), 0);
	atomic_store(&replace_directory, 1);
	assert_int_equal(make_directory("dir/below"), 0);
	assert_int_equal(atomic_load(&replaced), 1);
	assert_int_equal(look_up("dir/below", &found), 0);
}

static void name_is_looked_up_in_the_new_directory(void **state)
{
	struct proto_reply found;

	(void)state;
	assert_int_equal(make_directory("dir"), 0);
	atomic_store(&replace_directory, 1);
	assert_int_equal(look_up("dir/below", &found), 0);
	assert_int_equal(atomic_load(&replaced), 1);
	assert_true(found.lookup.found);
}

static void what_is_replaced_every_time_ends_with_estale(void **state)
{
	struct proto_reply reply;

	(void)state;
	assert_int_equal(make_file("file", &reply), 0);
	atomic_store(&replace_file, 10000);
	assert_int_equal(raw_open(client, "file", PROTO_OPEN_READ, &reply), -ESTALE);
	assert_in_range(atomic_load(&replaced), 5, 100);
	atomic_store(&replace_file, 0);
	assert_int_equal(raw_open(client, "file", PROTO_OPEN_READ, &reply), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(file_that_is_replaced_is_opened_anew, start, stop),
	    cmocka_unit_test_setup_teardown(file_that_is_removed_at_once_is_not_made_again, start, stop),
	    cmocka_unit_test_setup_teardown(directory_that_is_replaced_gets_the_new_name, start, stop),
	    cmocka_unit_test_setup_teardown(name_is_looked_up_in_the_new_directory, start, stop),
	    cmocka_unit_test_setup_teardown(what_is_replaced_every_time_ends_with_estale, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
