/*
 * nova.h -- the NOVA core: a log-structured file system on mapped persistent memory.
 *
 * Every operation that changes something is atomic and, when it returns 0, durable: after a crash at any point it is
 * wholly there or wholly not, and if it had returned it is there. Operations on one inode are serialised by the
 * inode's lock in DRAM (readers share it); nothing on a hot path takes a lock that two unrelated operations share.
 *
 * All functions return 0 (or a count) or -errno. Names are bytes: 1..255 of them, no '/' and no NUL; "." and ".." are
 * refused with -EINVAL where a name is made or removed and understood by nova_lookup. Times are signed nanoseconds
 * since 1970. Sizes and offsets are bytes unless the name says blocks.
 *
 * Thread safety: every function may be called by any thread; a struct nova_worker is used by one thread at a time.
 */
#ifndef FARNOVA_NOVA_NOVA_H
#define FARNOVA_NOVA_NOVA_H

#include "common/pm/pm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct nova;
struct nova_worker;

/* Distinct types: an inode number, a block of the pool. */
typedef struct {
	uint64_t n;
} nova_ino;
typedef struct {
	uint64_t n;
} nova_block;

/* Names an inode for ever: a handle whose generation has ended gets -ESTALE, never another file. */
struct nova_handle {
	nova_ino ino;
	uint32_t generation;
};

/* On whose behalf. NULL where a cred is asked for means no check at all. uid 0 is the superuser. */
struct nova_cred {
	uint32_t uid;
	uint32_t gid;
	uint32_t group_count;
	const uint32_t *groups; /* supplementary */
};

/* Which request of which client, stored in every entry it commits; zero = nobody's. */
struct nova_request {
	uint32_t client;
	uint16_t slot;
	uint32_t sequence;
};

/* What every operation needs to know about its caller. */
struct nova_call {
	struct nova_worker *worker;
	const struct nova_cred *cred;
	struct nova_request request;
	/* Passed on with the blocks that the call frees: see struct nova_freed. NULL = nobody's change. */
	const void *change;
	bool opened;    /* read and write access was checked when the file was opened: do not check the mode again */
	uint32_t umask; /* taken from the mode of what is made, but where the directory has a default ACL */
};

struct nova_attr {
	struct nova_handle handle;
	uint32_t mode; /* type and permission bits as st_mode */
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev;
	uint32_t flags;   /* NOVA_FILE_* */
	uint32_t project; /* whose usage it counts to, 0 = none */
	bool has_xattrs;  /* ACLs among them; told, never set */
	uint64_t size;
	uint64_t blocks; /* of 4096 bytes: data and what targets and attributes have of their own */
	int64_t atime_ns;
	int64_t mtime_ns;
	int64_t ctime_ns;
	int64_t btime_ns;
	uint64_t change; /* grows with every change of the inode */
};

/* ---- a pool ---------------------------------------------------------------------------------------------------- */

struct nova_format_options {
	const char *label;  /* up to 64 bytes, may be NULL */
	uint32_t root_mode; /* 0 = 0755 */
	uint32_t root_uid;
	uint32_t root_gid;
};

/*
 * nova_format -- make an empty file system on a mapped pool. -ENOSPC if the pool is under 10 MiB. Durable on return; a
 * crash before leaves a pool that does not mount (the superblocks are written last).
 */
int nova_format(struct pm *pm, const struct nova_format_options *options);

/*
 * nova_grow -- take all of a pool that has become larger, by whole chunks, into its file system, which nobody has
 * mounted. Durable on return; a crash before leaves the old size. Growing nothing is no error. Errors as nova_mount's
 * and -EROFS; `why` receives a sentence.
 */
int nova_grow(struct pm *pm, uint64_t *old_bytes, uint64_t *new_bytes, char *why, size_t why_size);

/* nova_probe -- 0 if the pool holds a valid superblock of a version this code can read, else as nova_mount. */
int nova_probe(const struct pm *pm, char *why, size_t why_size);

/* A row of blocks that an inode has lost. */
struct nova_freed {
	nova_ino ino;
	nova_block first;
	uint64_t count;
	uint32_t project;   /* whose usage they counted to, 0 = none */
	const void *change; /* as in the nova_call that freed them; NULL = nobody's */
};

enum nova_quarantine { NOVA_FREE, NOVA_QUARANTINE, NOVA_QUARANTINE_CHARGED };

struct nova_mount_options {
	bool read_only;
	bool rescue;                 /* read-only, and damage does not refuse the mount: see nova_mount */
	bool accept_unsafe_shutdown; /* mount writable although the device may have lost stores: see nova_mount */
	unsigned recovery_threads;   /* 0 = as many as CPUs */
	/* Read all logs although a clean unmount saved what they say: finds damage now, not when it is met. */
	bool full_scan;
	unsigned progress_ms; /* how often a long scan says in the log how far it is; 0 = every second */
	/* DRAM for attributes and indexes of inodes that nobody has pinned, a soft limit: 0 = 40 bytes for each slot,
	 * at least 32 MiB. Beside it every slot costs 17 bytes and every block a bit. */
	uint64_t cache_bytes;
	/*
	 * Blocks that an operation no longer needs are offered here after the commit is durable and before they are
	 * reused. NOVA_QUARANTINE keeps them for now: they are then the callee's to give to nova_free_blocks.
	 * NOVA_QUARANTINE_CHARGED: until then they also go on counting to the project. Called with the inode's lock
	 * held; must not call into nova. NULL = all are free at once. If the pool is closed first they are simply free.
	 */
	enum nova_quarantine (*quarantine)(void *context, const struct nova_freed *freed);
	void *quarantine_context;
};

/*
 * nova_mount -- recover if needed and mount. -EINVAL not a pool, -EPROTONOSUPPORT newer format or unknown incompat
 * feature, -EIO damaged, -ENOMEM. `why` receives a sentence. Logs what recovery did. The clean flag is cleared and
 * fenced before the first change. The pm stays the caller's and outlives the mount.
 *
 * -EUCLEAN: the device beneath has counted an unsafe shutdown (pm->unsafe_shutdowns) since the pool was mounted, and it
 * was not unmounted: fenced stores may be lost. Read-only mounts only log it.
 *
 * A pool with unknown ro-compat features is mounted read-only, which is logged and told by nova_read_only. A read-only
 * mount stores nothing at all, not even what recovery would: committed records of a journal that was not replayed are
 * seen through an overlay in DRAM. Every operation that would change something gets -EROFS.
 *
 * With `rescue` a damaged pool is mounted as far as it goes, each damage being logged. What is sound can be read. A
 * damaged inode gets -EIO when it is used, but a directory whose log can be read up to some point shows the names up
 * to there: any other name, and reading on after the last of them, gets -EIO.
 */
int nova_mount(struct pm *pm, const struct nova_mount_options *options, struct nova **out, char *why, size_t why_size);

/* nova_unmount -- mark clean and free all DRAM. No other call may be running; workers must be closed. */
void nova_unmount(struct nova *fs);

/* nova_worker_open -- state of one thread: its journal ring and its reserve of blocks and slots. -EBUSY past 64. */
int nova_worker_open(struct nova *fs, struct nova_worker **out);
void nova_worker_close(struct nova_worker *worker);

/*
 * The first use of an inode reads its log, which may be long. For a thread that serves others, too:
 *
 * nova_may_defer -- from now until its next commit operations of this worker do not read a log of more than some
 * thousand lines, nor wait for nova_load, but fail with -EBUSY and have changed nothing. nova_load -- read it, by a
 * worker that has time. nova_deferred -- which inode it was that an operation since nova_may_defer
 * has failed for; 0: none.
 */
void nova_may_defer(struct nova_worker *worker, bool may);
nova_ino nova_deferred(const struct nova_worker *worker);
void nova_load(struct nova_worker *worker, nova_ino ino);

struct nova_statfs {
	uint64_t blocks; /* of 4096 bytes, usable for data and metadata */
	uint64_t free_blocks;
	uint64_t available_blocks; /* of the free ones: the rest is kept so that names can be removed, by whomever */
	uint64_t inodes;           /* in use */
	uint64_t inode_limit;      /* how many there may be, 0 = as many as there is space for */
	uint64_t dram_bytes;       /* what the mount takes, by its own count */
	uint8_t uuid[16];
	char label[65];
};
void nova_statfs(struct nova *fs, struct nova_statfs *out);

/* nova_handle_key -- the pool's secret, with which the server seals the handles that it gives to clients. */
void nova_handle_key(const struct nova *fs, uint8_t key[16]);

/* nova_statfs_at -- as the inode's project may see it: no larger than its limit. -ESTALE. */
int nova_statfs_at(const struct nova_call *call, struct nova_handle file, struct nova_statfs *out);

/* nova_read_only -- whether the mount changes nothing, by wish or by need. */
bool nova_read_only(const struct nova *fs);

/* nova_root -- the root directory's handle. */
struct nova_handle nova_root(const struct nova *fs);

#define NOVA_GC_BUSY 1u /* also logs that have grown since the last step */

/*
 * nova_gc_step -- shorten logs beyond what appends to them do by themselves, where nothing was appended since the last
 * step: up to `slices` slices of at most some ten microseconds each, under one inode's lock at a time; inodes that are
 * locked are left alone. Returns how many slices were done; fewer than asked for: there is nothing more to do now. For
 * a thread that has time, at intervals.
 */
int nova_gc_step(struct nova_worker *worker, unsigned slices, unsigned flags);

/* ---- names ----------------------------------------------------------------------------------------------------- */

/* nova_lookup -- find `name` in `dir` (x permission on it). "." and ".." work; ".." of the root is the root. */
int nova_lookup(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                struct nova_attr *attr);

/*
 * nova_create -- make a regular file, directory, FIFO, socket or device as `mode` says. -EEXIST if the name is there.
 * A set-group-ID directory passes on its group, and the bit to directories. Where the directory has a default ACL
 * the inode is born with the ACLs it gives; elsewhere call->umask is taken from the mode.
 */
int nova_create(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length, uint32_t mode,
                uint32_t rdev, struct nova_attr *attr);

/* nova_symlink -- target of 1..4095 bytes, any but NUL. */
int nova_symlink(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                 const char *target, size_t target_length, struct nova_attr *attr);

/* nova_readlink -- copies up to `size` bytes, returns the target's length. */
ssize_t nova_readlink(const struct nova_call *call, struct nova_handle file, char *buffer, size_t size);

/* nova_link -- another name, or the first of a file that nova_tmpfile made. -ENOENT if its last name has gone. */
int nova_link(const struct nova_call *call, struct nova_handle file, struct nova_handle dir, const char *name,
              size_t length, struct nova_attr *attr);

/* nova_unlink -- remove a name that is not a directory's. `attr` (may be NULL) tells the inode as it is afterwards. */
int nova_unlink(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                struct nova_attr *attr);
int nova_rmdir(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
               struct nova_attr *attr);

#define NOVA_RENAME_NOREPLACE 1u
#define NOVA_RENAME_EXCHANGE  2u

/* nova_rename -- as renameat2. `replaced` (may be NULL) receives the attributes of what was replaced; nlink 0 if it
 * died, handle.ino.n 0 if nothing was. */
int nova_rename(const struct nova_call *call, struct nova_handle from_dir, const char *from, size_t from_length,
                struct nova_handle to_dir, const char *to, size_t to_length, unsigned flags,
                struct nova_attr *replaced);

struct nova_dirent {
	uint64_t cookie; /* pass it to go on after this entry; stable while the name exists, across remounts and GC */
	nova_ino ino;
	uint32_t type;    /* S_IFMT bits */
	const char *name; /* not NUL-terminated, valid during the callback */
	size_t length;
};

/*
 * nova_readdir -- call `emit` for each name after `cookie` (0 = from the start) until it returns false. "." and ".."
 * are not among them. A listing in several calls ends where the directory ended at the first: `until` is 0 then and
 * receives what the others are given, so that names which come later, by renaming too, are not told for ever. A name
 * that exists throughout is told exactly once, also where another inode replaces the one it leads to. `until` NULL: a
 * listing in one call. Needs r on the directory unless opened. In a rescue mount -EIO may come after names have been
 * told.
 */
int nova_readdir(const struct nova_call *call, struct nova_handle dir, uint64_t cookie, uint64_t *until,
                 bool (*emit)(void *context, const struct nova_dirent *entry), void *context);

/* ---- inodes ---------------------------------------------------------------------------------------------------- */

int nova_getattr(const struct nova_call *call, struct nova_handle file, struct nova_attr *attr);

/* nova_access -- 0 if the cred may R_OK | W_OK | X_OK the inode, else -EACCES. */
int nova_access(const struct nova_call *call, struct nova_handle file, int mask);

#define NOVA_SET_MODE      (1u << 0)
#define NOVA_SET_UID       (1u << 1)
#define NOVA_SET_GID       (1u << 2)
#define NOVA_SET_SIZE      (1u << 3)
#define NOVA_SET_ATIME     (1u << 4)
#define NOVA_SET_MTIME     (1u << 5)
#define NOVA_SET_ATIME_NOW (1u << 6)
#define NOVA_SET_MTIME_NOW (1u << 7)
#define NOVA_SET_FLAGS     (1u << 8)
#define NOVA_SET_PROJECT   (1u << 9)

/* File flags, as chattr sets them. Only the superuser changes these; -EOPNOTSUPP for what is no file or directory.
 * What the first two forbid fails with -EPERM for everyone. */
#define NOVA_FILE_IMMUTABLE       (1u << 0) /* only the flags change; no link, removal or new name in a directory */
#define NOVA_FILE_APPEND          (1u << 1) /* a file takes NOVA_WRITE_APPEND only, a directory loses no name */
#define NOVA_FILE_PROJECT_INHERIT (1u << 2) /* what is made in the directory has its project; directories this, too */

/* nova_setattr -- everything in `mask` at once, or nothing. `in` gives the values; `out` (may be NULL) the result.
 * SET_PROJECT is the superuser's, and its limits do not stand in the way. A new owner or group takes set-ID bits and
 * capabilities from what is no directory, whoever gives it, unless a mode comes with it (chown(2)). */
int nova_setattr(const struct nova_call *call, struct nova_handle file, unsigned mask, const struct nova_attr *in,
                 struct nova_attr *out);

/*
 * nova_may_setattr, nova_may_write -- 0 if nova_setattr, or nova_write with these flags, would not be refused for what
 * the caller asks or for who it is. For a caller that has to keep others away from the inode before it changes it.
 */
int nova_may_setattr(const struct nova_call *call, struct nova_handle file, unsigned mask, const struct nova_attr *in);
int nova_may_write(const struct nova_call *call, struct nova_handle file, unsigned flags);

enum nova_atime { NOVA_ATIME_RELATIVE, NOVA_ATIME_STRICT };

/*
 * nova_accessed -- the inode was read: set its access time to now. RELATIVE: only where it is not later than the times
 * of the last modification and change, or older than a day; to find that it is not due stores nothing and takes the
 * inode's lock shared. The core never does it of its own accord: what counts as reading is its user's policy. Durable;
 * -EROFS on a read-only mount.
 */
int nova_accessed(const struct nova_call *call, struct nova_handle file, enum nova_atime policy);

/* nova_atime_due -- whether nova_accessed would set the time by RELATIVE, given attributes and the wall clock. */
bool nova_atime_due(const struct nova_attr *attr, int64_t now_ns);

/*
 * nova_open -- pin an inode: while pinned its blocks stay although its last name goes (it becomes an orphan, which a
 * crash does not lose until nova_reclaim_orphans). nova_close undoes one nova_open and reclaims the last orphan's pin.
 */
int nova_open(const struct nova_call *call, struct nova_handle file, struct nova_attr *attr);
int nova_close(const struct nova_call *call, struct nova_handle file);

/*
 * nova_tmpfile -- make a regular file without a name, owned as if it were made in `dir`, and pin it as nova_open does.
 * It ends with its last nova_close, or as an orphan does after a crash, unless nova_link names it first; not
 * `linkable`: nova_link refuses it with -ENOENT.
 */
int nova_tmpfile(const struct nova_call *call, struct nova_handle dir, uint32_t mode, bool linkable,
                 struct nova_attr *attr);

/* nova_reclaim_orphans -- free what has no name and nobody has pinned since the mount; returns how many. */
int nova_reclaim_orphans(const struct nova_call *call);

/* ---- extended attributes --------------------------------------------------------------------------------------- */

/*
 * Names with their prefix, up to 255 bytes: user.*, trusted.*, security.*, system.posix_acl_access and
 * system.posix_acl_default; others -EOPNOTSUPP. Values up to 64 KiB (-E2BIG); one that with the name behind its prefix
 * is longer than 3992 bytes has blocks of its own, which count in nova_attr.blocks. Rules as in xattr(7): user.* is
 * for files and directories whose mode allows it (a sticky directory's owner), trusted.* for the superuser and hidden
 * from others, security.* read by all and set by the superuser, ACLs set by the owner.
 *
 * An ACL has the kernel's binary form, version 2. Its entries for owner, mask (or group) and others are the mode's
 * bits: each change of either is one of both. An access ACL that says no more than the mode is not kept.
 */

#define NOVA_XATTR_CREATE  1u /* -EEXIST if it is there */
#define NOVA_XATTR_REPLACE 2u /* -ENODATA if it is not */

/* nova_getxattr -- the value's length; with `size` 0 nothing is copied. -ENODATA; -ERANGE if it does not fit. `change`
 * (may be NULL) is the inode's as it is with this value. */
ssize_t nova_getxattr(const struct nova_call *call, struct nova_handle file, const char *name, size_t length,
                      void *value, size_t size, uint64_t *change);

/* nova_setxattr -- `attr` (may be NULL) tells the inode afterwards. -ENOSPC also when an ACL has over 498 entries or
 * all names together take over 64 KiB. */
int nova_setxattr(const struct nova_call *call, struct nova_handle file, const char *name, size_t length,
                  const void *value, size_t size, unsigned flags, struct nova_attr *attr);

/* nova_listxattr -- the names that the caller may see, each with a NUL, in order of their making; sizes as above. */
ssize_t nova_listxattr(const struct nova_call *call, struct nova_handle file, char *list, size_t size,
                       uint64_t *change);

int nova_removexattr(const struct nova_call *call, struct nova_handle file, const char *name, size_t length,
                     struct nova_attr *attr);

/* ---- projects -------------------------------------------------------------------------------------------------- */

/*
 * An inode belongs to a project or to none. A project's blocks (of file data and targets) and inodes are counted, and
 * an operation that would take more than its limits fails with -EDQUOT and leaves no trace, whoever asks. A link or
 * rename into a directory that passes on a project (NOVA_FILE_PROJECT_INHERIT) fails with -EXDEV if the inode is not of
 * that project.
 */
struct nova_quota {
	uint32_t project;
	uint64_t block_limit; /* 0 = none, as the next one */
	uint64_t inode_limit;
	uint64_t blocks; /* in use */
	uint64_t inodes;
};

/* nova_quota_get -- of a project (-EINVAL for 0), or with `next` of the known one with the lowest number from `project`
 * on (-ENOENT: there is no more). */
int nova_quota_get(struct nova *fs, uint32_t project, bool next, struct nova_quota *out);

/* nova_quota_full -- whether the project of the inode uses as many blocks as it may; false if it has none. */
bool nova_quota_full(const struct nova_call *call, struct nova_handle file);

/* nova_quota_set -- the superuser sets a project's limits, durably; 0 = none. They may lie below what is in use. */
int nova_quota_set(const struct nova_call *call, uint32_t project, uint64_t block_limit, uint64_t inode_limit);

/* ---- data ------------------------------------------------------------------------------------------------------ */

/* nova_read -- up to `length` bytes at `offset`; returns the count, 0 at or past the end. Holes read as zeros. */
ssize_t nova_read(const struct nova_call *call, struct nova_handle file, uint64_t offset, void *buffer, size_t length);

#define NOVA_WRITE_APPEND 1u /* at the end of the file, whatever `offset` says */

/*
 * nova_write -- write all `length` bytes as one atomic, durable change: copy on write, never in place. Returns length
 * or -errno, never a part. `attr` (may be NULL) tells the inode after it; with APPEND the data begin at
 * attr->size - length. At most 1 GiB in one call.
 */
ssize_t nova_write(const struct nova_call *call, struct nova_handle file, uint64_t offset, const void *data,
                   size_t length, unsigned flags, struct nova_attr *attr);

/* The bits of fallocate's mode, with Linux's values. */
#define NOVA_FALLOCATE_KEEP_SIZE      0x01u
#define NOVA_FALLOCATE_PUNCH_HOLE     0x02u /* with KEEP_SIZE */
#define NOVA_FALLOCATE_COLLAPSE_RANGE 0x08u /* alone */
#define NOVA_FALLOCATE_ZERO_RANGE     0x10u /* alone or with KEEP_SIZE */
#define NOVA_FALLOCATE_INSERT_RANGE   0x20u /* alone */

/*
 * nova_fallocate -- as fallocate(2), for the range [offset, offset + length): one atomic, durable change whatever its
 * size. -EINVAL: an empty range; collapse or insert with KEEP_SIZE, off the 4096-byte blocks or reaching the end of the
 * file. -EOPNOTSUPP: any other mode. -ENOSPC leaves the file as it was.
 *
 * 0 and KEEP_SIZE reserve blocks where the file has none. They read as zeros, are holes to nova_seek and nova_map, and
 * a first write into reserved blocks alone cannot get -ENOSPC: it uses them, and log space was reserved with them. What
 * holds data already is not reserved a second time: overwriting it is copy on write and needs free blocks for a moment.
 * ZERO_RANGE takes fresh reserved blocks for what held data, so it needs as much free space. COLLAPSE and INSERT move
 * no data: they cost log lines for what lies behind the range.
 */
int nova_fallocate(const struct nova_call *call, struct nova_handle file, unsigned mode, uint64_t offset,
                   uint64_t length, struct nova_attr *attr);

enum nova_seek { NOVA_SEEK_DATA, NOVA_SEEK_HOLE };

/*
 * nova_seek -- where the next data, or the next hole, begins at or after `offset`; reserved blocks are holes, and so is
 * the end of the file. -ENXIO: `offset` is at or past the end, or no data follow. Needs r unless opened.
 */
int nova_seek(const struct nova_call *call, struct nova_handle file, uint64_t offset, enum nova_seek what,
              uint64_t *found);

/*
 * nova_copy -- copy up to `length` bytes (at most 1 GiB) between files, or within one, as one atomic, durable change of
 * `to`; returns how many, fewer only at the end of `from`, 0 at or past it. Holes stay holes where both offsets have
 * the same place in a block. -EINVAL: the ranges overlap in one file. Needs r and w unless opened. `attr` (may be NULL)
 * tells `to` after it.
 */
ssize_t nova_copy(const struct nova_call *call, struct nova_handle from, uint64_t from_offset, struct nova_handle to,
                  uint64_t to_offset, uint64_t length, struct nova_attr *attr);

/*
 * A long copy in two steps, of which only the second is seen by anybody, and holds the files' locks for the time of a
 * commit: what is copied is brought into private blocks beforehand, in slices.
 *
 * nova_copy_prepare -- by any worker; *out is then to be given to one of the others. Errors as nova_copy's; -ENOSPC also
 * where nova_copy would use blocks that the target has reserved. -EAGAIN: the source has been changed meanwhile.
 *
 * nova_copy_commit -- make it true, as nova_copy would; the call's rights are looked at here. Frees `copy`. -EAGAIN: the
 * source has been changed since: nothing has been done.
 *
 * nova_copy_discard -- give it up. NULL is allowed.
 */
struct nova_copy;
int nova_copy_prepare(struct nova_worker *worker, struct nova_handle from, uint64_t from_offset, struct nova_handle to,
                      uint64_t to_offset, uint64_t length, struct nova_copy **out);
ssize_t nova_copy_commit(const struct nova_call *call, struct nova_copy *copy, struct nova_attr *attr);
void nova_copy_discard(struct nova_worker *worker, struct nova_copy *copy);

/* Where a piece of a file lies. */
struct nova_extent {
	uint64_t offset;  /* in the file, a multiple of 4096 */
	uint64_t length;  /* bytes, a multiple of 4096 */
	nova_block block; /* n = 0: a hole, or reserved: it reads as zeros */
};

/*
 * nova_map -- the extents that cover [offset, offset + length) of the file, clipped to its size rounded up, holes
 * included, merged where adjacent, at most `max`. Returns how many. True only until the next change of the inode; the
 * caller keeps changes away by its own means (layouts). `attr` (may be NULL) is taken under the same lock.
 */
int nova_map(const struct nova_call *call, struct nova_handle file, uint64_t offset, uint64_t length,
             struct nova_extent *extents, int max, struct nova_attr *attr);

/* nova_free_blocks -- free what was quarantined; `project` is the one that it has been charged to, 0 = none. */
void nova_free_blocks(struct nova_worker *worker, nova_block first, uint64_t count, uint32_t project);

/* nova_pm -- the pool beneath (its base for registration and for one-sided reads). */
struct pm *nova_pm(const struct nova *fs);

#endif
