/*
 * farnova.h -- the farnova client library: remote files on persistent memory, over RDMA or TCP.
 *
 * Connect to a server by URL, then use calls with the semantics of POSIX. A call that fails returns -1 (or NULL) and
 * sets errno; farnova_last_error() returns a text with the operation, the server, the reason and a remedy.
 *
 * Durability: every call that changes something is atomic, and its change is durable on the server when the call
 * returns. farnova_fsync exists for programs that call it; it has nothing to flush.
 *
 * Thread safety: any thread may call any function, also at the same time on the same connection, file or directory.
 * Threads share the position of a file as they share that of a descriptor.
 *
 * Waiting: a request waits at most `timeout_ms` for the connection and its reply. Then the call fails with ETIMEDOUT;
 * the server may have executed the request, or may still execute it. A call that transfers much data makes several
 * requests, each with its own limit. The limit also holds for farnova_connect and farnova_disconnect as a whole, except
 * for the resolver's time to look up a host name. Open files survive a restart of the server; a file that no longer
 * exists fails with ESTALE. A call that a restart or a lost session interrupts is executed once and gets its own result.
 * Only where the server has given up its record of this client (docs/durability.md says when) a call that changes
 * something fails with ECONNRESET: check what it did.
 *
 * Fork: a child of fork(2) cannot use the connections of its parent. Its calls on them fail with ECHILD;
 * farnova_disconnect and the calls that close or free something return without effect. It may connect itself.
 *
 * Memory: only the calling thread accesses the caller's memory, and it holds no lock meanwhile. A handler that resolves
 * faults (userfaultfd, SIGSEGV) may therefore call the library. Memory that cannot be read or written makes only that
 * call fail with EFAULT. The library probes each page before it copies; if another thread unmaps the page between the
 * probe and the copy, the calling thread gets SIGSEGV. farnova_read, farnova_write and farnova_readdir lock the shared
 * position during the copy, as the kernel does: a handler must not use the position of the call whose fault it
 * resolves.
 */
#ifndef FARNOVA_H
#define FARNOVA_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct farnova;      /* a connection to a file system */
struct farnova_file; /* an open file */
struct farnova_dir;  /* an open directory */

struct farnova_options {
	size_t size;           /* sizeof(struct farnova_options): lets the structure grow */
	const char *transport; /* "auto" (NULL), "verbs" or "tcp" */
	int timeout_ms;        /* limit for a request, also if the server is unreachable; 0 = 30000, -1 = no limit */
	/* Further connections for the reads of threads: at most 16, 0 = none. Threads that read by different ones do not
	 * wait for each other. */
	size_t channels;
	const char *reserved[3];
};

/*
 * farnova_connect -- connect to `url`, farnova://HOST[:PORT][/PATH]. Later calls resolve their paths from PATH.
 * `options` may be NULL. The credential is the process's own uid, gid and groups. EINVAL: `url` is not valid;
 * ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT; EPROTO: what answers is not a farnova server; ENOENT, ENOTDIR: PATH is missing
 * or no directory.
 */
struct farnova *farnova_connect(const char *url, const struct farnova_options *options);

/* farnova_disconnect -- end the session, close files and directories that are still open, and free everything. */
void farnova_disconnect(struct farnova *fs);

/* farnova_last_error -- the text of the calling thread's last error, valid until its next call; "" if there was
 * none. */
const char *farnova_last_error(void);

/* farnova_transport -- the transport of the connection: "verbs" or "tcp". */
const char *farnova_transport(const struct farnova *fs);

const char *farnova_version(void);

#define FARNOVA_LOG_ERROR 0
#define FARNOVA_LOG_WARN  1
#define FARNOVA_LOG_INFO  2
#define FARNOVA_LOG_DEBUG 3

/*
 * farnova_set_log -- set the callback for events of connections that no call reports: a connection is lost (with the
 * reason) or established again. One callback serves all connections of the process; NULL, the default, sets none. The
 * library never writes to stderr. The callback runs in a thread that calls the library or in a thread of the library,
 * one at a time, and must not call the library. `text` is one line without a newline, valid during the callback. After
 * farnova_set_log returns, the previous callback is not called any more.
 */
void farnova_set_log(void (*log)(void *context, int level, const char *text), void *context);

/* Counters of a connection since farnova_connect. */
struct farnova_stats {
	size_t size;                  /* set by the caller: sizeof(struct farnova_stats) */
	uint64_t requests;            /* messages sent, of all operations; a repeated message counts again */
	uint64_t received;            /* messages received */
	uint64_t connections;         /* established, including the first: more than one after a reconnect */
	uint64_t reads, read_bytes;   /* one-sided READs of file data; they need no message */
	uint64_t writes, write_bytes; /* one-sided WRITEs of file data; a message commits each */
	uint64_t channels;            /* that are connected now */
	uint64_t channel_reads;       /* READs by channels; `reads` has them too */
};

int farnova_get_stats(struct farnova *fs, struct farnova_stats *out);

/*
 * farnova_get_operation_stats -- iterate over the counts of sent messages by operation. Returns the name of an
 * operation and stores its count in `*count`; NULL at the end. Start with `*number` 0; each call advances it.
 * Operations that were never sent are skipped.
 */
const char *farnova_get_operation_stats(struct farnova *fs, unsigned *number, uint64_t *count);

/* ---- files ------------------------------------------------------------------------------------------------------ */

/* farnova_open -- flags as for open(2): O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NOFOLLOW,
 * O_DIRECTORY; O_NOATIME, for the owner only (EPERM); O_TMPFILE: create a file without a name in the directory `path`.
 * Closing that file deletes it unless farnova_flink names it first; with O_EXCL it can never be named. O_CLOEXEC,
 * O_SYNC and O_DSYNC are accepted without effect. `mode` is used unchanged unless the thread has set a umask
 * (farnova_set_umask). */
struct farnova_file *farnova_open(struct farnova *fs, const char *path, int flags, mode_t mode);
int farnova_close(struct farnova_file *file);
ssize_t farnova_read(struct farnova_file *file, void *buffer, size_t length);
ssize_t farnova_write(struct farnova_file *file, const void *data, size_t length);
/* farnova_pread -- up to 16 KiB are read at one moment; a longer read is several reads, and may see a part of a write.
 */
ssize_t farnova_pread(struct farnova_file *file, void *buffer, size_t length, off_t offset);
/* farnova_pwrite -- a write of up to 1 MiB is one atomic change; a larger write is a sequence of such changes. */
ssize_t farnova_pwrite(struct farnova_file *file, const void *data, size_t length, off_t offset);
/* farnova_append -- write at the end of the file, as with O_APPEND; the file's position does not change. */
ssize_t farnova_append(struct farnova_file *file, const void *data, size_t length);
/* farnova_lseek -- SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE. */
off_t farnova_lseek(struct farnova_file *file, off_t offset, int whence);
/* farnova_fallocate -- as fallocate(2): mode 0, FALLOC_FL_KEEP_SIZE, PUNCH_HOLE with KEEP_SIZE, ZERO_RANGE with or
 * without KEEP_SIZE, COLLAPSE_RANGE or INSERT_RANGE. One atomic change of any size; a reservation is one for each 64
 * MiB. */
int farnova_fallocate(struct farnova_file *file, int mode, off_t offset, off_t length);
/* farnova_copy_file_range -- as copy_file_range(2), between files of one connection: the server copies, no data cross
 * the network, and holes remain holes. A call is one atomic change of up to 16 MiB, less while another change to `in`
 * is in progress; it returns the number of bytes, 0 at the end of `in`. `flags` is 0. */
ssize_t farnova_copy_file_range(struct farnova_file *in, off_t *in_offset, struct farnova_file *out, off_t *out_offset,
                                size_t length, unsigned flags);
int farnova_ftruncate(struct farnova_file *file, off_t length);
int farnova_fsync(struct farnova_file *file);
int farnova_fstat(struct farnova_file *file, struct stat *st);
int farnova_fchmod(struct farnova_file *file, mode_t mode);
int farnova_fchown(struct farnova_file *file, uid_t uid, gid_t gid);
int farnova_futimens(struct farnova_file *file, const struct timespec times[2]);

/* ---- names ------------------------------------------------------------------------------------------------------ */

int farnova_stat(struct farnova *fs, const char *path, struct stat *st);
int farnova_lstat(struct farnova *fs, const char *path, struct stat *st);
int farnova_access(struct farnova *fs, const char *path, int mode);
int farnova_truncate(struct farnova *fs, const char *path, off_t length);
int farnova_mkdir(struct farnova *fs, const char *path, mode_t mode);
int farnova_mknod(struct farnova *fs, const char *path, mode_t mode, dev_t dev);
int farnova_rmdir(struct farnova *fs, const char *path);
int farnova_unlink(struct farnova *fs, const char *path);
/* farnova_rename -- flags as for renameat2: 0, RENAME_NOREPLACE or RENAME_EXCHANGE. */
int farnova_rename(struct farnova *fs, const char *from, const char *to, unsigned flags);
int farnova_link(struct farnova *fs, const char *from, const char *to);
/* farnova_flink -- add a name to an open file, or give a file opened with O_TMPFILE its first name. ENOENT if the last
 * name of the file was removed, or if the file was opened with O_TMPFILE | O_EXCL. */
int farnova_flink(struct farnova_file *file, const char *path);
int farnova_symlink(struct farnova *fs, const char *target, const char *path);
ssize_t farnova_readlink(struct farnova *fs, const char *path, char *buffer, size_t size);
int farnova_chmod(struct farnova *fs, const char *path, mode_t mode);
int farnova_chown(struct farnova *fs, const char *path, uid_t uid, gid_t gid);
int farnova_lchown(struct farnova *fs, const char *path, uid_t uid, gid_t gid);
/* farnova_utimens -- as utimensat, with UTIME_NOW and UTIME_OMIT; flags 0 or AT_SYMLINK_NOFOLLOW. Times from 1677 to
 * 2262 are stored in nanoseconds; a time outside becomes the nearest time of this range. */
int farnova_utimens(struct farnova *fs, const char *path, const struct timespec times[2], int flags);
int farnova_statvfs(struct farnova *fs, struct statvfs *st);
/* farnova_statvfs_of -- statistics for the file at `path`: sizes do not exceed the limits of its project. */
int farnova_statvfs_of(struct farnova *fs, const char *path, struct statvfs *st);

/* ---- extended attributes and flags ------------------------------------------------------------------------------ */

/*
 * As getxattr(2) and the related system calls, with the rules of xattr(7). ACLs are system.posix_acl_access and
 * system.posix_acl_default in the kernel's binary form. The calls with `l` do not follow a symbolic link.
 */
ssize_t farnova_getxattr(struct farnova *fs, const char *path, const char *name, void *value, size_t size);
ssize_t farnova_lgetxattr(struct farnova *fs, const char *path, const char *name, void *value, size_t size);
ssize_t farnova_fgetxattr(struct farnova_file *file, const char *name, void *value, size_t size);
/* farnova_setxattr -- flags: 0, or XATTR_CREATE or XATTR_REPLACE of <sys/xattr.h>. */
int farnova_setxattr(struct farnova *fs, const char *path, const char *name, const void *value, size_t size, int flags);
int farnova_lsetxattr(struct farnova *fs, const char *path, const char *name, const void *value, size_t size,
                      int flags);
int farnova_fsetxattr(struct farnova_file *file, const char *name, const void *value, size_t size, int flags);
ssize_t farnova_listxattr(struct farnova *fs, const char *path, char *list, size_t size);
ssize_t farnova_llistxattr(struct farnova *fs, const char *path, char *list, size_t size);
ssize_t farnova_flistxattr(struct farnova_file *file, char *list, size_t size);
int farnova_removexattr(struct farnova *fs, const char *path, const char *name);
int farnova_lremovexattr(struct farnova *fs, const char *path, const char *name);
int farnova_fremovexattr(struct farnova_file *file, const char *name);

#define FARNOVA_FILE_IMMUTABLE       (1u << 0) /* chattr +i */
#define FARNOVA_FILE_APPEND          (1u << 1) /* chattr +a */
#define FARNOVA_FILE_PROJECT_INHERIT (1u << 2) /* chattr +P, directories: new files in it inherit its project */

/* farnova_getflags, farnova_setflags -- get or set all flags. Only the superuser may change them (EPERM). EOPNOTSUPP if
 * `path` is neither a file nor a directory. */
int farnova_getflags(struct farnova *fs, const char *path, unsigned *flags);
int farnova_setflags(struct farnova *fs, const char *path, unsigned flags);

/* All attributes of a file. */
struct farnova_statx {
	size_t size; /* set by the caller: sizeof(struct farnova_statx); later versions may append fields */
	struct stat stat;
	struct timespec birth;
	uint32_t flags;   /* FARNOVA_FILE_* */
	uint32_t project; /* 0 = none */
	bool has_xattrs;  /* it has extended attributes; ACLs count */
};

/* farnova_statx -- flags: 0 or AT_SYMLINK_NOFOLLOW. */
int farnova_statx(struct farnova *fs, const char *path, int flags, struct farnova_statx *out);
int farnova_fstatx(struct farnova_file *file, struct farnova_statx *out);

/* ---- projects: how much a directory tree may use ----------------------------------------------------------------- */

struct farnova_quota {
	uint32_t project;
	uint32_t reserved;
	uint64_t bytes, byte_limit; /* in use; limit 0 = no limit */
	uint64_t files, file_limit; /* directories and all other inodes count */
};

/* farnova_setproject -- assign the file to a project (0: none). A directory passes its project on to new files in it.
 * Only the superuser may do this (EPERM). A link or rename of a file of another project into such a directory fails
 * with EXDEV. */
int farnova_setproject(struct farnova *fs, const char *path, uint32_t project);

/* farnova_quota_get -- the usage and limits of a project. farnova_quota_next -- the same for the known project with the
 * lowest number >= `project`; ENOENT if there is none. */
int farnova_quota_get(struct farnova *fs, uint32_t project, struct farnova_quota *quota);
int farnova_quota_next(struct farnova *fs, uint32_t project, struct farnova_quota *quota);
/* farnova_quota_set -- set the limits; only the superuser may (EPERM). Later changes that exceed a limit fail with
 * EDQUOT. */
int farnova_quota_set(struct farnova *fs, uint32_t project, uint64_t byte_limit, uint64_t file_limit);

/* ---- directories ------------------------------------------------------------------------------------------------ */

struct farnova_dir *farnova_opendir(struct farnova *fs, const char *path);
/* farnova_readdir -- the next entry, "." and ".." first; NULL at the end, with errno unchanged. The entry is valid
 * until the next call on `dir`. d_off is a cookie for farnova_seekdir that stays valid across restarts of the
 * server. */
struct dirent *farnova_readdir(struct farnova_dir *dir);
void farnova_seekdir(struct farnova_dir *dir, off_t position);
off_t farnova_telldir(struct farnova_dir *dir);
int farnova_closedir(struct farnova_dir *dir);

/* ---- queues: many operations at a time --------------------------------------------------------------------------- */

/*
 * A queue has operations in flight and their results. A program submits operations, does something else, and reaps
 * their completions, in the order in which they end. Each operation that was accepted is completed exactly once.
 * Operations in flight run at the same time, in no order: an operation that must follow another one is submitted after
 * that was reaped. A change is durable when its operation has completed.
 *
 * Any thread may submit to, reap from and cancel on any queue. Data and paths are copied by farnova_queue_submit; what
 * an operation returns in memory of the program (READ, READV, STAT and the like) is stored by the thread that reaps its
 * completion, so that memory must stay valid until then. Memory that cannot be accessed makes only that operation fail
 * with EFAULT.
 */
struct farnova_queue;

#define FARNOVA_OP_READ      1  /* file, buffer, length, offset; up to 1 MiB at a time, as READV, WRITE and WRITEV */
#define FARNOVA_OP_READV     2  /* file, iov, length: number of parts, offset */
#define FARNOVA_OP_WRITE     3  /* file, data, length, offset: one atomic change */
#define FARNOVA_OP_WRITEV    4  /* file, iov, length: number of parts, offset: one atomic change */
#define FARNOVA_OP_FSYNC     5  /* file; nothing is left to flush, so it says only whether the file is gone */
#define FARNOVA_OP_OPEN      6  /* path, flags, mode: as farnova_open; the completion has the file */
#define FARNOVA_OP_CLOSE     7  /* file; operations in flight on it go on */
#define FARNOVA_OP_STAT      8  /* path, st */
#define FARNOVA_OP_LSTAT     9  /* path, st */
#define FARNOVA_OP_FSTAT     10 /* file, st */
#define FARNOVA_OP_FTRUNCATE 11 /* file, offset: the new size */
#define FARNOVA_OP_UNLINK    12 /* path */
#define FARNOVA_OP_RMDIR     13 /* path */
#define FARNOVA_OP_MKDIR     14 /* path, mode */
#define FARNOVA_OP_RENAME    15 /* path, to, flags: as farnova_rename */
#define FARNOVA_OP_APPEND    16 /* file, data, length: as farnova_append, up to 1 MiB */
#define FARNOVA_OP_FALLOCATE 17 /* file, flags: the mode, offset, length */
#define FARNOVA_OP_COPY      18 /* file, offset, source, source_offset, length: as farnova_copy_file_range */
#define FARNOVA_OP_SYMLINK   19 /* path, to: what the link at `path` leads to */
#define FARNOVA_OP_READLINK  20 /* path, buffer, length */
#define FARNOVA_OP_TRUNCATE  21 /* path, offset: the new size */
#define FARNOVA_OP_ACCESS    22 /* path, mode: R_OK, W_OK, X_OK, or 0 */

/* Those below have a path, or if it is NULL a file. Where they have flags, AT_SYMLINK_NOFOLLOW may be one. */
#define FARNOVA_OP_LINK        23 /* path or file, to: its new name; a symbolic link is not followed */
#define FARNOVA_OP_CHMOD       24 /* path or file, mode */
#define FARNOVA_OP_CHOWN       25 /* path or file, uid, gid, flags */
#define FARNOVA_OP_UTIMENS     26 /* path or file, times, flags */
#define FARNOVA_OP_STATVFS     27 /* path or file, statvfs; with neither: as farnova_statvfs */
#define FARNOVA_OP_GETXATTR    28 /* path or file, name, buffer, length, flags */
#define FARNOVA_OP_SETXATTR    29 /* path or file, name, data, length, flags: also as farnova_setxattr */
#define FARNOVA_OP_LISTXATTR   30 /* path or file, buffer, length, flags */
#define FARNOVA_OP_REMOVEXATTR 31 /* path or file, name, flags */

struct farnova_operation {
	unsigned operation; /* FARNOVA_OP_*, which need the fields named there; others are 0 */
	unsigned flags;
	uint64_t user_data; /* for the completion */
	int timeout_ms;     /* limit for the operation; 0 = timeout_ms of the connection, -1 = no limit */
	mode_t mode;
	struct farnova_file *file;
	off_t offset;
	void *buffer;
	const void *data;
	const struct iovec *iov;
	size_t length;
	const char *path, *to;
	struct stat *st;
	struct farnova_file *source;
	off_t source_offset;
	const char *name;
	const struct timespec *times;
	struct statvfs *statvfs;
	uid_t uid;
	gid_t gid;
	uint64_t reserved[4]; /* 0 */
};

struct farnova_completion {
	uint64_t user_data;
	ssize_t result; /* bytes or length, or 0; a negative errno, as -ETIMEDOUT or -ECANCELED, if it failed */
	struct farnova_file *file; /* OPEN: the file, else NULL */
	uint64_t reserved[2];
};

/* farnova_queue_create -- a queue for up to `entries` (1 to 65536) operations that are in flight or not reaped. */
struct farnova_queue *farnova_queue_create(struct farnova *fs, unsigned entries);
/* farnova_queue_destroy -- free a queue. Operations in flight are given up as by farnova_queue_cancel; completions that
 * were not reaped are lost, and files that they have are closed. No other thread may use the queue.
 * farnova_disconnect destroys the queues of its connection. */
void farnova_queue_destroy(struct farnova_queue *queue);
/*
 * farnova_queue_submit -- start `count` operations. Returns how many were accepted, from the first on: fewer if the
 * queue is full, -1 with EAGAIN if it was full before. It does not wait. An operation that is not valid is accepted,
 * and its completion has the error.
 */
int farnova_queue_submit(struct farnova_queue *queue, const struct farnova_operation *operations, unsigned count);
/*
 * farnova_queue_reap -- store up to `max` completions. Waits until it has `min` of them, no operation is in flight, or
 * `timeout_ms` have passed (0: it does not wait; -1: no limit). Returns their number.
 */
int farnova_queue_reap(struct farnova_queue *queue, struct farnova_completion *completions, unsigned min, unsigned max,
                       int timeout_ms);
/* farnova_queue_cancel -- give up all operations in flight with this `user_data`: they complete with -ECANCELED. The
 * server may have executed them, or may still execute them. Returns their number. farnova_cancel reaches operations
 * too, by the tag of the thread that submitted them. */
int farnova_queue_cancel(struct farnova_queue *queue, uint64_t user_data);
/* farnova_queue_fd -- a descriptor for poll(2) or epoll(7) that is readable when farnova_queue_reap would return
 * something without waiting. The queue owns it. */
int farnova_queue_fd(struct farnova_queue *queue);

/* ---- by handle: for programs that serve others (a FUSE mount, a gateway) ----------------------------------------- */

/* Identifies an inode permanently. The handle of a deleted inode gets ESTALE; it never refers to another file. */
struct farnova_handle {
	uint64_t ino;
	uint32_t generation;
	uint32_t reserved;
	uint64_t seal; /* set by the server: a handle that the server did not issue gets ESTALE */
};

/* The user on whose behalf calls are made. `uid` 0 is the superuser unless the server squashes it. */
struct farnova_cred {
	uid_t uid;
	gid_t gid;
	uint32_t group_count; /* up to 1024 */
	const gid_t *groups;
};

/* farnova_set_cred -- set the credential for later calls of this thread on `fs`; `cred` is copied. NULL: the process's
 * own. */
int farnova_set_cred(struct farnova *fs, const struct farnova_cred *cred);

/* farnova_set_umask -- set the umask for inodes that this thread creates on `fs`; a default ACL of the directory
 * overrides it. The default is 0: the library ignores the umask of the process. */
int farnova_set_umask(struct farnova *fs, mode_t mask);

/*
 * farnova_set_tag -- set the tag of later calls of this thread on all connections; 0, the default, is no tag.
 * An operation of a queue has the tag that the thread had which submitted it.
 * farnova_cancel -- end the calls and operations of `tag` on `fs` with EINTR, now and in future. The server may have
 * executed a request that was sent, or may still execute it. Use each tag once: then the canceller need not know
 * whether they have already ended. farnova_cancel_all -- end every call and operation on `fs` with ETIMEDOUT, now and
 * in future: for a program that exits while the server is unreachable. Any thread may call both; signal handlers may
 * not.
 */
void farnova_set_tag(uint64_t tag);
void farnova_cancel(struct farnova *fs, uint64_t tag);
void farnova_cancel_all(struct farnova *fs);

/*
 * Keeping file data: for a program that has a cache of its own and must not show old data from it.
 *
 * farnova_pread_kept -- as farnova_pread, and `*kept`: whether the program may keep the data until an invalidation of
 * the file. If it is false, another client changes the file just now, or nothing is told to this client: use the data
 * once.
 *
 * farnova_set_invalidate -- set the callback for invalidations: NULL, the default, means that nothing may be kept. Set
 * it before the first farnova_pread_kept, and NULL when the program keeps nothing any more: after that the callback is
 * not called. After an invalidation the program drops what it keeps of the file,
 * which is all that farnova_pread_kept has returned and all that such a call may still return, and then calls
 * farnova_invalidated, also before farnova_disconnect. The server holds back the change of the other client until that
 * call, but for a limited time only (`recall_ms`, 2 s): then it ends this client's connection. An invalidation may also
 * come for a change by this client itself, when a connection is lost, and without need.
 *
 * The callback runs in a thread that calls the library or in a thread of the library, with the lock of the connection
 * held: it must neither block nor call the library. Pass the work to a thread of the program. The structure belongs to
 * the library and is valid until farnova_invalidated; `next` is the program's, for a list.
 */
struct farnova_invalidation {
	struct farnova_handle file;
	struct farnova_invalidation *next;
};

void farnova_set_invalidate(struct farnova *fs,
                            void (*invalidate)(void *context, struct farnova_invalidation *invalidation),
                            void *context);
ssize_t farnova_pread_kept(struct farnova_file *file, void *buffer, size_t length, off_t offset, bool *kept);
void farnova_invalidated(struct farnova *fs, struct farnova_invalidation *invalidation);

/* farnova_root -- the handle of the URL's PATH. */
struct farnova_handle farnova_root(const struct farnova *fs);

/* In the calls below `name` is one path component; symbolic links are not followed. `handle` and `st` receive the
 * result and may be NULL. A lookup of ".." finds the parent directory; a lookup of "." finds the inode itself, which
 * may be no directory. */
int farnova_lookup_at(struct farnova *fs, struct farnova_handle dir, const char *name, struct farnova_handle *handle,
                      struct stat *st);
/* farnova_lookupx_at -- the same with all attributes. `in` (may be NULL) receives the attributes of `dir`, also if the
 * call fails with ENOENT; if they are unknown then, its stat.st_ino is 0. The caller sets the size of both
 * structures. */
int farnova_lookupx_at(struct farnova *fs, struct farnova_handle dir, const char *name, struct farnova_handle *handle,
                       struct farnova_statx *found, struct farnova_statx *in);
int farnova_stat_at(struct farnova *fs, struct farnova_handle file, struct stat *st);

#define FARNOVA_SET_MODE      (1u << 0)
#define FARNOVA_SET_UID       (1u << 1)
#define FARNOVA_SET_GID       (1u << 2)
#define FARNOVA_SET_SIZE      (1u << 3)
#define FARNOVA_SET_ATIME     (1u << 4)
#define FARNOVA_SET_MTIME     (1u << 5)
#define FARNOVA_SET_ATIME_NOW (1u << 6)
#define FARNOVA_SET_MTIME_NOW (1u << 7)

/* farnova_setattr_at -- set the attributes that `mask` selects from `st`, in one atomic change. `open` is NULL or an
 * open of the file for writing, which permits SET_SIZE. `st` receives the attributes after the change. */
int farnova_setattr_at(struct farnova *fs, struct farnova_handle file, struct farnova_file *open, unsigned mask,
                       struct stat *st);
/* farnova_setattrx_at -- the same with `st->stat`; `st` receives all attributes. */
int farnova_setattrx_at(struct farnova *fs, struct farnova_handle file, struct farnova_file *open, unsigned mask,
                        struct farnova_statx *st);
int farnova_access_at(struct farnova *fs, struct farnova_handle file, int mode);

/* With O_RDONLY, to open a file for execution: the server checks for x instead of r, so that users who may only execute
 * a program (mode 0711) can load it. Linux passes this value to a FUSE file system in the flags of open. */
#define FARNOVA_O_EXEC 0x20

/* farnova_open_at -- as farnova_open: the current mode and ACL decide the rights of everyone, also of the owner. */
struct farnova_file *farnova_open_at(struct farnova *fs, struct farnova_handle file, int flags);
/* farnova_openx_at -- the same; `st` receives the attributes of the file. */
struct farnova_file *farnova_openx_at(struct farnova *fs, struct farnova_handle file, int flags,
                                      struct farnova_statx *st);
struct farnova_file *farnova_create_at(struct farnova *fs, struct farnova_handle dir, const char *name, int flags,
                                       mode_t mode, struct farnova_handle *handle, struct stat *st);
/* farnova_createx_at -- the same; `st` receives all attributes of the file. */
struct farnova_file *farnova_createx_at(struct farnova *fs, struct farnova_handle dir, const char *name, int flags,
                                        mode_t mode, struct farnova_handle *handle, struct farnova_statx *st);
int farnova_mknod_at(struct farnova *fs, struct farnova_handle dir, const char *name, mode_t mode, dev_t dev,
                     struct farnova_handle *handle, struct stat *st);
int farnova_symlink_at(struct farnova *fs, const char *target, struct farnova_handle dir, const char *name,
                       struct farnova_handle *handle, struct stat *st);
ssize_t farnova_readlink_at(struct farnova *fs, struct farnova_handle file, char *buffer, size_t size);
int farnova_link_at(struct farnova *fs, struct farnova_handle file, struct farnova_handle dir, const char *name,
                    struct stat *st);
int farnova_unlink_at(struct farnova *fs, struct farnova_handle dir, const char *name);
int farnova_rmdir_at(struct farnova *fs, struct farnova_handle dir, const char *name);
int farnova_rename_at(struct farnova *fs, struct farnova_handle from_dir, const char *from,
                      struct farnova_handle to_dir, const char *to, unsigned flags);
ssize_t farnova_getxattr_at(struct farnova *fs, struct farnova_handle file, const char *name, void *value, size_t size);
int farnova_setxattr_at(struct farnova *fs, struct farnova_handle file, const char *name, const void *value,
                        size_t size, int flags);
ssize_t farnova_listxattr_at(struct farnova *fs, struct farnova_handle file, char *list, size_t size);
int farnova_removexattr_at(struct farnova *fs, struct farnova_handle file, const char *name);
int farnova_getflags_at(struct farnova *fs, struct farnova_handle file, unsigned *flags);
int farnova_setflags_at(struct farnova *fs, struct farnova_handle file, unsigned flags);
/* farnova_setproject_at -- set project and all flags in one change. Unlike farnova_setproject it sets no additional
 * flag. */
int farnova_setproject_at(struct farnova *fs, struct farnova_handle file, uint32_t project, unsigned flags);
int farnova_statx_at(struct farnova *fs, struct farnova_handle file, struct farnova_statx *out);
int farnova_statvfs_at(struct farnova *fs, struct farnova_handle file, struct statvfs *st);
struct farnova_dir *farnova_opendir_at(struct farnova *fs, struct farnova_handle dir);
/* farnova_opendirx_at -- the same; `st` receives the attributes of the directory. */
struct farnova_dir *farnova_opendirx_at(struct farnova *fs, struct farnova_handle dir, struct farnova_statx *st);

#ifdef __cplusplus
}
#endif

#endif
