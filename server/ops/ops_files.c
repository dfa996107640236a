/*
 * ops_files.c -- operations on inodes, opens and the session: GETATTR, SETATTR, ACCESS, STATFS, OPEN, REOPEN, CLOSE,
 * CRED, PING.
 */
#include "server/net/conn.h"
#include "server/ops/bulk_call.h"
#include "server/ops/grant.h"
#include "server/ops/ops.h"
#include "server/ops/request.h"
#include "server/ops/walk.h"
#include "server/state/session.h"
#include "server/state/state.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CREATE_RACES 8 /* how often others may create and remove a name between look-up and creation */

int op_cred(struct request *rq)
{
	return cred_set(&rq->session->creds, rq->in->cred_set.number, rq->shared->config->squash_root,
	                rq->in->cred_set.uid, rq->in->cred_set.gid, rq->in->cred_set.group_count,
	                rq->in->cred_set.groups);
}

int op_ping(struct request *rq)
{
	return 0; /* only its header matters, which dispatch has used */
}

int op_getattr(struct request *rq)
{
	struct nova_attr attr;

	int rc = nova_getattr(&rq->call, core_handle(rq->in->getattr.handle), &attr);
	if (rc < 0)
		return rc;
	request_attr(&attr, &rq->out->attr.attr);
	return 0;
}

int op_access(struct request *rq)
{
	return nova_access(&rq->call, core_handle(rq->in->access.handle), (int)rq->in->access.mask);
}

int op_statfs(struct request *rq)
{
	struct nova_statfs st;

	int rc = nova_statfs_at(&rq->call, core_handle(rq->in->statfs.handle), &st);
	if (rc < 0)
		return rc;
	rq->out->statfs.blocks = st.blocks;
	rq->out->statfs.free_blocks = st.available_blocks;
	rq->out->statfs.inodes = st.inodes;
	rq->out->statfs.inode_limit = st.inode_limit;
	memcpy(rq->out->statfs.pool, st.uuid, sizeof(st.uuid));
	rq->out->statfs.name_max = WALK_NAME_MAX;
	return 0;
}

/* ---- attributes ------------------------------------------------------------------------------------------------- */

static_assert(PROTO_SET_MODE == NOVA_SET_MODE && PROTO_SET_UID == NOVA_SET_UID && PROTO_SET_GID == NOVA_SET_GID &&
                  PROTO_SET_SIZE == NOVA_SET_SIZE && PROTO_SET_ATIME == NOVA_SET_ATIME &&
                  PROTO_SET_MTIME == NOVA_SET_MTIME && PROTO_SET_ATIME_NOW == NOVA_SET_ATIME_NOW &&
                  PROTO_SET_MTIME_NOW == NOVA_SET_MTIME_NOW && PROTO_SET_FLAGS == NOVA_SET_FLAGS &&
                  PROTO_SET_PROJECT == NOVA_SET_PROJECT && PROTO_FILE_PROJECT_INHERIT == NOVA_FILE_PROJECT_INHERIT &&
                  PROTO_FILE_IMMUTABLE == NOVA_FILE_IMMUTABLE && PROTO_FILE_APPEND == NOVA_FILE_APPEND,
              "masks pass through");

/* A change of size ends all layouts, also the session's own. */
static int set_attributes(struct request *rq, struct nova_handle handle, uint32_t mask, const struct nova_attr *in,
                          struct nova_attr *out)
{
	struct layout_change change;
	struct layout_effect effect;

	if (!(mask & NOVA_SET_SIZE))
		return nova_setattr(&rq->call, handle, mask, in, out);
	const struct bulk_args args = {.what = BULK_SETATTR, .file = handle, .mask = mask, .in = *in};
	ssize_t result = 0;
	if (!bulk_call_ended(rq, BULK_SETATTR, handle, &change, out, &result)) {
		int rc = nova_may_setattr(&rq->call, handle, mask, in);
		if (rc == 0)
			rc = request_change(rq, wire_handle(handle), true, &change);
		if (rc == 0)
			rc = bulk_call(rq, &args, &change, out, &result);
		if (rc != 0)
			return rc;
	}
	layout_change_end(&change, 0, 0, &effect);
	return request_space(rq, (int)result);
}

int op_setattr(struct request *rq)
{
	const struct proto_request *in = rq->in;
	const struct nova_attr values = {
	    .mode = in->setattr.mode,
	    .uid = in->setattr.uid,
	    .gid = in->setattr.gid,
	    .flags = in->setattr.flags,
	    .project = in->setattr.project,
	    .size = in->setattr.size,
	    .atime_ns = in->setattr.atime_ns,
	    .mtime_ns = in->setattr.mtime_ns,
	};
	struct nova_attr attr;

	if (in->setattr.open != 0) {
		const struct open *open = open_table_get(&rq->session->opens, in->setattr.open);
		if (!open || open->file->handle.ino != in->setattr.handle.ino ||
		    open->file->handle.generation != in->setattr.handle.generation)
			return -EBADF;
		if (in->setattr.mask & PROTO_SET_SIZE && !(open->flags & PROTO_OPEN_WRITE))
			return -EINVAL;
		rq->call.opened =
		    open->flags & PROTO_OPEN_WRITE; /* the open may change the size and clear set-ID bits */
	}
	int rc = set_attributes(rq, core_handle(in->setattr.handle), in->setattr.mask, &values, &attr);
	if (rc == 0)
		request_attr(&attr, &rq->out->attr.attr);
	return rc;
}

/* ---- open ------------------------------------------------------------------------------------------------------- */

/* Checks that do not depend on the permissions of the mode. */
static int check_open(struct request *rq, const struct nova_attr *attr, uint32_t flags)
{
	if (flags & PROTO_OPEN_PATH)
		return 0;
	/* Of a link too, which O_NOFOLLOW alone refuses with ELOOP. */
	if (flags & PROTO_OPEN_DIRECTORY && !S_ISDIR(attr->mode))
		return -ENOTDIR;
	if (S_ISLNK(attr->mode))
		return -ELOOP;
	if (S_ISDIR(attr->mode) && flags & (PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE))
		return -EISDIR;
	if (flags & PROTO_OPEN_NOATIME && rq->call.cred->uid != 0 && rq->call.cred->uid != attr->uid)
		return -EPERM;
	if (flags & PROTO_OPEN_EXECUTE && !S_ISREG(attr->mode))
		return -EACCES;
	if (!S_ISREG(attr->mode) && !S_ISDIR(attr->mode))
		return -ENXIO; /* the client's kernel handles FIFOs, sockets and devices */
	if (rq->shared->config->read_only && flags & (PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE))
		return -EROFS;
	/* The flags apply to the owner too, and to an owner who reclaims an open. */
	if (flags & (PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE) && attr->flags & NOVA_FILE_IMMUTABLE)
		return -EPERM;
	if (flags & (PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE) && attr->flags & NOVA_FILE_APPEND &&
	    (!(flags & PROTO_OPEN_APPEND) || flags & PROTO_OPEN_TRUNCATE))
		return -EPERM;
	return 0;
}

static int may_open(struct request *rq, const struct nova_attr *attr, uint32_t flags)
{
	int mask = (flags & PROTO_OPEN_READ ? R_OK : 0) | (flags & (PROTO_OPEN_WRITE | PROTO_OPEN_TRUNCATE) ? W_OK : 0);

	/* A program of mode 0711 may be executed, and therefore read by the kernel, by users who may not read it. */
	if (flags & PROTO_OPEN_EXECUTE)
		mask = X_OK;
	return nova_access(&rq->call, attr->handle, mask);
}

static int truncate_opened(struct request *rq, struct nova_attr *attr)
{
	const struct nova_attr empty = {.size = 0};

	rq->call.opened = true;
	int rc = set_attributes(rq, attr->handle, NOVA_SET_SIZE, &empty, attr);
	rq->call.opened = false;
	return rc;
}

static void grant_opened(struct request *rq, struct proto_handle handle)
{
	struct proto_reply *out = rq->out;
	struct layout_holder *holder;
	uint64_t size;

	if (layout_grant(&rq->session->layouts, handle, &holder) < 0)
		return;
	rq->call.opened = true;
	int count = grant_extents(rq, holder, 0, extent_window(rq), out->open.extents, PROTO_MAX_EXTENTS, &size);
	if (count < 0)
		return; /* the open succeeds without a layout: LAYOUT_GET or READ will wait, or return the error */
	out->open.extent_count = (uint32_t)count;
	out->open.layout = true;
	/* After the grant the file changes only with a recall, so this size matches the extents. */
	out->open.attr.size = size;
}

/* Open the inode, which exists and may be opened; open_table_reserve has made room. */
static int open_inode(struct request *rq, struct nova_attr *attr, uint32_t flags, bool created)
{
	struct proto_reply *out = rq->out;
	uint32_t keep = flags & (PROTO_OPEN_READ | PROTO_OPEN_WRITE | PROTO_OPEN_APPEND | PROTO_OPEN_DIRECTORY |
	                         PROTO_OPEN_NOATIME);

	if (flags & PROTO_OPEN_TRUNCATE && !created) {
		int rc = truncate_opened(rq, attr);
		if (rc != 0)
			return rc;
	}
	struct proto_handle handle = wire_handle(attr->handle);
	int rc = open_table_add(&rq->session->opens, &rq->call, handle, keep, attr->mode & S_IFMT, &out->open.open);
	if (rc < 0)
		return rc;
	out->open.created = created;
	out->open.layout = false;
	out->open.extent_count = 0;
	request_attr(attr, &out->open.attr);
	if (flags & PROTO_OPEN_LAYOUT && flags & PROTO_OPEN_READ && S_ISREG(attr->mode))
		grant_opened(rq, handle);
	/* The client may now read without a request, so the access time is set here. */
	if (out->open.layout && !(flags & PROTO_OPEN_NOATIME))
		request_accessed(rq, attr->handle, attr);
	return 0;
}

/* Find the inode; if it does not exist, create it if the request has CREATE. */
static int find_or_create(struct request *rq, struct walk *walk, bool *created)
{
	const struct proto_request *in = rq->in;
	uint32_t flags = in->open.flags;
	bool nofollow = flags & (PROTO_OPEN_NOFOLLOW | PROTO_OPEN_EXCLUSIVE);

	rq->walked = true;
	*created = false;
	for (int i = 0; i < CREATE_RACES; i++) {
		int rc = walk_path(&rq->call, core_handle(rq->shared->root), core_handle(in->open.dir), in->open.path,
		                   nofollow, flags & PROTO_OPEN_CREATE, walk);
		if (rc < 0)
			return rc;
		if (walk->found)
			return flags & PROTO_OPEN_EXCLUSIVE ? -EEXIST : 0;
		if (walk->slash)
			return -EISDIR;
		rq->call.umask = in->open.umask;
		rc = nova_create_open(&rq->call, walk->dir, walk->name, walk->length, in->open.mode, &walk->attr);
		*created = rc == 0;
		if (rc != -EEXIST)
			return rc;
	}
	return -EEXIST;
}

int op_open(struct request *rq)
{
	struct walk walk;
	bool created;

	int rc = open_table_reserve(&rq->session->opens);
	if (rc < 0)
		return rc;
	rc = find_or_create(rq, &walk, &created);
	if (rc < 0)
		return request_space(rq, rc);
	if (!created) {
		if (S_ISDIR(walk.attr.mode) && rq->in->open.flags & PROTO_OPEN_CREATE)
			return -EISDIR;
		rc = check_open(rq, &walk.attr, rq->in->open.flags);
		if (rc == 0)
			rc = may_open(rq, &walk.attr, rq->in->open.flags);
		if (rc < 0)
			return rc;
	}
	rc = open_inode(rq, &walk.attr, rq->in->open.flags, created);
	/* Drop the pin of nova_create_open: the open has its own now. */
	if (created)
		nova_close(&rq->call, walk.attr.handle);
	return rc;
}

/* The creator gets the access that it asks for, whatever the mode of the file, as for OPEN with CREATE. */
int op_tmpfile(struct request *rq)
{
	const struct proto_request *in = rq->in;
	struct nova_attr attr;
	struct walk walk;

	rq->walked = true;
	int rc = open_table_reserve(&rq->session->opens);
	if (rc == 0)
		rc = walk_path(&rq->call, core_handle(rq->shared->root), core_handle(in->open.dir), in->open.path,
		               false, false, &walk);
	if (rc < 0)
		return rc;
	rq->call.umask = in->open.umask;
	rc = nova_tmpfile(&rq->call, walk.attr.handle, in->open.mode, !(in->open.flags & PROTO_OPEN_EXCLUSIVE), &attr);
	if (rc < 0)
		return request_space(rq, rc);
	/* Drop the pin of nova_tmpfile: the open has its own now. */
	rc = open_inode(rq, &attr, in->open.flags & ~PROTO_OPEN_EXCLUSIVE, true);
	nova_close(&rq->call, attr.handle);
	return rc;
}

int op_reopen(struct request *rq)
{
	struct nova_attr attr;

	int rc = open_table_reserve(&rq->session->opens);
	if (rc == 0)
		rc = nova_getattr(&rq->call, core_handle(rq->in->reopen.handle), &attr);
	if (rc == 0)
		rc = check_open(rq, &attr, rq->in->reopen.flags);
	if (rc < 0)
		return rc;
	/*
	 * A file that was created with mode 0444 and is being written must be opened again after a restart of the
	 * server, so the mode is not checked for the owner. That gives the owner nothing new: the owner may change the
	 * mode.
	 */
	bool reclaim = rq->in->reopen.flags & PROTO_OPEN_RECLAIM && attr.uid == rq->call.cred->uid;
	if (!reclaim)
		rc = may_open(rq, &attr, rq->in->reopen.flags);
	return rc < 0 ? rc : open_inode(rq, &attr, rq->in->reopen.flags, false);
}

int ops_open_again(struct request *rq, struct nova_handle file, uint32_t flags, bool created)
{
	struct nova_attr attr;

	int rc = open_table_reserve(&rq->session->opens);
	if (rc == 0)
		rc = nova_getattr(&rq->call, file, &attr);
	if (rc < 0)
		return rc;
	return open_inode(rq, &attr, flags & ~(PROTO_OPEN_TRUNCATE | PROTO_OPEN_EXCLUSIVE), created);
}

int op_close(struct request *rq)
{
	return session_close_open(rq->session, rq->in->close.open);
}
