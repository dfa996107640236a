/*
 * cancel.c -- the public calls that cancel other calls.
 */
#include "client/link/cancel.h"
#include "client/include/farnova.h"
#include "client/session/session.h"

void farnova_set_tag(uint64_t tag)
{
	cancel_set_tag(tag);
}

void farnova_cancel(struct farnova *fs, uint64_t tag)
{
	cancel_tag(&fs->link, tag);
}

void farnova_cancel_all(struct farnova *fs)
{
	cancel_all(&fs->link);
}
