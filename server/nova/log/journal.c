/*
 * journal.c -- redo records, their commit and their replay.
 */
#include "server/nova/log/journal.h"

#include "common/assert.h"
#include "common/crc.h"
#include "server/nova/media/ro_overlay.h"
#include "server/nova/media/words.h"
#include "server/nova/space/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct nova_ring *ring_at(const struct nova *fs, uint32_t ring)
{
	return block_at(fs, NOVA_JOURNAL_BLOCK + ring);
}

/* A record of few words is one line long. */
static size_t record_bytes(const struct nova_record *record)
{
	return record->count <= NOVA_RECORD_LINE_WORDS ? NOVA_LINE_SIZE : sizeof *record;
}

static uint32_t record_crc(const struct nova_record *record, uint32_t ring)
{
	uint32_t crc = crc32c_line(crc32c_u32(0xffffffff, ring), record);

	return crc32c(crc, (const uint8_t *)record + NOVA_LINE_SIZE, record_bytes(record) - NOVA_LINE_SIZE);
}

static uint64_t stored_word(const struct journal_word *word)
{
	uint64_t owner = word->kind == NOVA_WORD_LIFE ? word->ino : word_owner(word->ino, word->generation);

	return word_make(word->kind, owner, word->value);
}

/* The pair of slot words of a kind; NULL if the kind has none in a slot. */
static le64 *slot_word_pair(const struct nova *fs, uint64_t ino, enum nova_word_kind kind)
{
	struct nova_slot_words *words = &slot_at(fs, ino)->words;

	switch (kind) {
	case NOVA_WORD_LIFE:
		return words->life;
	case NOVA_WORD_TAIL:
		return words->tail;
	case NOVA_WORD_HEAD:
		return words->head;
	default:
		return NULL;
	}
}

static void flush_slot_words(struct nova_worker *worker)
{
	for (unsigned i = 0; i < worker->record.count; i++) {
		uint64_t target = le64_get(worker->record.words[i].target);

		pm_flush(worker->fs->pm, &slot_at(worker->fs, target >> 8)->words, sizeof(struct nova_slot_words));
	}
}

void journal_flush_slot_words(struct nova_worker *worker)
{
	flush_slot_words(worker);
	pm_fence(worker->fs->pm);
}

static void store_record(struct nova_worker *worker, const struct journal_word *words, unsigned count)
{
	struct nova *fs = worker->fs;
	struct nova_record *record = &worker->record;
	uint64_t sequence = worker->sequence;

	memset(record, 0, sizeof *record);
	record->count = (uint8_t)count;
	record->sequence = le64_of(sequence);
	for (unsigned i = 0; i < count; i++) {
		record->words[i].target = le64_of(words[i].ino << 8 | words[i].kind);
		record->words[i].word = le64_of(stored_word(&words[i]));
		record->words[i].generation = le32_of(words[i].generation);
	}
	record->crc = le32_of(record_crc(record, worker->ring));
	pm_copy(fs->pm, &ring_at(fs, worker->ring)->records[sequence % NOVA_RING_RECORDS], record,
	        record_bytes(record));
}

/* The line with the ring's commit word. It has no other content, so it is stored as a whole: see slot_words.h. */
struct commit_line {
	le64 words[NOVA_LINE_SIZE / sizeof(le64)];
} __attribute__((aligned(NOVA_LINE_SIZE)));

static struct commit_line commit_line(const struct nova_worker *worker)
{
	le64 word = le64_of(word_make(NOVA_WORD_COMMIT, worker->ring, worker->sequence));

	return (struct commit_line){.words = {word, word}};
}

/* Whether the word creates an inode: then the slot's line has just been stored with a non-temporal store. */
static bool is_birth(const struct journal_word *word)
{
	return word->kind == NOVA_WORD_LIFE && (word->value & 0xff) != NOVA_LIFE_FREE;
}

static void prefetch_slot_words(const struct nova *fs, const struct journal_word *words, unsigned count, bool births)
{
	for (unsigned i = 0; i < count; i++)
		if (is_birth(&words[i]) == births)
			pm_prefetch_store(&slot_at(fs, words[i].ino)->words);
}

/* Store into the caches only: a flush would delay the next unlock. The next commit flushes the words. */
static void store_slot_words(struct nova_worker *worker, const struct journal_word *words, unsigned count)
{
	struct nova *fs = worker->fs;

	for (unsigned i = 0; i < count; i++) {
		le64 *pair = slot_word_pair(fs, words[i].ino, words[i].kind);
		uint64_t word = le64_get(worker->record.words[i].word);

		pm_set8(fs->pm, &pair[0], word);
		pm_set8(fs->pm, &pair[1], word);
	}
}

void journal_commit(struct nova_worker *worker, const struct journal_word *words, unsigned count)
{
	struct nova *fs = worker->fs;
	struct commit_line commit;

	fn_assert(count > 0 && count <= NOVA_RECORD_WORDS);
	flush_slot_words(worker);
	worker->sequence++;
	store_record(worker, words, count);
	commit = commit_line(worker);
	prefetch_slot_words(fs, words, count, false);
	pm_fence(fs->pm);
	pm_copy(fs->pm, ring_at(fs, worker->ring)->commit, &commit, sizeof commit);
	prefetch_slot_words(fs, words, count, true);
	pm_fence(fs->pm);
	store_slot_words(worker, words, count);
}

/* ---- replay --------------------------------------------------------------------------------------------------- */

static int ring_sequence(struct nova *fs, uint32_t i, char *why, size_t why_size)
{
	struct nova_ring *ring = ring_at(fs, i);
	uint64_t sequence;

	enum word_state state = word_read(NOVA_WORD_COMMIT, i, &ring->commit[0], &ring->commit[1], &sequence);

	if (state == WORD_LOST && fs->rescue) {
		log_warn(NOVA_LOG_NAME, "journal ring %u: both copies of its commit word are damaged: it is ignored",
		         i);
		fs->ring_sequence[i] = 0;
		return 0;
	}
	if (state == WORD_LOST) {
		snprintf(why, why_size, "journal ring %u: both copies of its commit word are damaged", i);
		return -EIO;
	}
	if (state == WORD_HALF)
		log_warn(NOVA_LOG_NAME, "journal ring %u: one copy of its commit word was damaged", i);
	fs->ring_sequence[i] = sequence;
	if (!fs->read_only && (state != WORD_GOOD || fs->crashed))
		word_pair_store(fs->pm, ring->commit, word_make(NOVA_WORD_COMMIT, i, sequence));
	return 0;
}

int journal_load(struct nova *fs, char *why, size_t why_size)
{
	for (uint32_t i = 0; i < NOVA_JOURNAL_RINGS; i++) {
		int rc = ring_sequence(fs, i, why, why_size);

		if (rc)
			return rc;
	}
	if (!fs->read_only)
		pm_fence(fs->pm);
	return 0;
}

static bool target_is_slot(const struct nova *fs, uint64_t ino)
{
	uint64_t block = ino_block(ino);

	return block >= NOVA_PREAMBLE_BLOCKS && block < fs->blocks && fs->chunks[chunk_of_block(block)];
}

static bool record_valid(const struct nova *fs, const struct nova_record *record, uint32_t ring, uint64_t sequence)
{
	if (le32_get(record->crc) != record_crc(record, ring) || le64_get(record->sequence) != sequence)
		return false;
	if (record->count < 1 || record->count > NOVA_RECORD_WORDS)
		return false;
	for (unsigned i = 0; i < record->count; i++) {
		uint64_t target = le64_get(record->words[i].target);
		uint64_t ino = target >> 8;
		enum nova_word_kind kind = (enum nova_word_kind)(target & 0xff);
		uint32_t generation = le32_get(record->words[i].generation);
		uint64_t owner = kind == NOVA_WORD_LIFE ? ino : word_owner(ino, generation);
		uint64_t value;

		if (!target_is_slot(fs, ino) || !slot_word_pair(fs, ino, kind))
			return false;
		if (!word_value(kind, owner, le64_get(record->words[i].word), &value))
			return false;
	}
	return true;
}

/* Store into the slot, or into its copy in the read-only overlay: slot_words() returns the right one. */
static void replay_word(struct nova *fs, uint64_t ino, enum nova_word_kind kind, uint64_t word)
{
	struct nova_slot_words *copy;
	le64 *pair;

	if (!fs->read_only) {
		word_pair_store(fs->pm, slot_word_pair(fs, ino, kind), word);
		return;
	}
	copy = ro_overlay_take(fs, ino);
	pair = kind == NOVA_WORD_LIFE ? copy->life : kind == NOVA_WORD_TAIL ? copy->tail : copy->head;
	pair[0] = pair[1] = le64_of(word);
}

static void apply_lives(struct nova *fs, const struct nova_record *record, unsigned *applied)
{
	for (unsigned i = 0; i < record->count; i++) {
		uint64_t target = le64_get(record->words[i].target);
		uint64_t ino = target >> 8;
		const le64 *life = slot_words(fs, ino)->life;
		uint64_t word = le64_get(record->words[i].word);
		uint64_t value;

		if ((target & 0xff) != NOVA_WORD_LIFE)
			continue;
		if (word_read(NOVA_WORD_LIFE, ino, &life[0], &life[1], &value) != WORD_LOST && value >= word >> 16)
			continue;
		replay_word(fs, ino, NOVA_WORD_LIFE, word);
		++*applied;
	}
}

static void apply_tail(struct nova *fs, const struct nova_record *record, unsigned i, unsigned *applied)
{
	uint64_t ino = le64_get(record->words[i].target) >> 8;
	uint32_t generation = le32_get(record->words[i].generation);
	const struct nova_slot_words *slot = slot_words(fs, ino);
	uint64_t owner = word_owner(ino, generation);
	uint64_t word = le64_get(record->words[i].word);
	uint64_t value;

	if (word_read(NOVA_WORD_LIFE, ino, &slot->life[0], &slot->life[1], &value) == WORD_LOST)
		return;
	if (value >> 8 != generation)
		return;
	if (word_read(NOVA_WORD_TAIL, owner, &slot->tail[0], &slot->tail[1], &value) != WORD_LOST && value > word >> 16)
		return;
	replay_word(fs, ino, NOVA_WORD_TAIL, word);
	++*applied;
	for (unsigned k = 0; k < record->count; k++)
		if (le64_get(record->words[k].target) == (ino << 8 | NOVA_WORD_HEAD))
			replay_word(fs, ino, NOVA_WORD_HEAD, le64_get(record->words[k].word));
}

static void apply_tails(struct nova *fs, const struct nova_record *record, unsigned *applied)
{
	for (unsigned i = 0; i < record->count; i++)
		if ((le64_get(record->words[i].target) & 0xff) == NOVA_WORD_TAIL)
			apply_tail(fs, record, i, applied);
}

/* Only the newest record of a ring can have slot words that are not durable yet, so only this record must be valid. */
static int replay_ring(struct nova *fs, uint32_t i,
                       void (*apply)(struct nova *, const struct nova_record *, unsigned *), unsigned *applied,
                       char *why, size_t why_size)
{
	uint64_t newest = fs->ring_sequence[i];
	uint64_t oldest = newest >= NOVA_RING_RECORDS - 1 ? newest - (NOVA_RING_RECORDS - 2) : 1;

	for (uint64_t sequence = oldest; sequence <= newest; sequence++) {
		struct nova_record record;

		if (sequence == 0)
			continue;
		memcpy(&record, &ring_at(fs, i)->records[sequence % NOVA_RING_RECORDS], sizeof record);
		if (record_valid(fs, &record, i, sequence)) {
			apply(fs, &record, applied);
		} else if (sequence == newest && fs->rescue) {
			log_warn(NOVA_LOG_NAME,
			         "journal ring %u: its newest committed record (%llu) is damaged and ignored: an "
			         "operation may be incomplete",
			         i, (unsigned long long)newest);
		} else if (sequence == newest) {
			snprintf(why, why_size, "journal ring %u: its newest committed record (%llu) is damaged", i,
			         (unsigned long long)newest);
			return -EIO;
		}
	}
	return 0;
}

int journal_replay(struct nova *fs, char *why, size_t why_size)
{
	void (*const passes[])(struct nova *, const struct nova_record *, unsigned *) = {apply_lives, apply_tails};
	unsigned applied = 0;
	int rc = journal_load(fs, why, why_size);

	if (!rc && fs->read_only)
		rc = ro_overlay_open(fs);
	for (unsigned pass = 0; !rc && pass < 2; pass++)
		for (uint32_t i = 0; !rc && i < NOVA_JOURNAL_RINGS; i++)
			rc = replay_ring(fs, i, passes[pass], &applied, why, why_size);
	if (rc)
		return rc;
	if (!fs->read_only)
		pm_fence(fs->pm);
	log_info(NOVA_LOG_NAME, "journal replayed: %u slot words %s", applied,
	         fs->read_only ? "applied in DRAM only" : "stored");
	return 0;
}
