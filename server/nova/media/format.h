/*
 * format.h -- the on-media format, version 2. docs/format.md says the same in prose.
 *
 * All integers are little-endian. Nothing on the medium is trusted: its CRC, or that of its word, is checked before it
 * is used, and then its ranges.
 *
 *   pool       preamble of 512 blocks (2 MiB) | zone 0 | zone 1 | ...
 *              a zone has 262144 blocks (1 GiB); the last one may be shorter
 *
 *   preamble   block  0          superblock
 *              blocks 2..65      journal rings
 *              blocks 66..129    reserved for replicas of the rings
 *              block  511        second superblock
 *              the others are zero
 *
 *   zone       block  0          header
 *              blocks 1..32      chunk table
 *              blocks 33..64     second chunk table
 *              block  65         second header
 *              blocks 66..127    zero
 *              blocks 128..      chunks of 16 blocks (64 KiB)
 *
 * A chunk holds inode slots, or it is general: its blocks are log pages, file data and blobs.
 *
 * An inode number is the slot's offset in the pool divided by 512, so there is no table of inodes, and a pool can grow
 * without moving one. Nothing in the format depends on the number of CPUs.
 *
 * A word is 8 bytes that carry their own check sum: value (48 bits) | CRC (16 bits). The CRC is seeded with the word's
 * kind and owner. Many words have two copies. What the old and the new value refer to is durable before either copy
 * changes, so of two valid copies the greater is taken. A copy that fails its check is a media error, never a torn
 * update.
 */
#ifndef FARNOVA_NOVA_FORMAT_H
#define FARNOVA_NOVA_FORMAT_H

#include "common/le.h"

#include <assert.h>
#include <stddef.h>

#define NOVA_MAGIC          0x41564f4e4e524146ULL /* "FARNNOVA" */
#define NOVA_FORMAT_VERSION 2

#define NOVA_BLOCK_SIZE  4096u
#define NOVA_BLOCK_SHIFT 12
#define NOVA_LINE_SIZE   64u
#define NOVA_SLOT_SIZE   512u

#define NOVA_PREAMBLE_BLOCKS  512u
#define NOVA_SUPER_BLOCK_0    0u
#define NOVA_SUPER_BLOCK_1    511u
#define NOVA_JOURNAL_BLOCK    2u
#define NOVA_JOURNAL_RINGS    64u
#define NOVA_JOURNAL_REPLICA  66u
#define NOVA_ZONE_BLOCKS      262144u
#define NOVA_ZONE_HEADER_0    0u
#define NOVA_ZONE_TABLE_0     1u
#define NOVA_ZONE_TABLE_1     33u
#define NOVA_ZONE_HEADER_1    65u
#define NOVA_ZONE_FIRST_CHUNK 128u /* block in the zone */
#define NOVA_CHUNK_BLOCKS     16u
#define NOVA_CHUNKS_PER_ZONE  (NOVA_ZONE_BLOCKS / NOVA_CHUNK_BLOCKS)
#define NOVA_SLOTS_PER_CHUNK  (NOVA_CHUNK_BLOCKS * NOVA_BLOCK_SIZE / NOVA_SLOT_SIZE)
#define NOVA_MIN_POOL_BLOCKS  (NOVA_PREAMBLE_BLOCKS + 2048u) /* 10 MiB */
#define NOVA_NAME_MAX         255u
#define NOVA_SYMLINK_MAX      4095u

/* ---- words ---------------------------------------------------------------------------------------------------- */

/*
 * Every CRC here is common/crc.h's crc32c (no final inversion) and starts from 0xffffffff; "seeded with (a, b)" means
 * that it first runs over a and b, little-endian and unpadded: inode numbers, positions and block numbers have 8 bytes,
 * generations and ring numbers 4.
 *
 * A word is value << 16 | CRC. The CRC of a word is CRC32C over the 15 bytes (kind u8, owner u64, value u48), folded to
 * 16 bits: the high half XOR the low half. A result of 0 is stored as 0xffff, so a zeroed word is never valid. The list
 * below gives the owner of each kind. In a new chunk of slots both LIFE words are NEVER with generation 0, and all
 * other words are zero.
 */
enum nova_word_kind {
	NOVA_WORD_LIFE = 1,        /* slot: generation (32) << 8 | state (8), owner inode number */
	NOVA_WORD_TAIL = 2,        /* slot: log lines since creation, owner inode number ^ generation << 32 */
	NOVA_WORD_HEAD = 3,        /* slot: block of the first log page or 0, owner as for tail */
	NOVA_WORD_NEXT = 4,        /* log page: block of the next page, owner block of this page ^ generation << 32 */
	NOVA_WORD_REPLICA = 5,     /* slot: block that holds the slot's replica, or 0; owner as for tail */
	NOVA_WORD_COMMIT = 6,      /* journal ring: sequence of the newest committed record, owner ring number */
	NOVA_WORD_CHUNK = 7,       /* chunk table: enum nova_chunk_kind, owner first block of the chunk */
	NOVA_WORD_CLEAN = 8,       /* superblock: mount count << 1 | clean, owner 0 */
	NOVA_WORD_EPOCH = 9,       /* superblock: current epoch, owner 0 */
	NOVA_WORD_BLOCKS = 10,     /* superblock: blocks in the pool, a multiple of 16; owner 0 */
	NOVA_WORD_CHECKPOINT = 11, /* superblock: block of the checkpoint, or 0; owner 0 */
	NOVA_WORD_DEVICE = 12, /* superblock: unsafe shutdowns (24) << 24 | CRC of the device id (24), or 0; owner 0 */
	NOVA_WORD_OWNER = 13,  /* superblock: the instance that serves the pool, 0 = none; owner 0 */
	NOVA_WORD_BEAT = 14,   /* superblock: a count that the serving instance increases; owner 0 */
	NOVA_WORD_HOST = 15,   /* superblock: 48 bits of the boot id of the host that serves; owner 0 */
	NOVA_WORD_GROUPS = 16, /* client's record: bit g: it has the page of group g; owner number of the client */
	NOVA_WORD_INTENT = 24, /* 24..31, words 0..7 of an intent: 5 bytes << 8 | tag; owner number ^ slot << 48 */
};

/* States have an order: of two LIFE words of one generation the greater is the newer. So a file that may still get its
 * first name has its own state below ALLOCATED. An ORPHAN can only become FREE. The gaps are for
 * states to come. */
enum nova_life {
	NOVA_LIFE_NEVER = 0,      /* slot never used */
	NOVA_LIFE_NAMELESS = 32,  /* created without a name, and open; a link may give it one */
	NOVA_LIFE_ALLOCATED = 64, /* in use, has a name */
	NOVA_LIFE_ORPHAN = 96,    /* has no name and can get none; freed once nobody has it open */
	NOVA_LIFE_FREE = 192,     /* generation ended */
};

/* life_known -- whether there is such a state. */
static inline int life_known(uint64_t state)
{
	return state == NOVA_LIFE_NEVER || state == NOVA_LIFE_NAMELESS || state == NOVA_LIFE_ALLOCATED ||
	       state == NOVA_LIFE_ORPHAN || state == NOVA_LIFE_FREE;
}

/* life_has_log -- whether the header, the other words and the log of a slot in this state are valid. */
static inline int life_has_log(enum nova_life life)
{
	return life == NOVA_LIFE_NAMELESS || life == NOVA_LIFE_ALLOCATED || life == NOVA_LIFE_ORPHAN;
}

enum nova_chunk_kind { NOVA_CHUNK_GENERAL = 0, NOVA_CHUNK_SLOTS = 1 };

/* ---- superblock ----------------------------------------------------------------------------------------------- */

#define NOVA_RO_COMPAT_CHECKSUMS (1ULL << 0) /* data checksums in zone areas; writers must keep them */
#define NOVA_RO_COMPAT_PARITY    (1ULL << 1)
#define NOVA_INCOMPAT_REPLICAS   (1ULL << 0) /* slots, log pages and journals in two copies */

/* The format reserves places for data checksums, parity and replicas; this version of the program uses none of them. */
#define NOVA_KNOWN_RO_COMPAT 0ULL
#define NOVA_KNOWN_INCOMPAT  0ULL

struct nova_super {
	/* bytes 0..255: written by mkfs; only uuid and handle_key can be changed later */
	le64 magic;
	le32 version;
	le32 crc; /* CRC32C over the first 256 bytes with this field zero, seed 0xffffffff */
	le64 compat;
	le64 ro_compat;
	le64 incompat;
	uint8_t uuid[16];
	le64 created_ns;
	uint8_t label[64]; /* NUL-padded UTF-8 */
	le32 block_size;
	le32 zone_blocks;
	le32 journal_rings;
	le32 reserved0;
	le64 root_ino;
	le64 clients_ino;       /* the client table, a file that no name leads to */
	uint8_t handle_key[16]; /* key of the seals of handles; 0 = none: the next writable mount makes one */
	uint8_t reserved1[80];
	/* line 4: words that change; the second superblock holds their second copies */
	le64 clean;
	le64 epoch;
	le64 blocks;
	le64 checkpoint;
	le64 device;
	le64 owner; /* this one and the next two: 0 = never served */
	le64 beat;
	le64 host;
};
static_assert(offsetof(struct nova_super, clean) == 256, "superblock words start a line");
static_assert(sizeof(struct nova_super) == 320, "superblock");

/* ---- zones ---------------------------------------------------------------------------------------------------- */

struct nova_zone_header {
	le64 magic;
	le32 crc; /* CRC32C over 64 bytes with this field zero, seed 0xffffffff */
	le32 index;
	le64 first_block; /* in the pool */
	le64 csum_block;  /* first block of the area of checksum lines, 0 = none */
	le64 csum_blocks;
	le64 parity_block; /* first block of the parity area, 0 = none */
	le64 parity_blocks;
	le64 reserved;
};
static_assert(sizeof(struct nova_zone_header) == 64, "zone header");

/* ---- inode slots ---------------------------------------------------------------------------------------------- */

#define NOVA_SLOT_LINES 6u  /* log lines inside the slot */
#define NOVA_PAGE_LINES 63u /* log lines in a log page */

/* Line 0: written when the inode is created, before the LIFE word says so, and not changed in that generation. */
struct nova_slot_header {
	le32 crc;     /* CRC32C over the other 60 bytes, seeded with (inode number, generation) */
	uint8_t type; /* S_IFMT bits >> 12 */
	uint8_t reserved0[3];
	le32 generation;
	le32 rdev;
	le64 birth_ns; /* time of creation, signed */
	le64 parent;   /* directories: inode number of the first parent; a PARENT entry replaces it */
	uint8_t reserved1[32];
};
static_assert(sizeof(struct nova_slot_header) == 64, "slot header");

/* Line 1: the words, each twice. */
struct nova_slot_words {
	le64 life[2];
	le64 tail[2];
	le64 head[2];
	le64 replica[2];
};
static_assert(sizeof(struct nova_slot_words) == 64, "slot words");

struct nova_slot {
	struct nova_slot_header header;
	struct nova_slot_words words;
	uint8_t log[NOVA_SLOT_LINES][NOVA_LINE_SIZE];
};
static_assert(sizeof(struct nova_slot) == NOVA_SLOT_SIZE, "slot");

/* ---- the log -------------------------------------------------------------------------------------------------- */

/*
 * A log is a sequence of lines, numbered from the creation of the inode. Lines 0..5 are in the slot, the others in
 * pages of 63 lines; each page holds the position of its first line. TAIL counts the committed lines. If the first
 * page's first position is greater than 6, GC has cut off the beginning of the log: the log begins at that page, and
 * the lines in the slot are dead.
 *
 * HEAD and NEXT are valid only if TAIL lies beyond the first position of the page that they name. A page that was
 * linked, but has no committed line, is ignored and linked again.
 */
struct nova_page_header {
	le32 crc; /* CRC32C over bytes 4..31, seeded with (inode number, generation, block number) */
	le32 generation;
	le64 ino;
	le64 first_position;
	le64 reserved0;
	le64 next[2]; /* word; [1] is the same word again */
	le64 next_replica;
	le64 reserved1;
};
static_assert(sizeof(struct nova_page_header) == 64, "page header");

struct nova_page {
	struct nova_page_header header;
	uint8_t lines[NOVA_PAGE_LINES][NOVA_LINE_SIZE];
};
static_assert(sizeof(struct nova_page) == NOVA_BLOCK_SIZE, "page");

enum nova_entry_type {
	NOVA_ENTRY_PAD = 1,       /* fills the rest of a page or of the slot; only its first line is written */
	NOVA_ENTRY_ATTR = 2,      /* some attributes; a size that is not greater drops the blocks beyond it */
	NOVA_ENTRY_TIMES = 3,     /* all three times */
	NOVA_ENTRY_WRITE = 4,     /* maps a run of file blocks to a run of pool blocks (block 0: to a hole) */
	NOVA_ENTRY_NAME = 5,      /* directory: adds a name */
	NOVA_ENTRY_NAME_GONE = 6, /* directory: removes a name, by its cookie */
	NOVA_ENTRY_SYMLINK = 7,   /* target, in the entry or in a blob */
	NOVA_ENTRY_PARENT = 8,    /* directory: moved to another parent */
	NOVA_ENTRY_XATTR = 9,     /* sets or removes an extended attribute */
	NOVA_ENTRY_QUOTA = 10,    /* root directory: the limits of a project */
	NOVA_ENTRY_EXTENTS = 11,  /* written by GC: several runs of file blocks, packed */
};

/*
 * First line of every entry. More lines may follow it, up to the end of the page at most. The CRC is CRC32C over (inode
 * number u64, generation u32, position u64) and then over all bytes of all lines but the CRC itself, so a stale entry
 * in a reused page is never valid. The CRC of a PAD covers its first line only.
 */
struct nova_entry {
	le32 crc;
	uint8_t type;
	uint8_t lines; /* 1..63 */
	le16 flags;    /* 0 */
	le32 born;     /* EPOCH when what the entry says came into being: GC stores entries anew and keeps it */
	le32 view;     /* 0 */
	le32 epoch;    /* EPOCH when the entry was stored */
	uint8_t payload[44];
};
static_assert(sizeof(struct nova_entry) == NOVA_LINE_SIZE, "entry");

#define NOVA_ATTR_MODE    (1u << 0)
#define NOVA_ATTR_UID     (1u << 1)
#define NOVA_ATTR_GID     (1u << 2)
#define NOVA_ATTR_NLINK   (1u << 3)
#define NOVA_ATTR_SIZE    (1u << 4)
#define NOVA_ATTR_FLAGS   (1u << 5)
#define NOVA_ATTR_PROJECT (1u << 6)
#define NOVA_ATTR_MTIME   (1u << 7) /* mtime = time; ctime = time in every ATTR entry */
#define NOVA_ATTR_BIRTH   (1u << 8) /* atime = mtime = ctime = time: the first entry of an inode */
#define NOVA_ATTR_ATIME   (1u << 9) /* alone: atime = time, and nothing else changes */

struct nova_attr_entry {
	le16 mask;
	le16 mode; /* permission bits, 07777 */
	le32 uid;
	le32 gid;
	le32 nlink;
	le64 size;
	le64 time_ns;
	le32 flags;
	le32 project;
	le32 reserved;
};
static_assert(sizeof(struct nova_attr_entry) == 44, "attr");

/* flags of an ATTR entry */
#define NOVA_FLAG_IMMUTABLE       (1u << 0) /* only the inode's flags can change */
#define NOVA_FLAG_APPEND          (1u << 1) /* a file can only grow at its end, a directory only gain names */
#define NOVA_FLAG_PROJECT_INHERIT (1u << 2) /* new inodes in the directory get its project; directories this flag too */

struct nova_times_entry {
	le64 atime_ns;
	le64 mtime_ns;
	le64 ctime_ns;
	uint8_t reserved[20];
};
static_assert(sizeof(struct nova_times_entry) == 44, "times");

#define NOVA_WRITE_UNWRITTEN (1u << 0) /* the blocks are reserved and read as zeros; they may lie beyond the end */

struct nova_write_entry {
	le64 file_block;
	le64 block; /* in the pool; 0 = hole */
	le32 count;
	le64 size;    /* file size after this write */
	le64 time_ns; /* mtime = ctime */
	le32 flags;
	le32 reserved;
};
static_assert(sizeof(struct nova_write_entry) == 44, "write");

/*
 * A packed extent maps in 16 bytes what a WRITE entry maps in 64. Only GC writes EXTENTS entries. They hold no times:
 * the TIMES entry of the same commit does.
 */
#define NOVA_EXTENT_BLOCKS_BITS 16u
#define NOVA_EXTENT_BLOCKS_MAX  ((1u << NOVA_EXTENT_BLOCKS_BITS) - 1)
#define NOVA_EXTENT_PLACES      (1ULL << (64 - NOVA_EXTENT_BLOCKS_BITS)) /* file blocks that `place` can name */
#define NOVA_EXTENT_UNWRITTEN   (1ULL << 63)

struct nova_packed_extent {
	le64 place; /* file block << 16 | number of blocks, 1..65535 */
	le64 block; /* first one in the pool, not 0 | NOVA_EXTENT_UNWRITTEN */
};
static_assert(sizeof(struct nova_packed_extent) == 16, "packed extent");

#define NOVA_EXTENTS_INLINE   2u                     /* in the first line */
#define NOVA_EXTENTS_PER_LINE (NOVA_LINE_SIZE / 16u) /* in each line after it */
#define NOVA_EXTENTS_MAX      (2u + (NOVA_PAGE_LINES - 1u) * NOVA_EXTENTS_PER_LINE)

struct nova_extents_entry {
	le64 size;  /* of the file */
	le16 count; /* 1..250; the entry has no more lines than these extents need */
	le16 reserved;
	struct nova_packed_extent extents[NOVA_EXTENTS_INLINE]; /* the next lines hold the others, without a gap */
};
static_assert(sizeof(struct nova_extents_entry) == 44, "extents");
static_assert(NOVA_EXTENTS_MAX == 250, "extents of an entry");

#define NOVA_NAME_INLINE 16u /* bytes of the name in the first line */

struct nova_name_entry {
	le64 ino;
	le64 cookie;         /* position of the name's first NAME entry; GC keeps it, and readdir continues by it */
	le64 time_ns;        /* the directory's mtime = ctime */
	uint8_t file_type;   /* S_IFMT bits >> 12 */
	uint8_t name_length; /* 1..255 */
	uint8_t reserved[2];
	uint8_t name[NOVA_NAME_INLINE]; /* the next lines hold the rest, 64 bytes each */
};
static_assert(sizeof(struct nova_name_entry) == 44, "name");

struct nova_name_gone_entry {
	le64 cookie;
	le64 ino;
	le64 time_ns;
	uint8_t reserved[20];
};
static_assert(sizeof(struct nova_name_gone_entry) == 44, "name gone");

#define NOVA_SYMLINK_INLINE     28u                                         /* bytes of the target in the first line */
#define NOVA_SYMLINK_INLINE_MAX (NOVA_SYMLINK_INLINE + 4u * NOVA_LINE_SIZE) /* longer targets lie in a blob */

struct nova_symlink_entry {
	le16 length; /* 1..4095 */
	le16 reserved0;
	le32 blob_crc; /* CRC32C over the target, seed 0xffffffff; blob only */
	le64 blob;     /* block that holds the target, 0 = in the entry */
	uint8_t target[NOVA_SYMLINK_INLINE];
};
static_assert(sizeof(struct nova_symlink_entry) == 44, "symlink");

struct nova_parent_entry {
	le64 parent;
	le64 time_ns; /* ctime */
	uint8_t reserved[28];
};
static_assert(sizeof(struct nova_parent_entry) == 44, "parent");

#define NOVA_FLAGS_KNOWN (NOVA_FLAG_IMMUTABLE | NOVA_FLAG_APPEND | NOVA_FLAG_PROJECT_INHERIT)

/* The prefix of an extended attribute's name; the entry holds the rest of the name. */
enum nova_xattr_space {
	NOVA_XATTR_USER = 1,     /* "user." */
	NOVA_XATTR_TRUSTED = 2,  /* "trusted." */
	NOVA_XATTR_SECURITY = 3, /* "security." */
	NOVA_XATTR_ACCESS = 4,   /* "system.posix_acl_access", nothing follows */
	NOVA_XATTR_DEFAULT = 5,  /* "system.posix_acl_default", nothing follows */
};

#define NOVA_XATTR_INLINE     24u                                                           /* in the first line */
#define NOVA_XATTR_INLINE_MAX (NOVA_XATTR_INLINE + (NOVA_PAGE_LINES - 1u) * NOVA_LINE_SIZE) /* name and value */
#define NOVA_XATTR_RUNS_MAX   16u
#define NOVA_XATTR_VALUE_MAX  65536u
#define NOVA_XATTR_NAME_MAX   255u   /* with the prefix */
#define NOVA_XATTR_LIST_MAX   65536u /* all names of an inode with their prefixes, each with a NUL */

/*
 * The value follows the name without a gap. If both together are longer than NOVA_XATTR_INLINE_MAX, `runs` runs of
 * blocks hold the value instead, in order, and the name is followed by 8 bytes for each run: first block << 16 | number
 * of blocks.
 */
struct nova_xattr_entry {
	le64 time_ns;      /* ctime */
	le32 value_length; /* 0..65536 */
	le32 blob_crc;     /* CRC32C over the value, seeded with (inode number, generation); runs only */
	uint8_t space;     /* enum nova_xattr_space */
	uint8_t name_length;
	uint8_t runs; /* 0 = the value is here */
	uint8_t gone; /* 1 = the attribute is removed: no value */
	uint8_t bytes[NOVA_XATTR_INLINE];
};
static_assert(sizeof(struct nova_xattr_entry) == 44, "xattr");

/* This limit and any greater one mean that there is no limit, as 0 does. */
#define NOVA_QUOTA_NONE (INT64_MAX / 4)

/* The limits of a project. They are in the log of the root directory, which always exists: directories that pass the
 * project on may be created and removed, and there may be several. The newest entry of a project is valid. */
struct nova_quota_entry {
	le32 project; /* not 0 */
	le32 reserved0;
	le64 blocks; /* limits; 0, or NOVA_QUOTA_NONE and more = none */
	le64 inodes;
	le64 time_ns; /* when it was set; the directory's times do not change */
	uint8_t reserved1[12];
};
static_assert(sizeof(struct nova_quota_entry) == 44, "quota");

/* ---- the client table ----------------------------------------------------------------------------------------- */

#define NOVA_CLIENT_RECORD_BLOCKS 256u /* file blocks 0..255 have the records; pages of intents follow */
#define NOVA_CLIENT_BLOCK_RECORDS (NOVA_BLOCK_SIZE / NOVA_LINE_SIZE)
#define NOVA_CLIENT_RECORDS       (NOVA_CLIENT_RECORD_BLOCKS * NOVA_CLIENT_BLOCK_RECORDS)
#define NOVA_CLIENT_GROUPS        17u /* groups 0..16 are of intents */
#define NOVA_CLIENT_GROUP_SLOTS   63u /* the lines of a page but its first */
#define NOVA_CLIENT_PAGES_SHARE   32u /* pages take up to 1/32 of the pool */

struct nova_client_record {
	le64 number;          /* 64 random bits, 0 = free */
	uint8_t key_hash[16]; /* first half of the SHA-256 of the key */
	le64 created_ns;
	uint8_t reserved0[16];
	le32 crc; /* CRC32C over bytes 0..47, seed 0xffffffff */
	le32 reserved1;
	le64 groups; /* word */
};
static_assert(sizeof(struct nova_client_record) == NOVA_LINE_SIZE, "client record");

/* The first line of a page of intents. */
struct nova_client_page {
	le32 crc; /* CRC32C over the other 60 bytes, seed 0xffffffff */
	le32 group;
	le64 number; /* of the client */
	uint8_t reserved[48];
};
static_assert(sizeof(struct nova_client_page) == NOVA_LINE_SIZE, "client page");

/* An intent is spread over the 8 words of a line, 5 bytes in each. */
#define NOVA_INTENT_WORDS      8u
#define NOVA_INTENT_WORD_BYTES 5u
#define NOVA_INTENT_RESULT     18u

/* Its bytes: some fields lie at odd places. */
struct nova_intent_bytes {
	uint8_t sequence[4]; /* 0 = void */
	uint8_t op;          /* as on the wire */
	uint8_t reserved;
	uint8_t ino[6];
	uint8_t generation[4];
	uint8_t position[6]; /* the TAIL that the inode has once the request is committed */
	uint8_t result[NOVA_INTENT_RESULT];
};
static_assert(sizeof(struct nova_intent_bytes) == NOVA_INTENT_WORDS * NOVA_INTENT_WORD_BYTES, "intent");

/* ---- checkpoint of the allocation state ----------------------------------------------------------------------- */

/*
 * The result of a scan of all logs, written at a clean unmount into free blocks. These blocks are free in the
 * checkpoint's own map too. The superblock's CHECKPOINT word names the first block, which begins with this head. The
 * stream of sections fills the runs, one after the other. The checkpoint is valid only with CLEAN set and the same
 * mount count in CLEAN; a writable mount clears CLEAN and CHECKPOINT before it stores outside the superblocks.
 */
#define NOVA_CHECKPOINT_MAGIC 0x45564153414e4146ULL /* "FANASAVE" */
#define NOVA_CHECKPOINT_RUNS  252u

struct nova_checkpoint_run {
	le64 block;
	le64 count;
};

struct nova_checkpoint {
	le64 magic;
	le32 crc;       /* CRC32C over the head and its `run_count` runs with this field zero, seed 0xffffffff */
	le32 run_count; /* 0..252 */
	le64 mount_count;
	le64 blocks; /* in the pool */
	uint8_t uuid[16];
	le64 length; /* of the stream, bytes */
	le64 reserved;
	struct nova_checkpoint_run runs[NOVA_CHECKPOINT_RUNS];
};
static_assert(sizeof(struct nova_checkpoint) == NOVA_BLOCK_SIZE, "checkpoint head");

enum nova_checkpoint_type {
	NOVA_CHECKPOINT_COUNTS = 1,   /* struct nova_checkpoint_counts */
	NOVA_CHECKPOINT_BLOCKS = 2,   /* zone by zone: one le64 for each 64 blocks, lowest bit first; 1 = in use */
	NOVA_CHECKPOINT_SLOTS = 3,    /* struct nova_checkpoint_slots for each chunk of slots, in order of block */
	NOVA_CHECKPOINT_PROJECTS = 4, /* struct nova_checkpoint_project for each project in use, in order of number */
};

/* The head of a section; the next section begins at the next multiple of 8. Readers ignore unknown types. */
struct nova_checkpoint_section {
	le32 type;
	le32 crc;    /* CRC32C over the payload, seeded with (type u32, length u64, mount count u64) */
	le64 length; /* of the payload, bytes */
};
static_assert(sizeof(struct nova_checkpoint_section) == 16, "checkpoint section");

struct nova_checkpoint_counts {
	le64 inodes;
	le64 promised; /* log lines for which space is reserved: one for each name and unwritten block */
	le64 nameless; /* inodes without a name */
};

struct nova_checkpoint_slots {
	le64 block;                            /* first block of the chunk */
	le64 free[NOVA_SLOTS_PER_CHUNK / 64];  /* 1 = may be used for a new inode */
	le32 generation[NOVA_SLOTS_PER_CHUNK]; /* the present or last one of each slot */
};
static_assert(sizeof(struct nova_checkpoint_slots) == 536, "checkpoint slots");

struct nova_checkpoint_project {
	le32 project;
	le32 reserved;
	le64 blocks; /* in use */
	le64 inodes;
	le64 block_limit; /* 0 = none */
	le64 inode_limit;
	le64 line; /* of its newest QUOTA entry: offset in the pool / 64, 0 = it has none */
};
static_assert(sizeof(struct nova_checkpoint_project) == 48, "checkpoint project");

/* ---- the journal ---------------------------------------------------------------------------------------------- */

#define NOVA_RECORD_WORDS 5u
#define NOVA_RING_RECORDS 31u

/* One slot word that a record changes. */
struct nova_record_word {
	le64 target;     /* inode number << 8 | enum nova_word_kind (LIFE, TAIL or HEAD) */
	le64 word;       /* the new word, as it is stored in the slot */
	le32 generation; /* TAIL, HEAD: applied only if the slot's present generation is this one */
};
static_assert(sizeof(struct nova_record_word) == 20, "record word");

#define NOVA_RECORD_LINE_WORDS 2u /* how many words fit into the first line of a record */

/*
 * A redo record; with one or two words it is only one line. A record is committed once the COMMIT word of its ring has
 * reached its sequence. Replay applies a word only if it is newer than the slot's, LIFE words first, so a stale record
 * is harmless. HEAD words are block numbers, which have no order: replay applies a HEAD word with the TAIL word of the
 * same inode in its record, if that TAIL is not older than the slot's. This is enough, because only GC moves HEAD
 * again, and it moves TAIL with it. A record's place in the ring is sequence % 31; the place is reused only after a
 * later fence by the same worker has made the record's slot words durable.
 */
struct nova_record {
	le32 crc;      /* CRC32C over the other bytes of its lines, seeded with the ring number */
	uint8_t count; /* 1..5 */
	uint8_t reserved0[3];
	le64 sequence; /* from 1 */
	struct nova_record_word words[NOVA_RECORD_WORDS];
	uint8_t reserved1[12];
};
static_assert(sizeof(struct nova_record) == 128, "record");

struct nova_ring {
	le64 commit[2];
	uint8_t reserved[112];
	struct nova_record records[NOVA_RING_RECORDS];
};
static_assert(sizeof(struct nova_ring) == NOVA_BLOCK_SIZE, "ring");

#endif
