/*
 * repeat.h -- the reply to a request that was executed before this session: in a lost one, or before a restart.
 */
#ifndef FARNOVA_SERVER_REPEAT_H
#define FARNOVA_SERVER_REPEAT_H

struct request;

/*
 * repeat_answer -- fill in the reply from rq->outcome, which has the result of the first execution, and from the
 * present state of the file system. Nothing is executed again, but an open is opened again. 0, or the status of the
 * reply: -EBADF, -EMFILE, -ENOMEM; -ECONNRESET or -ESTALE for an open whose file is gone.
 */
int repeat_answer(struct request *rq);

#endif
