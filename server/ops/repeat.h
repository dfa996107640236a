/*
 * repeat.h -- the reply to a repeated request that an earlier session, or the server before a restart, has executed.
 */
#ifndef FARNOVA_SERVER_REPEAT_H
#define FARNOVA_SERVER_REPEAT_H

struct request;

/*
 * repeat_answer -- fill in the reply from rq->outcome, which is of the same operation, and from the present state of
 * the inodes; nothing is executed again. 0, or the status of the reply: -EBADF, -EMFILE, -ENOMEM; -ECONNRESET or
 * -ESTALE for an open whose file no longer exists.
 */
int repeat_answer(struct request *rq);

#endif
