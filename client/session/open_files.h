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
	unsigned references;            /* of the program, and of calls that use it; connection's lock */
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

/* file_get, file_put -- one reference more or less. With the last one the file is closed and freed, without waiting for
 * the server. Lock held. */
void file_get(struct farnova_file *file);
void file_put(struct farnova_file *file);

/* file_destroy -- free a file that is not open. */
void file_destroy(struct farnova_file *file);

/* file_reopened -- process the reply of the server to a REOPEN in a new session; lock held. */
void file_reopened(struct farnova *fs, struct farnova_file *file, int status, const struct proto_reply *reply);

/* file_not_reopened -- a file that is not open in this session yet, or NULL; lock held. */
struct farnova_file *file_not_reopened(struct farnova *fs);
/* file_still_open -- whether `file` is still open; lock held. */
bool file_still_open(const struct farnova *fs, const struct farnova_file *file);

#endif
