/*
 * proto.h -- the wire protocol, version 1: every message in native form, and the functions between native and wire.
 *
 * A connection carries requests (client to server), replies (server to client, one for each request) and notices
 * (either way, no reply). docs/protocol.md has the bytes. Decoding validates every field of a message in one place:
 * what a decode function has accepted needs no further check of lengths, ranges, flags or strings, only of meaning
 * (does the handle exist, may the caller). Pointers in a decoded structure point into the message.
 *
 * No I/O, no state, no allocation: all functions may be called from any thread.
 */
#ifndef FARNOVA_PROTO_PROTO_H
#define FARNOVA_PROTO_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_VERSION        1u
#define PROTO_DEFAULT_PORT   4910u
#define PROTO_MAX_MESSAGE    (64u * 1024)
#define PROTO_MESSAGE_SIZE   (16u * 1024 + 512) /* what both ends receive unless configured */
#define PROTO_MAX_PATH       4096u
#define PROTO_MAX_GROUPS     1024u
#define PROTO_MAX_EXTENTS    128u
#define PROTO_MAX_SLOTS      64u
#define PROTO_MAX_LINK       4095u
#define PROTO_REQUEST_HEADER 40u
#define PROTO_REPLY_HEADER   32u
/* What comes before the data in the body of a reply. */
#define PROTO_READ_FIXED     4u
#define PROTO_READDIR_FIXED  24u
#define PROTO_XATTR_FIXED    16u

/* Numbers and traits of all messages are in ops.def. */
enum proto_op {
#define PROTO_SLOTLESS(NAME, number)                                       PROTO_##NAME = (number),
#define PROTO_NOTICE(NAME, number)                                         PROTO_##NAME = (number),
#define PROTO_OPERATION(NAME, number, handler, keeps_reply, changes, open) PROTO_##NAME = (number),
#include "proto/ops.def"
};

/*
 * Names an inode for ever; as the file system's own handle. `seal` is the server's, and says that it has given the handle
 * out: a client keeps it with the rest, and compares handles without it.
 */
struct proto_handle {
	uint64_t ino;
	uint32_t generation;
	uint64_t seal;
};

struct proto_attr {
	struct proto_handle handle;
	uint32_t mode;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev;
	uint32_t flags; /* PROTO_FILE_* */
	uint32_t project;
	uint64_t size;
	uint64_t blocks; /* of 4096 bytes */
	int64_t atime_ns;
	int64_t mtime_ns;
	int64_t ctime_ns;
	int64_t btime_ns;
	uint64_t change;
};

/* A piece of a file a client may READ: [offset, offset + length) lies at `address` under `key`; key 0 is a hole. */
struct proto_extent {
	uint64_t offset;
	uint64_t length;
	uint64_t address;
	uint64_t key;
};

/*
 * A string of a request: a path (1..4096 bytes, no NUL, may be relative or absolute: both are walked from the request's
 * directory handle, an absolute symlink target from the root) or a link target (1..4095 bytes, no NUL).
 */
struct proto_string {
	const char *data;
	uint32_t length;
};

#define PROTO_LOOKUP_NOFOLLOW  1u /* a symlink as last component is not followed */
#define PROTO_LOOKUP_DIRECTORY 2u /* tell of the directory as well, also when the last component is not there */
#define PROTO_LOOKUP_FLAGS     3u

#define PROTO_OPEN_READ      (1u << 0)
#define PROTO_OPEN_WRITE     (1u << 1)
#define PROTO_OPEN_APPEND    (1u << 2)
#define PROTO_OPEN_CREATE    (1u << 3)
#define PROTO_OPEN_EXCLUSIVE (1u << 4)
#define PROTO_OPEN_TRUNCATE  (1u << 5)
#define PROTO_OPEN_NOFOLLOW  (1u << 6)
#define PROTO_OPEN_DIRECTORY (1u << 7)
#define PROTO_OPEN_LAYOUT    (1u << 8)  /* grant a read layout along with it if that is possible */
#define PROTO_OPEN_NOATIME   (1u << 9)  /* the owner and the superuser only: reading leaves the access time */
#define PROTO_OPEN_EXECUTE   (1u << 10) /* to execute: x is asked for in place of r; a regular file, only read */
#define PROTO_OPEN_RECLAIM   (1u << 11) /* REOPEN alone: an open of a session that is lost; its owner needs no mode */
#define PROTO_OPEN_FLAGS     ((1u << 11) - 1)

#define PROTO_WRITE_APPEND 1u

/* masks of PROTO_SETATTR */
#define PROTO_SET_MODE      (1u << 0)
#define PROTO_SET_UID       (1u << 1)
#define PROTO_SET_GID       (1u << 2)
#define PROTO_SET_SIZE      (1u << 3)
#define PROTO_SET_ATIME     (1u << 4)
#define PROTO_SET_MTIME     (1u << 5)
#define PROTO_SET_ATIME_NOW (1u << 6)
#define PROTO_SET_MTIME_NOW (1u << 7)
#define PROTO_SET_FLAGS     (1u << 8)
#define PROTO_SET_PROJECT   (1u << 9)
#define PROTO_SET_ALL       ((1u << 10) - 1)

#define PROTO_FILE_IMMUTABLE       (1u << 0)
#define PROTO_FILE_APPEND          (1u << 1)
#define PROTO_FILE_PROJECT_INHERIT (1u << 2)
#define PROTO_FILE_FLAGS           ((1u << 3) - 1) /* those that can be set */
#define PROTO_FILE_XATTRS          (1u << 3)       /* it has extended attributes, ACLs among them; told, never set */

#define PROTO_QUOTA_NEXT 1u /* of the known project with the lowest number from this one on; ENOENT: there is none */

#define PROTO_MAX_XATTR_NAME  255u
#define PROTO_MAX_XATTR_VALUE 65536u
#define PROTO_XATTR_CREATE    1u
#define PROTO_XATTR_REPLACE   2u
#define PROTO_XATTR_HERE      UINT64_MAX /* not in the staging ring but in the message */

/* modes of PROTO_FALLOCATE, with Linux's values */
#define PROTO_FALLOCATE_KEEP_SIZE      0x01u
#define PROTO_FALLOCATE_PUNCH_HOLE     0x02u
#define PROTO_FALLOCATE_COLLAPSE_RANGE 0x08u
#define PROTO_FALLOCATE_ZERO_RANGE     0x10u
#define PROTO_FALLOCATE_INSERT_RANGE   0x20u
#define PROTO_FALLOCATE_MODES          0x3bu

#define PROTO_SEEK_DATA 0u
#define PROTO_SEEK_HOLE 1u

#define PROTO_MAX_COPY (16u << 20) /* of one PROTO_COPY, so that others need not wait long */

#define PROTO_RENAME_NOREPLACE 1u
#define PROTO_RENAME_EXCHANGE  2u

#define PROTO_MAX_REASON 255u

#define PROTO_SLOT_NONE 0xffffu /* notices, HELLO and BYE use no slot */

struct proto_request {
	uint16_t op;
	uint16_t slot;     /* one request at a time in each slot */
	uint32_t sequence; /* of the slot: one more than the last; the same again asks for the same reply again */
	uint32_t cred;     /* number given with PROTO_CRED; 0 = the session's own, given in HELLO */
	/*
	 * Every one-sided READ this client still has in flight was started after it had acted on all invalidations up
	 * to this number. Blocks freed by invalidation n are not reused before `quiesced` >= n.
	 */
	uint64_t quiesced;
	/*
	 * 0, or an open to be closed before the request is run, so that closing costs no message. One that the session
	 * does not have (any more: the request may come again) is ignored. 0 without a slot.
	 */
	uint64_t close_first;
	union {
		struct {
			uint32_t min_version, max_version;
			uint64_t features;              /* none defined in version 1 */
			uint8_t client[16];             /* random for each client instance */
			uint64_t session;               /* 0 = a new one; else resume this one */
			uint64_t session_key;           /* as given with it */
			uint32_t uid, gid, group_count; /* the session's own credential */
			uint32_t groups[PROTO_MAX_GROUPS];
		} hello;
		struct {
			uint32_t number; /* 1..65535 */
			uint32_t uid, gid, group_count;
			uint32_t groups[PROTO_MAX_GROUPS];
		} cred_set;
		struct {
			struct proto_handle dir;
			uint32_t flags;
			struct proto_string path;
		} lookup;
		struct {
			struct proto_handle handle;
		} getattr, readlink, statfs;
		struct {
			struct proto_handle handle;
			/* 0, or an open for writing: then SET_SIZE needs no permission of the file's mode. */
			uint64_t open;
			uint32_t mask;
			uint32_t mode, uid, gid, flags, project;
			uint64_t size;
			int64_t atime_ns, mtime_ns;
		} setattr;
		struct {
			struct proto_handle handle;
			uint32_t mask; /* R_OK | W_OK | X_OK */
		} access;
		struct {
			struct proto_handle dir;
			uint32_t flags;
			uint32_t mode;  /* of a file that is created */
			uint32_t umask; /* to be taken from it unless the directory has a default ACL */
			struct proto_string path;
		} open; /* OPEN; TMPFILE: the path is a directory's, EXCLUSIVE means that it never gets a name */
		struct {
			struct proto_handle handle;
			uint32_t flags; /* as of open, without those about names; RECLAIM */
		} reopen;
		struct {
			uint64_t open;
		} close;
		struct {
			uint64_t open;
			uint64_t offset;
			uint32_t length; /* at most what fits a reply */
		} read;
		struct {
			uint64_t open;
			uint64_t offset; /* offset + length <= INT64_MAX */
			uint32_t flags;
			uint32_t length;
			const void *data;
		} write;
		struct {
			uint64_t open;
			uint64_t offset;
			uint32_t flags;
			uint32_t length;
			uint64_t staging; /* where in the staging ring; [staging, staging + length) does not wrap */
		} write_commit;
		struct {
			uint64_t open;
			uint64_t offset;
			uint64_t length;
		} layout_get;
		struct {
			struct proto_handle handle;
			uint64_t open; /* 0 or an open of the directory: then no permission check */
			uint64_t cookie;
			uint64_t until; /* where the listing ends: 0 at first, then what the first reply said */
			uint32_t size;  /* bytes of entries the reply may have */
		} readdir;
		struct {
			struct proto_handle dir;
			uint32_t mode;  /* type and permissions */
			uint32_t umask; /* as in open */
			uint32_t rdev;
			struct proto_string path;
		} create;
		struct {
			struct proto_handle dir;
			struct proto_string path;
			struct proto_string target;
		} symlink;
		struct {
			struct proto_handle file;
			struct proto_handle dir;
			struct proto_string path;
		} link;
		struct {
			struct proto_handle dir;
			struct proto_string path;
		} unlink, rmdir;
		struct {
			struct proto_handle from_dir, to_dir;
			uint32_t flags;
			struct proto_string from, to;
		} rename;
		/* Names of attributes have 1..255 bytes, no NUL. */
		struct {
			struct proto_handle handle;
			uint32_t offset;          /* where in the value, or in the list, the reply begins */
			uint32_t size;            /* bytes of it that the reply may have; 0 asks only for the length */
			struct proto_string name; /* not of LISTXATTR */
		} getxattr, listxattr;
		struct {
			struct proto_handle handle;
			uint32_t flags;
			struct proto_string name;
			uint32_t length;
			uint64_t staging; /* where in the staging ring the value is, or PROTO_XATTR_HERE */
			const void *value;
		} setxattr;
		struct {
			struct proto_handle handle;
			struct proto_string name;
		} removexattr;
		struct {
			uint64_t open;
			uint64_t offset; /* offset + length <= INT64_MAX */
			uint64_t length;
			uint32_t mode;
		} fallocate;
		struct {
			uint64_t open;
			uint64_t offset;
			uint32_t what; /* PROTO_SEEK_DATA or PROTO_SEEK_HOLE */
		} seek;
		struct {
			uint64_t from_open, to_open;
			uint64_t from_offset, to_offset; /* with length <= INT64_MAX */
			uint64_t length;                 /* the server copies at most PROTO_MAX_COPY */
		} copy;
		struct {
			uint32_t project; /* not 0 */
			uint32_t flags;
		} quota_get;
		struct {
			uint32_t project;                  /* not 0 */
			uint64_t block_limit, inode_limit; /* blocks of 4096 bytes; 0 = none */
		} quota_set;
	};
};

struct proto_reply {
	uint16_t op; /* of the request */
	uint16_t slot;
	uint32_t sequence;
	uint32_t status;       /* 0 or a Linux errno, positive */
	uint64_t invalidation; /* the newest invalidation this session has been told of, this reply included */
	/* Of HELLO with a status, which is the only reply that has a body then: why, in words; may be empty. Up to
	 * PROTO_MAX_REASON printable bytes. */
	struct proto_string reason;
	union {
		struct {
			uint32_t version;
			uint64_t features;
			uint64_t session;
			uint64_t session_key;
			bool resumed;
			uint64_t instance; /* random for each start of the server */
			uint8_t pool[16];  /* UUID */
			uint32_t slots;
			uint32_t lease_ms;
			uint32_t max_read;  /* of PROTO_READ */
			uint32_t max_write; /* of PROTO_WRITE; larger ones go through the staging ring */
			uint64_t staging_address, staging_key, staging_size;
			struct proto_handle root;
		} hello;
		struct {
			struct proto_attr attr;
		} attr; /* GETATTR SETATTR CREATE SYMLINK LINK */
		struct {
			bool found;                  /* false, in place of ENOENT, only with PROTO_LOOKUP_DIRECTORY */
			bool has_directory;          /* with that flag, if the directory did not die meanwhile */
			struct proto_attr attr;      /* if found */
			struct proto_attr directory; /* where the last component was looked up, after it was */
		} lookup;
		struct {
			uint64_t open;
			bool created;
			bool layout; /* granted: extents cover the file from 0 on, as far as they go */
			struct proto_attr attr;
			uint32_t extent_count;
			struct proto_extent extents[PROTO_MAX_EXTENTS];
		} open; /* OPEN REOPEN TMPFILE */
		struct {
			uint32_t length; /* less than asked for: the end of the file */
			const void *data;
		} read;
		struct {
			uint64_t offset; /* where the data begin: tells the end of an append */
			uint64_t size;   /* of the file after it */
			uint64_t change;
			/*
			 * If this session holds a layout of the file, it goes on: the extents below take the place of
			 * all it knew of [replaced_offset, replaced_offset + replaced_length), the rest stays true. If
			 * `dropped`, it has ended.
			 */
			bool dropped;
			uint64_t replaced_offset, replaced_length;
			uint32_t extent_count;
			struct proto_extent extents[PROTO_MAX_EXTENTS];
		} write; /* WRITE WRITE_COMMIT */
		struct {
			bool granted; /* false: read through the server, ask again later */
			uint64_t size;
			uint32_t extent_count;
			struct proto_extent extents[PROTO_MAX_EXTENTS];
		} layout;
		struct {
			bool end; /* no more entries after these */
			uint64_t until;
			uint32_t length;
			uint64_t parent;     /* number of "..", the directory's own where it may not be searched */
			const void *entries; /* see proto_dirent_next */
		} readdir;
		struct {
			struct proto_string target;
		} readlink;
		struct {
			bool replaced_died;
		} rename;
		struct {
			uint32_t total;  /* length of all of it */
			uint64_t change; /* the inode's: pieces with the same one are of the same value */
			uint32_t length; /* of this piece */
			const void *data;
		} xattr; /* GETXATTR LISTXATTR */
		struct {
			uint32_t project;
			uint64_t blocks, block_limit, inodes, inode_limit;
		} quota; /* QUOTA_GET */
		struct {
			uint64_t blocks, free_blocks, inodes;
			uint64_t inode_limit; /* 0 = as many as there is space for */
			uint8_t pool[16];
			uint32_t name_max;
		} statfs;
		struct {
			uint64_t offset;
		} seek;
		struct {
			struct proto_attr attr;
			/* As of a write, without extents. Collapsing and inserting end the layout: a RECALL has come.
			 */
			uint64_t replaced_offset, replaced_length;
		} fallocate;
		struct {
			uint64_t count;                            /* 0 at the end of the source */
			struct proto_attr attr;                    /* of the target */
			uint64_t replaced_offset, replaced_length; /* of the target, as of a write, without extents */
		} copy;
	};
};

struct proto_recall {
	uint64_t invalidation;
	struct proto_handle handle; /* ino 0: no file in particular; answer with LAYOUT_RETURN once quiesced */
};

/*
 * proto_decode_request -- check and take apart a message from a client (request or notice). 0, or -EPROTO, -EINVAL,
 * -ENAMETOOLONG ... with `*why` the reason for the server's log. When the header itself was sound `out`'s op, slot and
 * sequence are set also on failure, so that the refusal can be answered; else op is 0 and the connection is to be
 * ended.
 */
int proto_decode_request(const void *message, size_t length, struct proto_request *out, const char **why);

#define PROTO_MAX_HANDLES 2u /* of a request, and of a reply */

/* proto_request_handles -- all handles that a request has; returns how many. */
unsigned proto_request_handles(const struct proto_request *request,
                               const struct proto_handle *handles[PROTO_MAX_HANDLES]);

/* proto_reply_handles -- all handles that a reply without a status has; returns how many. */
unsigned proto_reply_handles(struct proto_reply *reply, struct proto_handle *handles[PROTO_MAX_HANDLES]);

/* proto_request_quiesced -- `quiesced` of a request or notice that is not taken apart yet; false if its header is not
 * sound. */
bool proto_request_quiesced(const void *message, size_t length, uint64_t *quiesced);

/* proto_encode_request -- the number of bytes written to `buffer`, or -EMSGSIZE. */
int proto_encode_request(const struct proto_request *request, void *buffer, size_t size);

/* proto_decode_reply -- the counterpart; -EPROTO with `*why`. A reply with a status has no body. */
int proto_decode_reply(const void *message, size_t length, struct proto_reply *out, const char **why);
int proto_encode_reply(const struct proto_reply *reply, void *buffer, size_t size);

/* proto_is_recall -- whether a message from the server is the notice PROTO_RECALL rather than a reply. */
bool proto_is_recall(const void *message, size_t length);
int proto_decode_recall(const void *message, size_t length, struct proto_recall *out, const char **why);
int proto_encode_recall(const struct proto_recall *recall, void *buffer, size_t size);

struct proto_dirent {
	uint64_t cookie;
	uint64_t ino;
	uint32_t type; /* S_IFMT bits */
	const char *name;
	uint32_t length;
};

/* proto_dirent_put -- append an entry to `buffer` at `*used`; false if it does not fit. */
bool proto_dirent_put(void *buffer, size_t size, size_t *used, const struct proto_dirent *entry);
/* proto_dirent_next -- take the entry at `*position` and move on; 1, 0 at the end. Entries were validated by decode. */
int proto_dirent_next(const void *entries, size_t length, size_t *position, struct proto_dirent *entry);

const char *proto_op_name(unsigned op);

/*
 * proto_request_open -- where the request names the open file that it is about: what has to be set anew when the file
 * has been opened again in another session. NULL if it names none. COPY names its source in `from_open` beside it.
 */
uint64_t *proto_request_open(struct proto_request *request);

#endif
