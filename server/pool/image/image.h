/*
 * image.h -- reads the on-media format of a pool that nobody has mounted, for fsck and dump.
 *
 * This code depends on server/nova/media/format.h alone and shares nothing with the file system's own mount, so that
 * each of the two shows mistakes of the other. Nothing is written: committed journal records, which a mount would
 * replay, go into an overlay, and these functions return what a mount would find after replay. Nothing that is read is
 * trusted: every pointer is checked before it is followed.
 *
 * Thread safety: a struct image is read-only after image_open and may be shared.
 */
#ifndef FARNOVA_SERVER_POOL_IMAGE_H
#define FARNOVA_SERVER_POOL_IMAGE_H

#include "server/nova/media/format.h"

#include <stdbool.h>
#include <stdint.h>

/* A word with two copies, checked. */
struct image_word {
	uint64_t value;   /* the greater of the valid copies */
	uint64_t copy[2]; /* value of each copy, if valid */
	bool valid[2];
};

/* The newest words of one inode in committed records. */
struct image_overlay {
	uint64_t ino;  /* 0 = this place of the table is unused */
	unsigned mask; /* bit 1 << kind: there is a word of this kind */
	uint64_t life;
	uint64_t tail;
	uint32_t tail_generation;
	uint64_t head; /* of the record with the greatest tail */
	uint64_t head_tail;
	uint32_t head_generation;
};

struct image {
	const uint8_t *base;
	uint64_t size;
	uint64_t blocks; /* from the superblock; never more than `size` */
	const struct nova_super *super;
	struct image_overlay *overlay;
	uint64_t overlay_mask; /* places in the table - 1; 0 = no table */
};

/* An inode's words after replay. */
struct image_inode {
	uint64_t ino;
	const struct nova_slot *slot;
	uint32_t generation;
	enum nova_life life;
	uint64_t tail;
	uint64_t head;
	struct image_word life_word;
	struct image_word tail_word;
	struct image_word head_word;
	bool tail_known;
	bool head_known;
	bool head_replayed; /* the head is from a record, and the slot words do not matter */
};

/* image_open -- find the superblock. -EINVAL: none is valid; -EPROTONOSUPPORT: unknown version or features; -ENODATA:
 * the pool has fewer blocks than the superblock says. On failure *why is the reason. */
int image_open(struct image *image, const void *base, uint64_t size, const char **why);
void image_close(struct image *image);

/* Structures of the pool; NULL if their place is outside the pool. */
const void *image_block(const struct image *image, uint64_t block);
const struct nova_super *image_super(const struct image *image, int copy);
const struct nova_slot *image_slot(const struct image *image, uint64_t ino);
const struct nova_ring *image_ring(const struct image *image, unsigned ring);

/* image_zones, image_zone_blocks -- zones in the pool, and blocks in zone `zone` (the last may be shorter). */
uint64_t image_zones(const struct image *image);
uint64_t image_zone_blocks(const struct image *image, uint64_t zone);
uint64_t image_zone_start(uint64_t zone);
uint64_t image_zone_of(uint64_t block);

/* image_usable_block -- whether the block may hold log pages, data or slots: in the pool and in no metadata area. */
bool image_usable_block(const struct image *image, uint64_t block);

/* image_chunk -- the chunk table's word for the chunk that begins at `block`. */
struct image_word image_chunk(const struct image *image, uint64_t block);

/* ---- checks ------------------------------------------------------------------------------------- */

bool image_super_valid(const struct nova_super *super);
bool image_zone_header_valid(const struct nova_zone_header *header);
bool image_slot_header_valid(const struct nova_slot_header *header, uint64_t ino, uint32_t generation);
bool image_record_valid(const struct nova_record *record, unsigned ring);

/* image_word_value -- true if the stored word is valid for its kind and owner; *value is set in any case. */
bool image_word_value(enum nova_word_kind kind, uint64_t owner, le64 stored, uint64_t *value);

/* image_word_pick -- check both copies of a word. */
struct image_word image_word_pick(enum nova_word_kind kind, uint64_t owner, le64 first, le64 second);

/* image_replay -- load all committed records into the overlay; returns how many, or -ENOMEM. */
int64_t image_replay(struct image *image);

/*
 * image_inode -- read the words of an inode's slot. -EINVAL if `ino` is no possible place of a slot (the kind of the
 * chunk is not checked), -EIO if no copy of the life word is valid. Tail and head are read only if the state has a log
 * (life_has_log).
 */
int image_inode(const struct image *image, uint64_t ino, struct image_inode *inode);

/* ---- the log ------------------------------------------------------------------------------------ */

enum image_step { IMAGE_END, IMAGE_PAGE, IMAGE_ENTRY, IMAGE_BAD };

/* Why a log cannot be read further. */
enum image_fault {
	IMAGE_FAULT_TAIL,  /* no valid tail word */
	IMAGE_FAULT_HEAD,  /* no valid head word */
	IMAGE_FAULT_PAGE,  /* the link leads to log->bad_page, which is not the log's page at this position */
	IMAGE_FAULT_NEXT,  /* log->page has no valid link to the next page */
	IMAGE_FAULT_ENTRY, /* there is no valid entry at log->position */
};

struct image_log {
	const struct image *image;
	const struct image_inode *inode;
	uint64_t position; /* of the next line to read */
	uint64_t limit;    /* first position after the slot's lines or the current page */
	uint64_t page;     /* block of the current page, 0 = the slot */
	const uint8_t *line;
	/* after IMAGE_ENTRY */
	const struct nova_entry *entry;
	uint64_t entry_position;
	/* after IMAGE_PAGE, unless it is the first page */
	struct image_word next; /* the link words that led there */
	uint64_t before;        /* the page with these words, 0 = this is the first page */
	/* after IMAGE_BAD */
	enum image_fault fault;
	uint64_t bad_page;
	char why[160];
};

/*
 * image_log_begin, image_log_next -- walk an inode's log up to its tail. IMAGE_PAGE: log->page is the next page.
 * IMAGE_ENTRY: log->entry is the next entry, perhaps a PAD; its CRC is right, and its lines follow one another in
 * memory. IMAGE_BAD: the log cannot be read further.
 */
void image_log_begin(struct image_log *log, const struct image *image, const struct image_inode *inode);
enum image_step image_log_next(struct image_log *log);

/* image_log_sound -- whether `line`, which has this position in log->page, is a valid entry of this log. */
bool image_log_sound(const struct image_log *log, const uint8_t *line, uint64_t position);

/* image_page_valid -- whether the block holds the header of a page of the inode's log. */
bool image_page_valid(const struct image *image, const struct image_inode *inode, uint64_t block);

#endif
