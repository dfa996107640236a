/*
 * replay.c -- rebuilds an inode's attributes and index from its log. Everything read is validated.
 */
#include "server/nova/inode/replay.h"

#include "server/nova/inode/replay_internal.h"
#include "server/nova/inode/xattr_index.h"
#include "server/nova/media/ro_overlay.h"
#include "server/nova/media/words.h"
#include "server/nova/space/alloc.h"
#include "server/nova/space/project.h"
#include "server/nova/space/slots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void replay_reset(struct nova_inode *inode)
{
	file_index_clear(&inode->file);
	dir_index_clear(&inode->dir);
	xattr_forget(inode);
	inode->indexed = false;
}

/* ---- words ---------------------------------------------------------------------------------------------------- */

bool replay_word(struct nova *fs, uint64_t ino, enum nova_word_kind kind, uint64_t owner, le64 *pair, const char *name,
                 uint64_t *value)
{
	enum word_state state = word_read(kind, owner, &pair[0], &pair[1], value);

	if (state == WORD_GOOD)
		return true;
	if (state == WORD_LOST)
		return false;
	if (state == WORD_HALF)
		log_warn(NOVA_LOG_NAME, "inode %llu: one copy of its %s word was damaged%s", (unsigned long long)ino,
		         name, fs->read_only ? "" : ", repaired");
	/* Of two different heads the newer is unknown; after the journal's replay only damage makes them differ. */
	if (state == WORD_MOVED && kind == NOVA_WORD_HEAD)
		return false;
	if (!fs->read_only)
		word_pair_store(fs->pm, pair, word_make(kind, owner, *value));
	return true;
}

int replay_life(struct nova *fs, uint64_t ino, uint32_t *generation, uint8_t *state, char *why, size_t why_size)
{
	uint64_t value;

	if (!replay_word(fs, ino, NOVA_WORD_LIFE, ino, slot_words(fs, ino)->life, "life", &value)) {
		snprintf(why, why_size, "inode %llu: both copies of its life word are damaged",
		         (unsigned long long)ino);
		return -EIO;
	}
	if (value >> 40 || !life_known(value & 0xff)) {
		snprintf(why, why_size, "inode %llu: its life word has no known state", (unsigned long long)ino);
		return -EIO;
	}
	*generation = (uint32_t)(value >> 8);
	*state = (uint8_t)value;
	return 0;
}

uint64_t replay_lines(const struct nova *fs, uint64_t ino)
{
	const struct nova_slot_words *words = slot_words(fs, ino);
	const struct nova_page_header *page;
	uint64_t life, owner, tail, head, first;

	if (word_read(NOVA_WORD_LIFE, ino, &words->life[0], &words->life[1], &life) == WORD_LOST)
		return 0;
	owner = word_owner(ino, (uint32_t)(life >> 8));
	if (word_read(NOVA_WORD_TAIL, owner, &words->tail[0], &words->tail[1], &tail) == WORD_LOST)
		return 0;
	if (tail <= NOVA_SLOT_LINES)
		return tail;
	if (word_read(NOVA_WORD_HEAD, owner, &words->head[0], &words->head[1], &head) == WORD_LOST ||
	    !alloc_valid(fs, head, 1))
		return 0;
	page = block_at(fs, head);
	first = le64_get(page->first_position);
	if (first <= NOVA_SLOT_LINES)
		return tail;
	return first < tail ? tail - first : 0;
}

/* ---- the inode ------------------------------------------------------------------------------------------------ */

static int replay_page(void *context, uint64_t block)
{
	struct replay *replay = context;

	return replay->page ? replay->page(replay->page_context, block) : 0;
}

static int read_header(struct replay *replay)
{
	struct nova_inode *inode = replay->inode;
	const struct nova_slot *slot = replay->slot ? replay->slot : slot_at(replay->fs, inode->ino);
	const struct nova_slot_header *header = &slot->header;

	if (le32_get(header->crc) != entry_header_crc(header, inode->ino, inode->generation) ||
	    le32_get(header->generation) != inode->generation)
		return replay_refuse(replay, 0, "damaged slot header");
	switch (header->type << 12) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		break;
	default:
		return replay_refuse(replay, 0, "slot header of unknown type");
	}
	inode->type = header->type;
	inode->rdev = le32_get(header->rdev);
	inode->btime_ns = (int64_t)le64_get(header->birth_ns);
	__atomic_store_n(&inode->parent, le64_get(header->parent), __ATOMIC_RELAXED);
	if (inode->type == S_IFDIR >> 12 && !slots_chunk(replay->fs, inode->parent))
		return replay_refuse(replay, 0, "an impossible parent");
	return 0;
}

static int read_words(struct replay *replay)
{
	struct nova_inode *inode = replay->inode;
	struct nova_slot_words *words = slot_words(replay->fs, inode->ino);
	uint64_t owner = word_owner(inode->ino, inode->generation);

	if (!replay_word(replay->fs, inode->ino, NOVA_WORD_TAIL, owner, words->tail, "tail", &inode->log.tail))
		return replay_refuse(replay, 0, "both copies of the tail word are damaged");
	if (inode->log.tail == 0)
		return replay_refuse(replay, 0, "an inode with an empty log");
	inode->log.head = 0;
	inode->log.born = 0;
	if (inode->log.tail > NOVA_SLOT_LINES &&
	    !replay_word(replay->fs, inode->ino, NOVA_WORD_HEAD, owner, words->head, "head", &inode->log.head))
		return replay_refuse(replay, 0, "the copies of the head word are damaged");
	return 0;
}

static void count_blocks(struct nova_inode *inode)
{
	struct extent extent;
	uint64_t at = 0;

	inode->space.blocks = 0;
	while (file_index_next_extent(&inode->file, &at, &extent)) {
		inode->space.blocks += extent.count;
		if (extent.value & FILE_UNWRITTEN)
			inode->space.unwritten += extent.count;
	}
}

static void forget(struct nova_inode *inode)
{
	replay_reset(inode);
	inode->size = inode->space.blocks = inode->space.unwritten = 0;
	inode->flags = inode->project = 0;
	inode->space.quota = NULL;
	inode->acl = NULL;
	inode->has_xattrs = false;
	inode->subdirs = 0;
	inode->symlink_line = 0;
}

static int read_fixed(struct replay *replay, struct log_walk *walk)
{
	int rc = read_header(replay);

	if (!rc)
		rc = read_words(replay);
	walk->tail = replay->inode->log.tail;
	walk->head = replay->inode->log.head;
	return rc;
}

/* Call after the whole log was read. */
static void take_place(struct nova_inode *inode, const struct log_walk *walk)
{
	inode->log.start = walk->log_start;
	inode->log.tail_page = walk->last_page;
	inode->log.tail_first = walk->last_first;
	if (inode->life != NOVA_LIFE_ALLOCATED)
		inode->nlink = 0;
	memset(&inode->gc, 0, sizeof inode->gc);
}

/* Find the inode's project, after its blocks were counted. */
static int take_project(struct nova *fs, struct nova_inode *inode)
{
	inode->space.charged = inode->space.blocks;
	if (!inode->project)
		return 0;
	inode->space.quota = project_find(fs, inode->project);
	return inode->space.quota ? 0 : -ENOMEM;
}

/* Checks that need the whole log. */
static int check_whole(struct replay *replay)
{
	const char *wrong = xattr_check_places(replay->fs, replay->inode);

	if (!wrong && replay->inode->type == S_IFLNK >> 12 && !replay->inode->symlink_line)
		wrong = "a symbolic link without a target";
	return wrong ? replay_refuse(replay, 0, wrong) : 0;
}

static void count_runs(struct nova_inode *inode, const struct slot_runs *runs)
{
	for (uint32_t i = 0; i < runs->count; i++) {
		inode->space.blocks += runs->run[i].count;
		if (runs->run[i].value & FILE_UNWRITTEN)
			inode->space.unwritten += runs->run[i].count;
	}
}

int replay_slot(struct nova *fs, struct nova_inode *inode, struct slot_runs *runs, char *why, size_t why_size)
{
	struct replay replay = {.fs = fs, .inode = inode, .runs = runs, .why = why, .why_size = why_size};
	struct log_walk walk = {.fs = fs,
	                        .ino = inode->ino,
	                        .generation = inode->generation,
	                        .repair = !fs->read_only,
	                        .entry = replay_entry,
	                        .context = &replay};
	int rc;

	replay.walk = &walk;
	runs->count = 0;
	forget(inode);
	inode->partial = false;
	rc = read_fixed(&replay, &walk);
	if (!rc && (inode->type == S_IFDIR >> 12 || inode->log.tail > NOVA_SLOT_LINES))
		rc = -EAGAIN;
	if (!rc)
		rc = log_walk(&walk);
	if (!rc)
		rc = check_whole(&replay);
	if (rc && walk.why[0])
		snprintf(why, why_size, "%s", walk.why);
	if (rc)
		return rc;
	take_place(inode, &walk);
	count_runs(inode, runs);
	inode->space.blocks += xattr_blocks(inode);
	return take_project(fs, inode);
}

/*
 * Copy the used part of the slot, according to its tail, while other threads may store to it. The copy goes by words of
 * 8 bytes, which are stored atomically. The CRCs and the slot words detect any mixture, so this race is harmless.
 */
__attribute__((no_sanitize("thread"))) static void copy_slot(const struct nova *fs, uint64_t ino, uint64_t tail,
                                                             struct nova_slot *copy)
{
	const volatile uint64_t *from = (const volatile uint64_t *)(const void *)slot_at(fs, ino);
	uint64_t *to = (uint64_t *)(void *)copy;
	size_t words = (offsetof(struct nova_slot, log) + tail * NOVA_LINE_SIZE) / sizeof *to;

	for (size_t i = 0; i < words; i++)
		to[i] = from[i];
}

/* Read a word whose two copies must be equal. */
static bool sound_word(enum nova_word_kind kind, uint64_t owner, const le64 *pair, uint64_t *value)
{
	return word_read(kind, owner, &pair[0], &pair[1], value) == WORD_GOOD;
}

/* Read life and tail of the slot. True if both are valid, the generation is alive and its log is in the slot. */
__attribute__((no_sanitize("thread"))) static bool peek_words(const struct nova *fs, uint64_t ino, uint32_t generation,
                                                              uint64_t *life, uint64_t *tail)
{
	struct nova_slot_words words = *slot_words(fs, ino);

	return sound_word(NOVA_WORD_LIFE, ino, words.life, life) && *life >> 8 == generation &&
	       life_has_log((enum nova_life)(*life & 0xff)) &&
	       sound_word(NOVA_WORD_TAIL, word_owner(ino, generation), words.tail, tail) && *tail > 0 &&
	       *tail <= NOVA_SLOT_LINES;
}

int replay_peek(struct nova *fs, struct nova_inode *inode)
{
	struct nova_slot slot __attribute__((aligned(NOVA_LINE_SIZE)));
	struct slot_runs runs;
	char why[200];
	struct replay replay = {
	    .fs = fs, .inode = inode, .runs = &runs, .slot = &slot, .why = why, .why_size = sizeof why};
	struct log_walk walk = {.fs = fs,
	                        .slot = &slot,
	                        .ino = inode->ino,
	                        .generation = inode->generation,
	                        .entry = replay_entry,
	                        .context = &replay};
	uint64_t life[2], tail[2];

	if (!peek_words(fs, inode->ino, inode->generation, &life[0], &tail[0]))
		return -EAGAIN;
	inode->life = (uint8_t)life[0];
	inode->log.tail = tail[0];
	copy_slot(fs, inode->ino, inode->log.tail, &slot);
	if (read_header(&replay) || inode->type == S_IFDIR >> 12)
		return -EAGAIN;
	replay.walk = &walk;
	runs.count = 0;
	walk.tail = inode->log.tail;
	if (log_walk(&walk) || check_whole(&replay))
		return -EAGAIN;
	count_runs(inode, &runs);
	/* Lines below the tail do not change, and lines of another generation have other CRCs. So the copy is one
	 * consistent state if the words are. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!peek_words(fs, inode->ino, inode->generation, &life[1], &tail[1]) || life[1] != life[0] ||
	    tail[1] != tail[0])
		return -EAGAIN;
	return 0;
}

int replay_inode(struct nova *fs, struct nova_inode *inode, int (*page)(void *context, uint64_t block), void *context,
                 char *why, size_t why_size)
{
	struct replay replay = {
	    .fs = fs, .inode = inode, .page = page, .page_context = context, .why = why, .why_size = why_size};
	struct log_walk walk = {.fs = fs,
	                        .ino = inode->ino,
	                        .generation = inode->generation,
	                        .repair = !fs->read_only,
	                        .page = replay_page,
	                        .entry = replay_entry,
	                        .context = &replay};
	int names_err;
	int rc;

	replay.walk = &walk;
	forget(inode);
	rc = read_fixed(&replay, &walk);
	if (rc)
		return rc;
	dir_index_load(&inode->dir);
	rc = log_walk(&walk);
	/* A rescue mount shows the names before the damage, so they are sorted even then. */
	names_err = replay_names_done(&replay);
	if (!rc)
		rc = names_err;
	free(replay.gone);
	if (!rc)
		rc = check_whole(&replay);
	if (rc && walk.why[0])
		snprintf(why, why_size, "%s", walk.why);
	inode->partial = rc == -EIO && fs->rescue && inode->type == S_IFDIR >> 12;
	if (inode->partial)
		log_warn(NOVA_LOG_NAME, "%s; the %u names before it are shown", why, inode->dir.live);
	else if (rc) {
		replay_reset(inode);
		return rc;
	}
	take_place(inode, &walk);
	if (inode->type == S_IFREG >> 12)
		count_blocks(inode);
	inode->space.blocks += xattr_blocks(inode);
	rc = take_project(fs, inode);
	if (rc) {
		replay_reset(inode);
		return rc;
	}
	inode->indexed = true;
	return 0;
}
