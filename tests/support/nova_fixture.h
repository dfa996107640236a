/*
 * nova_fixture.h -- what the tests of the NOVA core share: a pool in memory, mounted, with one worker.
 */
#ifndef FARNOVA_TESTS_NOVA_FIXTURE_H
#define FARNOVA_TESTS_NOVA_FIXTURE_H

#include "server/nova/nova.h"

#include <string.h>

#define MIB (1ULL << 20)

/* A literal name with its length, as the core's calls take it. */
#define N(s) (s), strlen(s)

struct fixture {
	struct pm pm;
	void *memory;
	uint64_t size;
	struct nova *fs;
	struct nova_worker *worker;
	struct nova_call call; /* of the superuser */
	struct nova_handle root;
};

/* fixture_open -- a fresh, mounted file system of `size` bytes. */
void fixture_open(struct fixture *f, uint64_t size);
void fixture_close(struct fixture *f);

/* fixture_setup, fixture_teardown -- for cmocka: *state is a fixture of 64 MiB, or a small one of 16 MiB. */
int fixture_setup(void **state);
int fixture_setup_small(void **state);
int fixture_teardown(void **state);

/* fixture_mount, fixture_unmount -- what is in the memory stays. */
void fixture_mount(struct fixture *f);
void fixture_unmount(struct fixture *f);
void fixture_remount(struct fixture *f);

/* Operations by name in a directory that must succeed. */
struct nova_attr fixture_create(struct fixture *f, struct nova_handle dir, const char *name, uint32_t mode);
struct nova_attr fixture_lookup(struct fixture *f, struct nova_handle dir, const char *name);
void fixture_unlink(struct fixture *f, struct nova_handle dir, const char *name);
void fixture_write(struct fixture *f, struct nova_handle file, uint64_t offset, const void *data, size_t length);

/* fixture_as -- calls of someone else. */
struct nova_call fixture_as(struct fixture *f, const struct nova_cred *cred);

/* fixture_owned -- a fresh inode of the root directory that belongs to 100:300. */
struct nova_handle fixture_owned(struct fixture *f, const char *name, uint32_t mode);

/* fixture_dump -- everything a caller can see of the tree, as text; free() it. */
char *fixture_dump(struct fixture *f);

/* fixture_mount_scan -- mount and read all logs, whatever was saved. */
void fixture_mount_scan(struct fixture *f);

/* fixture_assert_same_after_remount -- tree and free space look the same before and after unmount and mount, both from
 * the checkpoint and by a scan. */
void fixture_assert_same_after_remount(struct fixture *f);

/* fixture_free_blocks -- now. */
uint64_t fixture_free_blocks(struct fixture *f);

#endif
