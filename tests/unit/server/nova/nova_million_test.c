/*
 * nova_million_test.c -- a directory of 1,000,000 names, and as many files, in one pool. A tenth of them under a
 * sanitizer.
 */
#include "common/log.h"
#include "server/nova/inode/nova_inode.h"
#include "server/pool/check/check.h"
#include "tests/support/nova_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SANITIZED)
#define FILES     100000u
/* The directory is looked at, so its index counts, whose tables are powers of two: for fewer names it weighs more. */
#define DRAM_EACH 96ULL
#else
#define FILES     1000000u
#define DRAM_EACH 64ULL
#endif
#define POOL (64 * MIB + FILES * 700ULL)

static struct fixture f;
static struct nova_handle dir;
static uint64_t free_blocks;
static uint64_t progress_lines;

static int name_of(char *name, unsigned i)
{
	return sprintf(name, "a-file-with-number-%u", i);
}

/* Mount with the log in a file, and count the lines that tell how far the scan is. */
static void mount(bool full_scan)
{
	struct nova_mount_options options = {.full_scan = full_scan, .recovery_threads = 2, .progress_ms = 1};
	FILE *told = tmpfile();
	int standard_error = dup(2);
	char why[256] = "";
	char line[512];
	int err;

	fflush(stderr);
	dup2(fileno(told), 2);
	log_set_level(LOG_LEVEL_INFO);
	err = nova_mount(&f.pm, &options, &f.fs, why, sizeof why);
	log_set_level(LOG_LEVEL_WARN);
	fflush(stderr);
	dup2(standard_error, 2);
	close(standard_error);
	if (err)
		fail_msg("mount: %d, %s", err, why);
	rewind(told);
	progress_lines = 0;
	while (fgets(line, sizeof line, told))
		progress_lines += strstr(line, "reading all logs: ") != NULL;
	fclose(told);
	assert_int_equal(nova_worker_open(f.fs, &f.worker), 0);
	f.call = (struct nova_call){.worker = f.worker};
	f.root = nova_root(f.fs);
	dir = fixture_lookup(&f, f.root, "dir").handle;
}

static bool count(void *context, const struct nova_dirent *entry)
{
	++*(unsigned *)context;
	return true;
}

static void assert_all_there(void)
{
	struct nova_statfs statfs;
	unsigned names = 0;
	char name[64];

	nova_statfs(f.fs, &statfs);
	assert_int_equal(statfs.inodes, FILES + 2);
	assert_int_equal(statfs.free_blocks, free_blocks);
	assert_int_equal(nova_readdir(&f.call, dir, 0, NULL, count, &names), 0);
	assert_int_equal(names, FILES);
	for (unsigned i = 0; i < FILES; i += 7) {
		struct nova_attr attr;
		int length = name_of(name, i);

		assert_int_equal(nova_lookup(&f.call, dir, name, (size_t)length, &attr), 0);
		assert_int_equal(attr.mode, S_IFREG | (i & 0777));
	}
	name_of(name, FILES);
	assert_int_equal(nova_lookup(&f.call, dir, name, strlen(name), &(struct nova_attr){0}), -ENOENT);
}

static int make(void **state)
{
	fixture_open(&f, POOL);
	dir = fixture_create(&f, f.root, "dir", S_IFDIR | 0755).handle;
	for (unsigned i = 0; i < FILES; i++) {
		struct nova_attr attr;
		char name[64];
		int length = name_of(name, i);

		if (nova_create(&f.call, dir, name, (size_t)length, S_IFREG | (i & 0777), 0, &attr))
			return -1;
	}
	free_blocks = fixture_free_blocks(&f);
	return 0;
}

static int end(void **state)
{
	fixture_close(&f);
	return 0;
}

static void a_million_names_are_there_after_a_clean_unmount(void **state)
{
	struct nova_statfs statfs;

	assert_all_there();
	fixture_unmount(&f);
	mount(false);
	assert_false(f.fs->scanned);
	nova_statfs(f.fs, &statfs);
	assert_true(statfs.dram_bytes <= FILES * DRAM_EACH);
	assert_all_there();
}

static void a_million_names_are_there_after_a_scan_that_tells_how_far_it_is(void **state)
{
	struct nova_statfs statfs;

	fixture_unmount(&f);
	mount(true);
	assert_true(f.fs->scanned);
	assert_true(progress_lines > 0);
	nova_statfs(f.fs, &statfs);
	assert_true(statfs.dram_bytes <= FILES * DRAM_EACH);
	assert_all_there();
}

static void in_core_inodes_of_a_million_files_stay_within_their_limit(void **state)
{
	/* The one directory's index is in use and does not count; a hash table may be twice too large. */
	assert_true(f.fs->incore * sizeof(struct nova_inode) <= FILES * 40ULL + (32 << 20));
	assert_true(f.fs->index_bytes <= FILES * 64ULL + (32 << 20));
}

static void fsck_counts_a_million_files_and_finds_nothing(void **state)
{
	struct check_report report = {0};

	fixture_unmount(&f);
	assert_int_equal(nova_check(f.memory, f.size, &report), 0);
	assert_int_equal(report.files, FILES);
	mount(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_million_names_are_there_after_a_clean_unmount),
	    cmocka_unit_test(a_million_names_are_there_after_a_scan_that_tells_how_far_it_is),
	    cmocka_unit_test(in_core_inodes_of_a_million_files_stay_within_their_limit),
	    cmocka_unit_test(fsck_counts_a_million_files_and_finds_nothing),
	};

	return cmocka_run_group_tests(tests, make, end);
}
