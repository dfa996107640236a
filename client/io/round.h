/*
 * round.h -- one round of one-sided READs: what a layout covers of a read, in pieces, by one lane.
 *
 * A round belongs to who made it. The lock of the lane's connection guards it until its READs have ended.
 */
#ifndef FARNOVA_CLIENT_ROUND_H
#define FARNOVA_CLIENT_ROUND_H

#include "client/session/lane.h"

#define ROUND_PIECES 64u /* planned at a time; holes are pieces too */

/* A contiguous part of a round: a READ, or a hole. */
struct piece {
	size_t at; /* offset in the round */
	size_t length;
	uint64_t address, key; /* key 0: a hole */
	int bounce;            /* -1: the READ targets `memory` */
};

struct round {
	struct lane *lane;
	struct reads reads; /* set `operations.on_done` before it begins */
	uint8_t *memory;    /* where the data go if the lane has no bounce buffers */
	size_t length;      /* bytes of the round */
	size_t whole;       /* the same if it must be read whole, else 0 */
	bool to_end;        /* it reaches the end of the file */
	bool posting;
	unsigned piece_count, posted;
	struct piece pieces[ROUND_PIECES];
};

enum round_state {
	ROUND_BEGUN,      /* READs are in flight: `on_done` will be called */
	ROUND_UNCOVERED,  /* a part of it is not in the layout */
	ROUND_BY_MESSAGE, /* the server must be asked */
	ROUND_BUSY,       /* no READ can be posted now */
};

/*
 * round_begin -- read up to `length` bytes of the file at `offset`; its layout is usable. `max_read`: what a message can
 * read. Unless it is BEGUN the round is empty. `*missing`: the part that is UNCOVERED.
 *
 * A READ that succeeds proves that the server had not ended this session's connection, and with it the layout, when the
 * READ was executed. Where the end of the file or a hole alone would be the answer, nothing proves that: this program
 * may have stood still, or its network, while others changed the file. Then the server must be asked.
 *
 * What is read later may be of another state of the file. So a read that a single message can answer is done whole or
 * not at all, and nothing follows what reaches the end of the file.
 */
enum round_state round_begin(struct round *round, const struct layouts *layouts, const struct inode *inode,
                             uint64_t offset, size_t length, uint32_t max_read, uint64_t *missing);

/* round_end -- for `on_done`: the READs have ended or are lost. Returns the bytes that the round has, 0 if they are of no
 * use. If the connection is lost while round_begin posts, `on_done` is called with `posting` set, and must do nothing. */
size_t round_end(struct round *round);

/* round_drop -- return what the round has taken from its lane; its data are gone. */
void round_drop(struct round *round);

/* round_needs_memory -- whether `memory` must be there before it begins. */
bool round_needs_memory(const struct lane *lane);

/* round_flatten -- bring the first `count` bytes to `to`, which may be `memory`, and drop the round. */
void round_flatten(struct round *round, uint8_t *to, size_t count);

/* round_copy_out -- copy up to `length` bytes from `from` on to the program's memory; the lock need not be held. Returns
 * the bytes copied: fewer if the rest is not writable. */
size_t round_copy_out(const struct round *round, size_t from, uint8_t *to, size_t length);

#endif
