/*
 * tree_calls.c -- asks the client library for operations of random runs.
 */
#include "tests/sim/trees.h"

#include "tests/sim/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OFFSETS 65536u /* files are small, so that operations meet and the last look at them is short */
#define LENGTHS 20480u
#define VALUES  65536u

_Static_assert(FARNOVA_SET_MODE == POSIX_SET_MODE && FARNOVA_SET_UID == POSIX_SET_UID &&
                   FARNOVA_SET_GID == POSIX_SET_GID && FARNOVA_SET_SIZE == POSIX_SET_SIZE &&
                   FARNOVA_SET_ATIME == POSIX_SET_ATIME && FARNOVA_SET_MTIME == POSIX_SET_MTIME &&
                   FARNOVA_SET_ATIME_NOW == POSIX_SET_ATIME_NOW && FARNOVA_SET_MTIME_NOW == POSIX_SET_MTIME_NOW &&
                   FARNOVA_FILE_IMMUTABLE == POSIX_IMMUTABLE && FARNOVA_FILE_APPEND == POSIX_APPEND_ONLY &&
                   FARNOVA_FILE_PROJECT_INHERIT == POSIX_PROJECT_INHERIT,
               "one number serves for both");

/* What is dead may be tried where nothing else can be wrong. */
static bool is_file(const struct tree *tree, unsigned slot, bool or_dead)
{
	struct posix_attr attr;

	return posix_getattr(tree->model, tree->slots.slots[slot].ino, &attr) == 0 ? S_ISREG(attr.mode) : or_dead;
}

static bool is_immutable(const struct tree *tree, unsigned slot)
{
	struct posix_attr attr;

	return posix_getattr(tree->model, tree->slots.slots[slot].ino, &attr) == 0 && attr.flags & POSIX_IMMUTABLE;
}

/* What is asked of an open file. */
static bool is_of_contents(uint8_t kind)
{
	return kind == RANDOM_WRITE || kind == RANDOM_APPEND || kind == RANDOM_READ || kind == RANDOM_FALLOCATE ||
	       kind == RANDOM_SEEK || kind == RANDOM_COPY || kind == RANDOM_OPEN;
}

bool tree_suit(const struct tree *tree, struct random_op *op)
{
	op->who %= RANDOM_USERS;
	switch (op->kind) {
	case RANDOM_TMPFILE:   /* the library tells no handle of it */
	case RANDOM_ACCESSED:  /* no call of its own */
	case RANDOM_SETLIMITS: /* blocks that readers still have count on for a time */
		return false;
	case RANDOM_LOOKUP:
		op->fill |= 1; /* no "." and ".." */
		break;
	case RANDOM_SETFLAGS:
		op->flags &= ~(uint32_t)FARNOVA_FILE_APPEND; /* wants files that are opened for appending */
		break;
	case RANDOM_SETPROJECT:
		op->flags |= 1; /* the call sets the flags with it */
		break;
	case RANDOM_FALLOCATE: /* the model looks at the range first, the client at the rights, where it opens the file */
	case RANDOM_OPEN:      /* a pin of the model asks for no rights */
		op->who = 0;
		break;
	default:
		break;
	}
	op->offset %= OFFSETS;
	if (op->kind != RANDOM_SYMLINK)
		op->length %= LENGTHS;
	random_op_suit(tree->model, &tree->slots, op, RANDOM_NAMES);
	if (random_op_skipped(&tree->slots, op))
		return false;
	if (is_of_contents(op->kind) && !is_file(tree, op->slot, op->kind != RANDOM_FALLOCATE))
		return false;
	if (op->kind == RANDOM_FALLOCATE && is_immutable(tree, op->slot))
		return false; /* the same with the range */
	return op->kind != RANDOM_COPY || is_file(tree, op->slot2, true);
}

void tree_become(struct farnova *fs, const struct random_op *op)
{
	const struct posix_caller *user = op ? random_user(op) : NULL;
	const struct farnova_cred cred = {.uid = user ? user->uid : 0,
	                                  .gid = user ? user->gid : 0,
	                                  .group_count = user ? user->group_count : 0,
	                                  .groups = user ? user->groups : NULL};

	if (farnova_set_cred(fs, op ? &cred : NULL) != 0 || farnova_set_umask(fs, op ? op->umask : 0) != 0)
		sim_failed("a thread cannot act for another user: %s", farnova_last_error());
}

static int64_t answer_of(int64_t result)
{
	return result < 0 ? -errno : result;
}

static uint8_t *room(size_t size)
{
	uint8_t *memory = malloc(size + 1);

	if (!memory)
		sim_failed("out of memory");
	return memory;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

static int64_t make(struct farnova *fs, struct farnova_handle dir, const struct random_op *op,
                    struct farnova_handle *made)
{
	const char *name = random_name(op->name);
	struct stat st;

	if (op->kind == RANDOM_MAKE)
		return farnova_mknod_at(fs, dir, name, op->flags, 0x103, made, &st);
	uint8_t *target = random_target(op);
	char *text = (char *)room(op->length);
	memcpy(text, target, op->length);
	text[op->length] = '\0';
	int64_t result = farnova_symlink_at(fs, text, dir, name, made, &st);
	int error = errno;
	free(text);
	free(target);
	errno = error;
	return result;
}

static int64_t change_names(struct farnova *fs, const struct tree *tree, const struct random_op *op)
{
	const struct farnova_handle one = tree->handles[op->slot], two = tree->handles[op->slot2];
	unsigned flags = (op->flags & NOVA_RENAME_NOREPLACE ? RENAME_NOREPLACE : 0) |
	                 (op->flags & NOVA_RENAME_EXCHANGE ? RENAME_EXCHANGE : 0);
	struct stat st;

	switch (op->kind) {
	case RANDOM_LINK:
		return farnova_link_at(fs, one, two, random_name(op->name), &st);
	case RANDOM_UNLINK:
		return farnova_unlink_at(fs, one, random_name(op->name));
	case RANDOM_RMDIR:
		return farnova_rmdir_at(fs, one, random_name(op->name));
	default:
		return farnova_rename_at(fs, one, random_name(op->name), two, random_name(op->name2), flags);
	}
}

static int64_t look_up(struct farnova *fs, struct farnova_handle dir, const struct random_op *op,
                       struct farnova_handle *found)
{
	struct stat st;

	return farnova_lookup_at(fs, dir, random_lookup_name(op), found, &st);
}

static int64_t read_dir(struct farnova *fs, struct farnova_handle handle, uint64_t *told)
{
	struct farnova_dir *dir = farnova_opendir_at(fs, handle);
	struct dirent *entry;

	if (!dir)
		return -1;
	errno = 0;
	while ((entry = farnova_readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			*told = random_tell_name(*told, entry->d_name, strlen(entry->d_name));
	int error = errno;
	farnova_closedir(dir);
	errno = error;
	return error ? -1 : 0;
}

static int64_t read_link(struct farnova *fs, struct farnova_handle link, uint64_t *told)
{
	char target[4096];
	ssize_t length = farnova_readlink_at(fs, link, target, sizeof(target));

	if (length > 0)
		*told = random_tell(0, target, (size_t)length);
	return length;
}

/* ---- attributes ------------------------------------------------------------------------------------------------- */

static struct timespec time_of(int64_t ns)
{
	struct timespec time = {.tv_sec = ns / SIM_NS_PER_S, .tv_nsec = ns % SIM_NS_PER_S};

	if (time.tv_nsec < 0) {
		time.tv_sec--;
		time.tv_nsec += SIM_NS_PER_S;
	}
	return time;
}

static int64_t change_attr(struct farnova *fs, const struct tree *tree, const struct random_op *op)
{
	struct posix_attr attr;
	unsigned mask = random_change(&tree->slots, op, &attr);
	struct stat st = {.st_mode = attr.mode,
	                  .st_uid = attr.uid,
	                  .st_gid = attr.gid,
	                  .st_size = (off_t)attr.size,
	                  .st_atim = time_of(attr.atime_ns),
	                  .st_mtim = time_of(attr.mtime_ns)};

	if (op->kind == RANDOM_SETFLAGS)
		return farnova_setflags_at(fs, tree->handles[op->slot], attr.flags);
	if (op->kind == RANDOM_SETPROJECT)
		return farnova_setproject_at(fs, tree->handles[op->slot], attr.project, attr.flags);
	return farnova_setattr_at(fs, tree->handles[op->slot], NULL, mask, &st);
}

static int64_t use_xattr(struct farnova *fs, struct farnova_handle file, const struct random_op *op, uint64_t *told)
{
	const char *name = random_xattr_name(op);
	uint8_t *value = room(VALUES), *bytes;
	int64_t result;

	switch (op->kind) {
	case RANDOM_SETXATTR:
		bytes = random_op_bytes(op, op->length);
		result = farnova_setxattr_at(fs, file, name, bytes, op->length, (int)op->flags);
		result = answer_of(result);
		free(bytes);
		break;
	case RANDOM_SETACL:
		name = op->flags & 1 ? "system.posix_acl_access" : "system.posix_acl_default";
		result = answer_of(farnova_setxattr_at(fs, file, name, value, random_acl(op, value), 0));
		break;
	case RANDOM_REMOVEXATTR:
		result = answer_of(farnova_removexattr_at(fs, file, name));
		break;
	case RANDOM_GETXATTR:
		result = answer_of(farnova_getxattr_at(fs, file, name, value, VALUES));
		if (result > 0)
			*told = random_tell(0, value, (size_t)result);
		break;
	default:
		result = answer_of(farnova_listxattr_at(fs, file, (char *)value, VALUES));
		for (const char *at = (char *)value; result > 0 && at < (char *)value + result; at += strlen(at) + 1)
			*told = random_tell_name(*told, at, strlen(at));
	}
	free(value);
	errno = result < 0 ? (int)-result : 0;
	return result < 0 ? -1 : result;
}

/* ---- contents --------------------------------------------------------------------------------------------------- */

static int64_t read_bytes(struct farnova_file *file, const struct random_op *op, uint64_t *told)
{
	uint8_t *data = room(op->length);
	int64_t got = answer_of(farnova_pread(file, data, op->length, (off_t)op->offset));

	if (got > 0)
		*told = random_tell(0, data, (size_t)got);
	free(data);
	return got;
}

static int64_t write_bytes(struct farnova_file *file, const struct random_op *op)
{
	uint8_t *data = random_op_bytes(op, op->length);
	int64_t put = answer_of(op->kind == RANDOM_APPEND ? farnova_append(file, data, op->length)
	                                                  : farnova_pwrite(file, data, op->length, (off_t)op->offset));

	free(data);
	return put;
}

static int64_t copy(struct farnova *fs, const struct tree *tree, const struct random_op *op)
{
	struct farnova_file *from = farnova_open_at(fs, tree->handles[op->slot], O_RDONLY);
	struct farnova_file *to = from ? farnova_open_at(fs, tree->handles[op->slot2], O_WRONLY) : NULL;
	off_t from_offset = (off_t)random_copy_offset(op), to_offset = (off_t)op->offset;
	int64_t copied =
	    answer_of(to ? farnova_copy_file_range(from, &from_offset, to, &to_offset, op->length, 0) : -1);

	if (to)
		farnova_close(to);
	if (from)
		farnova_close(from);
	return copied;
}

/* A pin of the inode in the slot; NULL: there is none. To read by that is to read with the layout that it has kept. */
static struct farnova_file *pin_of(const struct tree *tree, unsigned slot)
{
	const struct nova_handle *handle = &tree->slots.slots[slot].handle;

	for (unsigned i = 0; i < RANDOM_PINS; i++) {
		const struct random_slot *at = &tree->slots.pins[i];

		if (at->ino.n && at->handle.ino.n == handle->ino.n && at->handle.generation == handle->generation)
			return tree->pins[i];
	}
	return NULL;
}

static int64_t use_contents(struct farnova *fs, const struct tree *tree, const struct random_op *op, uint64_t *told)
{
	bool reads = op->kind == RANDOM_READ || op->kind == RANDOM_SEEK;
	struct farnova_file *file;
	int64_t result;

	if (op->kind == RANDOM_COPY)
		return copy(fs, tree, op);
	file = op->kind == RANDOM_READ && op->who == 0 ? pin_of(tree, op->slot) : NULL;
	if (file)
		return read_bytes(file, op, told);
	file = farnova_open_at(fs, tree->handles[op->slot], reads ? O_RDONLY : O_WRONLY);
	if (!file)
		return -errno;
	switch (op->kind) {
	case RANDOM_READ:
		result = read_bytes(file, op, told);
		break;
	case RANDOM_SEEK:
		result = answer_of(farnova_lseek(file, (off_t)op->offset, op->flags & 1 ? SEEK_DATA : SEEK_HOLE));
		break;
	case RANDOM_FALLOCATE:
		result = answer_of(farnova_fallocate(file, (int)op->flags, (off_t)op->offset, op->length));
		break;
	default:
		result = write_bytes(file, op);
	}
	farnova_close(file);
	return result;
}

static int64_t pin(struct farnova *fs, struct tree *tree, const struct random_op *op)
{
	struct farnova_file **at = &tree->pins[op->to % RANDOM_PINS];

	if (op->kind == RANDOM_CLOSE)
		return farnova_close(*at);
	*at = farnova_open_at(fs, tree->handles[op->slot], O_RDONLY);
	return *at ? 0 : -1;
}

/* ---- all -------------------------------------------------------------------------------------------------------- */

static int64_t do_it(struct farnova *fs, struct tree *tree, const struct random_op *op, struct farnova_handle *found,
                     uint64_t *told)
{
	const struct farnova_handle one = tree->handles[op->slot];
	struct stat st;

	switch (op->kind) {
	case RANDOM_LOOKUP:
		return answer_of(look_up(fs, one, op, found));
	case RANDOM_MAKE:
	case RANDOM_SYMLINK:
		return answer_of(make(fs, one, op, found));
	case RANDOM_LINK:
	case RANDOM_UNLINK:
	case RANDOM_RMDIR:
	case RANDOM_RENAME:
		return answer_of(change_names(fs, tree, op));
	case RANDOM_TRUNCATE:
	case RANDOM_SETATTR:
	case RANDOM_SETFLAGS:
	case RANDOM_SETPROJECT:
		return answer_of(change_attr(fs, tree, op));
	case RANDOM_GETATTR:
		return answer_of(farnova_stat_at(fs, one, &st));
	case RANDOM_ACCESS:
		return answer_of(farnova_access_at(fs, one, (int)op->flags & 7));
	case RANDOM_OPEN:
	case RANDOM_CLOSE:
		return answer_of(pin(fs, tree, op));
	case RANDOM_READLINK:
		return answer_of(read_link(fs, one, told));
	case RANDOM_READDIR:
		return answer_of(read_dir(fs, one, told));
	case RANDOM_SETXATTR:
	case RANDOM_SETACL:
	case RANDOM_GETXATTR:
	case RANDOM_LISTXATTR:
	case RANDOM_REMOVEXATTR:
		return answer_of(use_xattr(fs, one, op, told));
	default:
		return use_contents(fs, tree, op, told);
	}
}

struct random_answer tree_do(struct farnova *fs, struct tree *tree, const struct random_op *op)
{
	struct farnova_handle found = {0};
	struct random_answer answer = {0};

	answer.rc = do_it(fs, tree, op, &found, &answer.told);
	if (answer.rc < 0) {
		answer.told = 0;
		return answer;
	}
	if (found.ino) {
		answer.handle.ino.n = found.ino;
		answer.handle.generation = found.generation;
		tree->handles[op->to] = found;
	}
	return answer;
}
