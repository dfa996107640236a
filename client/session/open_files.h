/*
 * open_files.h -- an open file or directory, and all that a connection has open.
 */
#ifndef FARNOVA_CLIENT_OPEN_FILES_H
#define FARNOVA_CLIENT_OPEN_FILES_H

#include "client/session/session.h"

struct farnova_file {
	struct farnova *fs;
	LIST_ENTRY(farnova_file) entry; /* all of the connection's */
	struct inode *inode;
	uint32_t mode;  /* of the inode at open: its type */
	uint32_t flags; /* PROTO_OPEN_*: as to open it again */
	uint32_t cred;
	uint64_t open;    /* number the server knows it by */
	uint64_t session; /* ... in this session */
	int error;        /* -errno: it could not be opened again after the server was restarted */

	void *attached; /* freed with it: what an open directory is besides */

	pthread_mutex_t position_lock;
	uint64_t position;
};

/*
 * file_open -- OPEN or REOPEN as `request` says (op, dir or handle, mode, path; the flags are filled in from `flags`).
 * `attr` may be NULL.
 */
int file_open(struct farnova *fs, struct proto_request *request, uint32_t flags, struct proto_attr *attr,
              struct farnova_file **out);

/* file_close -- ends it without waiting for the server; frees it. */
void file_close(struct farnova_file *file);

/* file_reopened -- the server's answer when the file was opened again in a new session; lock held. */
void file_reopened(struct farnova *fs, struct farnova_file *file, int status, const struct proto_reply *reply);

/* file_not_reopened -- one that is not open in this session yet, or NULL; lock held. */
struct farnova_file *file_not_reopened(struct farnova *fs);
/* file_still_open -- whether `file` has not been closed; lock held. */
bool file_still_open(const struct farnova *fs, const struct farnova_file *file);

#endif
