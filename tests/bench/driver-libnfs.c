// driver-libnfs.c -- drives an NFS server from user space, through libnfs's synchronous calls.
#include "tests/bench/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <nfsc/libnfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// One request's data; libnfs and NFS-Ganesha do not agree about pieces of 1 MiB.
#define PIECE 65536u

// libnfs 4.0 cannot encode an NFSv4 WRITE of 4 KiB ("Failed to encode COMPOUND4args"), so writes may go by another
// version of the protocol than names and reads. Nothing is cached by libnfs, so the two agree on every byte.
struct nfs {
	const struct bench_place *place;
	struct nfs_context *context;
	struct nfs_context *writer; // the same as context, or by a URL of its own
};

struct nfs_file {
	struct nfsfh *reader;
	struct nfsfh *writer; // the same as reader, or opened on the writer's context
};

// libnfs's calls return -errno; the words behind it are worth showing once.
static int failed(struct nfs_context *context, const char *what, int rc)
{
	fprintf(stderr, "libnfs: %s: %s\n", what, nfs_get_error(context));
	return rc < 0 ? rc : -EIO;
}

static int path_of(const char *name, char path[static 64])
{
	return snprintf(path, 64, "/%s", name) < 64 ? 0 : -ENAMETOOLONG;
}

static void nfs_disconnect(void *subject)
{
	struct nfs *s = subject;

	if (s->writer && s->writer != s->context)
		nfs_destroy_context(s->writer);
	if (s->context)
		nfs_destroy_context(s->context);
	free(s);
}

static int mount_url(const char *where, struct nfs_context **out)
{
	struct nfs_context *context = nfs_init_context();

	if (!context)
		return -ENOMEM;
	struct nfs_url *url = nfs_parse_url_dir(context, where);
	int rc = url ? nfs_mount(context, url->server, url->path) : -EINVAL;
	if (url)
		nfs_destroy_url(url);
	if (rc) {
		rc = failed(context, where, rc);
		nfs_destroy_context(context);
		return rc;
	}
	*out = context;
	return 0;
}

static int nfs_connect(struct bench_place *place, const struct bench_scale *scale, void **subject)
{
	struct nfs *s = calloc(1, sizeof(*s));
	char *url = strdup(place->where);
	char *url_for_writes = url ? strchr(url, ' ') : NULL;
	int rc = -ENOMEM;

	if (!s || !url)
		goto done;
	if (url_for_writes)
		*url_for_writes++ = '\0';
	s->place = place;
	rc = mount_url(url, &s->context);
	s->writer = s->context;
	if (!rc && url_for_writes)
		rc = mount_url(url_for_writes, &s->writer);
	if (!rc)
		*subject = s;
done:
	if (rc && s)
		nfs_disconnect(s);
	free(url);
	return rc;
}

static int nfs_create_closed(void *subject, const char *name)
{
	struct nfs *s = subject;
	struct nfsfh *file;
	char path[64];

	if (path_of(name, path))
		return -ENAMETOOLONG;
	int rc = nfs_creat(s->context, path, 0644, &file);
	if (rc)
		return failed(s->context, "create", rc);
	rc = nfs_close(s->context, file);
	return rc ? failed(s->context, "close", rc) : 0;
}

static int nfs_stat_name(void *subject, const char *name)
{
	struct nfs *s = subject;
	struct nfs_stat_64 st;
	char path[64];

	if (path_of(name, path))
		return -ENAMETOOLONG;
	int rc = nfs_stat64(s->context, path, &st);
	return rc ? failed(s->context, "stat", rc) : 0;
}

static int nfs_rename_name(void *subject, const char *from, const char *to)
{
	struct nfs *s = subject;
	char old_path[64], new_path[64];

	if (path_of(from, old_path) || path_of(to, new_path))
		return -ENAMETOOLONG;
	int rc = nfs_rename(s->context, old_path, new_path);
	return rc ? failed(s->context, "rename", rc) : 0;
}

static int nfs_unlink_name(void *subject, const char *name)
{
	struct nfs *s = subject;
	char path[64];

	if (path_of(name, path))
		return -ENAMETOOLONG;
	int rc = nfs_unlink(s->context, path);
	return rc ? failed(s->context, "unlink", rc) : 0;
}

static int open_one(struct nfs_context *context, const char *path, int flags, struct nfsfh **file)
{
	int rc = nfs_open2(context, path, flags, 0644, file);

	return rc ? failed(context, "open", rc) : 0;
}

static int nfs_open_name(void *subject, const char *name, bool create, void **file)
{
	struct nfs *s = subject;
	struct nfs_file *f = calloc(1, sizeof(*f));
	char path[64];
	// With O_SYNC libnfs asks for FILE_SYNC writes: durable on return in one round trip.
	int flags = O_RDWR | (s->place->osync ? O_SYNC : 0);
	int rc = path_of(name, path);

	if (!f)
		return -ENOMEM;
	if (!rc)
		rc = open_one(s->writer, path, flags | (create ? O_CREAT : 0), &f->writer);
	f->reader = f->writer;
	if (!rc && s->writer != s->context) {
		rc = open_one(s->context, path, flags, &f->reader);
		if (rc)
			nfs_close(s->writer, f->writer);
	}
	if (rc) {
		free(f);
		return rc;
	}
	*file = f;
	return 0;
}

static int nfs_close_file(void *subject, void *file)
{
	struct nfs *s = subject;
	struct nfs_file *f = file;
	int rc = nfs_close(s->writer, f->writer);

	if (rc)
		rc = failed(s->writer, "close", rc);
	if (f->reader != f->writer && nfs_close(s->context, f->reader) && !rc)
		rc = failed(s->context, "close", -EIO);
	free(f);
	return rc;
}

static int nfs_read_file(void *subject, void *file, void *to, size_t n, uint64_t offset)
{
	struct nfs *s = subject;
	struct nfs_file *f = file;

	while (n) {
		int got = nfs_pread(s->context, f->reader, offset, n < PIECE ? n : PIECE, to);
		if (got <= 0)
			return failed(s->context, "read", got ? got : -ENODATA);
		to = (char *)to + got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int nfs_write_file(void *subject, void *file, const void *from, size_t n, uint64_t offset)
{
	struct nfs *s = subject;
	struct nfs_file *f = file;

	while (n) {
		int put = nfs_pwrite(s->writer, f->writer, offset, n < PIECE ? n : PIECE, from);
		if (put <= 0)
			return failed(s->writer, "write", put ? put : -EIO);
		from = (const char *)from + put;
		offset += (uint64_t)put;
		n -= (size_t)put;
	}
	if (!s->place->fsync || !s->place->durable)
		return 0;
	int rc = nfs_fsync(s->writer, f->writer);
	return rc ? failed(s->writer, "fsync", rc) : 0;
}

int main(int argc, char **argv)
{
	static const struct bench_api api = {
	    .usage = "an NFS URL of an empty directory as libnfs has it, nfs://HOST/PATH/?nfsport=PORT&version=3;\n"
	             "a second one after a space is for writes",
	    .keeps_data = true,
	    .connect = nfs_connect,
	    .disconnect = nfs_disconnect,
	    .create = nfs_create_closed,
	    .stat = nfs_stat_name,
	    .rename = nfs_rename_name,
	    .unlink = nfs_unlink_name,
	    .open = nfs_open_name,
	    .close = nfs_close_file,
	    .read = nfs_read_file,
	    .write = nfs_write_file,
	};

	return bench_driver_main(&api, argc, argv);
}
