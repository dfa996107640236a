/*
 * bulk_call.h -- changes of one file that may take long; a bulk thread makes them if they do.
 *
 *     announced by request_change --bulk_call: short--> made
 *     announced --bulk_call: long--> -EBUSY, the change ends; the request runs again with `by_bulk`:
 *     announced anew, without the session's own layout --bulk_call--> DEFERRED --made by a bulk thread-->
 *         the request runs again --bulk_call_ended--> the change is to be ended
 *
 * Such a change ends the layout of the session itself, because another thread cannot add the blocks that it frees to
 * the session's own list. Used by the session's thread.
 */
#ifndef FARNOVA_SERVER_BULK_CALL_H
#define FARNOVA_SERVER_BULK_CALL_H

#include "server/ops/request.h"

/* A call of nova_fallocate, nova_setattr or nova_copy_commit. */
struct bulk_args {
	enum { BULK_FALLOCATE, BULK_SETATTR, BULK_COPY } what;
	struct nova_handle file; /* the file that it changes */
	uint32_t mask;           /* of SETATTR; the mode of FALLOCATE */
	uint64_t offset, length; /* FALLOCATE */
	struct nova_attr in;     /* SETATTR */
	struct nova_copy *copy;  /* COPY */
	nova_ino from;
};

/*
 * bulk_call -- make the change, which has been announced. 0: *result is what the core's function returned, args->copy
 * is as nova_copy_commit says, and the caller must end the change. DEFERRED: the caller returns that; the change and
 * args->copy now belong to the bulk thread's work.
 */
int bulk_call(struct request *rq, const struct bulk_args *args, const struct layout_change *change,
              struct nova_attr *attr, ssize_t *result);

/*
 * bulk_call_ended -- whether a bulk thread has made this call for the request. If so, *result and *attr are set as by
 * bulk_call, and the caller must end *change. A call for another file does not count and is dropped: the request's path
 * leads to this file by now.
 */
bool bulk_call_ended(struct request *rq, int what, struct nova_handle file, struct layout_change *change,
                     struct nova_attr *attr, ssize_t *result);

#endif
