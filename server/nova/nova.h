/*
 * nova.h -- the NOVA core: a log-structured file system on mapped persistent memory.
 *
 * Every operation that changes something is atomic and, when it returns 0, durable: after a crash at any point either
 * the whole change is there or nothing of it, and all of it if the operation had returned. The inode's lock in DRAM
 * serialises operations on one inode (readers share it). No hot path takes a lock that two unrelated operations share.
 *
 * All functions return 0 (or a count) or -errno. A name is 1..255 bytes, without '/' and NUL. nova_lookup accepts "."
 * and ".."; functions that add or remove a name refuse them with -EINVAL. Times are signed nanoseconds since 1970.
 * Sizes and offsets are bytes unless their name says blocks.
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
struct nova_intent;

/* Distinct types: an inode number, a block of the pool. */
typedef struct {
	uint64_t n;
} nova_ino;
typedef struct {
	uint64_t n;
} nova_block;

/* Identifies an inode for ever: after the end of its generation the handle gets -ESTALE, never another file. */
struct nova_handle {
	nova_ino ino;
	uint32_t generation;
};

/* The credential of the caller. Where a cred is expected, NULL means no check at all. uid 0 is the superuser. */
struct nova_cred {
	uint32_t uid;
	uint32_t gid;
	uint32_t group_count;
	const uint32_t *groups; /* supplementary */
};

/* The caller of an operation. */
struct nova_call {
	struct nova_worker *worker;
	const struct nova_cred *cred;
	/* Of a client's request: the commit with its effect stores it (clients.h). NULL = nobody repeats this call. */
	struct nova_intent *intent;
	/* Passed on with the blocks that the call frees: see struct nova_freed. NULL = no session's change. */
	const void *change;
	bool opened;    /* the open has checked read and write access: do not check the mode again */
	uint32_t umask; /* cleared in the mode of a new inode, unless the directory has a default ACL */
};

struct nova_attr {
	struct nova_handle handle;
	uint32_t mode; /* type and permission bits as st_mode */
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev;
	uint32_t flags;   /* NOVA_FILE_* */
	uint32_t project; /* to which its usage counts, 0 = none */
	bool has_xattrs;  /* ACLs count too; output only */
	uint64_t size;
	uint64_t blocks; /* of 4096 bytes: data, and the own blocks of symlink targets and extended attributes */
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
 * nova_format -- make an empty file system on a mapped pool. -ENOSPC if the pool is under 10 MiB. Durable on return.
 * After a crash before that, the pool does not mount (the superblocks are written last).
 */
int nova_format(struct pm *pm, const struct nova_format_options *options);

/*
 * nova_grow -- extend an unmounted file system, by whole chunks, to the size of its pool, which has become larger.
 * Durable on return; a crash before that leaves the old size. A pool of the same size is no error. Errors as
 * nova_mount's, and -EROFS; `why` receives a sentence.
 */
int nova_grow(struct pm *pm, uint64_t *old_bytes, uint64_t *new_bytes, char *why, size_t why_size);

/*
 * nova_new_uuid -- give an unmounted file system another UUID and another key of handles, and end the identities of its
 * clients: so a copy becomes a pool of its own. -EUCLEAN: it was not unmounted cleanly; -EBUSY: another host serves it
 * (as nova_served, takes up to 2 s); -EROFS; else as nova_mount. `why` receives a sentence. Durable on return. A crash
 * before that leaves the old UUID and key or the new ones, the new ones only without the old identities; one superblock
 * may be damaged or differ, which the next mount or the next call restores. The next mount reads all logs.
 */
int nova_new_uuid(struct pm *pm, uint8_t old_uuid[16], uint8_t new_uuid[16], char *why, size_t why_size);

/* nova_pool_uuid -- the UUID of an unmounted pool, whatever its version. -ENODATA: it has no intact superblock. */
int nova_pool_uuid(const struct pm *pm, uint8_t uuid[16]);

/* nova_probe -- 0 if the pool has a valid superblock of a version that this code can read, else as nova_mount. */
int nova_probe(const struct pm *pm, char *why, size_t why_size);

/* nova_served -- before a program changes an unmounted pool: -EBUSY with `why` if another host serves it. Takes up to 2 s,
 * as nova_mount. Errors as nova_probe's. */
int nova_served(const struct pm *pm, char *why, size_t why_size);

/* A run of blocks that an inode no longer uses. */
struct nova_freed {
	nova_ino ino;
	nova_block first;
	uint64_t count;
	uint32_t project;   /* to which their usage counted, 0 = none */
	const void *change; /* of the nova_call that freed them; NULL = no session's */
};

enum nova_quarantine { NOVA_FREE, NOVA_QUARANTINE, NOVA_QUARANTINE_CHARGED };

struct nova_mount_options {
	bool read_only;
	bool rescue;                 /* mount a damaged pool, read-only: see nova_mount */
	bool accept_unsafe_shutdown; /* mount writable although the device may have lost stores: see nova_mount */
	unsigned recovery_threads;   /* 0 = as many as CPUs */
	/* Read all logs although a clean unmount saved a checkpoint: finds damage at mount, not at first use. */
	bool full_scan;
	unsigned progress_ms; /* how often a long scan logs its progress; 0 = every second */
	/* A soft limit on the DRAM for attributes and indexes of inodes that nobody has pinned: 0 = 40 bytes for each
	 * slot, at least 32 MiB. Besides, every slot costs 17 bytes and every block a bit. */
	uint64_t cache_bytes;
	/*
	 * Called with blocks that an operation no longer uses, after its commit is durable and before the blocks are
	 * reused. NOVA_QUARANTINE: the blocks stay allocated until the callee passes them to nova_free_blocks.
	 * NOVA_QUARANTINE_CHARGED: until then they also count to the project. Called with the inode's lock held; must
	 * not call into nova. NULL = all blocks are freed at once. An unmount or a crash frees quarantined blocks.
	 */
	enum nova_quarantine (*quarantine)(void *context, const struct nova_freed *freed);
	void *quarantine_context;
	/*
	 * Of a server on memory that several hosts may map: a random number for this start, of which 48 bits count; 0 =
	 * the pool is not claimed. While it is mounted a thread shows that it is served. `owner_lost`, called by that
	 * thread, may be NULL: another host has taken the pool, as this one was stopped for too long; end the process at
	 * once, without unmounting. `host` (0 = by the boot id) and `owner_watch_ms` (0 = 2000) are for tests.
	 */
	uint64_t instance;
	void (*owner_lost)(void *context);
	void *owner_lost_context;
	uint64_t host;
	unsigned owner_watch_ms;
};

/*
 * nova_mount -- recover if needed and mount. -EINVAL not a pool, -EPROTONOSUPPORT newer format or unknown incompat
 * feature, -EIO damaged, -ENOMEM. `why` receives a sentence. Logs what recovery did. Clears and fences the clean flag
 * before the first change. The caller keeps `pm`, which must outlive the mount.
 *
 * -EUCLEAN: since the last mount, which did not end with an unmount, the device has counted an unsafe shutdown
 * (pm->unsafe_shutdowns): fenced stores may be lost. Read-only mounts only log it.
 *
 * -EBUSY: another host serves the pool. To see that takes up to 2 s, if the last mount did not end and was another
 * host's, or this one's before it was booted anew. Read-only mounts do not look.
 *
 * A pool with unknown ro-compat features is mounted read-only; this is logged, and nova_read_only returns true. A
 * read-only mount stores nothing, not even for recovery: it applies committed records of a journal that was not
 * replayed to an overlay in DRAM. Every operation that would change something gets -EROFS.
 *
 * With `rescue` a damaged pool is mounted as far as possible, and each damage is logged. Undamaged inodes can be read.
 * A damaged inode gets -EIO when it is used. But if the log of a directory is readable up to some point, the names up
 * to that point can be used: any other name, and a listing beyond the last of them, gets -EIO.
 */
int nova_mount(struct pm *pm, const struct nova_mount_options *options, struct nova **out, char *why, size_t why_size);

/* nova_unmount -- mark the pool clean and free all DRAM. No other call may be running; workers must be closed. */
void nova_unmount(struct nova *fs);

/* nova_worker_open -- the state of one thread: its journal ring and its reserve of blocks and slots. At most 64 workers
 * may be open: -EBUSY. */
int nova_worker_open(struct nova *fs, struct nova_worker **out);
void nova_worker_close(struct nova_worker *worker);

struct nova_statfs {
	uint64_t blocks;           /* of 4096 bytes, usable for data and metadata */
	uint64_t free_blocks;      /* those of dead files included: see long.h */
	uint64_t available_blocks; /* of the free blocks; the others are a reserve, so that anyone can remove names */
	uint64_t inodes;           /* in use */
	uint64_t inode_limit;      /* the most inodes allowed, 0 = limited by space only */
	uint64_t dram_bytes;       /* used by the mount, by its own count */
	uint8_t uuid[16];
	char label[65];
};
void nova_statfs(struct nova *fs, struct nova_statfs *out);

/* nova_handle_key -- the secret key of the pool. The server seals the handles of clients with it. */
void nova_handle_key(const struct nova *fs, uint8_t key[16]);

/* nova_statfs_at -- the same, limited by the quota of the inode's project. -ESTALE. */
int nova_statfs_at(const struct nova_call *call, struct nova_handle file, struct nova_statfs *out);

/* nova_read_only -- whether the mount is read-only, by its options or because of the pool's features. */
bool nova_read_only(const struct nova *fs);

/* nova_root -- the root directory's handle. */
struct nova_handle nova_root(const struct nova *fs);

#define NOVA_GC_BUSY 1u /* include logs that have grown since the last step */

/*
 * nova_gc_step -- idle GC: shorten logs that have not grown since the last step, more than GC before appends does. A
 * step is up to `slices` slices of at most some ten microseconds each, under one inode's lock at a time. It skips
 * locked inodes. Returns the number of slices done; fewer than `slices`: there is nothing left to do now. A thread that
 * has time calls this at intervals.
 */
int nova_gc_step(struct nova_worker *worker, unsigned slices, unsigned flags);

/* ---- names ----------------------------------------------------------------------------------------------------- */

/* nova_lookup -- find `name` in `dir`. Needs x on `dir`. "." and ".." work; ".." of the root is the root. */
int nova_lookup(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                struct nova_attr *attr);

/*
 * nova_create -- make a regular file, directory, FIFO, socket or device, according to `mode`. -EEXIST if the name
 * exists. In a set-group-ID directory the inode gets the group of the directory, and a new directory also gets the bit.
 * If the directory has a default ACL, the inode gets its ACLs from that; else call->umask is cleared in the mode.
 */
int nova_create(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length, uint32_t mode,
                uint32_t rdev, struct nova_attr *attr);

/* nova_create_open -- nova_create of a regular file, and nova_open of it: no other thread can remove it in between. */
int nova_create_open(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                     uint32_t mode, struct nova_attr *attr);

/* nova_symlink -- the target has 1..4095 bytes, without NUL. */
int nova_symlink(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                 const char *target, size_t target_length, struct nova_attr *attr);

/* nova_readlink -- copies up to `size` bytes, returns the target's length. */
ssize_t nova_readlink(const struct nova_call *call, struct nova_handle file, char *buffer, size_t size);

/* nova_link -- add another name, or the first name of a nova_tmpfile. -ENOENT if the last name was removed. */
int nova_link(const struct nova_call *call, struct nova_handle file, struct nova_handle dir, const char *name,
              size_t length, struct nova_attr *attr);

/* nova_unlink -- remove a name of anything but a directory. `attr` (may be NULL) receives the attributes after it. */
int nova_unlink(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
                struct nova_attr *attr);
int nova_rmdir(const struct nova_call *call, struct nova_handle dir, const char *name, size_t length,
               struct nova_attr *attr);

#define NOVA_RENAME_NOREPLACE 1u
#define NOVA_RENAME_EXCHANGE  2u

/* nova_rename -- as renameat2. `replaced` (may be NULL) receives the attributes of the replaced inode: nlink 0 if that
 * was its last name; handle.ino.n 0 if nothing was replaced. */
int nova_rename(const struct nova_call *call, struct nova_handle from_dir, const char *from, size_t from_length,
                struct nova_handle to_dir, const char *to, size_t to_length, unsigned flags,
                struct nova_attr *replaced);

struct nova_dirent {
	uint64_t cookie; /* continues after this entry; stable while the name exists, across remounts and GC */
	nova_ino ino;
	uint32_t type;    /* S_IFMT bits */
	const char *name; /* not NUL-terminated, valid during the callback */
	size_t length;
};

/*
 * nova_readdir -- call `emit` for each name after `cookie` (0 = from the start) until `emit` returns false. "." and
 * ".." are not listed. A listing in several calls ends where the directory ended at the first call. For that, *until is
 * 0 at the first call and receives a value for the others; without it, names that keep being added or renamed could
 * make a listing endless. A name that exists throughout is listed exactly once, even if it comes to refer to another
 * inode. `until` NULL: a listing in one call. Needs r on the directory unless opened. In a rescue mount -EIO may follow
 * after some names.
 */
int nova_readdir(const struct nova_call *call, struct nova_handle dir, uint64_t cookie, uint64_t *until,
                 bool (*emit)(void *context, const struct nova_dirent *entry), void *context);

/* ---- inodes ---------------------------------------------------------------------------------------------------- */

int nova_getattr(const struct nova_call *call, struct nova_handle file, struct nova_attr *attr);

/* nova_access -- 0 if the cred has the access `mask` (R_OK | W_OK | X_OK) to the inode, else -EACCES. */
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

/* File flags, as chattr sets them. Only the superuser may change them; -EOPNOTSUPP except for files and directories.
 * An operation that one of the first two forbids fails with -EPERM for everyone. */
#define NOVA_FILE_IMMUTABLE       (1u << 0) /* only the flags change; no link, removal or new name in a directory */
#define NOVA_FILE_APPEND          (1u << 1) /* a file accepts NOVA_WRITE_APPEND only, a directory loses no name */
#define NOVA_FILE_PROJECT_INHERIT (1u << 2) /* new inodes in the directory get its project; directories this flag too */

/* nova_setattr -- set everything in `mask` at once, or nothing. `in` has the values; `out` (may be NULL) receives the
 * result. SET_PROJECT is for the superuser and ignores the project's limits. A new owner or group, whoever sets it,
 * clears set-ID bits and capabilities of anything but a directory, unless the call also sets a mode (chown(2)). */
int nova_setattr(const struct nova_call *call, struct nova_handle file, unsigned mask, const struct nova_attr *in,
                 struct nova_attr *out);

/*
 * nova_may_setattr, nova_may_write -- 0 if nova_setattr, or nova_write with these flags, would pass its checks of
 * arguments and permissions. For a caller that recalls leases before the change.
 */
int nova_may_setattr(const struct nova_call *call, struct nova_handle file, unsigned mask, const struct nova_attr *in);
int nova_may_write(const struct nova_call *call, struct nova_handle file, unsigned flags);

enum nova_atime { NOVA_ATIME_RELATIVE, NOVA_ATIME_STRICT };

/*
 * nova_accessed -- the inode was read: set its access time to now. RELATIVE: only if the access time is not later than
 * mtime and ctime, or is older than a day; if it is not due, the call stores nothing and takes the inode's lock shared.
 * The core never sets access times by itself: the caller decides what counts as a read. Durable; -EROFS on a read-only
 * mount.
 */
int nova_accessed(const struct nova_call *call, struct nova_handle file, enum nova_atime policy);

/* nova_atime_due -- whether nova_accessed with RELATIVE would set the time, by these attributes and the wall clock. */
bool nova_atime_due(const struct nova_attr *attr, int64_t now_ns);

/*
 * nova_open -- pin an inode. A pinned inode keeps its blocks when its last name is removed: it becomes an orphan, which
 * also survives a crash, until nova_reclaim_orphans. nova_close undoes one nova_open; with the last pin of an orphan it
 * frees the inode. Both: -ESTALE. nova_close: -EINVAL if the inode is not pinned.
 */
int nova_open(const struct nova_call *call, struct nova_handle file, struct nova_attr *attr);
int nova_close(const struct nova_call *call, struct nova_handle file);

/*
 * nova_tmpfile -- make a regular file without a name, owned as if it were made in `dir`, and pin it as nova_open does.
 * Unless nova_link gives it a name, the last nova_close frees it, or nova_reclaim_orphans after a crash. Without
 * `linkable` nova_link refuses it with -ENOENT.
 */
int nova_tmpfile(const struct nova_call *call, struct nova_handle dir, uint32_t mode, bool linkable,
                 struct nova_attr *attr);

/* nova_reclaim_orphans -- free all inodes that have no name and that nobody has pinned; returns how many. */
int nova_reclaim_orphans(const struct nova_call *call);

/* ---- extended attributes --------------------------------------------------------------------------------------- */

/*
 * Names with their prefix, up to 255 bytes: user.*, trusted.*, security.*, system.posix_acl_access and
 * system.posix_acl_default; others -EOPNOTSUPP. Values up to 64 KiB (-E2BIG). If a value and its name without prefix
 * take more than 3992 bytes, the value has blocks of its own, which count in nova_attr.blocks. Rules as in xattr(7):
 * user.* is for files and directories whose mode allows it (in a sticky directory: its owner); trusted.* is for the
 * superuser and hidden from others; all may read security.* and the superuser sets it; the owner sets ACLs.
 *
 * An ACL has the kernel's binary form, version 2. Its entries for owner, mask (or group) and others are the bits of the
 * mode: a change of one changes the other. An access ACL that adds nothing to the mode is not stored.
 */

#define NOVA_XATTR_CREATE  1u /* -EEXIST if the attribute exists */
#define NOVA_XATTR_REPLACE 2u /* -ENODATA if it does not */

/* nova_getxattr -- returns the value's length; with `size` 0 copies nothing. -ENODATA; -ERANGE if the value does not
 * fit. `change` (may be NULL) receives the inode's change counter, read together with the value. */
ssize_t nova_getxattr(const struct nova_call *call, struct nova_handle file, const char *name, size_t length,
                      void *value, size_t size, uint64_t *change);

/* nova_setxattr -- `attr` (may be NULL) receives the attributes after it. -ENOSPC also when an ACL has over 498 entries
 * or all names together take over 64 KiB. */
int nova_setxattr(const struct nova_call *call, struct nova_handle file, const char *name, size_t length,
                  const void *value, size_t size, unsigned flags, struct nova_attr *attr);

/* nova_listxattr -- the names that the caller may see, each with a NUL, oldest first; `size` and `change` as above. */
ssize_t nova_listxattr(const struct nova_call *call, struct nova_handle file, char *list, size_t size,
                       uint64_t *change);

int nova_removexattr(const struct nova_call *call, struct nova_handle file, const char *name, size_t length,
                     struct nova_attr *attr);

/* ---- projects -------------------------------------------------------------------------------------------------- */

/*
 * An inode belongs to one project or to none. The blocks (of file data and symlink targets) and inodes of a project are
 * counted. An operation that would exceed its limits fails with -EDQUOT and changes nothing, for the superuser too. A
 * link or rename into a directory with NOVA_FILE_PROJECT_INHERIT fails with -EXDEV if the inode is of another project.
 */
struct nova_quota {
	uint32_t project;
	uint64_t block_limit; /* 0 = none; the same for inode_limit */
	uint64_t inode_limit;
	uint64_t blocks; /* in use */
	uint64_t inodes;
};

/* nova_quota_get -- limits and usage of a project (-EINVAL for 0), or with `next` of the known project with the lowest
 * number from `project` on (-ENOENT: there are no more). */
int nova_quota_get(struct nova *fs, uint32_t project, bool next, struct nova_quota *out);

/* nova_quota_full -- whether the inode's project has reached its limit of blocks; false without a project. */
bool nova_quota_full(const struct nova_call *call, struct nova_handle file);

/* nova_quota_set -- the superuser sets a project's limits, durably; 0 = none. They may be lower than the usage. */
int nova_quota_set(const struct nova_call *call, uint32_t project, uint64_t block_limit, uint64_t inode_limit);

/* ---- data ------------------------------------------------------------------------------------------------------ */

/* nova_read -- up to `length` bytes at `offset`; returns the count, 0 at or past the end. Holes read as zeros. */
ssize_t nova_read(const struct nova_call *call, struct nova_handle file, uint64_t offset, void *buffer, size_t length);

#define NOVA_WRITE_APPEND 1u /* at the end of the file, whatever `offset` says */

/*
 * nova_write -- write all `length` bytes as one atomic, durable change: copy on write, never in place. Returns `length`
 * or -errno, never less. `attr` (may be NULL) receives the attributes after it; with APPEND the data begin at
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
 * 0 and KEEP_SIZE reserve blocks where the file has none. Reserved blocks read as zeros, and nova_seek and nova_map
 * treat them as holes. A first write into reserved blocks alone cannot get -ENOSPC: it uses these blocks and the log
 * space that was reserved with them. Blocks with data get no second reservation: overwriting them is copy on write and
 * needs free blocks until the commit. ZERO_RANGE replaces blocks with data by fresh reserved ones, so it needs as much
 * free space. COLLAPSE and INSERT move no data: they append log lines for the extents behind the range.
 */
int nova_fallocate(const struct nova_call *call, struct nova_handle file, unsigned mode, uint64_t offset,
                   uint64_t length, struct nova_attr *attr);

enum nova_seek { NOVA_SEEK_DATA, NOVA_SEEK_HOLE };

/*
 * nova_seek -- find the beginning of the next data, or hole, at or after `offset`. Reserved blocks are holes, and so is
 * the end of the file. -ENXIO: `offset` is at or past the end, or no data follow. Needs r unless opened.
 */
int nova_seek(const struct nova_call *call, struct nova_handle file, uint64_t offset, enum nova_seek what,
              uint64_t *found);

/*
 * nova_copy -- copy up to `length` bytes (at most 1 GiB) between files, or within one, as one atomic, durable change of
 * `to`. Returns the number of bytes: less than `length` only at the end of `from`, 0 at or past it. Holes stay holes if
 * both offsets have the same position in a block. -EINVAL: the ranges overlap in one file. Needs r and w unless opened.
 * `attr` (may be NULL) receives the attributes of `to` after it.
 */
ssize_t nova_copy(const struct nova_call *call, struct nova_handle from, uint64_t from_offset, struct nova_handle to,
                  uint64_t to_offset, uint64_t length, struct nova_attr *attr);

/*
 * A long copy in two steps. The first copies the data into private blocks, in slices. Only the second changes the file,
 * and it holds the files' locks only for a commit.
 *
 * nova_copy_prepare -- by any worker. The caller passes *out to one of the other two functions. Errors as nova_copy's;
 * -ENOSPC also where nova_copy would use reserved blocks of the target. -EAGAIN: the source has changed meanwhile.
 *
 * nova_copy_commit -- commit the copy, as nova_copy would; checks the permissions of `call`. Frees `copy`, but not with
 * -EBUSY (nova_may_defer). -EAGAIN: the source has changed since nova_copy_prepare, and nothing was done.
 *
 * nova_copy_discard -- free the copy and its blocks. NULL is allowed.
 */
struct nova_copy;
int nova_copy_prepare(struct nova_worker *worker, struct nova_handle from, uint64_t from_offset, struct nova_handle to,
                      uint64_t to_offset, uint64_t length, struct nova_copy **out);
ssize_t nova_copy_commit(const struct nova_call *call, struct nova_copy *copy, struct nova_attr *attr);
void nova_copy_discard(struct nova_worker *worker, struct nova_copy *copy);

/* A range of a file and its blocks. */
struct nova_extent {
	uint64_t offset;  /* in the file, a multiple of 4096 */
	uint64_t length;  /* bytes, a multiple of 4096 */
	nova_block block; /* n = 0: a hole or reserved blocks, which read as zeros */
};

/*
 * nova_map -- the extents, including holes, of [offset, offset + length), clipped to the file's size rounded up.
 * Adjacent extents are merged; at most `max` are stored. Returns their number. They are valid only until the next
 * change of the inode; the caller prevents changes by its own means (layouts). `attr` (may be NULL) is read under the
 * same lock.
 */
int nova_map(const struct nova_call *call, struct nova_handle file, uint64_t offset, uint64_t length,
             struct nova_extent *extents, int max, struct nova_attr *attr);

/* nova_free_blocks -- free quarantined blocks; `project` is the project that they are charged to, 0 = none. */
void nova_free_blocks(struct nova_worker *worker, nova_block first, uint64_t count, uint32_t project);

/* nova_pm -- the mapped pool (its base for registration and for one-sided reads). */
struct pm *nova_pm(const struct nova *fs);

#endif
