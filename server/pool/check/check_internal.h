/*
 * check_internal.h -- shared by the parts of nova_check.
 */
#ifndef FARNOVA_SERVER_POOL_CHECK_INTERNAL_H
#define FARNOVA_SERVER_POOL_CHECK_INTERNAL_H

#include "server/pool/check/check.h"
#include "server/pool/image/image.h"

#include <stddef.h>

/* An inode in use, in order of inode number. */
struct check_inode {
	uint64_t ino;
	uint64_t size;
	uint64_t parent;   /* directories: from the header and PARENT entries */
	uint64_t named_by; /* directories: inode number of a directory that has a name for it, 0 = none */
	uint32_t nlink;    /* from the log */
	uint32_t links;    /* names that refer to it */
	uint32_t subdirectories;
	uint8_t type; /* S_IFMT bits >> 12 */
	bool orphan;
	bool readable;      /* its header and its whole log could be read */
	bool patched;       /* a repair has removed entries from its log: it has an ATTR entry with mask 0 */
	uint8_t named_type; /* the type in a name that refers to it, 0 = there is no name */
	bool has_nlink;
	uint8_t mark; /* in the search for cycles: 0 not visited, 1 on the present path, 2 the root was reached */
};

/* A live name. */
struct check_name {
	uint64_t dir;
	uint64_t ino;
	uint64_t cookie;
	uint8_t file_type;
};

/*
 * What can be done about a finding, in the order in which it must be done: a repair does the first kind that is needed
 * and then checks again. Only pool_repair uses them.
 */
enum check_fix_kind {
	FIX_WORDS,     /* one copy of some word of the inode is damaged */
	FIX_LIFE,      /* the slot's life is unknown */
	FIX_LOG,       /* the inode's log cannot be read to its tail */
	FIX_ENTRY,     /* the entry at position a is invalid */
	FIX_EPOCH,     /* there are entries of epoch a, which is later than the pool's */
	FIX_HEADER,    /* the slot's header is damaged */
	FIX_HOLE,      /* the blocks of b file blocks from a on belong to something else */
	FIX_REMOVE,    /* the inode is useless */
	FIX_TRUNCATE,  /* there are blocks behind the end of the file */
	FIX_ZERO,      /* bytes from a on in block b, behind the end of the file, are not zero */
	FIX_ATTR,      /* mode, owner and group are missing */
	FIX_ROOT,      /* there is no root directory */
	FIX_CLIENTS,   /* the client table says what cannot be, or there is none */
	FIX_DROP_NAME, /* directory ino must lose the name with cookie a, which refers to inode b */
	FIX_RETYPE,    /* the type in the same name is wrong: the inode has type c */
	FIX_PARENT,    /* the directory's parent must become a */
	FIX_NLINK,     /* the link count must become a */
	FIX_ADOPT,     /* no name refers to the inode */
};

struct check_fix {
	enum check_fix_kind kind;
	uint64_t ino;
	uint64_t a, b, c;
};

/* The contents of blocks other than log pages. */
enum check_content { CHECK_DATA, CHECK_TARGET, CHECK_XATTR };

/* A run of blocks that is claimed only after all log pages. */
struct check_late_claim {
	size_t inode; /* index */
	enum check_content content;
	uint64_t at; /* CHECK_DATA: its first file block; CHECK_XATTR: position of the entry */
	uint64_t block;
	uint64_t count;
};

struct check_run;

struct check {
	struct image image;
	struct check_report *report;
	uint64_t root;
	uint64_t clients; /* inode number of the client table */
	uint64_t epoch;
	uint32_t *owner; /* by block: index of the inode that uses it + 1, 0 = free, CHECK_SLOTS = a chunk of slots */
	size_t owner_bytes;
	uint64_t *used; /* one bit for each block: whether it has an owner; in the same mapping, behind the owners */
	struct check_inode *inodes;
	size_t inode_count, inode_room;
	struct check_name *names;
	size_t name_count, name_room;
	struct check_project *projects;
	size_t project_count, project_room;
	uint64_t unwritten; /* blocks that are reserved for a file and were never written */
	int error;          /* 0 or -ENOMEM */

	bool repairing; /* note fixes, and claim data after all log pages */
	struct check_fix *fixes;
	size_t fix_count, fix_room;
	struct check_run *client_runs; /* what the client table's file has */
	size_t client_run_count, client_run_room;
	struct check_late_claim *late;
	size_t late_count, late_room;
};

#define CHECK_SLOTS 0xffffffffu

/* check_begin, check_run, check_end -- the parts of nova_check. -errno as from image_open, with *why; -ENOMEM. */
int check_begin(struct check *check, const void *base, uint64_t size, struct check_report *report, const char **why);
int check_run(struct check *check);
void check_end(struct check *check);

/* check_fix -- note what can be done about the last finding. */
void check_fix(struct check *check, enum check_fix_kind kind, uint64_t ino, uint64_t a, uint64_t b, uint64_t c);

/* check_find -- the inode in use with this number, or NULL. */
struct check_inode *check_find(const struct check *check, uint64_t ino);

/* check_say -- count and report one finding. */
void check_say(struct check *check, const char *part, uint64_t ino, uint64_t block, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* check_progress -- report how much of `what` has been checked. */
void check_progress(struct check *check, const char *what, uint64_t done, uint64_t total);

/* check_grow -- make room for one more in an array, which doubles. Without memory: NULL, and sets check->error. */
void *check_grow(struct check *check, void *array, size_t count, size_t *room, size_t size);

/* check_claim -- note that the inode uses blocks [first, first + count); reports blocks that are outside the usable
 * area or used twice. */
void check_claim(struct check *check, const struct check_inode *inode, const char *what, uint64_t first,
                 uint64_t count);

/* check_claim_late -- after all log pages were claimed: do the claims that waited. */
void check_claim_late(struct check *check);

/* check_set_owner -- note that the blocks are used, without a check. */
void check_set_owner(struct check *check, uint64_t first, uint64_t count, uint32_t owner);

/* check_is_slots -- whether the block is the first of a chunk of slots. */
bool check_is_slots(const struct check *check, uint64_t block);

/* check_used -- the bits of word `word` of a zone's bitmap, as in the checkpoint: blocks that are in use or in a
 * metadata area. *there has the bits of the blocks that exist. */
uint64_t check_used(const struct check *check, uint64_t zone, uint64_t word, uint64_t *there);

/* check_claim_content -- check_claim for file data from file block `at` on, a symlink's target, or the value of the
 * extended attribute whose entry is at position `at`. A repair claims them in check_claim_late. */
void check_claim_content(struct check *check, const struct check_inode *inode, enum check_content content, uint64_t at,
                         uint64_t first, uint64_t count);

/* check_inode_log -- read the inode's header and log; fill *inode, claim its blocks, note the names of a directory. */
void check_inode_log(struct check *check, const struct image_inode *words, struct check_inode *inode);

/* check_clients -- after all inodes were read: check the client table. */
void check_clients(struct check *check);

/* check_tree -- after all inodes were read: check names, links, parents and cycles. */
void check_tree(struct check *check);

/* check_project_use -- count an inode of the project with so many blocks; 0 = no project. */
void check_project_use(struct check *check, uint32_t id, uint64_t blocks);
void check_project_limits(struct check *check, const struct nova_quota_entry *quota, uint64_t line);
/* check_projects -- check the checkpoint's section of projects against these counts and limits. */
struct image_checkpoint_section;
void check_projects(struct check *check, const struct image_checkpoint_section *section);

/* check_checkpoint -- after all inodes were read: check the checkpoint of a clean unmount against them. */
void check_checkpoint(struct check *check);

/* ---- a file's extents --------------------------------------------------------------------------- */

struct check_run {
	uint64_t file_block;
	uint64_t count; /* UINT64_MAX - file_block: to the end of all files */
	uint64_t block; /* 0 = hole */
	bool unwritten; /* reserved: reads as zeros and may lie beyond the end of the file */
};

/*
 * check_extents -- resolve `count` runs into the file's present extents: later runs replace earlier ones. Calls `emit`
 * for the pieces that are no holes, in order of file block. -ENOMEM.
 */
int check_extents(const struct check_run *runs, size_t count, void (*emit)(void *context, const struct check_run *run),
                  void *context);

/* ---- a directory's names ------------------------------------------------------------------------ */

struct check_dir;

struct check_dir_name {
	uint64_t cookie;
	const struct nova_name_entry *entry; /* NULL = removed */
};

struct check_dir *check_dir_new(void);
void check_dir_free(struct check_dir *dir);
/* check_dir_add -- add a name; or, if a live name has the same cookie and bytes, replace it. -EEXIST if another name
 * has or had the cookie, -ENOMEM. */
int check_dir_add(struct check_dir *dir, uint64_t cookie, const struct nova_name_entry *entry);
/* check_dir_remove -- remove and return the live name with this cookie; NULL if there is none. */
const struct nova_name_entry *check_dir_remove(struct check_dir *dir, uint64_t cookie);
/* check_dir_live -- the live names, in the order of their bytes; the caller frees the array. */
int check_dir_live(const struct check_dir *dir, const struct nova_name_entry ***names, size_t *count);
/* check_name_compare -- orders two names by length and bytes. */
int check_name_compare(const struct nova_name_entry *a, const struct nova_name_entry *b);

/* ---- an inode's extended attributes ------------------------------------------------------------- */

struct check_xattrs;

struct check_xattrs *check_xattrs_new(void);
void check_xattrs_free(struct check_xattrs *xattrs);
/* check_xattr_entry -- check and apply the next XATTR entry of the log. NULL, or what is wrong with it. */
const char *check_xattr_entry(struct check *check, struct check_xattrs *xattrs, const struct nova_entry *entry,
                              uint64_t position);
/* check_xattrs_result -- at the end of the log: claim the blobs of the live attributes and check their contents. */
void check_xattrs_result(struct check *check, const struct image_inode *inode, const struct check_inode *into,
                         const struct check_xattrs *xattrs);

#endif
