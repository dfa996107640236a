/*
 * name_calls.c -- what simulated clients do with the names of one directory.
 */
#include "tests/sim/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* A handle as one number: that of the inode is given to another file in time, with another generation. */
static uint32_t identity(struct farnova_handle handle)
{
	uint32_t mixed = ((uint32_t)handle.ino * 64 + handle.generation) & (HISTORY_DIRECTORY - 1);

	return mixed ? mixed : 1;
}

static int run_create(struct thread *thread, struct call *call, const char *name)
{
	struct farnova_handle handle = {0};
	struct stat st;
	struct farnova_file *file =
	    farnova_create_at(thread->fs, thread->dir, name, O_RDWR | O_EXCL, 0644, &handle, &st);
	int error = errno;

	if (file) {
		call->ino = identity(handle);
		farnova_close(file);
	}
	errno = error;
	return file ? 0 : -1;
}

static int run_mkdir(struct thread *thread, struct call *call, const char *name)
{
	struct farnova_handle handle = {0};
	struct stat st;
	int result = farnova_mknod_at(thread->fs, thread->dir, name, S_IFDIR | 0755, 0, &handle, &st);

	if (result == 0)
		call->ino = identity(handle) | HISTORY_DIRECTORY;
	return result;
}

/* All names are in one reply, which is of one state. */
static int run_list(struct thread *thread, struct call *call)
{
	struct farnova_dir *dir = farnova_opendir_at(thread->fs, thread->dir);
	struct dirent *entry;
	unsigned number;

	if (!dir)
		return -1;
	errno = 0;
	while ((entry = farnova_readdir(dir)) != NULL)
		if (sscanf(entry->d_name, "n%u", &number) == 1) {
			if (call->count & 1u << number)
				sim_failed("a directory has the name %s twice", entry->d_name);
			call->count |= 1u << number;
		}
	int error = errno;
	farnova_closedir(dir);
	errno = error;
	return error ? -1 : 0;
}

static int run_stat(struct thread *thread, struct call *call, const char *name)
{
	struct farnova_handle handle = {0};
	struct stat st;
	int result = farnova_lookup_at(thread->fs, thread->dir, name, &handle, &st);

	if (result == 0) {
		bool directory = S_ISDIR(st.st_mode);

		call->ino = identity(handle) | (directory ? HISTORY_DIRECTORY : 0);
		/* As with stat(2) the name is found first, then the attributes, which may be those after an unlink. */
		call->links = thread->client ? 0 : (unsigned)st.st_nlink;
		if (!directory)
			thread->seen = handle; /* what may get another name */
	}
	return result;
}

/* What was looked up last gets another name. That it may be gone is ENOENT in the history. */
static int run_link(struct thread *thread, struct call *call, const char *name)
{
	struct stat st;
	int result;

	call->ino = identity(thread->seen);
	result = farnova_link_at(thread->fs, thread->seen, thread->dir, name, &st);
	if (result != 0 && errno == ESTALE)
		errno = ENOENT;
	return result;
}

void workload_run_on_names(struct thread *thread, struct call *call)
{
	char a[16], b[16];
	int result = -1;

	snprintf(a, sizeof(a), "n%u", call->a);
	snprintf(b, sizeof(b), "n%u", call->b);
	switch (call->type) {
	case CALL_CREATE:
		result = run_create(thread, call, a);
		break;
	case CALL_UNLINK:
		result = farnova_unlink_at(thread->fs, thread->dir, a);
		break;
	case CALL_MKDIR:
		result = run_mkdir(thread, call, a);
		break;
	case CALL_RMDIR:
		result = farnova_rmdir_at(thread->fs, thread->dir, a);
		break;
	case CALL_LIST:
		result = run_list(thread, call);
		break;
	case CALL_RENAME:
		result = farnova_rename_at(thread->fs, thread->dir, a, thread->dir, b, 0);
		break;
	case CALL_RENAME_NOREPLACE:
		result = farnova_rename_at(thread->fs, thread->dir, a, thread->dir, b, RENAME_NOREPLACE);
		break;
	case CALL_EXCHANGE:
		result = farnova_rename_at(thread->fs, thread->dir, a, thread->dir, b, RENAME_EXCHANGE);
		break;
	case CALL_LINK:
		result = run_link(thread, call, b);
		break;
	default:
		result = run_stat(thread, call, a);
	}
	workload_note(call, result, errno);
}

void workload_choose_on_names(struct thread *thread)
{
	static const enum call_type types[] = {
	    CALL_CREATE,   CALL_CREATE, CALL_UNLINK, CALL_MKDIR, CALL_RMDIR, CALL_RENAME, CALL_RENAME_NOREPLACE,
	    CALL_EXCHANGE, CALL_LINK,   CALL_STAT,   CALL_STAT,  CALL_STAT,  CALL_LIST};
	enum call_type type = types[workload_below(sizeof(types) / sizeof(types[0]))];
	unsigned a = (unsigned)workload_below(workload_options.names);
	unsigned b = (a + 1 + (unsigned)workload_below(workload_options.names - 1)) % workload_options.names;
	struct call *call;

	if (type == CALL_LINK && !thread->seen.ino)
		type = CALL_STAT;
	call = history_begin(&workload_calls, type, thread->number);
	if (!call)
		return;
	call->a = a;
	call->b = b;
	workload_run_on_names(thread, call);
}
