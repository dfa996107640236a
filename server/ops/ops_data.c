/*
 * ops_data.c -- operations on bytes: READ, WRITE, WRITE_COMMIT, LAYOUT_GET.
 */
#include "server/net/conn.h"
#include "server/ops/grant.h"
#include "server/ops/ops.h"
#include "server/ops/request.h"
#include "server/state/session.h"
#include "server/state/state.h"

#include <errno.h>
#include <sys/stat.h>

#define BLOCK         4096u
/* The most extents in the reply to a write; the client asks for others when it needs them. */
#define WRITE_EXTENTS 16u

int ops_get_open(const struct request *rq, uint64_t id, uint32_t access, const struct open **out)
{
	const struct open *open = open_table_get(&rq->session->opens, id);

	if (!open || !(open->flags & access))
		return -EBADF;
	if (S_ISDIR(open->file->mode))
		return -EISDIR;
	*out = open;
	return 0;
}

int op_read(struct request *rq)
{
	const struct open *open;

	int rc = ops_get_open(rq, rq->in->read.open, PROTO_OPEN_READ, &open);
	if (rc < 0)
		return rc;
	if (rq->in->read.length > conn_reply_room(rq->conn) - PROTO_READ_FIXED)
		return -EINVAL;
	rq->call.opened = true;
	struct nova_handle file = core_handle(open->file->handle);
	ssize_t count = nova_read(&rq->call, file, rq->in->read.offset, rq->state->data, rq->in->read.length);
	if (count < 0)
		return (int)count;
	if (!(open->flags & PROTO_OPEN_NOATIME))
		request_accessed(rq, file, NULL);
	rq->out->read.length = (uint32_t)count;
	rq->out->read.data = rq->state->data;
	return 0;
}

/* Say in the reply to a write that the session's own layout continues, and which range has new extents. */
static void put_replaced(struct request *rq, const struct layout_effect *effect)
{
	struct proto_reply *out = rq->out;
	uint64_t size;

	out->write.dropped = false;
	out->write.replaced_offset = 0;
	out->write.replaced_length = 0;
	out->write.extent_count = 0;
	if (!effect->holder || effect->length == 0)
		return;
	out->write.replaced_offset = effect->offset;
	out->write.replaced_length = effect->length;
	/* Over verbs new blocks are registered only when the client asks for them: registering costs more than the
	 * write, and a file that is being written is often not read. */
	if (transport_conn_kind(rq->conn->transport) == TRANSPORT_VERBS)
		return;
	int granted =
	    grant_extents(rq, effect->holder, effect->offset, effect->length, out->write.extents, WRITE_EXTENTS, &size);
	out->write.extent_count = granted > 0 ? (uint32_t)granted : 0;
}

uint64_t ops_old_size(struct request *rq, struct proto_handle file, const struct layout_change *change)
{
	struct nova_attr attr;

	return change->own && nova_getattr(&rq->call, core_handle(file), &attr) == 0 ? attr.size : 0;
}

void ops_range_changed(uint64_t old_size, uint64_t offset, uint64_t length, uint64_t *from, uint64_t *count)
{
	uint64_t start = old_size < offset ? old_size : offset;
	uint64_t end = (offset + length + BLOCK - 1) / BLOCK * BLOCK;

	*from = start / BLOCK * BLOCK;
	*count = end - *from;
}

/*
 * A growing file gets one region for adjacent blocks, not one for each write: the region before the new data is
 * registered again, together with them.
 */
static void include_previous(const struct region_set *set, uint64_t *from, uint64_t *count)
{
	const struct region *previous = *from % REGION_CHUNK ? region_next(set, *from - 1, *from) : NULL;

	if (!previous || previous->offset + previous->length != *from)
		return;
	*count += *from - previous->offset;
	*from = previous->offset;
}

static int write_bytes(struct request *rq, const struct open *open, uint64_t offset, uint32_t flags, const void *data,
                       uint32_t length)
{
	struct layout_change change;
	struct layout_effect effect;
	struct nova_attr attr = {0};
	uint64_t from = 0, count = 0;

	struct nova_handle file = core_handle(open->file->handle);
	bool append = flags & PROTO_WRITE_APPEND || open->flags & PROTO_OPEN_APPEND;
	int rc = request_change_open(rq, open, append, false, &change);
	if (rc != 0)
		return rc;

	rq->call.opened = true;
	uint64_t old_size = ops_old_size(rq, open->file->handle, &change);
	ssize_t written = nova_write(&rq->call, file, offset, data, length, append ? NOVA_WRITE_APPEND : 0, &attr);
	if (written >= 0) {
		offset = append ? attr.size - length : offset;
		ops_range_changed(old_size, offset, length, &from, &count);
		if (change.own && attr.size > old_size && transport_conn_kind(rq->conn->transport) == TRANSPORT_TCP)
			include_previous(&change.own->regions, &from, &count);
	}
	layout_change_end(&change, from, count, &effect);
	if (written < 0)
		return request_space(rq, (int)written);
	rq->out->write.offset = offset;
	rq->out->write.size = attr.size;
	rq->out->write.change = attr.change;
	put_replaced(rq, &effect);
	return 0;
}

int op_write(struct request *rq)
{
	const struct open *open;

	int rc = ops_get_open(rq, rq->in->write.open, PROTO_OPEN_WRITE, &open);
	return rc < 0 ? rc
	              : write_bytes(rq, open, rq->in->write.offset, rq->in->write.flags, rq->in->write.data,
	                            rq->in->write.length);
}

/*
 * The client could change the staged bytes while they are copied. They are its own data in its own file, and nothing
 * here depends on their values.
 */
int op_write_commit(struct request *rq)
{
	uint64_t ring = rq->shared->config->staging_size;
	uint64_t staging = rq->in->write_commit.staging;
	uint32_t length = rq->in->write_commit.length;
	const struct open *open;

	/* First: a client that only asks whether the write was executed has neither an open nor a ring. */
	int rc = ops_get_open(rq, rq->in->write_commit.open, PROTO_OPEN_WRITE, &open);
	if (rc < 0)
		return rc;
	if ((rq->conn && !rq->session->staging_region) || length > ring || staging > ring - length) {
		conn_log_peer_error(rq->conn, "WRITE_COMMIT", "the range is not within a staging ring that it has");
		return -EINVAL;
	}
	return write_bytes(rq, open, rq->in->write_commit.offset, rq->in->write_commit.flags,
	                   rq->session->staging + staging, length);
}

int op_layout_get(struct request *rq)
{
	struct proto_reply *out = rq->out;
	struct layout_holder *holder;
	const struct open *open;
	struct nova_attr attr;

	int rc = ops_get_open(rq, rq->in->layout_get.open, PROTO_OPEN_READ, &open);
	if (rc < 0)
		return rc;
	out->layout.granted = false;
	out->layout.extent_count = 0;
	out->layout.size = 0;
	rq->call.opened = true;
	if (S_ISREG(open->file->mode) && layout_grant(&rq->session->layouts, open->file->handle, &holder) == 0) {
		uint64_t window = extent_window(rq);
		uint64_t length = rq->in->layout_get.length < window ? rq->in->layout_get.length : window;
		rc = grant_extents(rq, holder, rq->in->layout_get.offset, length, out->layout.extents,
		                   PROTO_MAX_EXTENTS, &out->layout.size);
		if (rc < 0)
			return rc;
		out->layout.extent_count = (uint32_t)rc;
		/* Beyond the end there are no extents, and a layout that says so is useful. */
		out->layout.granted = out->layout.extent_count > 0 || rq->in->layout_get.offset >= out->layout.size;
	}
	if (out->layout.granted && !(open->flags & PROTO_OPEN_NOATIME))
		request_accessed(rq, core_handle(open->file->handle), NULL);
	if (out->layout.granted)
		return 0;
	rc = nova_getattr(&rq->call, core_handle(open->file->handle), &attr);
	out->layout.size = attr.size;
	return rc;
}
