/*
 * repeat.c -- the reply to a request that was executed before this session.
 *
 * The outcome has the part of the reply that cannot be found out later (docs/format.md lists it for each operation).
 * Attributes are the present ones; if the inode is gone, the reply has only its handle and a mode.
 */
#include "server/ops/repeat.h"

#include "server/nova/clients.h"
#include "server/ops/ops.h"
#include "server/ops/request.h"
#include "server/state/session.h"

#include <errno.h>
#include <sys/stat.h>

/* The present attributes of an inode. If it is gone, another request removed it later: the old ones do not matter. */
static struct nova_attr attr_now(struct request *rq, struct nova_handle handle, uint32_t mode)
{
	struct nova_attr attr;

	if (nova_getattr(&rq->call, handle, &attr) < 0)
		attr = (struct nova_attr){.handle = handle, .mode = mode};
	return attr;
}

static int fill_attr(struct request *rq, struct nova_handle handle, uint32_t mode)
{
	const struct nova_attr attr = attr_now(rq, handle, mode);

	request_attr(&attr, &rq->out->attr.attr);
	return 0;
}

/* The present attributes of the file that the request changed. The client may not have it open any more: if it was
 * removed, opening it again has failed. */
static struct nova_attr file_attr(struct request *rq)
{
	return attr_now(rq, rq->outcome->file, S_IFREG);
}

static int fill_write(struct request *rq)
{
	const struct nova_result *result = &rq->outcome->result;

	rq->out->write.offset = result->offset;
	rq->out->write.size = result->size;
	rq->out->write.change = file_attr(rq).change;
	rq->out->write.dropped = true;
	rq->out->write.replaced_offset = rq->out->write.replaced_length = 0;
	rq->out->write.extent_count = 0;
	return 0;
}

static int fill_fallocate(struct request *rq)
{
	const struct nova_attr attr = file_attr(rq);

	request_attr(&attr, &rq->out->fallocate.attr);
	rq->out->fallocate.replaced_offset = rq->out->fallocate.replaced_length = 0;
	return 0;
}

static int fill_copy(struct request *rq)
{
	const struct nova_attr attr = file_attr(rq);

	rq->out->copy.count = rq->outcome->result.count;
	request_attr(&attr, &rq->out->copy.attr);
	rq->out->copy.replaced_offset = rq->out->copy.replaced_length = 0;
	return 0;
}

/* The outcome of an open that made its file has the file's handle; otherwise the open truncated the outcome's inode. */
static int open_again(struct request *rq, uint32_t flags)
{
	bool made = rq->outcome->result.made.ino.n != 0;

	int rc = ops_open_again(rq, made ? rq->outcome->result.made : rq->outcome->file, flags, made);
	/* For -ESTALE the library opens the name once more, or makes another file without a name. */
	bool exclusive = rq->in->op == PROTO_OPEN && flags & PROTO_OPEN_EXCLUSIVE;
	return rc == -ESTALE && exclusive ? -ECONNRESET : rc;
}

int repeat_answer(struct request *rq)
{
	const struct proto_request *in = rq->in;
	const struct nova_result *result = &rq->outcome->result;

	switch (in->op) {
	case PROTO_WRITE:
	case PROTO_WRITE_COMMIT:
		return fill_write(rq);
	case PROTO_FALLOCATE:
		return fill_fallocate(rq);
	case PROTO_COPY:
		return fill_copy(rq);
	case PROTO_OPEN:
	case PROTO_TMPFILE:
		return open_again(rq, in->open.flags);
	case PROTO_REOPEN:
		return open_again(rq, in->reopen.flags);
	case PROTO_CREATE:
		return fill_attr(rq, result->made, in->create.mode);
	case PROTO_SYMLINK:
		return fill_attr(rq, result->made, S_IFLNK | 0777);
	case PROTO_LINK:
		return fill_attr(rq, core_handle(in->link.file), S_IFREG);
	case PROTO_SETATTR:
		return fill_attr(rq, core_handle(in->setattr.handle), S_IFREG);
	case PROTO_RENAME:
		rq->out->rename.replaced_died = result->died;
		return 0;
	default:
		return 0;
	}
}
