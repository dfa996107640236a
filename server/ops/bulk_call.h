/*
 * bulk_call.h -- changes of one file that may take long: a bulk thread makes those that do.
 *
 *     announced by request_change --bulk_call: short--> made
 *     announced --bulk_call: long--> -EBUSY, the change ends; the request runs again with `by_bulk`:
 *     announced anew, without the session's own layout --bulk_call--> DEFERRED --made by a bulk thread-->
 *         the request runs again --bulk_call_ended--> the change is to be ended
 *
 * The layout of the session itself ends with such a change, because blocks that it frees could not be told to the
 * session's own list from another thread. Used by the session's thread.
 */
#ifndef FARNOVA_SERVER_BULK_CALL_H
#define FARNOVA_SERVER_BULK_CALL_H

#include "server/ops/request.h"

/* What is to be called: nova_fallocate, nova_setattr or nova_copy_commit. */
struct bulk_args {
	enum { BULK_FALLOCATE, BULK_SETATTR, BULK_COPY } what;
	struct nova_handle file; /* which is changed */
	uint32_t mask;           /* of SETATTR; the mode of FALLOCATE */
	uint64_t offset, length; /* FALLOCATE */
	struct nova_attr in;     /* SETATTR */
	struct nova_copy *copy;  /* COPY */
	nova_ino from;
};

/*
 * bulk_call -- make the change, which has been announced. 0: *result is what the core's function returned, and the caller
 * ends the change; what has become of args->copy is as nova_copy_commit says. DEFERRED: return that; the change and
 * args->copy have been taken over.
 */
int bulk_call(struct request *rq, const struct bulk_args *args, const struct layout_change *change,
              struct nova_attr *attr, ssize_t *result);

/*
 * bulk_call_ended -- whether a bulk thread has called this for the request. Then *result and `attr` are what bulk_call
 * gives, and the caller ends `change`. If it was about another file it is forgotten: the path leads to this one now.
 */
bool bulk_call_ended(struct request *rq, int what, struct nova_handle file, struct layout_change *change,
                     struct nova_attr *attr, ssize_t *result);

#endif
