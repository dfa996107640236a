/*
 * pool_commands_test.c -- mkfs, fsck and dump: what they do, what they refuse, and how they say it.
 */
#include "common/json.h"
#include "common/log.h"
#include "common/pm/pm.h"
#include "server/nova/clients.h"
#include "server/nova/media/format.h"
#include "server/nova/nova.h"
#include "server/pool/cmd/pool_commands.h"

#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64];
static char path[128];
static char out[65536], err[8192];

/* The commands' clock: it is so much later at each look. */
static long clock_step_ms, clock_ahead_ms;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	int rc = __real_clock_gettime(clock, now);

	clock_ahead_ms += clock_step_ms;
	now->tv_sec += clock_ahead_ms / 1000;
	now->tv_nsec += clock_ahead_ms % 1000 * 1000000;
	now->tv_sec += now->tv_nsec / 1000000000;
	now->tv_nsec %= 1000000000;
	return rc;
}

static int make_directory(void **state)
{
	strcpy(directory, "/dev/shm/farnova-pool-XXXXXX");
	if (!mkdtemp(directory)) {
		strcpy(directory, "/tmp/farnova-pool-XXXXXX");
		if (!mkdtemp(directory))
			return -1;
	}
	snprintf(path, sizeof(path), "%s/pool", directory);
	return 0;
}

static int remove_directory(void **state)
{
	unlink(path);
	return rmdir(directory);
}

static void slurp(FILE *f, char *text, size_t size)
{
	size_t n;

	rewind(f);
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	fclose(f);
}

/* Run a command with its output in `out` and `err`; arguments end with NULL. */
static int run(int (*command)(int, char **), const char *name, ...)
{
	FILE *files[2] = {tmpfile(), tmpfile()};
	int saved[2] = {dup(1), dup(2)};
	char *argv[16] = {(char *)name};
	const char *argument;
	int argc = 1, rc;
	va_list args;

	va_start(args, name);
	while ((argument = va_arg(args, const char *)) != NULL)
		argv[argc++] = (char *)argument;
	va_end(args);
	fflush(stdout);
	for (int i = 0; i < 2; i++)
		dup2(fileno(files[i]), i + 1);
	rc = command(argc, argv);
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], i + 1);
		close(saved[i]);
	}
	slurp(files[0], out, sizeof(out));
	slurp(files[1], err, sizeof(err));
	return rc;
}

#define MKFS(...)     run(pool_mkfs_main, "mkfs", __VA_ARGS__, (char *)NULL)
#define GROW(...)     run(pool_grow_main, "grow", __VA_ARGS__, (char *)NULL)
#define NEW_UUID(...) run(pool_new_uuid_main, "new-uuid", __VA_ARGS__, (char *)NULL)
#define FSCK(...)     run(pool_fsck_main, "fsck", __VA_ARGS__, (char *)NULL)
#define DUMP(...)     run(pool_dump_main, "dump", __VA_ARGS__, (char *)NULL)

static void mkfs_makes_a_pool_that_fsck_finds_clean(void **state)
{
	struct stat st;

	assert_int_equal(MKFS("--size=16M", "--label=blue", "--mode=1777", "--owner=5:6", path), 0);
	assert_non_null(strstr(out, "16 MiB"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 16 << 20);
	assert_int_equal(FSCK(path), 0);
	assert_non_null(strstr(out, "consistent"));
	assert_int_equal(FSCK("-v", path), 0);
	assert_non_null(strstr(out, "1 directories"));
	assert_int_equal(DUMP("--super", path), 0);
	assert_non_null(strstr(out, "label: blue"));
	assert_int_equal(DUMP("--all", path), 0);
	assert_non_null(strstr(out, "mode: 1777"));
	assert_non_null(strstr(out, "uid: 5"));
	assert_non_null(strstr(out, "gid: 6"));
}

static void damage(uint64_t byte)
{
	struct pm pm;

	assert_int_equal(pm_open(path, false, &pm, NULL, 0), 0);
	pm.base[byte] ^= 1;
	pm_close(&pm);
}

static void mkfs_overwrites_nothing_unasked(void **state)
{
	assert_int_equal(MKFS("-s", "16M", path), 0);
	assert_int_equal(MKFS("-s", "16M", path), 1);
	assert_non_null(strstr(err, "holds a farnova file system already"));
	damage(100);
	damage(NOVA_SUPER_BLOCK_1 * NOVA_BLOCK_SIZE + 100);
	assert_int_equal(MKFS("-s", "16M", path), 1); /* damaged as it is */
	assert_non_null(strstr(err, "holds a farnova file system already"));
	assert_int_equal(MKFS("-s", "12M", "--force", path), 0);
	assert_int_equal(FSCK(path), 0);
	unlink(path);
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(truncate(path, 5), 0);
	assert_int_equal(MKFS("-s", "16M", path), 1);
	assert_non_null(strstr(err, "--force"));
}

static void mkfs_says_what_is_wrong(void **state)
{
	assert_int_equal(MKFS(path), 1);
	assert_non_null(strstr(err, "give the size"));
	assert_int_equal(MKFS("-s", "9M", path), 1);
	assert_non_null(strstr(err, "at least 10M"));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(MKFS("-s", "16M", directory), 1);
	assert_non_null(strstr(err, "directory"));
	assert_int_equal(MKFS("-s", "16M", "/dev/null"), 1);
	assert_non_null(strstr(err, "devdax"));
	assert_int_equal(MKFS("-s", "16M", "/nonexistent/pool"), 1);
	assert_non_null(strstr(err, "no such directory"));
}

static void grow_makes_a_pool_larger_and_never_smaller(void **state)
{
	struct stat st;

	assert_int_equal(MKFS("-s", "16M", path), 0);
	assert_int_equal(GROW(path), 0);
	assert_non_null(strstr(out, "16 MiB already"));
	assert_int_equal(GROW("--size=24M", path), 0);
	assert_non_null(strstr(out, "from 16 MiB to 24 MiB"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 24 << 20);
	assert_int_equal(FSCK(path), 0);
	assert_int_equal(DUMP(path), 0);
	assert_non_null(strstr(out, "blocks: 6144"));
	assert_int_equal(GROW("--size=20M", path), 1);
	assert_non_null(strstr(err, "cannot shrink"));
	assert_int_equal(truncate(path, 32 << 20), 0);
	assert_int_equal(GROW(path), 0);
	assert_non_null(strstr(out, "from 24 MiB to 32 MiB"));
	assert_int_equal(FSCK(path), 0);
}

static void grow_leaves_alone_what_is_no_pool_or_in_use(void **state)
{
	struct stat st;
	struct pm pm;

	assert_int_equal(GROW("--size=24M", path), 1);
	assert_non_null(strstr(err, "no such file"));
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(truncate(path, 16 << 20), 0);
	assert_int_equal(GROW("--size=24M", path), 1);
	assert_non_null(strstr(err, "not a farnova pool"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 16 << 20);
	unlink(path);
	assert_int_equal(MKFS("-s", "16M", path), 0);
	assert_int_equal(pm_open(path, false, &pm, NULL, 0), 0);
	assert_int_equal(GROW("--size=24M", path), 1);
	assert_non_null(strstr(err, "in use"));
	pm_close(&pm);
	assert_int_equal(GROW("--size=ten", path), 2);
	assert_int_equal(GROW("--size=24M"), 2);
}

/* The first UUID in `out`, by what stands before it. */
static void uuid_after(const char *word, char uuid[37])
{
	const char *at = strstr(out, word);

	assert_non_null(at);
	snprintf(uuid, 37, "%s", at + strlen(word));
}

static void new_uuid_tells_both_uuids(void **state)
{
	char first[37], second[37], third[37], told[37];

	assert_int_equal(MKFS("-s", "16M", path), 0);
	assert_int_equal(DUMP(path), 0);
	uuid_after("uuid: ", first);
	assert_int_equal(NEW_UUID(path), 0);
	uuid_after("has the UUID ", second);
	uuid_after("; it was ", told);
	assert_string_equal(told, first);
	assert_string_not_equal(second, first);
	assert_int_equal(FSCK(path), 0);
	assert_int_equal(NEW_UUID("--json", path), 0);
	uuid_after("\"uuid\":\"", third);
	uuid_after("\"old_uuid\":\"", told);
	assert_string_equal(told, second);
	assert_int_equal(DUMP(path), 0);
	uuid_after("uuid: ", told);
	assert_string_equal(told, third);
}

static void new_uuid_leaves_alone_what_is_no_pool_or_in_use(void **state)
{
	struct pm pm;

	assert_int_equal(NEW_UUID(path), 1);
	assert_non_null(strstr(err, "no such file"));
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(truncate(path, 16 << 20), 0);
	assert_int_equal(NEW_UUID(path), 1);
	assert_non_null(strstr(err, "not a farnova pool"));
	unlink(path);
	assert_int_equal(MKFS("-s", "16M", path), 0);
	assert_int_equal(pm_open(path, true, &pm, NULL, 0), 0);
	assert_int_equal(NEW_UUID(path), 1);
	assert_non_null(strstr(err, "in use"));
	pm_close(&pm);
	damage(100);
	damage(NOVA_SUPER_BLOCK_1 * NOVA_BLOCK_SIZE + 100);
	assert_int_equal(NEW_UUID(path), 1);
	assert_non_null(strstr(err, "farnova fsck"));
	assert_int_equal(NEW_UUID("--wrong", path), 2);
	assert_int_equal(NEW_UUID("--json"), 2);
}

static void a_pool_in_use_is_left_alone(void **state)
{
	struct pm pm;

	assert_int_equal(MKFS("-s", "16M", path), 0);
	assert_int_equal(pm_open(path, false, &pm, NULL, 0), 0);
	assert_int_equal(MKFS("-s", "16M", path), 1);
	assert_non_null(strstr(err, "in use"));
	assert_int_equal(MKFS("-s", "16M", "--force", path), 1);
	assert_non_null(strstr(err, "in use"));
	assert_int_equal(FSCK(path), 8);
	assert_non_null(strstr(err, "in use"));
	assert_int_equal(DUMP(path), 1);
	assert_non_null(strstr(err, "in use"));
	pm_close(&pm);
}

static void wrong_usage_is_exit_code_2(void **state)
{
	assert_int_equal(MKFS("--size=3X", path), 2);
	assert_non_null(strstr(err, "is no size"));
	assert_int_equal(MKFS("--size=99999999999T", path), 2);
	assert_int_equal(MKFS("--size=-5", path), 2);
	assert_int_equal(MKFS("--mode=9", path), 2);
	assert_int_equal(MKFS("--owner=joe", path), 2);
	assert_int_equal(MKFS("--owner=1:", path), 2);
	assert_int_equal(MKFS("--wrong", path), 2);
	assert_int_equal(MKFS("-s", "16M"), 2);
	assert_int_equal(MKFS("-s", "16M", path, path), 2);
	assert_int_equal(MKFS("--label", "12345678901234567890123456789012345678901234567890123456789012345", path), 2);
	assert_int_equal(FSCK("--wrong"), 2);
	assert_int_equal(FSCK("-v"), 2);
	assert_int_equal(DUMP("--inode=x", path), 2);
	assert_int_equal(DUMP("--all"), 2);
	assert_int_equal(access(path, F_OK), -1);
}

static void help_is_told_on_stdout(void **state)
{
	assert_int_equal(MKFS("--help"), 0);
	assert_ptr_equal(strstr(out, "Usage: farnova mkfs"), out);
	assert_int_equal(FSCK("--help"), 0);
	assert_ptr_equal(strstr(out, "Usage: farnova fsck"), out);
	assert_int_equal(GROW("--help"), 0);
	assert_ptr_equal(strstr(out, "Usage: farnova grow"), out);
	assert_int_equal(NEW_UUID("--help"), 0);
	assert_ptr_equal(strstr(out, "Usage: farnova new-uuid"), out);
	assert_int_equal(DUMP("--help"), 0);
	assert_ptr_equal(strstr(out, "Usage: farnova dump"), out);
}

static void fsck_tells_damage_with_exit_code_4(void **state)
{
	assert_int_equal(MKFS("-s", "16M", path), 0);
	damage(100);
	assert_int_equal(FSCK(path), 4);
	assert_non_null(strstr(out, "superblock 0 is damaged"));
	assert_non_null(strstr(out, "1 error found"));
	assert_int_equal(FSCK("--json", path), 4);
	assert_non_null(strstr(out, "\"errors\":1"));
	assert_non_null(strstr(out, "\"part\":\"superblock\""));
	assert_int_equal(FSCK("/nonexistent"), 8);
}

static void fsck_repairs_what_it_tells_when_asked_to(void **state)
{
	struct pm pm;

	assert_int_equal(MKFS("-s", "16M", path), 0);
	assert_int_equal(FSCK("--repair", path), 0);
	assert_int_equal(pm_open(path, false, &pm, NULL, 0), 0);
	assert_int_equal(FSCK("--repair", path), 8);
	assert_non_null(strstr(err, "in use"));
	pm.base[100] ^= 1;
	pm_close(&pm);
	assert_int_equal(FSCK("--repair", path), 1);
	assert_non_null(strstr(out, "superblock: superblock 0 is damaged"));
	assert_non_null(strstr(out, "repaired: superblock: superblock 0 restored from the other"));
	assert_non_null(strstr(out, "1 error found"));
	assert_non_null(strstr(out, "0 errors left"));
	assert_int_equal(FSCK(path), 0);
	assert_int_equal(pm_open(path, false, &pm, NULL, 0), 0);
	pm.base[100] ^= 1;
	pm_close(&pm);
	assert_int_equal(FSCK("--repair", "--json", path), 1);
	assert_non_null(strstr(out, "\"findings\":[{\"part\":\"superblock\""));
	assert_non_null(strstr(out, "\"repairs\":[{\"part\":\"superblock\""));
	assert_non_null(strstr(out, "\"errors_left\":0"));
	/* What cannot be repaired is told, and the exit code says so. */
	assert_int_equal(truncate(path, 12 << 20), 0);
	assert_int_equal(FSCK("--repair", path), 4);
	assert_non_null(strstr(out, "left: superblock: the pool has fewer blocks than its superblock says"));
}

/* fsck with standard error on a terminal, and a clock that goes on by `step_ms` at each look; what the terminal got is
 * in `err`. */
static int fsck_on_terminal(long step_ms, const char *option)
{
	int master, slave, saved = dup(2), devnull = open("/dev/null", O_WRONLY | O_CLOEXEC), out_saved = dup(1);
	char *argv[] = {(char *)"fsck", option ? (char *)option : path, option ? path : NULL, NULL};
	ssize_t n;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	fflush(stdout);
	dup2(slave, 2);
	dup2(devnull, 1);
	clock_step_ms = step_ms;
	int rc = pool_fsck_main(option ? 3 : 2, argv);
	clock_step_ms = 0;
	fflush(stdout);
	dup2(saved, 2);
	dup2(out_saved, 1);
	assert_int_equal(fcntl(master, F_SETFL, O_NONBLOCK), 0);
	n = read(master, err, sizeof(err) - 1);
	err[n > 0 ? n : 0] = '\0';
	for (int i = 0; i < 5; i++)
		close((int[]){master, slave, saved, devnull, out_saved}[i]);
	return rc;
}

static void fsck_tells_on_a_terminal_how_far_it_is_after_a_second(void **state)
{
	struct pm pm;

	assert_int_equal(MKFS("-s", "16M", path), 0);
	assert_int_equal(fsck_on_terminal(0, NULL), 0);
	assert_string_equal(err, "");
	assert_int_equal(fsck_on_terminal(600, NULL), 0);
	assert_non_null(strstr(err, "inodes 50%"));
	assert_null(strstr(err, "inodes 0%"));
	assert_non_null(strstr(err, "\r\033[K"));
	assert_int_equal(pm_open(path, false, &pm, NULL, 0), 0);
	pm.base[100] ^= 1;
	pm_close(&pm);
	assert_int_equal(fsck_on_terminal(600, "--repair"), 1);
	assert_non_null(strstr(err, "inodes 50%"));
}

static void dump_refuses_what_is_no_pool(void **state)
{
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(truncate(path, 16 << 20), 0);
	assert_int_equal(DUMP(path), 1);
	assert_non_null(strstr(err, "not a farnova pool"));
	assert_int_equal(FSCK(path), 4);
	unlink(path);
	assert_int_equal(MKFS("-s", "16M", path), 0);
	assert_int_equal(DUMP("--inode=1", path), 1);
	assert_non_null(strstr(err, "is no inode slot"));
}

/* Names, targets and attributes that fit the first line of their entries, that do not, and that lie in blobs. */
static void fill_pool(void)
{
	static const size_t names[] = {1, 15, 19, 21, 25, 200}, values[] = {0, 1, 30, 2000, 20000};
	static char text[20000];
	struct nova_call call = {0};
	struct nova_attr attr;
	struct nova *fs;
	struct pm pm;

	memset(text, 'n', sizeof(text));
	assert_int_equal(pm_open(path, false, &pm, NULL, 0), 0);
	assert_int_equal(nova_mount(&pm, NULL, &fs, NULL, 0), 0);
	assert_int_equal(nova_worker_open(fs, &call.worker), 0);
	struct nova_handle root = nova_root(fs);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[256] = "user.";

		assert_int_equal(nova_symlink(&call, root, text, names[i] + 1, text, 10 * names[i], &attr), 0);
		assert_int_equal(nova_create(&call, root, text, names[i], S_IFREG | 0644, 0, &attr), 0);
		memset(name + 5, 'a', names[i]);
		for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
			name[5] = (char)('a' + k);
			assert_int_equal(
			    nova_setxattr(&call, attr.handle, name, 5 + names[i], text, values[k], 0, NULL), 0);
		}
	}
	nova_worker_close(call.worker);
	nova_unmount(fs);
	pm_close(&pm);
}

static void dump_writes_images_that_fsck_accepts(void **state)
{
	char image[160];
	struct stat st;

	snprintf(image, sizeof(image), "%s/image", directory);
	assert_int_equal(MKFS("-s", "64M", path), 0);
	fill_pool();
	assert_int_equal(FSCK(path), 0);
	for (int hide = 0; hide < 2; hide++) {
		if (hide)
			assert_int_equal(DUMP("--metadata-only", "--hide-names", path, image), 0);
		else
			assert_int_equal(DUMP("--metadata-only", path, image), 0);
		assert_int_equal(stat(image, &st), 0);
		assert_int_equal(st.st_size, 64 << 20);
		assert_in_range((uint64_t)st.st_blocks * 512, 1, 1 << 20);
		assert_int_equal(FSCK(image), 0);
		assert_int_equal(DUMP("--all", image), 0);
		assert_int_equal(DUMP("--metadata-only", path, image), 1);
		assert_non_null(strstr(err, "name a file that does not exist"));
		unlink(image);
	}
	assert_int_equal(DUMP("--metadata-only", path), 2);
	assert_int_equal(DUMP("--hide-names", path), 2);
	assert_int_equal(DUMP("--metadata-only", path, "/nonexistent/image"), 1);
}

static void key_of(const char *pool, bool read_only, uint8_t key[16])
{
	const struct nova_mount_options options = {.read_only = read_only};
	struct nova *fs;
	struct pm pm;

	assert_int_equal(pm_open(pool, read_only, &pm, NULL, 0), 0);
	assert_int_equal(nova_mount(&pm, &options, &fs, NULL, 0), 0);
	nova_handle_key(fs, key);
	nova_unmount(fs);
	pm_close(&pm);
}

static void dump_copies_no_key_and_a_mount_makes_one(void **state)
{
	static const uint8_t none[16];
	uint8_t original[16], first[16], second[16];
	char image[160];
	struct pm pm;

	snprintf(image, sizeof(image), "%s/image", directory);
	assert_int_equal(MKFS("-s", "16M", path), 0);
	key_of(path, false, original);
	key_of(path, true, first);
	assert_memory_equal(first, original, sizeof(first));
	assert_memory_not_equal(original, none, sizeof(none));

	assert_int_equal(DUMP("--metadata-only", path, image), 0);
	assert_int_equal(pm_open(image, true, &pm, NULL, 0), 0);
	assert_null(memmem(pm.base, pm.size, original, sizeof(original)));
	pm_close(&pm);
	/* One that cannot be stored is another each time. */
	key_of(image, true, first);
	key_of(image, true, second);
	assert_memory_not_equal(first, none, sizeof(none));
	assert_memory_not_equal(first, second, sizeof(first));
	key_of(image, false, first);
	key_of(image, true, second);
	assert_memory_equal(first, second, sizeof(first));
	assert_memory_not_equal(first, original, sizeof(first));
	assert_int_equal(FSCK(image), 0);
	unlink(image);
}

static void dump_shows_places_by_number_and_path(void **state)
{
	assert_int_equal(MKFS("-s", "16M", path), 0);
	assert_int_equal(DUMP("--path=/", path), 0);
	assert_non_null(strstr(out, "type: directory"));
	assert_int_equal(DUMP("--log=/", path), 0);
	assert_non_null(strstr(out, "mode: 0755"));
	assert_int_equal(DUMP("--path=/none", path), 1);
	assert_non_null(strstr(err, "the pool has no '/none'"));
	assert_int_equal(DUMP("--zone=0", path), 0);
	assert_non_null(strstr(out, "second_header:"));
	assert_int_equal(DUMP("--zone=1", path), 1);
	assert_int_equal(DUMP("--page=700", path), 0);
	assert_non_null(strstr(out, "no log page"));
	assert_int_equal(DUMP("--page=3", path), 1);
	assert_int_equal(DUMP("--free", path), 0);
	assert_non_null(strstr(out, "longest_run:"));
	assert_int_equal(DUMP("--json", "--free", "--zone=0", "--path=/", path), 0);
	assert_int_equal(DUMP("--clients", path), 0);
	assert_non_null(strstr(out, "clients:"));
	assert_int_equal(DUMP("--page=x", path), 2);
}

/* What is known of a client's key is not told. */
static void dump_shows_clients_and_intents(void **state)
{
	static const uint8_t key[NOVA_CLIENT_KEY] = {0xde, 0xad, 0xbe, 0xef, 0xde, 0xad, 0xbe, 0xef};
	struct nova_client *client;
	struct nova_worker *worker;
	struct nova_intent intent;
	struct nova_call call;
	struct nova *fs;
	struct pm pm;

	assert_int_equal(MKFS("-s", "16M", path), 0);
	assert_int_equal(pm_open(path, false, &pm, NULL, 0), 0);
	assert_int_equal(nova_mount(&pm, NULL, &fs, NULL, 0), 0);
	assert_int_equal(nova_worker_open(fs, &worker), 0);
	assert_int_equal(nova_client_new(worker, 0xabc123, key, &client), 0);
	assert_int_equal(nova_intent_begin(worker, client, 3, 99, 7, &intent), 0);
	call = (struct nova_call){.worker = worker, .intent = &intent};
	assert_int_equal(nova_create(&call, nova_root(fs), "file", 4, S_IFREG | 0600, 0, NULL), 0);
	nova_worker_close(worker);
	nova_unmount(fs);
	pm_close(&pm);
	assert_int_equal(DUMP("--clients", path), 0);
	assert_non_null(strstr(out, "client: 0000000000abc123"));
	assert_non_null(strstr(out, "slot: 3"));
	assert_non_null(strstr(out, "sequence: 99"));
	assert_non_null(strstr(out, "operation: 7"));
	assert_non_null(strstr(out, "state: committed"));
	assert_null(strstr(out, "deadbeef"));
	assert_int_equal(DUMP("--json", "--clients", path), 0);
	assert_non_null(strstr(out, "\"sequence\":99"));
	assert_null(strstr(out, "deadbeef"));
}

static void json_strings_are_always_valid(void **state)
{
	FILE *f = tmpfile();
	struct json json = {f, true};
	char text[256];

	json_open(&json, NULL, '{');
	json_string(&json, "a", "\"\\\n\x01", 4);
	json_string(&json, "b", "\xc3\xa9\xff\xed\xa0\x80\xc3", 7);
	json_open(&json, "c", '[');
	json_signed(&json, NULL, -5);
	json_bool(&json, NULL, true);
	json_close(&json, ']');
	json_number(&json, "d", UINT64_MAX);
	json_close(&json, '}');
	slurp(f, text, sizeof(text));
	assert_string_equal(text, "{\"a\":\"\\\"\\\\\\u000a\\u0001\","
	                          "\"b\":\"\xc3\xa9\\udcff\\udced\\udca0\\udc80\\udcc3\",\"c\":[-5,true],"
	                          "\"d\":18446744073709551615}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(mkfs_makes_a_pool_that_fsck_finds_clean),
	    TEST(mkfs_overwrites_nothing_unasked),
	    TEST(mkfs_says_what_is_wrong),
	    TEST(grow_makes_a_pool_larger_and_never_smaller),
	    TEST(grow_leaves_alone_what_is_no_pool_or_in_use),
	    TEST(new_uuid_tells_both_uuids),
	    TEST(new_uuid_leaves_alone_what_is_no_pool_or_in_use),
	    TEST(a_pool_in_use_is_left_alone),
	    TEST(wrong_usage_is_exit_code_2),
	    TEST(help_is_told_on_stdout),
	    TEST(fsck_tells_damage_with_exit_code_4),
	    TEST(fsck_repairs_what_it_tells_when_asked_to),
	    TEST(fsck_tells_on_a_terminal_how_far_it_is_after_a_second),
	    TEST(dump_refuses_what_is_no_pool),
	    TEST(dump_writes_images_that_fsck_accepts),
	    TEST(dump_copies_no_key_and_a_mount_makes_one),
	    TEST(dump_shows_places_by_number_and_path),
	    TEST(dump_shows_clients_and_intents),
	    TEST(json_strings_are_always_valid),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
