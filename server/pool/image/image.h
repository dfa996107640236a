/*
 * image.h -- reads the on-media format of a pool that nobody has mounted, for fsck and dump.
 *
 * Written from server/nova/media/format.h alone and sharing no code with the file system's own mount, so that a mistake
 * in one of the two is seen by the other. Nothing is written: committed journal records that a mount would replay are
 * kept in an overlay, and what these functions tell is what a mount would find after replay. Nothing read is trusted:
 * every pointer is checked before it is followed.
 *
 * Thread safety: a struct image is read-only after image_open and may be shared.
 */
#ifndef FARNOVA_SERVER_POOL_IMAGE_H
#define FARNOVA_SERVER_POOL_IMAGE_H

#include "server/nova/media/format.h"

#include <stdbool.h>
#include <stdint.h>

/* A word in two copies, judged. */
struct image_word {
	uint64_t value;   /* the greater of the valid copies */
	uint64_t copy[2]; /* value of each copy, if valid */
	bool valid[2];
};

/* What committed records say of one inode's words; a mask bit 1 << kind tells which are there. */
struct image_overlay {
	uint64_t ino; /* 0 = slot of the table unused */
	unsigned mask;
	uint64_t life;
	uint64_t tail;
	uint32_t tail_generation;
	uint64_t head; /* goes with the greatest tail */
	uint64_t head_tail;
	uint32_t head_generation;
};

struct image {
	const uint8_t *base;
	uint64_t size;
	uint64_t blocks; /* as the superblock says, never more than size allows */
	const struct nova_super *super;
	struct image_overlay *overlay;
	uint64_t overlay_mask; /* slots in the table - 1; 0 = none */
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
	bool head_replayed; /* the head is of a record, whatever the slot words say */
};

/* image_open -- find the superblock. -EINVAL no valid one, -EPROTONOSUPPORT version or features unknown here, -ENODATA
 * cut short: the superblock tells more blocks than there are. `why` receives a sentence. */
int image_open(struct image *image, const void *base, uint64_t size, const char **why);
void image_close(struct image *image);

/* Pieces of the pool; NULL where they do not lie within it. */
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

/* image_word_value -- true and the value if the stored word is valid for its kind and owner. */
bool image_word_value(enum nova_word_kind kind, uint64_t owner, le64 stored, uint64_t *value);
struct image_word image_word_pick(enum nova_word_kind kind, uint64_t owner, le64 first, le64 second);

/* image_replay -- load all committed records into the overlay; returns how many, or -ENOMEM. */
int64_t image_replay(struct image *image);

/*
 * image_inode -- judge the words of an inode's slot. -EINVAL if `ino` names no place for a slot (its chunk is not
 * asked about), -EIO if no copy of the life word is valid. Tail and head are judged for ALLOCATED and ORPHAN slots
 * only.
 */
int image_inode(const struct image *image, uint64_t ino, struct image_inode *inode);

/* ---- the log ------------------------------------------------------------------------------------ */

enum image_step { IMAGE_END, IMAGE_PAGE, IMAGE_ENTRY, IMAGE_BAD };

/* Why a log cannot be read further. */
enum image_fault {
	IMAGE_FAULT_TAIL,  /* no tail word */
	IMAGE_FAULT_HEAD,  /* no head word */
	IMAGE_FAULT_PAGE,  /* log->bad_page, which the head or the page before names, is no page of this log there */
	IMAGE_FAULT_NEXT,  /* no word of log->page says where the log goes on */
	IMAGE_FAULT_ENTRY, /* there is no sound entry at log->position */
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
	struct image_word next; /* the words that led there, */
	uint64_t before;        /* of this page; 0 = the first */
	/* after IMAGE_BAD */
	enum image_fault fault;
	uint64_t bad_page;
	char why[160];
};

/*
 * image_log_begin, image_log_next -- walk an inode's log up to its tail. IMAGE_PAGE tells that a page was entered
 * (log->page), IMAGE_ENTRY gives an entry whose CRC holds and whose lines lie in memory one after another, PAD entries
 * included, IMAGE_BAD that the log cannot be read further.
 */
void image_log_begin(struct image_log *log, const struct image *image, const struct image_inode *inode);
enum image_step image_log_next(struct image_log *log);

/* image_log_sound -- whether a sound entry of this log lies at `line`, which is `position` and in log->page. */
bool image_log_sound(const struct image_log *log, const uint8_t *line, uint64_t position);

/* image_page_valid -- whether the block holds the header of a page of the inode's log. */
bool image_page_valid(const struct image *image, const struct image_inode *inode, uint64_t block);

#endif
