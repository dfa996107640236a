/*
 * opening.h -- opens and closes files.
 */
#ifndef FARNOVA_CLIENT_OPENING_H
#define FARNOVA_CLIENT_OPENING_H

#include "client/session/call.h"
#include "client/session/open_files.h"

/* An open in progress. */
struct opened {
	struct farnova_file *file;
	struct proto_attr *attr; /* receives the attributes, or NULL */
	struct inode *inode;     /* reserved */
};

/*
 * file_opening -- a call that opens a file with `request` (op, dir or handle, mode, path; `flags` supplies its flags);
 * -ENOMEM. `opened` must stay in place until file_opened, which follows when the call is done with `error`, or was
 * abandoned: it returns the file, or NULL after an error. The lock is not needed.
 */
int file_opening(struct farnova *fs, const struct proto_request *request, uint32_t flags, struct proto_attr *attr,
                 struct opened *opened, struct call **call);
struct farnova_file *file_opened(struct opened *opened, int error);

/*
 * file_open -- OPEN or REOPEN a file with `request` (op, dir or handle, mode, path; `flags` supplies its flags). `attr`
 * may be NULL.
 */
int file_open(struct farnova *fs, const struct proto_request *request, uint32_t flags, struct proto_attr *attr,
              struct farnova_file **out);

/* file_close -- the program closes the file: file_put with the lock. */
void file_close(struct farnova_file *file);

#endif
