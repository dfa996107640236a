/*
 * repair_internal.h -- shared by the parts of pool_repair.
 */
#ifndef FARNOVA_SERVER_POOL_REPAIR_INTERNAL_H
#define FARNOVA_SERVER_POOL_REPAIR_INTERNAL_H

#include "server/pool/check/check_internal.h"
#include "server/pool/repair/repair.h"

struct repair {
	struct pm *pm;
	struct repair_report *report;
	struct check *check; /* of this round */
	uint64_t now;        /* ns since 1970 */
	bool map_good;       /* check->owner has all blocks in use, so free ones may be taken */
	uint64_t cursor;     /* where the search for free blocks continues */
	bool emptied;        /* this repair has emptied the client table */
	bool lost;           /* the journal had lost a record */
	uint64_t lost_found; /* inode number of /lost+found, 0 = not yet looked for */
};

/* repair_say -- count and report one step. */
void repair_say(struct repair *r, const char *part, uint64_t ino, uint64_t block, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* ---- repair_store.c: words, entries, pages ------------------------------------------------------- */

uint64_t repair_word(enum nova_word_kind kind, uint64_t owner, uint64_t value);

/* repair_pair -- store one word to two places; flushed, not fenced. */
void repair_pair(struct repair *r, le64 *first, le64 *second, uint64_t word);

struct nova_slot *repair_slot(struct repair *r, uint64_t ino);
void *repair_block(struct repair *r, uint64_t block);

/* repair_take_blocks -- take `count` adjacent free blocks, aligned to `count`; returns the first, or 0. */
uint64_t repair_take_blocks(struct repair *r, unsigned count);

/* An entry of up to five lines under construction. */
struct repair_entry {
	_Alignas(64) struct nova_entry entry;
	uint8_t more[4 * NOVA_LINE_SIZE];
};

/* repair_entry_start -- begin an entry of one line; returns its payload, which is zero. */
void *repair_entry_start(struct repair_entry *entry, enum nova_entry_type type);

/* repair_entry_filler -- an ATTR entry with mask 0, which sets only ctime: it marks that the log was repaired. */
void repair_entry_filler(const struct repair *r, struct repair_entry *entry);

/* repair_entry_name -- a NAME entry of at most 255 bytes; repair_append sets its cookie. */
void repair_entry_name(const struct repair *r, struct repair_entry *entry, const char *name, size_t length,
                       uint64_t ino, uint8_t file_type);

/* repair_seal -- set the epoch of an entry, and its CRC for this inode and position. */
void repair_seal(const struct repair *r, struct nova_entry *entry, uint64_t ino, uint32_t generation,
                 uint64_t position);

/* repair_append -- append entries to an inode's log and commit them as one. -ENOSPC, or -EIO if the log is damaged. */
int repair_append(struct repair *r, uint64_t ino, struct repair_entry *entries, unsigned count);

/* repair_birth -- create an allocated inode in the slot, with the new generation and a first ATTR entry. */
void repair_birth(struct repair *r, uint64_t ino, uint32_t generation, uint32_t mode, uint64_t parent);

/* ---- the steps ---------------------------------------------------------------------------------- */

/* repair_structures -- repair superblocks, zones and chunk tables; apply and empty the journal. -EINVAL: not a pool. */
int repair_structures(struct repair *r);

/* repair_words, ... -- one step for one fix; false if nothing could be done. */
bool repair_words(struct repair *r, uint64_t ino);
bool repair_life(struct repair *r, uint64_t ino);
bool repair_log(struct repair *r, uint64_t ino, bool head_lost);
bool repair_log_entry(struct repair *r, uint64_t ino, uint64_t position);
bool repair_epoch(struct repair *r, uint64_t epoch);
bool repair_header(struct repair *r, uint64_t ino, bool last_resort);
bool repair_remove(struct repair *r, uint64_t ino, const char *why);
bool repair_hole(struct repair *r, uint64_t ino, uint64_t file_block, uint64_t count);
bool repair_truncate(struct repair *r, uint64_t ino);
bool repair_zero(struct repair *r, uint64_t ino, uint64_t from, uint64_t block);
bool repair_attr(struct repair *r, uint64_t ino);
bool repair_root(struct repair *r, uint64_t ino);
/* repair_clients -- empty the client table: what a repair does to logs could make a request seem executed that was not. */
bool repair_clients(struct repair *r, uint64_t ino);
bool repair_drop_name(struct repair *r, uint64_t dir, uint64_t cookie, uint64_t ino);
bool repair_retype(struct repair *r, uint64_t dir, uint64_t cookie, uint64_t ino, uint8_t file_type);
bool repair_parent(struct repair *r, uint64_t ino, uint64_t parent);
bool repair_nlink(struct repair *r, uint64_t ino, uint32_t nlink);
bool repair_adopt(struct repair *r, uint64_t ino, uint64_t named_by);

#endif
