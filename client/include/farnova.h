/*
 * farnova.h -- the farnova client library: remote files on persistent memory, over RDMA or TCP.
 *
 * Connect to a server by URL, then use calls that mean what POSIX's mean. They return -1 (or NULL) and set errno;
 * farnova_last_error() says in words what was asked, of whom, why it failed and what to do.
 *
 * Durability: every call that changes something is atomic, and durable on the server's medium when it returns.
 * farnova_fsync is there for programs that call it; it has nothing left to do.
 *
 * Thread safety: every function may be called by any thread, also on the same connection, file or directory. A file's
 * position is shared as a descriptor's is.
 *
 * Waiting: no request waits longer than `timeout_ms`, be it for a server that cannot be reached or for a reply; then the
 * call fails with ETIMEDOUT, and what it asked for may have been done or may still be. A call on many data makes many
 * requests, each with a limit of its own. farnova_connect and farnova_disconnect end within that time, too (looking up a
 * host's name takes what the resolver takes). Open files survive a restart of the server; one whose file is gone fails
 * with ESTALE. A call that was in flight when the server died, and which executed twice would do something else than
 * once, fails with ECONNRESET: see what it has done (docs/durability.md has the list).
 *
 * Memory: the library touches the caller's memory by the calling thread alone and with no lock held, so that a handler
 * that serves faults (userfaultfd, SIGSEGV) may call the library. Memory that cannot be read or written is EFAULT for
 * that call alone. It is tested page by page before it is copied; memory that another thread unmaps in that moment is a
 * SIGSEGV of the calling thread. A position shared by threads (farnova_read, farnova_write, farnova_readdir) is locked
 * meanwhile, as in the kernel: a handler must not use that of a call whose fault it serves.
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

#ifdef __cplusplus
extern "C" {
#endif

struct farnova;      /* a connection to a file system */
struct farnova_file; /* an open file */
struct farnova_dir;  /* an open directory */

struct farnova_options {
	size_t size;           /* sizeof(struct farnova_options): lets the structure grow */
	const char *transport; /* "auto" (NULL), "verbs" or "tcp" */
	int timeout_ms;        /* how long a request may take, a lost server included; 0 = 30000, -1 = for ever */
	const char *reserved[4];
};

/*
 * farnova_connect -- connect to `url`, farnova://HOST[:PORT][/PATH]; paths of later calls are taken from PATH.
 * `options` may be NULL. The credential is the process's own uid, gid and groups. EINVAL for a URL that is none;
 * ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT; EPROTO if a farnova server does not answer there; ENOENT or ENOTDIR for PATH.
 */
struct farnova *farnova_connect(const char *url, const struct farnova_options *options);

/* farnova_disconnect -- end the session and free everything; files and directories still open are closed. */
void farnova_disconnect(struct farnova *fs);

/* farnova_last_error -- the calling thread's last error in words, valid until its next call; "" if there was none. */
const char *farnova_last_error(void);

/* farnova_transport -- "verbs" or "tcp": what the connection uses. */
const char *farnova_transport(const struct farnova *fs);

const char *farnova_version(void);

#define FARNOVA_LOG_ERROR 0
#define FARNOVA_LOG_WARN  1
#define FARNOVA_LOG_INFO  2
#define FARNOVA_LOG_DEBUG 3

/*
 * farnova_set_log -- from now on `log` is told what happens to connections that no call reports: that one was lost and
 * why, and that it is back. It serves all connections of the process; NULL, as at first: nobody is told. The library says
 * nothing on stderr. The callback runs in any of the library's callers or its own threads, one at a time, and must not
 * call the library; `text` is one line without a newline, valid meanwhile. The callback before is not called any more when
 * this returns.
 */
void farnova_set_log(void (*log)(void *context, int level, const char *text), void *context);

/* What a connection has done since farnova_connect. */
struct farnova_stats {
	size_t size;                  /* set by the caller: sizeof(struct farnova_stats), lets the structure grow */
	uint64_t requests;            /* messages sent to the server, of all operations; one sent again counts again */
	uint64_t received;            /* messages received */
	uint64_t connections;         /* made, the first included: more than one after the server was away */
	uint64_t reads, read_bytes;   /* one-sided READs of files: they cost no message */
	uint64_t writes, write_bytes; /* one-sided WRITEs of data; a message commits each */
};

int farnova_get_stats(struct farnova *fs, struct farnova_stats *out);

/*
 * farnova_get_operation_stats -- the messages sent, by operation: its name, and how many in `*count`. Begin with
 * `*number` 0, which moves on with each call; NULL: there are no more. Operations that were never sent are left out.
 */
const char *farnova_get_operation_stats(struct farnova *fs, unsigned *number, uint64_t *count);

/* ---- files ------------------------------------------------------------------------------------------------------ */

/* farnova_open -- flags as open(2): O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NOFOLLOW,
 * O_DIRECTORY; O_NOATIME, which its owner alone may say (EPERM); O_TMPFILE: a new file without a name in the directory
 * `path`, which ends when it is closed unless farnova_flink names it first (with O_EXCL never). O_CLOEXEC, O_SYNC and
 * O_DSYNC are accepted and change nothing. `mode` is used as given
 * unless the thread has set a umask (farnova_set_umask). */
struct farnova_file *farnova_open(struct farnova *fs, const char *path, int flags, mode_t mode);
int farnova_close(struct farnova_file *file);
ssize_t farnova_read(struct farnova_file *file, void *buffer, size_t length);
ssize_t farnova_write(struct farnova_file *file, const void *data, size_t length);
ssize_t farnova_pread(struct farnova_file *file, void *buffer, size_t length, off_t offset);
/* farnova_pwrite -- each write of up to 1 MiB is one atomic change; a larger one is a row of such changes. */
ssize_t farnova_pwrite(struct farnova_file *file, const void *data, size_t length, off_t offset);
/* farnova_append -- write at the end of the file, as if it had been opened with O_APPEND; its position stays. */
ssize_t farnova_append(struct farnova_file *file, const void *data, size_t length);
/* farnova_lseek -- SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE. */
off_t farnova_lseek(struct farnova_file *file, off_t offset, int whence);
/* farnova_fallocate -- as fallocate(2): mode 0, FALLOC_FL_KEEP_SIZE, PUNCH_HOLE with KEEP_SIZE, ZERO_RANGE with or
 * without it, COLLAPSE_RANGE or INSERT_RANGE. One atomic change whatever its size, but for reservation: one for each 64 MiB. */
int farnova_fallocate(struct farnova_file *file, int mode, off_t offset, off_t length);
/* farnova_copy_file_range -- as copy_file_range(2), between files of one connection: the server copies, no data go over
 * the wire, holes stay. One atomic change of up to 16 MiB, less while `in` is being changed; returns how much, 0 at the end of `in`.
 * `flags` is 0. */
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
/* farnova_rename -- flags as renameat2: 0, RENAME_NOREPLACE or RENAME_EXCHANGE. */
int farnova_rename(struct farnova *fs, const char *from, const char *to, unsigned flags);
int farnova_link(struct farnova *fs, const char *from, const char *to);
/* farnova_flink -- give an open file a name: another one, or the first of one opened with O_TMPFILE. ENOENT if its last
 * name has gone, or if O_EXCL said that it never gets one. */
int farnova_flink(struct farnova_file *file, const char *path);
int farnova_symlink(struct farnova *fs, const char *target, const char *path);
ssize_t farnova_readlink(struct farnova *fs, const char *path, char *buffer, size_t size);
int farnova_chmod(struct farnova *fs, const char *path, mode_t mode);
int farnova_chown(struct farnova *fs, const char *path, uid_t uid, gid_t gid);
int farnova_lchown(struct farnova *fs, const char *path, uid_t uid, gid_t gid);
/* farnova_utimens -- as utimensat: UTIME_NOW and UTIME_OMIT work; flags 0 or AT_SYMLINK_NOFOLLOW. Times from 1677 to 2262
 * are kept to the nanosecond; others become the nearest of these. */
int farnova_utimens(struct farnova *fs, const char *path, const struct timespec times[2], int flags);
int farnova_statvfs(struct farnova *fs, struct statvfs *st);
/* farnova_statvfs_of -- as what lies at `path` may see it: no larger than its project's limit. */
int farnova_statvfs_of(struct farnova *fs, const char *path, struct statvfs *st);

/* ---- extended attributes and flags ------------------------------------------------------------------------------ */

/*
 * As getxattr(2) and its kin, with their rules (xattr(7)). ACLs are system.posix_acl_access and
 * system.posix_acl_default in the kernel's binary form. The calls with `l` mean a symbolic link itself.
 */
ssize_t farnova_getxattr(struct farnova *fs, const char *path, const char *name, void *value, size_t size);
ssize_t farnova_lgetxattr(struct farnova *fs, const char *path, const char *name, void *value, size_t size);
ssize_t farnova_fgetxattr(struct farnova_file *file, const char *name, void *value, size_t size);
/* farnova_setxattr -- flags: 0, XATTR_CREATE or XATTR_REPLACE of <sys/xattr.h>. */
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
#define FARNOVA_FILE_PROJECT_INHERIT (1u << 2) /* chattr +P, directories: what is made in it has its project */

/* farnova_getflags, farnova_setflags -- all flags at once; only the superuser changes them. EPERM, EOPNOTSUPP for what
 * is no file or directory. */
int farnova_getflags(struct farnova *fs, const char *path, unsigned *flags);
int farnova_setflags(struct farnova *fs, const char *path, unsigned flags);

/* All that is known of a file. */
struct farnova_statx {
	size_t size; /* set by the caller: sizeof(struct farnova_statx), lets the structure grow */
	struct stat stat;
	struct timespec birth;
	uint32_t flags;   /* FARNOVA_FILE_* */
	uint32_t project; /* 0 = none */
	bool has_xattrs;  /* extended attributes, ACLs among them */
};

/* farnova_statx -- flags: 0 or AT_SYMLINK_NOFOLLOW. */
int farnova_statx(struct farnova *fs, const char *path, int flags, struct farnova_statx *out);
int farnova_fstatx(struct farnova_file *file, struct farnova_statx *out);

/* ---- projects: how much a directory tree may use ----------------------------------------------------------------- */

struct farnova_quota {
	uint32_t project;
	uint32_t reserved;
	uint64_t bytes, byte_limit; /* in use; a limit of 0 is none */
	uint64_t files, file_limit; /* directories and all else count, too */
};

/* farnova_setproject -- the file belongs to the project (0: to none) from now on; a directory passes it on to what is
 * made in it. Only the superuser may (EPERM). A link or rename of what is not of its project into such a directory
 * fails with EXDEV. */
int farnova_setproject(struct farnova *fs, const char *path, uint32_t project);

/* farnova_quota_get -- what a project uses and may use. farnova_quota_next -- of the known project with the lowest
 * number from `project` on; ENOENT: there is none. */
int farnova_quota_get(struct farnova *fs, uint32_t project, struct farnova_quota *quota);
int farnova_quota_next(struct farnova *fs, uint32_t project, struct farnova_quota *quota);
/* farnova_quota_set -- only the superuser may (EPERM). What would pass a limit fails with EDQUOT from then on. */
int farnova_quota_set(struct farnova *fs, uint32_t project, uint64_t byte_limit, uint64_t file_limit);

/* ---- directories ------------------------------------------------------------------------------------------------ */

struct farnova_dir *farnova_opendir(struct farnova *fs, const char *path);
/* farnova_readdir -- the next entry ("." and ".." first), or NULL: at the end errno is left as it was. The entry is
 * valid until the next call on `dir`; d_off is a cookie for farnova_seekdir, stable across restarts of the server. */
struct dirent *farnova_readdir(struct farnova_dir *dir);
void farnova_seekdir(struct farnova_dir *dir, off_t position);
off_t farnova_telldir(struct farnova_dir *dir);
int farnova_closedir(struct farnova_dir *dir);

/* ---- by handle: for programs that serve others (a FUSE mount, a gateway) ----------------------------------------- */

/* An inode's name for ever. A handle whose inode has died gets ESTALE, never another file. */
struct farnova_handle {
	uint64_t ino;
	uint32_t generation;
	uint32_t reserved;
	uint64_t seal; /* the server's: a handle that it did not give out gets ESTALE */
};

/* On whose behalf a call is made. `uid` 0 is the superuser unless the server squashes it. */
struct farnova_cred {
	uid_t uid;
	gid_t gid;
	uint32_t group_count; /* up to 1024 */
	const gid_t *groups;
};

/* farnova_set_cred -- calls of this thread on `fs` are made for `cred` (copied) until the next; NULL: the process's. */
int farnova_set_cred(struct farnova *fs, const struct farnova_cred *cred);

/* farnova_set_umask -- what this thread makes on `fs` loses these permission bits, unless its directory has a default
 * ACL. 0 at first: the process's umask plays no part. */
int farnova_set_umask(struct farnova *fs, mode_t mask);

/*
 * farnova_set_tag -- calls of this thread, on all connections, are `tag`'s until it sets another; 0, as at first: nobody's.
 * farnova_cancel -- the calls of `tag` on `fs` end now with EINTR, and so do later ones. What was sent may have been
 * executed, or may yet be. Use each tag once: whoever cancels one need not know whether its calls have ended.
 * farnova_cancel_all -- every call on `fs` ends with ETIMEDOUT from now on: for a program that ends while the server is
 * away. Any thread may call both; signal handlers may not.
 */
void farnova_set_tag(uint64_t tag);
void farnova_cancel(struct farnova *fs, uint64_t tag);
void farnova_cancel_all(struct farnova *fs);

/* farnova_root -- the handle of the URL's PATH. */
struct farnova_handle farnova_root(const struct farnova *fs);

/* In the calls below `name` is one component; nothing is followed. `handle` and `st` (may be NULL) tell the result.
 * In a look-up ".." is the directory above and "." the inode itself, which may be no directory. */
int farnova_lookup_at(struct farnova *fs, struct farnova_handle dir, const char *name, struct farnova_handle *handle,
                      struct stat *st);
/* farnova_lookupx_at -- the same with all that is known, and `in` (may be NULL) tells what `dir` is like, also where the
 * call fails with ENOENT: then its stat.st_ino is 0 if that is not known. Both have their size set by the caller. */
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

/* farnova_setattr_at -- what `mask` names is taken from `st`, all at once; `open` may be NULL or the file open for
 * writing, which then allows SET_SIZE. `st` receives the attributes afterwards. */
int farnova_setattr_at(struct farnova *fs, struct farnova_handle file, struct farnova_file *open, unsigned mask,
                       struct stat *st);
/* farnova_setattrx_at -- the same from and to `st->stat`; tells all that is known of the file. */
int farnova_setattrx_at(struct farnova *fs, struct farnova_handle file, struct farnova_file *open, unsigned mask,
                        struct farnova_statx *st);
int farnova_access_at(struct farnova *fs, struct farnova_handle file, int mode);

/* With O_RDONLY, for opens that execute: x is asked for in place of r, so a program of mode 0711 is read by those who
 * may only execute it. The value is what Linux passes to a FUSE file system in open's flags. */
#define FARNOVA_O_EXEC 0x20

/* farnova_open_at -- as farnova_open: everyone, the owner too, has the rights that the mode and ACL give now. */
struct farnova_file *farnova_open_at(struct farnova *fs, struct farnova_handle file, int flags);
/* farnova_openx_at -- the same, and tells what the file is like. */
struct farnova_file *farnova_openx_at(struct farnova *fs, struct farnova_handle file, int flags,
                                      struct farnova_statx *st);
struct farnova_file *farnova_create_at(struct farnova *fs, struct farnova_handle dir, const char *name, int flags,
                                       mode_t mode, struct farnova_handle *handle, struct stat *st);
/* farnova_createx_at -- the same, and tells all that is known of the file. */
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
/* farnova_setproject_at -- project and all flags, in one change; unlike farnova_setproject it adds no flag. */
int farnova_setproject_at(struct farnova *fs, struct farnova_handle file, uint32_t project, unsigned flags);
int farnova_statx_at(struct farnova *fs, struct farnova_handle file, struct farnova_statx *out);
int farnova_statvfs_at(struct farnova *fs, struct farnova_handle file, struct statvfs *st);
struct farnova_dir *farnova_opendir_at(struct farnova *fs, struct farnova_handle dir);
/* farnova_opendirx_at -- the same, and tells what the directory is like. */
struct farnova_dir *farnova_opendirx_at(struct farnova *fs, struct farnova_handle dir, struct farnova_statx *st);

#ifdef __cplusplus
}
#endif

#endif
