/*
 * proto.h -- the wire protocol, version 3: every message in native form, and the functions that convert it to and from
 * the wire.
 *
 * A connection carries requests (client to server), replies (server to client, one for each request) and notices
 * (either way, no reply). docs/protocol.md defines the bytes. The decode functions validate every field of a message in
 * one place: after decoding, lengths, ranges, flags and strings need no further check, only the meaning does (does the
 * handle exist, is the caller permitted). Pointers in a decoded structure point into the message.
 *
 * No I/O, no state, no allocation: any thread may call any function.
 */
#ifndef FARNOVA_PROTO_PROTO_H
#define FARNOVA_PROTO_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_VERSION        3u
#define PROTO_DEFAULT_PORT   4910u
#define PROTO_MAX_MESSAGE    (64u * 1024)
#define PROTO_MESSAGE_SIZE   (16u * 1024 + 512) /* maximum size that both ends receive unless configured */
#define PROTO_MAX_PATH       4096u
#define PROTO_MAX_GROUPS     1024u
#define PROTO_MAX_CREDS      1024u /* of a session, with its own */
#define PROTO_MAX_EXTENTS    128u
#define PROTO_MAX_SLOTS      1024u
#define PROTO_MIN_SLOTS      2u           /* the smallest window */
#define PROTO_MAX_CHANNELS   16u          /* further connections of a session */
#define PROTO_MAX_STAGING    (1ULL << 30) /* bytes of a staging ring */
#define PROTO_MAX_LINK       4095u
#define PROTO_REQUEST_HEADER 40u
#define PROTO_REPLY_HEADER   32u
/* The fields before the data in the body of a reply. */
#define PROTO_READ_FIXED     4u
#define PROTO_READDIR_FIXED  24u
#define PROTO_XATTR_FIXED    16u

/* ops.def has the numbers and traits of all messages. */
enum proto_op {
#define PROTO_SLOTLESS(NAME, number)                                       PROTO_##NAME = (number),
#define PROTO_NOTICE(NAME, number)                                         PROTO_##NAME = (number),
#define PROTO_OPERATION(NAME, number, handler, keeps_reply, changes, open) PROTO_##NAME = (number),
#include "proto/ops.def"
};

/*
 * Identifies an inode permanently, like the file system's own handle. `seal` is set by the server and shows that the
 * server issued the handle: a client stores it with the rest, and ignores it when it compares handles.
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

/* An extent of a file that a client may READ: [offset, offset + length) is at `address` under `key`; key 0 is a
 * hole. */
struct proto_extent {
	uint64_t offset;
	uint64_t length;
	uint64_t address;
	uint64_t key;
};

/*
 * A string of a request: a path (1..4096 bytes, no NUL; relative or absolute, both are resolved from the request's
 * directory handle, but an absolute symlink target from the root) or a link target (1..4095 bytes, no NUL).
 */
struct proto_string {
	const char *data;
	uint32_t length;
};

#define PROTO_LOOKUP_NOFOLLOW  1u /* do not follow a symlink as the last component */
#define PROTO_LOOKUP_DIRECTORY 2u /* also return the directory's attributes, even if the name does not exist */
#define PROTO_LOOKUP_FLAGS     3u

#define PROTO_OPEN_READ      (1u << 0)
#define PROTO_OPEN_WRITE     (1u << 1)
#define PROTO_OPEN_APPEND    (1u << 2)
#define PROTO_OPEN_CREATE    (1u << 3)
#define PROTO_OPEN_EXCLUSIVE (1u << 4)
#define PROTO_OPEN_TRUNCATE  (1u << 5)
#define PROTO_OPEN_NOFOLLOW  (1u << 6)
#define PROTO_OPEN_DIRECTORY (1u << 7)
#define PROTO_OPEN_LAYOUT    (1u << 8)  /* also grant a read layout if possible */
#define PROTO_OPEN_NOATIME   (1u << 9)  /* do not update the access time; owner and superuser only */
#define PROTO_OPEN_EXECUTE   (1u << 10) /* for execution: check x instead of r; a regular file, read only */
#define PROTO_OPEN_RECLAIM   (1u << 11) /* REOPEN only: reopen after a lost session; the owner needs no permission */
/* A reference that keeps an inode of any type alive: no rights, and no other flag but NOFOLLOW and RECLAIM. */
#define PROTO_OPEN_PATH      (1u << 12)
#define PROTO_OPEN_FLAGS     (((1u << 11) - 1) | PROTO_OPEN_PATH)

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
#define PROTO_FILE_FLAGS           ((1u << 3) - 1) /* the flags that can be set */
#define PROTO_FILE_XATTRS          (1u << 3)       /* it has extended attributes (ACLs count); read-only */

#define PROTO_QUOTA_NEXT 1u /* the known project with the lowest number >= this one; ENOENT if none */

#define PROTO_MAX_XATTR_NAME  255u
#define PROTO_MAX_XATTR_VALUE 65536u
#define PROTO_XATTR_CREATE    1u
#define PROTO_XATTR_REPLACE   2u
#define PROTO_XATTR_HERE      UINT64_MAX /* the value is in the message, not in the staging ring */

/* modes of PROTO_FALLOCATE, with Linux's values */
#define PROTO_FALLOCATE_KEEP_SIZE      0x01u
#define PROTO_FALLOCATE_PUNCH_HOLE     0x02u
#define PROTO_FALLOCATE_COLLAPSE_RANGE 0x08u
#define PROTO_FALLOCATE_ZERO_RANGE     0x10u
#define PROTO_FALLOCATE_INSERT_RANGE   0x20u
#define PROTO_FALLOCATE_MODES          0x3bu

#define PROTO_SEEK_DATA 0u
#define PROTO_SEEK_HOLE 1u

#define PROTO_MAX_COPY (16u << 20) /* of one PROTO_COPY, so that other requests need not wait long */

#define PROTO_RENAME_NOREPLACE 1u
#define PROTO_RENAME_EXCHANGE  2u

#define PROTO_MAX_REASON 255u

#define PROTO_SLOT_NONE 0xffffu /* notices, HELLO, BYE, STAGING and BIND_CONN use no slot */

struct proto_request {
	uint16_t op;
	uint16_t slot;     /* one request at a time in each slot */
	uint32_t sequence; /* of the slot: the next for each request, never 0; a repeated one gets the same reply */
	uint32_t cred;     /* number of a PROTO_CRED; 0 = the session's own, sent in HELLO */
	/* The client has the reply to the newest request of each slot from this number on. */
	uint16_t slots_used;
	uint16_t window; /* number of the newest window that the client knows */
	/*
	 * Before every one-sided READ that is in flight now, the client had acted on all invalidations up to this
	 * number. Blocks freed by invalidation n are not reused before `quiesced` >= n.
	 */
	uint64_t quiesced;
	/*
	 * 0, or an open to close before the request is executed, so that a close needs no message of its own. An open
	 * that the session does not have is ignored, since the request may be a repeated one. 0 without a slot.
	 */
	uint64_t close_first;
	union {
		struct {
			uint32_t min_version, max_version;
			uint64_t features;              /* none defined in version 3 */
			uint64_t identity;              /* number of the client's identity; 0 = make one */
			uint8_t identity_key[16];       /* its key, which the client chose at random; secret */
			uint64_t session;               /* 0 = open a new session; else resume this one */
			uint64_t session_key;           /* the key from the reply that opened it */
			uint32_t slots;                 /* how many the client would use at most; 0 = does not care */
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
			uint32_t mode;  /* mode of a created file */
			uint32_t umask; /* removed from the mode unless the directory has a default ACL */
			struct proto_string path;
		} open; /* OPEN; TMPFILE: the path is a directory, and EXCLUSIVE forbids to name the file later */
		struct {
			struct proto_handle handle;
			uint32_t flags; /* as for open, without those about names; with RECLAIM */
		} reopen;
		struct {
			uint64_t open;
		} close;
		struct {
			uint32_t want; /* 1 to get the ring, 0 to give it back */
		} staging;
		struct {
			uint64_t session, session_key; /* as in the ticket of the connection */
		} bind_conn;
		struct {
			uint64_t open;
			uint64_t offset;
			uint32_t length; /* at most what fits in a reply */
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
			uint64_t staging; /* offset in the staging ring; [staging, staging + length) does not wrap */
		} write_commit;
		struct {
			uint64_t open;
			uint64_t offset;
			uint64_t length;
		} layout_get;
		struct {
			struct proto_handle handle;
			uint64_t open; /* 0, or an open of the directory: then no permission check */
			uint64_t cookie;
			uint64_t until; /* end of the listing: 0 at first, then the first reply's value */
			uint32_t size;  /* maximum bytes of entries in the reply */
		} readdir;
		struct {
			struct proto_handle dir;
			uint32_t mode;  /* type and permissions */
			uint32_t umask; /* as for open */
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
		/* Attribute names have 1..255 bytes, no NUL. */
		struct {
			struct proto_handle handle;
			uint32_t offset;          /* offset in the value or list at which the reply begins */
			uint32_t size;            /* maximum bytes of it in the reply; 0 requests only the length */
			struct proto_string name; /* not for LISTXATTR */
		} getxattr, listxattr;
		struct {
			struct proto_handle handle;
			uint32_t flags;
			struct proto_string name;
			uint32_t length;
			uint64_t staging; /* offset of the value in the staging ring, or PROTO_XATTR_HERE */
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
	uint16_t slots;        /* the session's window: new requests go into slots below this number */
	uint16_t window;       /* number of that window; each other one has the next number */
	uint64_t invalidation; /* the newest invalidation sent to this session, with this reply */
	/* Only in a reply to HELLO with a status, the one error reply that has a body: the reason as text; may be
	 * empty. Up to PROTO_MAX_REASON printable bytes. */
	struct proto_string reason;
	union {
		struct {
			uint32_t version;
			uint64_t features;
			uint64_t identity; /* the number of the client's identity; 0 = the server keeps none */
			bool known;        /* it is the one that HELLO named, with all that it has done */
			uint64_t session;
			uint64_t session_key;
			bool resumed;
			uint64_t instance; /* random for each start of the server */
			uint8_t pool[16];  /* UUID */
			uint32_t lease_ms;
			uint32_t max_read;     /* of PROTO_READ */
			uint32_t max_write;    /* of PROTO_WRITE; larger writes use the staging ring */
			uint64_t staging_size; /* bytes of the staging ring, which STAGING grants */
			struct proto_handle root;
		} hello;
		struct {
			bool granted;
			uint64_t address, key; /* of the ring, if granted */
		} staging;
		struct {
			struct proto_attr attr;
		} attr; /* GETATTR SETATTR CREATE SYMLINK LINK */
		struct {
			bool found;                  /* false replaces ENOENT, only with PROTO_LOOKUP_DIRECTORY */
			bool has_directory;          /* with that flag, unless the directory was deleted meanwhile */
			struct proto_attr attr;      /* if found */
			struct proto_attr directory; /* of the directory of the last component, after the lookup */
		} lookup;
		struct {
			uint64_t open;
			bool created;
			bool layout; /* granted: the extents cover the file from offset 0 as far as they go */
			struct proto_attr attr;
			uint32_t extent_count;
			struct proto_extent extents[PROTO_MAX_EXTENTS];
		} open; /* OPEN REOPEN TMPFILE */
		struct {
			uint32_t length; /* less than requested only at the end of the file */
			const void *data;
		} read;
		struct {
			uint64_t offset; /* offset of the data: for an append, the previous end of the file */
			uint64_t size;   /* size of the file after the write */
			uint64_t change;
			/*
			 * If this session holds a layout of the file, the layout remains: the extents below replace
			 * those of [replaced_offset, replaced_offset + replaced_length), the rest stays valid. If
			 * `dropped`, the layout has ended.
			 */
			bool dropped;
			uint64_t replaced_offset, replaced_length;
			uint32_t extent_count;
			struct proto_extent extents[PROTO_MAX_EXTENTS];
		} write; /* WRITE WRITE_COMMIT */
		struct {
			bool granted; /* false: read by message, and request a layout again later */
			uint64_t size;
			uint32_t extent_count;
			struct proto_extent extents[PROTO_MAX_EXTENTS];
		} layout;
		struct {
			bool end; /* the listing ends after these entries */
			uint64_t until;
			uint32_t length;
			uint64_t parent;     /* number of "..", or of the directory itself if it may not be searched */
			const void *entries; /* see proto_dirent_next */
		} readdir;
		struct {
			struct proto_string target;
		} readlink;
		struct {
			bool replaced_died;
		} rename;
		struct {
			uint32_t total;  /* length of the whole value or list */
			uint64_t change; /* the inode's: pieces with the same one belong to one value */
			uint32_t length; /* of this piece */
			const void *data;
		} xattr; /* GETXATTR LISTXATTR */
		struct {
			uint32_t project;
			uint64_t blocks, block_limit, inodes, inode_limit;
		} quota; /* QUOTA_GET */
		struct {
			uint64_t blocks, free_blocks, inodes;
			uint64_t inode_limit; /* 0 = limited only by space */
			uint8_t pool[16];
			uint32_t name_max;
		} statfs;
		struct {
			uint64_t offset;
		} seek;
		struct {
			struct proto_attr attr;
			/* As for a write, without extents. COLLAPSE_RANGE and INSERT_RANGE end the layout: a RECALL was
			 * sent before. */
			uint64_t replaced_offset, replaced_length;
		} fallocate;
		struct {
			uint64_t count;                            /* 0 at the end of the source */
			struct proto_attr attr;                    /* of the target */
			uint64_t replaced_offset, replaced_length; /* of the target, as for a write, without extents */
		} copy;
	};
};

struct proto_recall {
	uint64_t invalidation;
	struct proto_handle handle; /* ino 0: no particular file; answer with LAYOUT_RETURN when quiesced */
};

/*
 * proto_decode_request -- validate and decode a message from a client (request or notice). 0, or -EPROTO, -EINVAL,
 * -ENAMETOOLONG ... with the reason for the server's log in `*why`. If the header was valid, `out`'s op, slot and
 * sequence are set even on failure, so that the server can send an error reply; else op is 0 and the connection must
 * end.
 */
int proto_decode_request(const void *message, size_t length, struct proto_request *out, const char **why);

#define PROTO_MAX_HANDLES 2u /* maximum in a request, and in a reply */

/* proto_request_handles -- the handles in a request; returns their number. */
unsigned proto_request_handles(const struct proto_request *request,
                               const struct proto_handle *handles[PROTO_MAX_HANDLES]);

/* proto_reply_handles -- the handles in a reply without a status; returns their number. */
unsigned proto_reply_handles(struct proto_reply *reply, struct proto_handle *handles[PROTO_MAX_HANDLES]);

/* proto_request_quiesced -- read `quiesced` of a request or notice that is not decoded yet; false if its header is
 * invalid. */
bool proto_request_quiesced(const void *message, size_t length, uint64_t *quiesced);

/* proto_encode_request -- returns the number of bytes written to `buffer`, or -EMSGSIZE. */
int proto_encode_request(const struct proto_request *request, void *buffer, size_t size);

/* proto_decode_reply -- validate and decode a reply; -EPROTO with `*why`. A reply with a status has no body, except for
 * HELLO. */
int proto_decode_reply(const void *message, size_t length, struct proto_reply *out, const char **why);
int proto_encode_reply(const struct proto_reply *reply, void *buffer, size_t size);

/* proto_is_recall -- whether a message of the server is the notice PROTO_RECALL and not a reply. */
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
/* proto_dirent_next -- read the entry at `*position` and advance; returns 1, or 0 at the end. Decoding has validated
 * the entries. */
int proto_dirent_next(const void *entries, size_t length, size_t *position, struct proto_dirent *entry);

const char *proto_op_name(unsigned op);

/*
 * proto_request_open -- the field with the number of the request's open file, which changes when the file is reopened
 * in another session. NULL if there is none. COPY also has its source in `from_open`.
 */
uint64_t *proto_request_open(struct proto_request *request);

/* proto_request_changes -- whether the request may change something, so that a second execution could do harm. */
bool proto_request_changes(const struct proto_request *request);

/* proto_next_sequence -- the sequence of a slot's next request. 0 is none. */
static inline uint32_t proto_next_sequence(uint32_t sequence)
{
	return sequence == UINT32_MAX ? 1 : sequence + 1;
}

#endif
