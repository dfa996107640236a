/*
 * kill_sweep_script.c -- calls that a second execution would falsify, and what must have come of them.
 *
 * Each call has files of its own, so that what one left wrong is not made right by another.
 */
#include "tests/integration/kill_sweep.h"

#include "tests/integration/check.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/xattr.h>

#define BLOCK  4096u
#define SMALL  20000u         /* goes through the staging ring as one write */
#define LARGE  (1200u * 1024) /* as two */
#define COPIED (600u * 1024)  /* more than the server copies by itself: a bulk thread does */
#define VALUE  60000u         /* an attribute that no message holds */
#define TURNS  3              /* times that a name is made and removed */
#define MODE   0600

struct script {
	struct farnova *fs;
	const char *dir;
	struct script_result *result;
	char path[2][256];
};

static uint8_t pattern[LARGE];

__attribute__((constructor)) static void make_pattern(void)
{
	for (uint32_t i = 0; i < LARGE; i++)
		pattern[i] = (uint8_t)(i * 2654435761u >> 24);
}

static void note(struct script *script, bool reset, const char *format, va_list arguments)
{
	struct script_result *result = script->result;

	if (result->wrong + result->reset == 0)
		vsnprintf(result->first, sizeof(result->first), format, arguments);
	if (reset)
		result->reset++;
	else
		result->wrong++;
}

__attribute__((format(printf, 3, 4))) static bool expect(struct script *script, bool right, const char *format, ...)
{
	va_list arguments;

	if (right)
		return true;
	va_start(arguments, format);
	note(script, false, format, arguments);
	va_end(arguments);
	return false;
}

__attribute__((format(printf, 3, 4))) static void expect_none(struct script *script, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note(script, error == ECONNRESET, format, arguments);
	va_end(arguments);
}

/* done -- a call must return `expected`. */
static bool done(struct script *script, const char *what, int64_t returned, int64_t expected)
{
	int error = errno;

	if (returned != expected)
		expect_none(script, returned < 0 ? error : 0, "%s: %s returned %lld, not %lld (errno %d: %s)",
		            script->dir, what, (long long)returned, (long long)expected, returned < 0 ? error : 0,
		            returned < 0 ? farnova_last_error() : "");
	return returned == expected;
}

/* fails -- a call must fail with `expected`. */
static void fails(struct script *script, const char *what, int returned, int expected)
{
	int error = errno;

	if (returned != -1 || error != expected)
		expect_none(script, returned < 0 ? error : 0, "%s: %s returned %d, errno %d, not errno %d", script->dir,
		            what, returned, error, expected);
}

/* at -- the path of a name; two may be in use. */
static const char *at(struct script *script, unsigned which, const char *name)
{
	snprintf(script->path[which], sizeof(script->path[which]), "%s/%s", script->dir, name);
	return script->path[which];
}

#define AT(name)    at(script, 0, name)
#define OTHER(name) at(script, 1, name)

static struct farnova_file *opened(struct script *script, const char *name, int flags)
{
	struct farnova_file *file = farnova_open(script->fs, AT(name), flags, MODE);

	if (!file)
		done(script, name, -1, 0);
	return file;
}

static void closed(struct script *script, struct farnova_file *file)
{
	if (file)
		done(script, "close", farnova_close(file), 0);
}

/* ---- before ------------------------------------------------------------------------------------------------------ */

static void make(struct script *script, const char *name, size_t length)
{
	struct farnova_file *file = farnova_open(script->fs, AT(name), O_WRONLY | O_CREAT | O_EXCL, MODE);

	CHECK(file);
	CHECK(length == 0 || farnova_write(file, pattern, length) == (ssize_t)length);
	CHECK(farnova_close(file) == 0);
}

void script_prepare(struct farnova *fs, const char *dir)
{
	struct script scripts = {.fs = fs, .dir = dir}, *script = &scripts;
	static const char *const empty[] = {"log",  "target", "moved",  "over", "over-it", "kept",
	                                    "gone", "xattrs", "linked", "one",  "two",     "held"};

	CHECK(farnova_mkdir(fs, dir, 0700) == 0);
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
		make(script, empty[i], 0);
	make(script, "two-is-larger", SMALL);
	make(script, "collapsed", 5 * BLOCK);
	make(script, "inserted", 5 * BLOCK);
	make(script, "shortened", 5 * BLOCK);
	make(script, "truncated", SMALL);
	make(script, "punched", 5 * BLOCK);
	make(script, "source", COPIED);
	CHECK(farnova_mkdir(fs, AT("empty"), 0700) == 0);
	CHECK(farnova_mkdir(fs, AT("tree"), 0700) == 0);
	CHECK(farnova_mkdir(fs, AT("place"), 0700) == 0);
	CHECK(farnova_setxattr(fs, AT("xattrs"), "user.removed", "v", 1, 0) == 0);
}

/* ---- the calls --------------------------------------------------------------------------------------------------- */

static void appends(struct script *script)
{
	struct farnova_file *file = opened(script, "log", O_WRONLY | O_APPEND);

	if (!file)
		return;
	done(script, "append", farnova_write(file, "abc", 3), 3);
	done(script, "offset of the append", farnova_lseek(file, 0, SEEK_CUR), 3);
	done(script, "staged append", farnova_write(file, pattern, SMALL), SMALL);
	done(script, "offset of the staged append", farnova_lseek(file, 0, SEEK_CUR), 3 + SMALL);
	done(script, "large append", farnova_write(file, pattern, LARGE), LARGE);
	done(script, "append", farnova_append(file, "xyz", 3), 3);
	closed(script, file);
	/* Its name goes; it lives on by the open. */
	file = opened(script, "held", O_RDWR | O_APPEND);
	if (!file)
		return;
	done(script, "unlink of an open file", farnova_unlink(script->fs, AT("held")), 0);
	done(script, "append without a name", farnova_write(file, "abc", 3), 3);
	done(script, "append without a name", farnova_write(file, pattern, SMALL), SMALL);
	struct stat st;
	if (done(script, "fstat without a name", farnova_fstat(file, &st), 0))
		expect(script, st.st_size == 3 + SMALL && st.st_nlink == 0, "%s: held has %lld bytes, %u links",
		       script->dir, (long long)st.st_size, (unsigned)st.st_nlink);
	closed(script, file);
}

static void makes(struct script *script)
{
	struct farnova *fs = script->fs;

	done(script, "mkdir", farnova_mkdir(fs, AT("dir"), 0700), 0);
	fails(script, "second mkdir", farnova_mkdir(fs, AT("dir"), 0700), EEXIST);
	done(script, "mkfifo", farnova_mknod(fs, AT("fifo"), S_IFIFO | MODE, 0), 0);
	done(script, "symlink", farnova_symlink(fs, "to/where", AT("symlink")), 0);
	fails(script, "second symlink", farnova_symlink(fs, "to/where", AT("symlink")), EEXIST);
	done(script, "link", farnova_link(fs, AT("linked"), OTHER("link")), 0);
	fails(script, "second link", farnova_link(fs, AT("linked"), OTHER("link")), EEXIST);
	struct farnova_file *file = opened(script, "exclusive", O_WRONLY | O_CREAT | O_EXCL);
	if (file)
		done(script, "write", farnova_write(file, "abc", 3), 3);
	closed(script, file);
	fails(script, "second exclusive open",
	      farnova_open(fs, AT("exclusive"), O_WRONLY | O_CREAT | O_EXCL, MODE) ? 0 : -1, EEXIST);
	file = opened(script, "new", O_WRONLY | O_CREAT | O_APPEND);
	if (file)
		done(script, "append", farnova_write(file, "abc", 3), 3);
	closed(script, file);
	file = opened(script, "truncated", O_WRONLY | O_CREAT | O_TRUNC);
	if (file)
		done(script, "write", farnova_write(file, "abc", 3), 3);
	closed(script, file);
	file = opened(script, "", O_RDWR | O_TMPFILE);
	if (file) {
		done(script, "write to a file without a name", farnova_write(file, pattern, SMALL), SMALL);
		done(script, "first link", farnova_flink(file, AT("named")), 0);
	}
	closed(script, file);
	for (int i = 0; i < TURNS; i++) {
		done(script, "mkdir in turn", farnova_mkdir(fs, AT("turn"), 0700), 0);
		done(script, "rmdir in turn", farnova_rmdir(fs, AT("turn")), 0);
		closed(script, opened(script, "lock", O_WRONLY | O_CREAT | O_EXCL));
		done(script, "unlink in turn", farnova_unlink(fs, AT("lock")), 0);
	}
}

static void renames(struct script *script)
{
	struct farnova *fs = script->fs;

	done(script, "rename", farnova_rename(fs, AT("moved"), OTHER("moved-to"), 0), 0);
	fails(script, "second rename", farnova_rename(fs, AT("moved"), OTHER("moved-to"), 0), ENOENT);
	done(script, "rename over", farnova_rename(fs, AT("over"), OTHER("over-it"), 0), 0);
	done(script, "rename if there is none", farnova_rename(fs, AT("kept"), OTHER("kept-to"), RENAME_NOREPLACE), 0);
	done(script, "exchange", farnova_rename(fs, AT("two"), OTHER("two-is-larger"), RENAME_EXCHANGE), 0);
	done(script, "rename of a directory", farnova_rename(fs, AT("tree"), OTHER("place/tree"), 0), 0);
	done(script, "unlink", farnova_unlink(fs, AT("gone")), 0);
	fails(script, "second unlink", farnova_unlink(fs, AT("gone")), ENOENT);
	done(script, "rmdir", farnova_rmdir(fs, AT("empty")), 0);
	fails(script, "second rmdir", farnova_rmdir(fs, AT("empty")), ENOENT);
}

static void moves(struct script *script)
{
	struct farnova_file *file = opened(script, "collapsed", O_RDWR);

	if (file)
		done(script, "collapse", farnova_fallocate(file, FALLOC_FL_COLLAPSE_RANGE, BLOCK, BLOCK), 0);
	closed(script, file);
	file = opened(script, "inserted", O_RDWR);
	if (file)
		done(script, "insert", farnova_fallocate(file, FALLOC_FL_INSERT_RANGE, BLOCK, BLOCK), 0);
	closed(script, file);
	file = opened(script, "shortened", O_RDWR);
	if (file) {
		done(script, "truncate", farnova_ftruncate(file, BLOCK + 7), 0);
		done(script, "append to what was truncated", farnova_append(file, "abc", 3), 3);
	}
	closed(script, file);
	file = opened(script, "punched", O_RDWR);
	if (file) {
		done(script, "punch", farnova_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, BLOCK, BLOCK),
		     0);
		done(script, "reserve", farnova_fallocate(file, 0, 5 * BLOCK, BLOCK), 0);
		done(script, "append to what was reserved", farnova_append(file, "abc", 3), 3);
	}
	closed(script, file);
	file = opened(script, "source", O_RDONLY);
	struct farnova_file *to = opened(script, "target", O_WRONLY);
	if (file && to) {
		off_t from_offset = 5, to_offset = 0;
		/* What comes of a copy is less than was asked for at the end of the source. */
		done(script, "copy", farnova_copy_file_range(file, &from_offset, to, &to_offset, COPIED, 0),
		     COPIED - 5);
		done(script, "copy at the end", farnova_copy_file_range(file, &from_offset, to, &to_offset, COPIED, 0),
		     0);
	}
	closed(script, file);
	closed(script, to);
}

static void attributes(struct script *script)
{
	struct farnova *fs = script->fs;

	done(script, "setxattr", farnova_setxattr(fs, AT("xattrs"), "user.made", "v", 1, XATTR_CREATE), 0);
	fails(script, "second setxattr", farnova_setxattr(fs, AT("xattrs"), "user.made", "w", 1, XATTR_CREATE), EEXIST);
	done(script, "staged setxattr", farnova_setxattr(fs, AT("xattrs"), "user.large", pattern, VALUE, XATTR_CREATE),
	     0);
	done(script, "removexattr", farnova_removexattr(fs, AT("xattrs"), "user.removed"), 0);
	fails(script, "second removexattr", farnova_removexattr(fs, AT("xattrs"), "user.removed"), ENODATA);
	done(script, "chmod", farnova_chmod(fs, AT("one"), 0640), 0);
}

void script_run(struct farnova *fs, const char *dir, struct script_result *result)
{
	struct script script = {.fs = fs, .dir = dir, .result = result};

	appends(&script);
	makes(&script);
	renames(&script);
	moves(&script);
	attributes(&script);
}

/* ---- after ------------------------------------------------------------------------------------------------------- */

/* A part of what a file must hold: of the pattern, or `text`, or zeros. */
struct part {
	const char *text;
	size_t from, length;
};

static void holds(struct script *script, const char *name, const struct part *parts, size_t count)
{
	static uint8_t expected[2 * LARGE], buffer[2 * LARGE];
	struct farnova_file *file = farnova_open(script->fs, AT(name), O_RDONLY, 0);
	size_t size = 0;

	if (!expect(script, file != NULL, "%s/%s cannot be opened: %s", script->dir, name, farnova_last_error()))
		return;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].text)
			memcpy(expected + size, parts[i].text, parts[i].length);
		else if (parts[i].from == SIZE_MAX)
			memset(expected + size, 0, parts[i].length);
		else
			memcpy(expected + size, pattern + parts[i].from, parts[i].length);
		size += parts[i].length;
	}
	ssize_t length = farnova_pread(file, buffer, sizeof(buffer), 0);
	if (expect(script, length == (ssize_t)size, "%s/%s has %zd bytes, not %zu", script->dir, name, length, size))
		expect(script, memcmp(buffer, expected, size) == 0, "%s/%s does not hold what was written", script->dir,
		       name);
	CHECK(farnova_close(file) == 0);
}

#define TEXT(string)                                                                                                   \
	{                                                                                                              \
		.text = (string), .length = sizeof(string) - 1                                                         \
	}
#define PATTERN(at, count)                                                                                             \
	{                                                                                                              \
		.from = (at), .length = (count)                                                                        \
	}
#define ZEROS(count)                                                                                                   \
	{                                                                                                              \
		.from = SIZE_MAX, .length = (count)                                                                    \
	}
#define HOLDS(name, ...)                                                                                               \
	holds(script, name, (const struct part[]){__VA_ARGS__},                                                        \
	      sizeof((struct part[]){__VA_ARGS__}) / sizeof(struct part))

static void is_there(struct script *script, const char *name, mode_t type, nlink_t links)
{
	struct stat st = {0};

	if (expect(script, farnova_lstat(script->fs, AT(name), &st) == 0, "%s/%s is not there", script->dir, name))
		expect(script, (st.st_mode & S_IFMT) == type && st.st_nlink == links, "%s/%s has mode %o, %u links",
		       script->dir, name, st.st_mode, (unsigned)st.st_nlink);
}

static void is_gone(struct script *script, const char *name)
{
	struct stat st;

	expect(script, farnova_lstat(script->fs, AT(name), &st) != 0 && errno == ENOENT, "%s/%s is there", script->dir,
	       name);
}

void script_verify(struct farnova *fs, const char *dir, struct script_result *result)
{
	struct script scripts = {.fs = fs, .dir = dir, .result = result}, *script = &scripts;
	static const char *const gone[] = {"held", "turn", "lock", "moved", "over", "kept", "tree", "gone", "empty"};
	static uint8_t value[VALUE];
	struct stat st = {0};
	char byte;

	HOLDS("log", TEXT("abc"), PATTERN(0, SMALL), PATTERN(0, LARGE), TEXT("xyz"));
	HOLDS("exclusive", TEXT("abc"));
	HOLDS("new", TEXT("abc"));
	HOLDS("truncated", TEXT("abc"));
	HOLDS("named", PATTERN(0, SMALL));
	HOLDS("two", PATTERN(0, SMALL));
	HOLDS("two-is-larger", PATTERN(0, 0));
	HOLDS("collapsed", PATTERN(0, BLOCK), PATTERN(2 * BLOCK, 3 * BLOCK));
	HOLDS("inserted", PATTERN(0, BLOCK), ZEROS(BLOCK), PATTERN(BLOCK, 4 * BLOCK));
	HOLDS("shortened", PATTERN(0, BLOCK + 7), TEXT("abc"));
	HOLDS("punched", PATTERN(0, BLOCK), ZEROS(BLOCK), PATTERN(2 * BLOCK, 3 * BLOCK), ZEROS(BLOCK), TEXT("abc"));
	HOLDS("target", PATTERN(5, COPIED - 5));
	is_there(script, "dir", S_IFDIR, 2);
	is_there(script, "fifo", S_IFIFO, 1);
	is_there(script, "symlink", S_IFLNK, 1);
	is_there(script, "link", S_IFREG, 2);
	is_there(script, "linked", S_IFREG, 2);
	is_there(script, "moved-to", S_IFREG, 1);
	is_there(script, "over-it", S_IFREG, 1);
	is_there(script, "kept-to", S_IFREG, 1);
	is_there(script, "place", S_IFDIR, 3);
	is_there(script, "place/tree", S_IFDIR, 2);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		is_gone(script, gone[i]);
	expect(script, farnova_getxattr(fs, AT("xattrs"), "user.made", &byte, 1) == 1 && byte == 'v',
	       "%s: the attribute that was made is not right", dir);
	expect(script, farnova_getxattr(fs, AT("xattrs"), "user.removed", &byte, 1) == -1, "%s: the attribute is there",
	       dir);
	expect(script,
	       farnova_getxattr(fs, AT("xattrs"), "user.large", value, VALUE) == VALUE &&
	           memcmp(value, pattern, VALUE) == 0,
	       "%s: the large attribute is not right", dir);
	expect(script, farnova_stat(fs, AT("one"), &st) == 0 && (st.st_mode & 07777) == 0640, "%s: mode %o", dir,
	       st.st_mode);
}
