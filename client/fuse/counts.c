/*
 * counts.c -- counts the kernel's requests by operation.
 */
#include "client/fuse/counts.h"

#include "client/fuse/interrupts.h"
#include "client/fuse/pages.h"

#include <stdio.h>
#include <stdlib.h>

/* Name, parameters after the request, the same as arguments. */
#define OPERATIONS(X)                                                                                                  \
	X(lookup, (fuse_req_t req, fuse_ino_t parent, const char *name), (req, parent, name))                          \
	X(forget, (fuse_req_t req, fuse_ino_t ino, uint64_t count), (req, ino, count))                                 \
	X(forget_multi, (fuse_req_t req, size_t count, struct fuse_forget_data * list), (req, count, list))            \
	X(getattr, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info * info), (req, ino, info))                   \
	X(setattr, (fuse_req_t req, fuse_ino_t ino, struct stat * attr, int mask, struct fuse_file_info *info),        \
	  (req, ino, attr, mask, info))                                                                                \
	X(readlink, (fuse_req_t req, fuse_ino_t ino), (req, ino))                                                      \
	X(mknod, (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev),                        \
	  (req, parent, name, mode, dev))                                                                              \
	X(mkdir, (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode), (req, parent, name, mode))        \
	X(unlink, (fuse_req_t req, fuse_ino_t parent, const char *name), (req, parent, name))                          \
	X(rmdir, (fuse_req_t req, fuse_ino_t parent, const char *name), (req, parent, name))                           \
	X(symlink, (fuse_req_t req, const char *target, fuse_ino_t parent, const char *name),                          \
	  (req, target, parent, name))                                                                                 \
	X(rename,                                                                                                      \
	  (fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,           \
	   unsigned flags),                                                                                            \
	  (req, parent, name, new_parent, new_name, flags))                                                            \
	X(link, (fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name),                         \
	  (req, ino, new_parent, new_name))                                                                            \
	X(open, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info * info), (req, ino, info))                      \
	X(read, (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info * info),             \
	  (req, ino, size, offset, info))                                                                              \
	X(write,                                                                                                       \
	  (fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset, struct fuse_file_info *info),  \
	  (req, ino, data, size, offset, info))                                                                        \
	X(flush, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info * info), (req, ino, info))                     \
	X(release, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info * info), (req, ino, info))                   \
	X(fsync, (fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *info),                          \
	  (req, ino, datasync, info))                                                                                  \
	X(opendir, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info * info), (req, ino, info))                   \
	X(readdir, (fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info * info),          \
	  (req, ino, size, offset, info))                                                                              \
	X(releasedir, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info * info), (req, ino, info))                \
	X(fsyncdir, (fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *info),                       \
	  (req, ino, datasync, info))                                                                                  \
	X(statfs, (fuse_req_t req, fuse_ino_t ino), (req, ino))                                                        \
	X(setxattr, (fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags),     \
	  (req, ino, name, value, size, flags))                                                                        \
	X(getxattr, (fuse_req_t req, fuse_ino_t ino, const char *name, size_t size), (req, ino, name, size))           \
	X(listxattr, (fuse_req_t req, fuse_ino_t ino, size_t size), (req, ino, size))                                  \
	X(removexattr, (fuse_req_t req, fuse_ino_t ino, const char *name), (req, ino, name))                           \
	X(access, (fuse_req_t req, fuse_ino_t ino, int mask), (req, ino, mask))                                        \
	X(create, (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info),     \
	  (req, parent, name, mode, info))                                                                             \
	X(getlk, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info * info, struct flock * lock),                  \
	  (req, ino, info, lock))                                                                                      \
	X(setlk, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info * info, struct flock * lock, int sleep),       \
	  (req, ino, info, lock, sleep))                                                                               \
	X(flock, (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info * info, int op), (req, ino, info, op))         \
	X(ioctl,                                                                                                       \
	  (fuse_req_t req, fuse_ino_t ino, unsigned command, void *argument, struct fuse_file_info *info,              \
	   unsigned flags, const void *in, size_t in_size, size_t out_size),                                           \
	  (req, ino, command, argument, info, flags, in, in_size, out_size))                                           \
	X(fallocate,                                                                                                   \
	  (fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length, struct fuse_file_info *info),         \
	  (req, ino, mode, offset, length, info))                                                                      \
	X(copy_file_range,                                                                                             \
	  (fuse_req_t req, fuse_ino_t in, off_t in_at, struct fuse_file_info * in_info, fuse_ino_t out, off_t out_at,  \
	   struct fuse_file_info * out_info, size_t length, int flags),                                                \
	  (req, in, in_at, in_info, out, out_at, out_info, length, flags))                                             \
	X(lseek, (fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *info),              \
	  (req, ino, offset, whence, info))

#define NUMBER(name, parameters, arguments) NUMBER_##name,
enum { OPERATIONS(NUMBER) NUMBERS };

#define NAME(name, parameters, arguments) #name,
static const char *const names[] = {OPERATIONS(NAME)};

static _Atomic uint64_t counters[NUMBERS];
static struct fuse_lowlevel_ops wrapped;

#define WRAPPER(name, parameters, arguments)                                                                           \
	static void count_##name parameters                                                                            \
	{                                                                                                              \
		counters[NUMBER_##name]++;                                                                             \
		wrapped.name arguments;                                                                                \
		interrupts_end();                                                                                      \
	}
OPERATIONS(WRAPPER)

void counts_wrap(struct fuse_lowlevel_ops *ops)
{
	wrapped = *ops;
#define WRAP(name, parameters, arguments)                                                                              \
	if (ops->name)                                                                                                 \
		ops->name = count_##name;
	OPERATIONS(WRAP)
}

char *counts_text(struct farnova *fs, size_t *length)
{
	struct farnova_stats stats = {.size = sizeof(stats)};
	const char *operation;
	unsigned number = 0;
	uint64_t count;
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	if (!out)
		return NULL;
	for (unsigned i = 0; i < NUMBERS; i++)
		if (counters[i])
			fprintf(out, "fuse %s %llu\n", names[i], (unsigned long long)counters[i]);
	while ((operation = farnova_get_operation_stats(fs, &number, &count)))
		fprintf(out, "message %s %llu\n", operation, (unsigned long long)count);
	if (farnova_get_stats(fs, &stats) == 0)
		fprintf(out,
		        "received %llu\nread %llu\nread_bytes %llu\nwrite %llu\nwrite_bytes %llu\nconnections %llu\n",
		        (unsigned long long)stats.received, (unsigned long long)stats.reads,
		        (unsigned long long)stats.read_bytes, (unsigned long long)stats.writes,
		        (unsigned long long)stats.write_bytes, (unsigned long long)stats.connections);
	struct pages_counts pages = pages_count();
	fprintf(out, "fill %llu\nfill_once %llu\ndrop %llu\n", (unsigned long long)pages.filled,
	        (unsigned long long)pages.filled_once, (unsigned long long)pages.dropped);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
