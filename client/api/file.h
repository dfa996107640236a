/*
 * file.h -- an open file or directory.
 */
#ifndef FARNOVA_CLIENT_FILE_H
#define FARNOVA_CLIENT_FILE_H

#include "client/session/call.h"

struct farnova_file {
	struct farnova *fs;
	struct farnova_file *previous, *next; /* all of the connection's */
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

/* file_flags -- open(2)'s flags as the protocol's, or -EINVAL, -EOPNOTSUPP. */
int file_flags(int flags, uint32_t *out);

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

#endif
