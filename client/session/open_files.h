/*
 * open_files.h -- open files and directories of a connection.
 */
#ifndef FARNOVA_CLIENT_OPEN_FILES_H
#define FARNOVA_CLIENT_OPEN_FILES_H

#include "client/session/session.h"

/* The position that threads share, and its lock (client/api/position.h). */
struct position {
	uint64_t offset; /* of the holder of the lock */
	pthread_mutex_t inner;
	pthread_cond_t freed;
	bool taken;
};

struct farnova_file {
	struct farnova *fs;
	LIST_ENTRY(farnova_file) entry; /* list of all open files of the connection */
	struct inode *inode;
	uint32_t mode;  /* the inode's mode at open; only its type is used */
	uint32_t flags; /* PROTO_OPEN_*, also used to reopen it */
	uint32_t cred;
	uint64_t open;    /* number of the open at the server */
	uint64_t session; /* the session in which `open` is valid */
	int error;        /* -errno: reopening it after a restart of the server failed */

	void *attached; /* freed with the file: state of an open directory */

	struct position position;
};

/*
 * file_open -- OPEN or REOPEN a file with `request` (op, dir or handle, mode, path; `flags` supplies its flags). `attr`
 * may be NULL.
 */
int file_open(struct farnova *fs, struct proto_request *request, uint32_t flags, struct proto_attr *attr,
              struct farnova_file **out);

/* file_close -- close and free the file without waiting for the server. */
void file_close(struct farnova_file *file);

/* file_reopened -- process the reply of the server to a REOPEN in a new session; lock held. */
void file_reopened(struct farnova *fs, struct farnova_file *file, int status, const struct proto_reply *reply);

/* file_not_reopened -- a file that is not open in this session yet, or NULL; lock held. */
struct farnova_file *file_not_reopened(struct farnova *fs);
/* file_still_open -- whether `file` is still open; lock held. */
bool file_still_open(const struct farnova *fs, const struct farnova_file *file);

#endif
