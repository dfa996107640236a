/*
 * replay_names.c -- the names of a directory during replay of its log.
 */
#include "server/nova/inode/replay_internal.h"

#include "server/nova/media/entry.h"
#include "server/nova/space/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool same_name(const struct replay *replay, const struct dir_entry *a, const struct dir_entry *b)
{
	return a->length == b->length && memcmp(entry_name(line_at(replay->fs, a->line)),
	                                        entry_name(line_at(replay->fs, b->line)), a->length) == 0;
}

/* A rename makes a name refer to another inode: an entry with the same bytes and cookie replaces the old one. */
static int replace_name(struct replay *replay, struct dir_entry *old, const struct dir_entry *by)
{
	if (!same_name(replay, old, by))
		return replay_refuse(replay, by->cookie, "two names have this cookie");
	if (old->type == S_IFDIR >> 12)
		replay->inode->subdirs--;
	dir_index_replace(old, by);
	return 0;
}

int replay_name(struct replay *replay, const struct nova_entry *entry, uint64_t position, uint64_t line)
{
	const struct nova_name_entry *name = ENTRY_CONST_PAYLOAD(nova_name_entry, entry);
	struct dir_index *dir = &replay->inode->dir;
	uint64_t ino = le64_get(name->ino);
	struct dir_entry added = {
	    .cookie = le64_get(name->cookie),
	    .line = line,
	    .ino = ino,
	    .type = name->file_type & 0xf,
	    .length = name->name_length,
	};
	int rc;

	if (replay->inode->type != S_IFDIR >> 12)
		return replay_refuse(replay, position, "a name in an inode that is no directory");
	if (!entry_name_ok(entry_name(entry), name->name_length) || entry->lines != entry_name_lines(name->name_length))
		return replay_refuse(replay, position, "an impossible name");
	/* A listing begins after cookie 0. */
	if (added.cookie == 0 || added.cookie > position)
		return replay_refuse(replay, position, "a name's cookie is 0 or beyond the name's position");
	if (!slots_chunk(replay->fs, ino) && !replay->fs->rescue)
		return replay_refuse(replay, position, "a name refers to no inode slot");
	if (!replay->page)
		added.hash = dir_index_hash(replay->fs->hash_seed, entry_name(entry), name->name_length);
	replay->inode->mtime_ns = replay->inode->ctime_ns = (int64_t)le64_get(name->time_ns);
	if (added.type == S_IFDIR >> 12)
		replay->inode->subdirs++;
	if (dir->count && added.cookie <= dir_index_entry(dir, dir->count - 1)->cookie) {
		struct dir_entry *old = replay->unsorted ? NULL : dir_index_at(dir, added.cookie);

		if (old)
			return replace_name(replay, old, &added);
		replay->unsorted = true;
	}
	rc = dir_index_reserve(dir, 1);
	if (!rc)
		dir_index_add(dir, &added);
	return rc;
}

/* GC frees dead entries in a log's first pages, so a NAME_GONE entry may be left without its NAME entry. */
static int remove_name(struct replay *replay, const struct gone *gone)
{
	struct nova_inode *inode = replay->inode;
	struct dir_entry *entry = dir_index_at(&inode->dir, gone->cookie);

	if (entry ? entry->ino != gone->ino : gone->cookie >= replay->walk->log_start)
		return replay_refuse(replay, gone->position, "removal of a name that does not exist");
	if (!entry)
		return 0;
	if (entry->type == S_IFDIR >> 12)
		inode->subdirs--;
	dir_index_remove(&inode->dir, entry);
	return 0;
}

static int put_off(struct replay *replay, const struct gone *gone)
{
	if (replay->gone_count == replay->gone_room) {
		size_t room = replay->gone_room ? 2 * replay->gone_room : 64;
		struct gone *more = realloc(replay->gone, room * sizeof *more);

		if (!more)
			return -ENOMEM;
		replay->gone = more;
		replay->gone_room = room;
	}
	replay->gone[replay->gone_count++] = *gone;
	return 0;
}

int replay_name_gone(struct replay *replay, const struct nova_name_gone_entry *payload, uint64_t position)
{
	struct nova_inode *inode = replay->inode;
	struct gone gone = {le64_get(payload->cookie), le64_get(payload->ino), position};

	if (inode->type != S_IFDIR >> 12)
		return replay_refuse(replay, position, "removal of a name in an inode that is no directory");
	inode->mtime_ns = inode->ctime_ns = (int64_t)le64_get(payload->time_ns);
	return replay->unsorted ? put_off(replay, &gone) : remove_name(replay, &gone);
}

static void forget_name(struct replay *replay, struct dir_entry *entry)
{
	if (!entry->line)
		return;
	if (entry->type == S_IFDIR >> 12)
		replay->inode->subdirs--;
	dir_index_remove(&replay->inode->dir, entry);
}

/* Entries with one cookie are one name, which has come to refer to other inodes: the last entry is the valid one. If
 * their names differ, the first is kept: a rescue mount lists what is left, with each cookie once. */
static int drop_replaced_names(struct replay *replay)
{
	struct dir_index *dir = &replay->inode->dir;
	uint32_t kept = 0;
	int rc = 0;

	for (uint32_t i = 1; i < dir->count; i++) {
		struct dir_entry *old = dir_index_entry(dir, kept);
		struct dir_entry *by = dir_index_entry(dir, i);

		if (old->cookie == by->cookie && (!old->line || !same_name(replay, old, by))) {
			rc = replay_refuse(replay, by->cookie, "two names have this cookie");
			forget_name(replay, by);
			continue;
		}
		if (old->cookie == by->cookie)
			forget_name(replay, old);
		kept = i;
	}
	return rc;
}

/* The cookie of a removed name is not used again, so the removals may be applied at the end and in any order. */
int replay_names_done(struct replay *replay)
{
	struct dir_index *dir = &replay->inode->dir;
	int rc = 0;

	if (replay->unsorted) {
		dir_index_sort(dir);
		rc = drop_replaced_names(replay);
	}
	for (size_t i = 0; !rc && i < replay->gone_count; i++)
		rc = remove_name(replay, &replay->gone[i]);
	/* The scan counts the names and looks none up. */
	return rc || replay->page ? rc : dir_index_load_done(dir);
}
