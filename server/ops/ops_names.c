/*
 * ops_names.c -- operations on names: LOOKUP, CREATE, SYMLINK, LINK, UNLINK, RMDIR, RENAME, READDIR, READLINK.
 */
#include "server/net/conn.h"
#include "server/ops/ops.h"
#include "server/ops/request.h"
#include "server/ops/walk.h"
#include "server/state/session.h"
#include "server/state/state.h"

#include <errno.h>
#include <sys/stat.h>

static struct nova_handle root_of(const struct request *rq)
{
	return core_handle(rq->shared->root);
}

static int parent_of(struct request *rq, struct proto_handle dir, struct proto_string path, struct walk *walk)
{
	rq->walked = true;
	return walk_parent(&rq->call, root_of(rq), core_handle(dir), path, walk);
}

/* Quarantined blocks may become free. */
static int retry_space(struct request *rq, int rc)
{
	return request_space(rq, rc);
}

static int with_attr(struct request *rq, int rc, const struct nova_attr *attr)
{
	if (rc == 0)
		request_attr(attr, &rq->out->attr.attr);
	return retry_space(rq, rc);
}

int op_lookup(struct request *rq)
{
	struct proto_reply *out = rq->out;
	uint32_t flags = rq->in->lookup.flags;
	struct nova_attr directory;
	struct walk walk;

	rq->walked = true;
	int rc = walk_path(&rq->call, root_of(rq), core_handle(rq->in->lookup.dir), rq->in->lookup.path,
	                   flags & PROTO_LOOKUP_NOFOLLOW, flags & PROTO_LOOKUP_DIRECTORY, &walk);
	if (rc < 0)
		return rc;
	out->lookup.found = walk.found;
	if (walk.found)
		request_attr(&walk.attr, &out->lookup.attr);
	out->lookup.has_directory =
	    flags & PROTO_LOOKUP_DIRECTORY && nova_getattr(&rq->call, walk.dir, &directory) == 0;
	if (out->lookup.has_directory)
		request_attr(&directory, &out->lookup.directory);
	return 0;
}

/* A new name cannot be empty, "." or "..": those exist. */
static int check_new_name(const struct walk *walk)
{
	bool dots = (walk->length == 1 && walk->name[0] == '.') ||
	            (walk->length == 2 && walk->name[0] == '.' && walk->name[1] == '.');

	return walk->length == 0 || dots ? -EEXIST : 0;
}

/* Find the directory for a new name. Only the name of a directory may end with a slash. */
static int new_name(struct request *rq, struct proto_handle dir, struct proto_string path, bool directory,
                    struct walk *walk)
{
	int rc = parent_of(rq, dir, path, walk);
	if (rc == 0)
		rc = check_new_name(walk);
	if (rc == 0 && walk->slash && !directory)
		rc = -ENOENT;
	return rc;
}

int op_create(struct request *rq)
{
	struct nova_attr attr;
	struct walk walk;

	int rc = new_name(rq, rq->in->create.dir, rq->in->create.path, S_ISDIR(rq->in->create.mode), &walk);
	if (rc < 0)
		return rc;
	rq->call.umask = rq->in->create.umask;
	rc = nova_create(&rq->call, walk.dir, walk.name, walk.length, rq->in->create.mode, rq->in->create.rdev, &attr);
	return with_attr(rq, rc, &attr);
}

int op_symlink(struct request *rq)
{
	struct proto_string target = rq->in->symlink.target;
	struct nova_attr attr;
	struct walk walk;

	int rc = new_name(rq, rq->in->symlink.dir, rq->in->symlink.path, false, &walk);
	if (rc < 0)
		return rc;
	rc = nova_symlink(&rq->call, walk.dir, walk.name, walk.length, target.data, target.length, &attr);
	return with_attr(rq, rc, &attr);
}

int op_link(struct request *rq)
{
	struct nova_attr attr;
	struct walk walk;

	int rc = new_name(rq, rq->in->link.dir, rq->in->link.path, false, &walk);
	if (rc < 0)
		return rc;
	rc = nova_link(&rq->call, core_handle(rq->in->link.file), walk.dir, walk.name, walk.length, &attr);
	return with_attr(rq, rc, &attr);
}

/* If a slash follows the name that is to be removed, it must be the name of a directory. */
static int check_slash(struct request *rq, const struct walk *walk)
{
	struct nova_attr attr;

	if (!walk->slash)
		return 0;
	int rc = nova_lookup(&rq->call, walk->dir, walk->name, walk->length, &attr);
	if (rc < 0)
		return rc;
	return S_ISDIR(attr.mode) ? 0 : -ENOTDIR;
}

int op_unlink(struct request *rq)
{
	struct walk walk;

	int rc = parent_of(rq, rq->in->unlink.dir, rq->in->unlink.path, &walk);
	if (rc == 0 && walk.length == 0)
		rc = -EISDIR;
	if (rc == 0)
		rc = check_slash(rq, &walk);
	if (rc < 0)
		return rc;
	return retry_space(rq, nova_unlink(&rq->call, walk.dir, walk.name, walk.length, NULL));
}

int op_rmdir(struct request *rq)
{
	struct walk walk;

	int rc = parent_of(rq, rq->in->rmdir.dir, rq->in->rmdir.path, &walk);
	if (rc == 0 && walk.length == 0)
		rc = -EBUSY;
	if (rc < 0)
		return rc;
	return retry_space(rq, nova_rmdir(&rq->call, walk.dir, walk.name, walk.length, NULL));
}

int op_rename(struct request *rq)
{
	const struct proto_request *in = rq->in;
	struct nova_attr replaced = {0}, moved;
	struct walk from, to;

	int rc = parent_of(rq, in->rename.from_dir, in->rename.from, &from);
	if (rc < 0)
		return rc;
	rc = parent_of(rq, in->rename.to_dir, in->rename.to, &to);
	if (rc < 0)
		return rc;
	if (from.length == 0 || to.length == 0)
		return -EBUSY;
	if (from.slash || to.slash) {
		rc = nova_lookup(&rq->call, from.dir, from.name, from.length, &moved);
		if (rc < 0)
			return rc;
		if (!S_ISDIR(moved.mode))
			return -ENOTDIR;
	}
	rc = nova_rename(&rq->call, from.dir, from.name, from.length, to.dir, to.name, to.length, in->rename.flags,
	                 &replaced);
	rq->out->rename.replaced_died = rc == 0 && replaced.handle.ino.n != 0 && replaced.nlink == 0;
	return retry_space(rq, rc);
}

/* ---- directories and links -------------------------------------------------------------------------------------- */

struct listing {
	uint8_t *buffer;
	size_t size, used;
	bool full;
};

static bool list_entry(void *context, const struct nova_dirent *entry)
{
	struct listing *listing = context;
	const struct proto_dirent out = {
	    .cookie = entry->cookie,
	    .ino = entry->ino.n,
	    .type = entry->type,
	    .name = entry->name,
	    .length = (uint32_t)entry->length,
	};

	listing->full = !proto_dirent_put(listing->buffer, listing->size, &listing->used, &out);
	return !listing->full;
}

/* The inode number of the parent; the directory's own if that is unknown. -EBUSY: the caller must defer, see
 * nova_may_defer. */
static int parent_number(struct request *rq, struct proto_handle dir, uint64_t *parent)
{
	struct nova_attr attr;

	int rc = nova_lookup(&rq->call, core_handle(dir), "..", 2, &attr);
	*parent = rc == 0 ? attr.handle.ino.n : dir.ino;
	return rc == -EBUSY ? rc : 0;
}

int op_readdir(struct request *rq)
{
	const struct proto_request *in = rq->in;
	uint32_t limit = conn_reply_room(rq->conn) - PROTO_READDIR_FIXED;
	struct listing listing = {.buffer = rq->state->data};
	uint64_t until = in->readdir.until;
	bool noatime = false;

	if (in->readdir.open != 0) {
		const struct open *open = open_table_get(&rq->session->opens, in->readdir.open);
		if (!open || !(open->flags & PROTO_OPEN_READ) || open->file->handle.ino != in->readdir.handle.ino ||
		    open->file->handle.generation != in->readdir.handle.generation)
			return -EBADF;
		rq->call.opened = true;
		noatime = open->flags & PROTO_OPEN_NOATIME;
	}
	listing.size = in->readdir.size < limit ? in->readdir.size : limit;
	int rc =
	    nova_readdir(&rq->call, core_handle(in->readdir.handle), in->readdir.cookie, &until, list_entry, &listing);
	/* For a damaged directory in a rescue mount, the readable names come first; the next call gets the error. */
	bool more = listing.full || (rc == -EIO && listing.used > 0);
	if (rc < 0 && !more)
		return rc;
	if (listing.full && listing.used == 0)
		return -EINVAL; /* no entry fits into the requested size */
	if (parent_number(rq, in->readdir.handle, &rq->out->readdir.parent) < 0)
		return -EBUSY;
	if (!noatime)
		request_accessed(rq, core_handle(in->readdir.handle), NULL);
	rq->out->readdir.end = !more;
	rq->out->readdir.until = until;
	rq->out->readdir.length = (uint32_t)listing.used;
	rq->out->readdir.entries = rq->state->data;
	return 0;
}

int op_readlink(struct request *rq)
{
	ssize_t length =
	    nova_readlink(&rq->call, core_handle(rq->in->readlink.handle), (char *)rq->state->data, PROTO_MAX_LINK);

	if (length < 0)
		return (int)length;
	request_accessed(rq, core_handle(rq->in->readlink.handle), NULL);
	rq->out->readlink.target.data = (const char *)rq->state->data;
	rq->out->readlink.target.length = (uint32_t)(length < PROTO_MAX_LINK ? length : PROTO_MAX_LINK);
	return 0;
}
