/*
 * nova_fixture.c -- a mounted pool in memory for the tests of the NOVA core.
 */
#include "tests/support/nova_fixture.h"

#include "common/crc.h"
#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

static void mount_how(struct fixture *f, bool full_scan)
{
	struct nova_mount_options options = {.recovery_threads = 2, .full_scan = full_scan};
	char why[256];
	int err = nova_mount(&f->pm, &options, &f->fs, why, sizeof why);

	if (err)
		fail_msg("mount: %d, %s", err, why);
	assert_int_equal(nova_worker_open(f->fs, &f->worker), 0);
	f->call = (struct nova_call){.worker = f->worker};
	f->root = nova_root(f->fs);
}

void fixture_mount(struct fixture *f)
{
	mount_how(f, false);
}

void fixture_mount_scan(struct fixture *f)
{
	mount_how(f, true);
}

void fixture_unmount(struct fixture *f)
{
	nova_worker_close(f->worker);
	nova_unmount(f->fs);
	f->fs = NULL;
}

void fixture_remount(struct fixture *f)
{
	fixture_unmount(f);
	fixture_mount(f);
}

void fixture_open(struct fixture *f, uint64_t size)
{
	log_set_level(LOG_LEVEL_WARN);
	memset(f, 0, sizeof *f);
	f->size = size;
	f->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(f->memory != MAP_FAILED);
	pm_wrap(&f->pm, f->memory, size);
	assert_int_equal(nova_format(&f->pm, NULL), 0);
	fixture_mount(f);
}

void fixture_close(struct fixture *f)
{
	if (f->fs)
		fixture_unmount(f);
	munmap(f->memory, f->size);
}

static int setup(void **state, uint64_t size)
{
	struct fixture *f = calloc(1, sizeof *f);

	fixture_open(f, size);
	*state = f;
	return 0;
}

int fixture_setup(void **state)
{
	return setup(state, 64 * MIB);
}

int fixture_setup_small(void **state)
{
	return setup(state, 16 * MIB);
}

int fixture_teardown(void **state)
{
	fixture_close(*state);
	free(*state);
	return 0;
}

struct nova_attr fixture_create(struct fixture *f, struct nova_handle dir, const char *name, uint32_t mode)
{
	struct nova_attr attr;

	assert_int_equal(nova_create(&f->call, dir, name, strlen(name), mode, 0, &attr), 0);
	return attr;
}

struct nova_attr fixture_lookup(struct fixture *f, struct nova_handle dir, const char *name)
{
	struct nova_attr attr;
	int err = nova_lookup(&f->call, dir, name, strlen(name), &attr);

	if (err)
		fail_msg("lookup of %s: %d", name, err);
	return attr;
}

void fixture_unlink(struct fixture *f, struct nova_handle dir, const char *name)
{
	assert_int_equal(nova_unlink(&f->call, dir, name, strlen(name), NULL), 0);
}

void fixture_write(struct fixture *f, struct nova_handle file, uint64_t offset, const void *data, size_t length)
{
	assert_int_equal(nova_write(&f->call, file, offset, data, length, 0, NULL), length);
}

struct nova_call fixture_as(struct fixture *f, const struct nova_cred *cred)
{
	return (struct nova_call){.worker = f->worker, .cred = cred};
}

struct nova_handle fixture_owned(struct fixture *f, const char *name, uint32_t mode)
{
	struct nova_attr attr = fixture_create(f, f->root, name, mode);
	struct nova_attr in = {.uid = 100, .gid = 300, .mode = mode & 07777};

	assert_int_equal(nova_setattr(&f->call, attr.handle, NOVA_SET_UID | NOVA_SET_GID | NOVA_SET_MODE, &in, NULL),
	                 0);
	return attr.handle;
}

uint64_t fixture_free_blocks(struct fixture *f)
{
	struct nova_statfs statfs;

	nova_statfs(f->fs, &statfs);
	return statfs.free_blocks;
}

/* ---- dump ----------------------------------------------------------------------------------------------------- */

struct dump {
	struct fixture *f;
	FILE *out;
	struct nova_handle dir;
	int depth;
};

static void dump_dir(struct fixture *f, FILE *out, struct nova_handle dir, int depth);

static uint32_t content_crc(struct fixture *f, const struct nova_attr *attr)
{
	static uint8_t buffer[1 << 20];
	uint32_t crc = 0xffffffff;
	uint64_t at = 0;

	for (;;) {
		ssize_t n = nova_read(&f->call, attr->handle, at, buffer, sizeof buffer);

		assert_true(n >= 0);
		if (n == 0)
			return crc;
		/* Holes of sparse files are told by their length: a terabyte of zeros is not read here. */
		crc = crc32c(crc, buffer, (size_t)n);
		at += (uint64_t)n;
		if (at >= 64 * MIB)
			return crc;
	}
}

static void dump_attr(struct fixture *f, FILE *out, const struct nova_attr *attr)
{
	const struct nova_cred super = {.uid = 0};
	struct nova_call call = fixture_as(f, &super);

	assert_int_equal(attr->has_xattrs, nova_listxattr(&call, attr->handle, NULL, 0, NULL) > 0);
	fprintf(out, " ino=%llu.%u mode=%o nlink=%u uid=%u gid=%u rdev=%u size=%llu blocks=%llu",
	        (unsigned long long)attr->handle.ino.n, attr->handle.generation, attr->mode, attr->nlink, attr->uid,
	        attr->gid, attr->rdev, (unsigned long long)attr->size, (unsigned long long)attr->blocks);
	fprintf(out, " a=%lld m=%lld c=%lld b=%lld change=%llu", (long long)attr->atime_ns, (long long)attr->mtime_ns,
	        (long long)attr->ctime_ns, (long long)attr->btime_ns, (unsigned long long)attr->change);
	if (S_ISREG(attr->mode))
		fprintf(out, " crc=%08x", content_crc(f, attr));
	if (S_ISLNK(attr->mode)) {
		char target[5000];
		ssize_t n = nova_readlink(&f->call, attr->handle, target, sizeof target);

		assert_true(n > 0);
		fprintf(out, " -> %.*s", (int)n, target);
	}
}

struct names {
	struct nova_dirent *entries;
	size_t count;
};

static bool collect(void *context, const struct nova_dirent *entry)
{
	struct names *names = context;
	char *name = malloc(entry->length + 1);

	memcpy(name, entry->name, entry->length);
	name[entry->length] = 0;
	names->entries = realloc(names->entries, (names->count + 1) * sizeof *names->entries);
	names->entries[names->count] = *entry;
	names->entries[names->count++].name = name;
	return true;
}

static void dump_dir(struct fixture *f, FILE *out, struct nova_handle dir, int depth)
{
	struct names names = {0};

	assert_int_equal(nova_readdir(&f->call, dir, 0, NULL, collect, &names), 0);
	for (size_t i = 0; i < names.count; i++) {
		struct nova_attr attr = fixture_lookup(f, dir, names.entries[i].name);

		assert_int_equal(attr.handle.ino.n, names.entries[i].ino.n);
		assert_int_equal(attr.mode & S_IFMT, names.entries[i].type);
		fprintf(out, "%*s%s cookie=%llu", depth, "", names.entries[i].name,
		        (unsigned long long)names.entries[i].cookie);
		dump_attr(f, out, &attr);
		fputc('\n', out);
		if (S_ISDIR(attr.mode))
			dump_dir(f, out, attr.handle, depth + 1);
		free((char *)names.entries[i].name);
	}
	free(names.entries);
}

char *fixture_dump(struct fixture *f)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct nova_attr attr;

	assert_int_equal(nova_getattr(&f->call, f->root, &attr), 0);
	fputc('/', out);
	dump_attr(f, out, &attr);
	fputc('\n', out);
	dump_dir(f, out, f->root, 1);
	fclose(out);
	return text;
}

void fixture_assert_same_after_remount(struct fixture *f)
{
	uint64_t blocks = fixture_free_blocks(f);
	char *before = fixture_dump(f);

	for (unsigned scan = 0; scan < 2; scan++) {
		char *after;

		fixture_unmount(f);
		mount_how(f, scan);
		after = fixture_dump(f);
		assert_string_equal(before, after);
		assert_int_equal(fixture_free_blocks(f), blocks);
		free(after);
	}
	free(before);
}
