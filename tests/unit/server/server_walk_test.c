/*
 * server_walk_test.c -- paths to inodes: symlinks, loops, "..", slashes at the end, long paths, permissions.
 */
#include "server/ops/walk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define POOL_BYTES (16u << 20)

static struct pm pm;
static void *memory;
static struct nova *fs;
static struct nova_call call;
static struct nova_handle root, directory, file, deep;
static struct walk walk;

static struct nova_handle make(struct nova_handle dir, const char *name, uint32_t mode)
{
	struct nova_attr attr;

	assert_int_equal(nova_create(&call, dir, name, strlen(name), mode, 0, &attr), 0);
	return attr.handle;
}

static void make_link(struct nova_handle dir, const char *name, const char *target)
{
	struct nova_attr attr;

	assert_int_equal(nova_symlink(&call, dir, name, strlen(name), target, strlen(target), &attr), 0);
}

/*  /dir/file  /dir/deep/  and symlinks: each test makes its own */
static int set_up(void **state)
{
	const struct nova_format_options options = {0};
	const struct nova_mount_options mount = {0};
	char why[256];

	(void)state;
	memory = aligned_alloc(4096, POOL_BYTES);
	memset(memory, 0, POOL_BYTES);
	pm_wrap(&pm, memory, POOL_BYTES);
	assert_int_equal(nova_format(&pm, &options), 0);
	assert_int_equal(nova_mount(&pm, &mount, &fs, why, sizeof(why)), 0);
	call = (struct nova_call){0};
	assert_int_equal(nova_worker_open(fs, &call.worker), 0);
	root = nova_root(fs);
	directory = make(root, "dir", S_IFDIR | 0755);
	file = make(directory, "file", S_IFREG | 0644);
	deep = make(directory, "deep", S_IFDIR | 0755);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	nova_worker_close(call.worker);
	nova_unmount(fs);
	pm_close(&pm);
	free(memory);
	return 0;
}

static int go(struct nova_handle from, const char *path, bool nofollow, bool may_miss)
{
	const struct proto_string string = {.data = path, .length = (uint32_t)strlen(path)};

	return walk_path(&call, root, from, string, nofollow, may_miss, &walk);
}

static int parent(struct nova_handle from, const char *path)
{
	const struct proto_string string = {.data = path, .length = (uint32_t)strlen(path)};

	return walk_parent(&call, root, from, string, &walk);
}

static void assert_at(int rc, struct nova_handle handle)
{
	assert_int_equal(rc, 0);
	assert_true(walk.found);
	assert_int_equal(walk.attr.handle.ino.n, handle.ino.n);
}

static void paths_lead_from_their_handle_whatever_their_slashes(void **state)
{
	(void)state;
	assert_at(go(root, "dir/file", false, false), file);
	assert_at(go(root, "/dir//./file", false, false), file);
	assert_at(go(directory, "file", false, false), file);
	assert_at(go(directory, "/file", false, false), file);
	assert_at(go(root, "dir/", false, false), directory);
	assert_at(go(root, ".", false, false), root);
	assert_at(go(directory, "///", false, false), directory);
	assert_int_equal(go(root, "dir/file/", false, false), -ENOTDIR);
	assert_int_equal(go(root, "dir/file/x", false, false), -ENOTDIR);
	assert_int_equal(go(root, "dir/none", false, false), -ENOENT);
	assert_int_equal(go(root, "none/file", false, true), -ENOENT);
}

static void dots_never_lead_beyond_the_root(void **state)
{
	(void)state;
	assert_at(go(root, "..", false, false), root);
	assert_at(go(root, "../../../dir/deep/../file", false, false), file);
	assert_at(go(deep, "../..", false, false), root);
	assert_at(go(deep, "../../../../dir", false, false), directory);
	make_link(root, "out", "../../dir");
	assert_at(go(root, "out/file", false, false), file);
}

static void symlinks_are_followed_from_where_they_lie(void **state)
{
	(void)state;
	make_link(directory, "relative", "deep/../file");
	make_link(deep, "absolute", "/dir/file");
	make_link(root, "todir", "dir");
	make_link(root, "toroot", "/");
	make_link(root, "dangling", "dir/new");
	assert_at(go(root, "dir/relative", false, false), file);
	assert_at(go(deep, "absolute", false, false), file);
	assert_at(go(root, "todir/file", true, false), file);
	assert_at(go(deep, "../../toroot", false, false), root);
	assert_at(go(root, "todir/", true, false), directory);
	assert_int_equal(go(root, "dir/relative/", false, false), -ENOTDIR);

	assert_int_equal(go(root, "todir", true, false), 0);
	assert_true(S_ISLNK(walk.attr.mode));
	assert_int_equal(go(root, "dangling", false, false), -ENOENT);
	assert_int_equal(go(root, "dangling", false, true), 0);
	assert_false(walk.found);
	assert_int_equal(walk.dir.ino.n, directory.ino.n);
	assert_int_equal(walk.length, 3);
	assert_memory_equal(walk.name, "new", 3);
}

static void symlink_loops_end_with_eloop_after_forty(void **state)
{
	char name[16], target[16];

	(void)state;
	make_link(root, "self", "self");
	make_link(root, "ping", "pong");
	make_link(root, "pong", "ping/x");
	assert_int_equal(go(root, "self", false, false), -ELOOP);
	assert_int_equal(go(root, "self", false, true), -ELOOP);
	assert_int_equal(go(root, "ping", false, false), -ELOOP);
	make_link(root, "l0", "dir/file");
	for (int i = 1; i <= 40; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(target, sizeof(target), "l%d", i - 1);
		make_link(root, name, target);
	}
	assert_at(go(root, "l39", false, false), file);
	assert_int_equal(go(root, "l40", false, false), -ELOOP);
}

static void long_paths_and_names_are_refused_not_cut(void **state)
{
	static char path[PROTO_MAX_PATH + 1], target[PROTO_MAX_LINK + 1];

	(void)state;
	memset(path, 'n', 256);
	assert_int_equal(go(root, path, false, true), -ENAMETOOLONG);
	path[255] = 0;
	assert_int_equal(go(root, path, false, true), 0);
	assert_int_equal(walk.length, 255);

	for (size_t i = 0; i + 2 <= PROTO_MAX_PATH; i += 2)
		memcpy(path + i, "./", 2);
	path[PROTO_MAX_PATH] = 0;
	assert_at(go(directory, path, false, false), directory);

	/* Symlinks whose targets with what follows grow beyond any bound: refused, whatever their number. */
	for (size_t i = 0; i + 2 <= PROTO_MAX_LINK; i += 2)
		memcpy(target + i, "./", 2);
	memcpy(target + PROTO_MAX_LINK - 5, "grow/", 5);
	make_link(root, "grow", target);
	int rc = go(root, "grow/x", false, false);
	assert_true(rc == -ENAMETOOLONG || rc == -ELOOP);
}

/* Each target is as long as one may be, so that forty of them have some 80,000 components. */
static void walks_of_more_components_than_any_path_needs_are_refused(void **state)
{
	char target[4001 + 16], name[16];

	(void)state;
	for (size_t i = 0; i < 4000; i += 2)
		memcpy(target + i, "./", 2);
	for (int i = 0; i < 39; i++) {
		snprintf(name, sizeof(name), "far%d", i);
		if (i == 0)
			snprintf(target + 4000, 16, "dir/file");
		else
			snprintf(target + 4000, 16, "far%d", i - 1);
		make_link(root, name, target);
	}
	assert_at(go(root, "far2", false, false), file);
	assert_int_equal(go(root, "far38", false, false), -ENAMETOOLONG);
}

static void parents_are_found_without_looking_at_the_last_name(void **state)
{
	(void)state;
	make_link(root, "todir", "dir");
	assert_int_equal(parent(root, "todir/none"), 0);
	assert_int_equal(walk.dir.ino.n, directory.ino.n);
	assert_memory_equal(walk.name, "none", 4);
	assert_false(walk.slash);
	assert_int_equal(parent(root, "dir/new//"), 0);
	assert_true(walk.slash);
	assert_int_equal(walk.length, 3);
	assert_int_equal(parent(root, "todir"), 0);
	assert_int_equal(walk.dir.ino.n, root.ino.n);
	assert_int_equal(parent(root, "/"), 0);
	assert_int_equal(walk.length, 0);
	assert_int_equal(parent(root, "dir/file/x/y"), -ENOTDIR);
}

static void every_directory_on_the_way_needs_search_permission(void **state)
{
	const struct nova_cred user = {.uid = 1000, .gid = 1000};

	(void)state;
	struct nova_handle closed = make(root, "closed", S_IFDIR | 0700);
	make(closed, "inner", S_IFREG | 0644);
	make_link(root, "way", "closed/inner");
	call.cred = &user;
	int direct = go(root, "closed/inner", false, false);
	int linked = go(root, "way", false, false);
	int up = go(root, "closed/..", false, false);
	call.cred = NULL;
	assert_int_equal(direct, -EACCES);
	assert_int_equal(linked, -EACCES);
	assert_int_equal(up, -EACCES);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    CASE(paths_lead_from_their_handle_whatever_their_slashes),
	    CASE(dots_never_lead_beyond_the_root),
	    CASE(symlinks_are_followed_from_where_they_lie),
	    CASE(symlink_loops_end_with_eloop_after_forty),
	    CASE(long_paths_and_names_are_refused_not_cut),
	    CASE(walks_of_more_components_than_any_path_needs_are_refused),
	    CASE(parents_are_found_without_looking_at_the_last_name),
	    CASE(every_directory_on_the_way_needs_search_permission),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
