/*
 * round.c -- one round of one-sided READs: what a layout covers of a read, in pieces, by one lane.
 */
#include "client/io/round.h"

#include "client/link/connection.h"
#include "client/link/user_memory.h"

#include <errno.h>
#include <string.h>

#define READ_PIECE  BOUNCE_SIZE /* bytes of one READ */
#define READ_PIECES 32u         /* READs in flight for one round */

/* ---- pieces ----------------------------------------------------------------------------------------------------- */

bool round_needs_memory(const struct lane *lane)
{
	return lane->bounce.memory == NULL;
}

static void return_bounce(struct round *round, unsigned number)
{
	struct piece *piece = &round->pieces[number];

	if (piece->bounce >= 0)
		bounce_return(&round->lane->bounce, piece->bounce);
	piece->bounce = -1;
}

void round_drop(struct round *round)
{
	for (unsigned i = 0; i < round->piece_count; i++)
		return_bounce(round, i);
	round->piece_count = 0;
}

/* piece_data -- where the bytes of a piece are; NULL: zeros. */
static const uint8_t *piece_data(const struct round *round, const struct piece *piece)
{
	if (piece->key == 0)
		return NULL;
	return piece->bounce >= 0 ? bounce_at(&round->lane->bounce, piece->bounce) : round->memory + piece->at;
}

void round_flatten(struct round *round, uint8_t *to, size_t count)
{
	for (unsigned i = 0; i < round->piece_count && round->pieces[i].at < count; i++) {
		const struct piece *piece = &round->pieces[i];
		const uint8_t *from = piece_data(round, piece);

		if (!from)
			memset(to + piece->at, 0, piece->length);
		else if (from != to + piece->at)
			memcpy(to + piece->at, from, piece->length);
	}
	round_drop(round);
}

size_t round_copy_out(const struct round *round, size_t from, uint8_t *to, size_t length)
{
	size_t done = 0;

	for (unsigned i = 0; i < round->piece_count && done < length; i++) {
		const struct piece *piece = &round->pieces[i];
		const uint8_t *data = piece_data(round, piece);
		if (piece->at + piece->length <= from + done)
			continue;
		size_t skip = from + done - piece->at, part = piece->length - skip, copied;
		if (part > length - done)
			part = length - done;
		copied =
		    data ? user_copy_out(user_at(to, done), data + skip, part) : user_zero(user_at(to, done), part);
		done += copied;
		if (copied < part)
			break;
	}
	return done;
}

/* plan -- split `length` bytes at `offset` into READs and holes. Returns how many bytes the layout covers; `*reads`
 * receives the number of READs. */
static size_t plan(struct round *round, const struct inode *inode, uint64_t offset, size_t length, unsigned *reads)
{
	struct proto_extent extent;
	size_t covered = 0;

	*reads = 0;
	round->piece_count = 0;
	while (covered < length && round->piece_count < ROUND_PIECES &&
	       extents_find(&inode->extents, offset + covered, &extent)) {
		size_t part = length - covered < extent.length ? length - covered : extent.length;
		if (extent.key != 0 && (*reads)++ == READ_PIECES)
			break;
		if (extent.key != 0 && part > READ_PIECE)
			part = READ_PIECE;
		round->pieces[round->piece_count++] = (struct piece){
		    .at = covered, .length = part, .address = extent.address, .key = extent.key, .bounce = -1};
		covered += part;
	}
	return covered;
}

/* ---- READs ------------------------------------------------------------------------------------------------------ */

/* post -- start a planned READ. -EAGAIN: it needs a resource that is in use. */
static int post(struct round *round, struct piece *piece, unsigned flags)
{
	struct lane *lane = round->lane;
	void *local;

	if (round_needs_memory(lane)) {
		local = round->memory + piece->at;
	} else {
		piece->bounce = bounce_take(&lane->bounce);
		if (piece->bounce < 0)
			return -EAGAIN;
		local = bounce_at(&lane->bounce, piece->bounce);
	}
	int error = transport_read(lane->link->transport, local, lane->bounce.region, piece->address, piece->key,
	                           (uint32_t)piece->length, &round->reads.operations, flags);
	if (error == 0) {
		round->reads.operations.outstanding++;
		lane->link->counts.reads++;
		lane->link->counts.read_bytes += piece->length;
	} else if (error != -EAGAIN) {
		connection_lose(lane->link, error, "a READ was refused");
	}
	return error;
}

/* post_all -- start the planned READs in order, as far as there are resources. */
static int post_all(struct round *round)
{
	int error = 0;

	round->posting = true;
	for (round->posted = 0; round->posted < round->piece_count; round->posted++) {
		struct piece *piece = &round->pieces[round->posted];
		bool more = round->posted + 1 < round->piece_count || round->lane->link->more;
		if (piece->key != 0)
			error = post(round, piece, more ? TRANSPORT_MORE : 0);
		if (error || round->reads.lost)
			break;
	}
	round->posting = false;
	return error;
}

size_t round_end(struct round *round)
{
	size_t covered = 0;

	layout_reads_end(round->lane->reads, &round->reads);
	for (unsigned i = round->posted; i < round->piece_count; i++)
		return_bounce(round, i);
	round->piece_count = round->posted;
	if (round->reads.lost)
		round_drop(round);
	if (round->piece_count > 0) {
		const struct piece *last = &round->pieces[round->piece_count - 1];
		covered = last->at + last->length;
	}
	if (covered < round->whole) { /* a resource was lacking in the middle */
		round_drop(round);
		return 0;
	}
	round->to_end = round->to_end && covered == round->length;
	return covered;
}

enum round_state round_begin(struct round *round, const struct layouts *layouts, const struct inode *inode,
                             uint64_t offset, size_t length, uint32_t max_read, uint64_t *missing)
{
	unsigned needed;

	round->to_end = false;
	round->piece_count = 0;
	if (offset >= inode->size)
		return ROUND_BY_MESSAGE;
	round->to_end = length > inode->size - offset;
	if (round->to_end)
		length = inode->size - offset;
	round->length = length;
	round->whole = length <= max_read ? length : 0;
	size_t covered = plan(round, inode, offset, length, &needed);
	*missing = offset + covered;
	if (covered == 0 || covered < round->whole || needed == 0) {
		round->piece_count = 0;
		return covered == length ? ROUND_BY_MESSAGE : ROUND_UNCOVERED;
	}
	round->reads.lost = false;
	layout_reads_begin(layouts, round->lane->reads, &round->reads);
	int error = post_all(round);
	if (round->reads.operations.outstanding > 0 && !round->reads.lost)
		return ROUND_BEGUN;
	/* No READ could be posted: holes before the first prove nothing. */
	round_end(round);
	round_drop(round);
	/* Without READs in flight no poll frees anything: results that the program has not fetched yet hold all buffers,
	 * and it may fetch them only after this read. */
	if (error != -EAGAIN || round->lane->link->state != CONNECTION_UP || TAILQ_EMPTY(&round->lane->reads->list))
		return ROUND_BY_MESSAGE;
	return ROUND_BUSY;
}
