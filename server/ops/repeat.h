/*
 * repeat.h -- the reply to a request that was executed before this session: in a lost one, or before a restart.
 */
#ifndef FARNOVA_SERVER_REPEAT_H
#define FARNOVA_SERVER_REPEAT_H

struct request;

/*
 * repeat_answer -- fill in the reply from rq->outcome, which is of the same operation, and from how things are now;
 * nothing is executed again. 0, or the status of the reply: -EBADF, -EMFILE, -ENOMEM, or for an open whose file is gone
 * -ECONNRESET or -ESTALE.
 */
int repeat_answer(struct request *rq);

#endif
